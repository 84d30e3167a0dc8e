/* log.h: events as lines, key=value text or one JSON object a line, to standard error, journald or syslog.
 *
 * A line is one write(2), or one datagram. The reader may sleep: what it does not
 * take at once is dropped and counted, since a gateway must not wait for its log. */
#ifndef GW_LOG_H
#define GW_LOG_H

#include <hb/err.h>
#include <hb/span.h>
#include <stdatomic.h>
#include <stdbool.h>

enum gw_event {
#define GW_E(id, name, level, tells) GW_EV_##id,
#include "events.def"
#undef GW_E
    GW_NUM_EVENTS
};

enum gw_log_format { GW_LOG_TEXT, GW_LOG_JSON };
enum gw_log_to { GW_LOG_STDERR, GW_LOG_JOURNALD, GW_LOG_SYSLOG };
enum { GW_LEVEL_DEBUG }; /* the least */

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
/* Before the file system is left: the time zone is read, and whether standard error is journald's. */
void gw_log_prepare(void);
/* Lines go to this datagram socket of journald's or syslog's from now on; fd becomes the log's own. -1: to
 * standard error, either because to says so or because nobody is there now. */
void gw_log_to(enum gw_log_to to, int fd);
/* The socket, borrowed; -1: none. */
int gw_log_fd(void);
/* There should be a socket, and is none: somebody who sees the file system should open one. */
bool gw_log_lost(void);
void gw_log(enum gw_event event, const struct gw_field *fields, size_t num);
/* Once a second: tells of dropped lines when they can be told. */
void gw_log_tick(void);

/* ---- log_format.c ---- */

#define GW_LOG_NO_TIME UINT64_MAX
/* Formats one line (with its newline) into dst; returns its length. when: seconds since 1970, or
 * GW_LOG_NO_TIME where the reader puts its own. */
size_t gw_log_format_line(enum gw_log_format format, uint64_t when, enum gw_event event,
                          const struct gw_field *fields, size_t num, char *dst, size_t cap);
/* The same behind "<N>", for a standard error that journald reads (sd-daemon(3)). */
size_t gw_log_format_prefixed(enum gw_log_format format, enum gw_event event, const struct gw_field *fields,
                              size_t num, char *dst, size_t cap);
/* A datagram for syslog (RFC 3164, with local time and our process id), and one for journald's own protocol:
 * the line as MESSAGE, and each field once more by its name. */
size_t gw_log_format_syslog(enum gw_log_format format, uint64_t when, unsigned pid, enum gw_event event,
                            const struct gw_field *fields, size_t num, char *dst, size_t cap);
size_t gw_log_format_journal(enum gw_log_format format, enum gw_event event, const struct gw_field *fields,
                             size_t num, char *dst, size_t cap);
/* Fields as key=value, or as one JSON object, and a newline; those that fit. */
size_t gw_log_format_fields(enum gw_log_format format, const struct gw_field *fields, size_t num, char *dst,
                            size_t cap);
const char *gw_event_name(enum gw_event event);
unsigned gw_event_level(enum gw_event event);

#endif
