/* log.c: one line, one write.  Never blocks, never formats a secret: fields are named by whoever logs. */
#include "log.h"

#include <fcntl.h>
#include <hb/builder.h>
#include <hb/utf8.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_LOG 4096u
#define TEXT_MAX_LOG 160u

enum level { LEVEL_DEBUG, LEVEL_INFO, LEVEL_WARN, LEVEL_ERROR };

static const struct {
    const char *name;
    enum level level;
} events[GW_NUM_EVENTS] = {
#define GW_E(id, name, level, tells) {name, LEVEL_##level},
#include "events.def"
#undef GW_E
};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

static struct {
    enum gw_log_format format;
    bool debug;
    uint64_t dropped;
    _Atomic uint64_t *counters; /* borrowed; NULL: nobody counts */
} log_state;

void gw_log_setup(enum gw_log_format format, bool debug)
{
    log_state.format = format;
    log_state.debug = debug;
}

void gw_log_count(_Atomic uint64_t *counters)
{
    log_state.counters = counters;
}

void gw_log_prepare(void)
{
    time_t now = 0;
    struct tm tm;

    (void)gmtime_r(&now, &tm);
}

const char *gw_event_name(enum gw_event event)
{
    return events[event].name;
}

/* The host names, addresses and sentences we log are ASCII; a peer's text is escaped whatever it is. */
static void put_text(struct hb_bld *b, struct hb_span text)
{
    char escaped[TEXT_MAX_LOG * 4 + 8];
    size_t len = hb_log_escape(text, TEXT_MAX_LOG, escaped, sizeof escaped);

    hb_bld_put(b, hb_span(escaped, len));
}

/* JSON knows no \xHH: the backslash itself is escaped once more. */
static void put_json_text(struct hb_bld *b, struct hb_span text)
{
    char escaped[TEXT_MAX_LOG * 4 + 8];
    size_t len = hb_log_escape(text, TEXT_MAX_LOG, escaped, sizeof escaped);

    for (size_t i = 0; i < len; i++) {
        if (escaped[i] == '\\') {
            hb_bld_u8(b, '\\');
        }
        hb_bld_u8(b, (uint8_t)escaped[i]);
    }
}

static void put_number(struct hb_bld *b, uint64_t n)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);

    hb_bld_put(b, hb_span(digits, (size_t)len));
}

static bool plain_word(struct hb_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] <= ' ' || text.p[i] == '=' || text.p[i] == '"') {
            return false;
        }
    }
    return text.len > 0;
}

static void put_field(struct hb_bld *b, enum gw_log_format format, const struct gw_field *f)
{
    bool json = format == GW_LOG_JSON;

    if (f->text.p != NULL && f->text.len == 0) {
        return;
    }
    hb_bld_str(b, json ? ",\"" : " ");
    hb_bld_str(b, f->key);
    hb_bld_str(b, json ? "\":" : "=");
    if (f->text.p == NULL) {
        put_number(b, f->number);
    } else if (json) {
        hb_bld_str(b, "\"");
        put_json_text(b, f->text);
        hb_bld_str(b, "\"");
    } else if (plain_word(f->text)) {
        put_text(b, f->text);
    } else {
        hb_bld_str(b, "\"");
        put_text(b, f->text);
        hb_bld_str(b, "\"");
    }
}

size_t gw_log_format_line(enum gw_log_format format, uint64_t when, enum gw_event event,
                          const struct gw_field *fields, size_t num, char *dst, size_t cap)
{
    struct hb_bld b = hb_bld(dst, cap - 4);
    const char *level = level_names[events[event].level];
    char stamp[32];
    time_t seconds = (time_t)when;
    struct tm tm;

    (void)gmtime_r(&seconds, &tm);
    (void)strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &tm);
    if (format == GW_LOG_JSON) {
        hb_bld_str(&b, "{\"time\":\"");
        hb_bld_str(&b, stamp);
        hb_bld_str(&b, "\",\"level\":\"");
        hb_bld_str(&b, level);
        hb_bld_str(&b, "\",\"event\":\"");
        hb_bld_str(&b, events[event].name);
        hb_bld_str(&b, "\"");
    } else {
        hb_bld_str(&b, stamp);
        hb_bld_str(&b, " ");
        hb_bld_str(&b, level);
        hb_bld_str(&b, " event=");
        hb_bld_str(&b, events[event].name);
    }
    for (size_t i = 0; i < num; i++) {
        size_t before = b.len;
        put_field(&b, format, &fields[i]);
        if (!hb_bld_ok(&b)) { /* it does not fit: the line ends before this field */
            b.len = before;
            break;
        }
    }
    size_t len = b.len;
    if (format == GW_LOG_JSON) {
        dst[len++] = '}';
    }
    dst[len++] = '\n';
    dst[len] = 0;
    return len;
}

size_t gw_log_format_fields(const struct gw_field *fields, size_t num, char *dst, size_t cap)
{
    struct hb_bld b = hb_bld(dst, cap - 1);

    for (size_t i = 0; i < num; i++) {
        size_t before = b.len;
        put_field(&b, GW_LOG_TEXT, &fields[i]);
        if (!hb_bld_ok(&b)) {
            b.len = before;
            break;
        }
    }
    size_t len = b.len;
    memmove(dst, dst + (len > 0), len - (len > 0)); /* the blank before the first */
    len -= len > 0;
    dst[len++] = '\n';
    return len;
}

static void write_line(const char *line, size_t len)
{
    struct pollfd fd = {STDERR_FILENO, POLLOUT, 0};

    /* A pipe that is ready takes PIPE_BUF bytes at once; a longer line is ours to risk. */
    if (poll(&fd, 1, 0) != 1 || write(STDERR_FILENO, line, len) != (ssize_t)len) {
        log_state.dropped++;
    }
}

void gw_log(enum gw_event event, const struct gw_field *fields, size_t num)
{
    char line[LINE_MAX_LOG];

    if (log_state.counters != NULL) {
        log_state.counters[event]++;
    }
    if (events[event].level == LEVEL_DEBUG && !log_state.debug) {
        return;
    }
    size_t len =
        gw_log_format_line(log_state.format, (uint64_t)time(NULL), event, fields, num, line, sizeof line);
    write_line(line, len);
}

void gw_log_tick(void)
{
    if (log_state.dropped > 0) {
        uint64_t dropped = log_state.dropped;
        log_state.dropped = 0;
        GW_LOG(GW_EV_LOG_DROPPED, GW_U64("lines", dropped));
    }
}
