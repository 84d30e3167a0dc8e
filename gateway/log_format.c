/* log_format.c: events as text, JSON, and datagrams of journald and syslog. Pure.
 * Every text passes hb_log_escape(): no value can end a line or a field. */
#include "log.h"

#include <hb/builder.h>
#include <hb/utf8.h>
#include <stdio.h>
#include <time.h>

#define TEXT_MAX_LOG  160u
#define FACILITY_MAIL 2u /* RFC 3164 4.1.1 */

enum level { LEVEL_DEBUG = GW_LEVEL_DEBUG, LEVEL_INFO, LEVEL_WARN, LEVEL_ERROR };

static const struct {
    const char *name;
    enum level level;
} events[GW_NUM_EVENTS] = {
#define GW_E(id, name, level, tells) {name, LEVEL_##level},
#include "events.def"
#undef GW_E
};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

const char *gw_event_name(enum gw_event event)
{
    return events[event].name;
}

unsigned gw_event_level(enum gw_event event)
{
    return (unsigned)events[event].level;
}

/* RFC 5424 6.2.1: debug 7, informational 6, warning 4, error 3. */
static unsigned severity(enum gw_event event)
{
    static const uint8_t of_level[] = {7, 6, 4, 3};

    return of_level[events[event].level];
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

static void put_fields(struct hb_bld *b, enum gw_log_format format, const struct gw_field *fields, size_t num)
{
    for (size_t i = 0; i < num; i++) {
        size_t before = b->len;
        put_field(b, format, &fields[i]);
        if (!hb_bld_ok(b)) { /* it does not fit: the line ends before this field */
            b->len = before;
            break;
        }
    }
}

size_t gw_log_format_line(enum gw_log_format format, uint64_t when, enum gw_event event,
                          const struct gw_field *fields, size_t num, char *dst, size_t cap)
{
    struct hb_bld b = hb_bld(dst, cap - 4);
    const char *level = level_names[events[event].level];
    char stamp[32] = "";

    if (when != GW_LOG_NO_TIME) {
        time_t seconds = (time_t)when;
        struct tm tm;
        (void)gmtime_r(&seconds, &tm);
        (void)strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &tm);
    }
    if (format == GW_LOG_JSON) {
        hb_bld_str(&b, when != GW_LOG_NO_TIME ? "{\"time\":\"" : "{");
        hb_bld_str(&b, stamp);
        hb_bld_str(&b, when != GW_LOG_NO_TIME ? "\",\"level\":\"" : "\"level\":\"");
        hb_bld_str(&b, level);
        hb_bld_str(&b, "\",\"event\":\"");
        hb_bld_str(&b, events[event].name);
        hb_bld_str(&b, "\"");
    } else {
        hb_bld_str(&b, stamp);
        hb_bld_str(&b, when != GW_LOG_NO_TIME ? " " : "");
        hb_bld_str(&b, level);
        hb_bld_str(&b, " event=");
        hb_bld_str(&b, events[event].name);
    }
    put_fields(&b, format, fields, num);
    size_t len = b.len;
    if (format == GW_LOG_JSON) {
        dst[len++] = '}';
    }
    dst[len++] = '\n';
    dst[len] = 0;
    return len;
}

size_t gw_log_format_fields(enum gw_log_format format, const struct gw_field *fields, size_t num, char *dst,
                            size_t cap)
{
    bool json = format == GW_LOG_JSON;
    struct hb_bld b = hb_bld(dst, cap - 2); /* room for the end */

    put_fields(&b, format, fields, num);
    size_t len = b.len;
    if (json && len > 0) {
        dst[0] = '{'; /* for the comma before the first */
        dst[len++] = '}';
    } else {
        memmove(dst, dst + (len > 0), len - (len > 0)); /* the blank before the first */
        len -= len > 0;
    }
    dst[len++] = '\n';
    return len;
}

size_t gw_log_format_prefixed(enum gw_log_format format, enum gw_event event, const struct gw_field *fields,
                              size_t num, char *dst, size_t cap)
{
    int len = snprintf(dst, cap, "<%u>", severity(event));

    return (size_t)len +
           gw_log_format_line(format, GW_LOG_NO_TIME, event, fields, num, dst + len, cap - (size_t)len);
}

size_t gw_log_format_syslog(enum gw_log_format format, uint64_t when, unsigned pid, enum gw_event event,
                            const struct gw_field *fields, size_t num, char *dst, size_t cap)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)when;
    struct tm tm;

    (void)localtime_r(&seconds, &tm);
    int len =
        snprintf(dst, cap, "<%u>%s %2d %02d:%02d:%02d hauberk[%u]: ", FACILITY_MAIL * 8 + severity(event),
                 months[tm.tm_mon], tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, pid);
    return (size_t)len +
           gw_log_format_line(format, GW_LOG_NO_TIME, event, fields, num, dst + len, cap - (size_t)len) - 1;
}

/* HAUBERK_BYTES_IN=42 */
static void put_journal_field(struct hb_bld *b, const struct gw_field *f)
{
    size_t before = b->len;

    if (f->text.p != NULL && f->text.len == 0) {
        return;
    }
    hb_bld_str(b, "HAUBERK_");
    for (const char *c = f->key; *c != 0; c++) {
        hb_bld_u8(b, (uint8_t)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c));
    }
    hb_bld_str(b, "=");
    if (f->text.p == NULL) {
        put_number(b, f->number);
    } else {
        put_text(b, f->text);
    }
    hb_bld_str(b, "\n");
    if (!hb_bld_ok(b)) {
        b->len = before;
    }
}

size_t gw_log_format_journal(enum gw_log_format format, enum gw_event event, const struct gw_field *fields,
                             size_t num, char *dst, size_t cap)
{
    int head = snprintf(dst, cap,
                        "SYSLOG_IDENTIFIER=hauberk\nSYSLOG_FACILITY=%u\nPRIORITY=%u\nMESSAGE=", FACILITY_MAIL,
                        severity(event));
    size_t len = (size_t)head;
    len += gw_log_format_line(format, GW_LOG_NO_TIME, event, fields, num, dst + len, (cap - len) / 2);
    struct hb_bld b = hb_bld(dst + len, cap - len);
    const struct gw_field name = GW_STR("event", events[event].name);

    put_journal_field(&b, &name);
    for (size_t i = 0; i < num && hb_bld_ok(&b); i++) {
        put_journal_field(&b, &fields[i]);
    }
    return len + b.len;
}
