/* log.h: events as lines on standard error: key=value text, or one JSON object a line.
 *
 * A line is one write(2). Standard error may be a pipe whose reader sleeps: what
 * it does not take at once is dropped and counted, since a gateway must not wait
 * for its log. */
#ifndef GW_LOG_H
#define GW_LOG_H

#include <hb/err.h>
#include <hb/span.h>
#include <stdatomic.h>

enum gw_event {
#define GW_E(id, name, level, tells) GW_EV_##id,
#include "events.def"
#undef GW_E
    GW_NUM_EVENTS
};

enum gw_log_format { GW_LOG_TEXT, GW_LOG_JSON };

struct gw_field {
    const char *key;
    struct hb_span text; /* p NULL: the field is number */
    uint64_t number;
};

#define GW_STR(k, s)  ((struct gw_field){(k), hb_span_str(s), 0})
#define GW_SPAN(k, s) ((struct gw_field){(k), (s), 0})
#define GW_U64(k, n)  ((struct gw_field){(k), {NULL, 0}, (n)})

/* GW_LOG(event, field, ...): up to what fits a line of 4 KiB; a field with an empty text is left out. */
#define GW_LOG(event, ...)                                                                                   \
    gw_log((event), (const struct gw_field[]){__VA_ARGS__},                                                  \
           sizeof((const struct gw_field[]){__VA_ARGS__}) / sizeof(struct gw_field))

void gw_log_setup(enum gw_log_format format, bool debug);
/* Every event is counted in counters[event] from now on, also those that are not said. Borrowed. */
void gw_log_count(_Atomic uint64_t *counters);
/* Before the file system is left: the C library reads its time zone once. */
void gw_log_prepare(void);
void gw_log(enum gw_event event, const struct gw_field *fields, size_t num);
/* Formats one line (with its newline) into dst; returns its length. For gw_log and its tests. when: seconds
 * since 1970. */
size_t gw_log_format_line(enum gw_log_format format, uint64_t when, enum gw_event event,
                          const struct gw_field *fields, size_t num, char *dst, size_t cap);
/* Fields as key=value and a newline, without anything before them; those that fit. */
size_t gw_log_format_fields(const struct gw_field *fields, size_t num, char *dst, size_t cap);
/* Once a second: tells of dropped lines when they can be told. */
void gw_log_tick(void);
const char *gw_event_name(enum gw_event event);

#endif
