/* wheel.h: all deadlines of a worker in one coarse wheel, one second a slot.
 *
 * A session that is busy does not touch the wheel: it only moves its deadline
 * forward, and the wheel looks again when the old one comes up.  So a timer
 * costs 32 bytes and, for each byte relayed, one store.  Resolution: a second,
 * never early.  Pure: knows no clock, the worker says what time it is. */
#ifndef GW_WHEEL_H
#define GW_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#define GW_WHEEL_SLOTS 512u

struct gw_timer {
    struct gw_timer *next, **prev; /* borrowed: neighbours in the slot; prev NULL: not in the wheel */
    uint32_t deadline;             /* second at which it shall go off */
    uint32_t due;                  /* second of the slot it sits in: never after deadline */
};

struct gw_wheel {
    struct gw_timer *slots[GW_WHEEL_SLOTS]; /* borrowed */
    uint32_t now, num;
};

void gw_wheel_init(struct gw_wheel *w, uint32_t now);
/* Sets or moves t's deadline to `second`; a past one goes off at the next turn. */
void gw_wheel_set(struct gw_wheel *w, struct gw_timer *t, uint32_t second);
void gw_wheel_remove(struct gw_wheel *w, struct gw_timer *t);
/* Moves the wheel to `now` and calls fire for each timer whose deadline has come, which is then out of the
 * wheel. fire may set, remove and free any timer. */
void gw_wheel_turn(struct gw_wheel *w, uint32_t now, void (*fire)(struct gw_timer *t, void *ctx), void *ctx);

#endif
