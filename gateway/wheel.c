/* wheel.c: 512 slots of one second; far deadlines wait in the last reachable slot and move on from there.
 * Invariant: a timer in the wheel has due in [now + 1, now + SLOTS - 1] and due <= max(deadline, now + 1). */
#include "wheel.h"

#include <stddef.h>
#include <string.h>

void gw_wheel_init(struct gw_wheel *w, uint32_t now)
{
    memset(w, 0, sizeof *w);
    w->now = now;
}

static void link_at(struct gw_wheel *w, struct gw_timer *t, uint32_t due)
{
    struct gw_timer **slot = &w->slots[due % GW_WHEEL_SLOTS];

    t->due = due;
    t->next = *slot;
    t->prev = slot;
    if (t->next != NULL) {
        t->next->prev = &t->next;
    }
    *slot = t;
    w->num++;
}

void gw_wheel_remove(struct gw_wheel *w, struct gw_timer *t)
{
    if (t->prev == NULL) {
        return;
    }
    *t->prev = t->next;
    if (t->next != NULL) {
        t->next->prev = t->prev;
    }
    t->next = NULL;
    t->prev = NULL;
    w->num--;
}

void gw_wheel_set(struct gw_wheel *w, struct gw_timer *t, uint32_t second)
{
    t->deadline = second;
    if (t->prev != NULL && t->due <= second) {
        return; /* it is looked at in time; no need to move it now */
    }
    gw_wheel_remove(w, t);
    uint32_t due = second > w->now ? second : w->now + 1;
    uint32_t furthest = w->now + GW_WHEEL_SLOTS - 1;
    link_at(w, t, due < furthest ? due : furthest);
}

void gw_wheel_turn(struct gw_wheel *w, uint32_t now, void (*fire)(struct gw_timer *t, void *ctx), void *ctx)
{
    while (w->now < now) {
        w->now = w->num > 0 ? w->now + 1 : now;
        struct gw_timer **slot = &w->slots[w->now % GW_WHEEL_SLOTS];
        while (*slot != NULL) { /* nothing can be added to this slot meanwhile: due is always later */
            struct gw_timer *t = *slot;
            gw_wheel_remove(w, t);
            if (t->deadline > w->now) {
                gw_wheel_set(w, t, t->deadline);
            } else {
                fire(t, ctx);
            }
        }
    }
}
