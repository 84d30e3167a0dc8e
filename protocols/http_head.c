/* http_head.c: heads of HTTP/1.1 messages (RFC 9112), strictly: no folded lines, no blanks before a colon,
 * one length, one host. Lines were cut by line.c: no bare CR, no bare LF, no NUL is left in them. Invariants:
 * nothing here keeps state; a head that parses reads the same in every server. */
#include "http.h"

#include "words.h"

#define DIGITS_MAX 18u

static const char bad_request[] = "400 Bad Request";

/* ---- pieces ---- */

static bool token_char(uint8_t c)
{
    uint8_t low = hb_ascii_lower(c);

    return (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') ||
           (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_token(struct hb_span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!token_char(s.p[i])) {
            return false;
        }
    }
    return s.len > 0;
}

static struct hb_span trim(struct hb_span s)
{
    while (s.len > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
        s = hb_span_skip(s, 1);
    }
    while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t')) {
        s.len--;
    }
    return s;
}

/* The next part up to a separator or the end; *rest is moved behind the separator. */
static struct hb_span part(struct hb_span *rest, char separator)
{
    const uint8_t *at = rest->len > 0 ? memchr(rest->p, separator, rest->len) : NULL;
    size_t n = at != NULL ? (size_t)(at - rest->p) : rest->len;
    struct hb_span head = hb_span_head(*rest, n);

    *rest = hb_span_skip(*rest, n + 1);
    return head;
}

static struct hb_span next_line(struct hb_span *head)
{
    struct hb_span line = part(head, '\n');

    return hb_span_head(line, line.len > 0 ? line.len - 1 : 0); /* without its CR */
}

static struct hb_span next_item(struct hb_span *list)
{
    return trim(part(list, ','));
}

/* "name: value"; RFC 9112 5.1: no blank before the colon, 5.2: no folded line. */
static bool parse_field(struct hb_span line, struct hb_span *name, struct hb_span *value)
{
    const uint8_t *colon = line.len > 0 ? memchr(line.p, ':', line.len) : NULL;

    if (colon == NULL) {
        return false;
    }
    *name = hb_span_head(line, (size_t)(colon - line.p));
    *value = trim(hb_span_skip(line, name->len + 1));
    for (size_t i = 0; i < value->len; i++) {
        if ((value->p[i] < ' ' && value->p[i] != '\t') || value->p[i] == 0x7f) {
            return false;
        }
    }
    return is_token(*name);
}

static bool one_of(struct hb_span name, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (hb_span_is(name, *names)) {
            return true;
        }
    }
    return false;
}

/* ---- requests ---- */

/* "TLS/x.y" (HTTP-01). */
static bool is_tls(struct hb_span item)
{
    return item.len == HB_HTTP_TLS_TOKEN && hb_span_is(hb_span_head(item, 4), "TLS/") && item.p[4] >= '0' &&
           item.p[4] <= '9' && item.p[5] == '.' && item.p[6] >= '0' && item.p[6] <= '9';
}

static const char *parse_request_line(struct hb_span line, struct hb_http_request *r)
{
    r->method = part(&line, ' ');
    struct hb_span target = part(&line, ' ');

    if (!is_token(r->method) || target.len == 0 || line.len != 8 || memcmp(line.p, "HTTP/", 5) != 0) {
        return bad_request;
    }
    for (size_t i = 0; i < target.len; i++) {
        if (target.p[i] <= ' ' || target.p[i] >= 0x7f) {
            return bad_request;
        }
    }
    r->old = memcmp(line.p, "HTTP/1.0", 8) == 0;
    return r->old || memcmp(line.p, "HTTP/1.1", 8) == 0 ? NULL : "505 HTTP Version Not Supported";
}

static bool parse_length(struct hb_span value, uint64_t *length)
{
    *length = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (value.p[i] < '0' || value.p[i] > '9') {
            return false;
        }
        *length = *length * 10 + (uint64_t)(value.p[i] - '0');
    }
    return value.len > 0 && value.len <= DIGITS_MAX;
}

/* What Connection may name: never what says where a message ends, or for whom it is. */
static bool parse_connection(struct hb_span list, bool *upgrade, bool *closes)
{
    static const char *const never[] = {"Host", "Content-Length", "Transfer-Encoding", "Content-Encoding",
                                        NULL};

    while (list.len > 0) {
        struct hb_span item = next_item(&list);
        if (item.len > 0 && (!is_token(item) || one_of(item, never))) {
            return false;
        }
        *upgrade = *upgrade || hb_span_is(item, "upgrade");
        *closes = *closes || hb_span_is(item, "close");
    }
    return true;
}

static struct hb_span find_tls(struct hb_span list)
{
    while (list.len > 0) {
        struct hb_span item = next_item(&list);
        if (is_tls(item)) {
            return item;
        }
    }
    return hb_span(NULL, 0);
}

bool hb_http_parse_field(struct hb_span line, struct hb_http_field *f)
{
    memset(f, 0, sizeof *f);
    if (!parse_field(line, &f->name, &f->value)) {
        return false;
    }
    if (hb_span_is(f->name, "Connection")) {
        return parse_connection(f->value, &f->upgrades, &f->closes);
    }
    if (hb_span_is(f->name, "Upgrade")) {
        f->tls = find_tls(f->value);
    } else if (hb_span_is(f->name, "Content-Length")) {
        f->has_length = true;
        return parse_length(f->value, &f->length);
    }
    f->chunked = hb_span_is(f->name, "Transfer-Encoding");
    return true;
}

const char *hb_http_parse_request(struct hb_span head, struct hb_http_request *r)
{
    static const char *const secrets[] = {"Authorization", "Proxy-Authorization", "Cookie", NULL};
    unsigned hosts = 0;
    unsigned lengths = 0;
    bool upgrade = false;

    memset(r, 0, sizeof *r);
    const char *refusal = parse_request_line(next_line(&head), r);
    while (refusal == NULL && head.len > 0) {
        struct hb_http_field f;
        if (!hb_http_parse_field(next_line(&head), &f)) {
            return bad_request;
        }
        upgrade = upgrade || f.upgrades;
        r->closes = r->closes || f.closes;
        r->tls = r->tls.len > 0 ? r->tls : f.tls;
        r->length = f.has_length ? f.length : r->length;
        lengths += f.has_length;
        hosts += hb_span_is(f.name, "Host");
        r->chunked = r->chunked || f.chunked;
        r->credentials = r->credentials || one_of(f.name, secrets);
        r->expects_continue =
            r->expects_continue || (hb_span_is(f.name, "Expect") && hb_span_is(f.value, "100-continue"));
    }
    if (refusal != NULL) {
        return refusal;
    }
    if (lengths > 1 || hosts > 1 || (hosts == 0 && !r->old) || (r->chunked && (lengths > 0 || r->old))) {
        return bad_request;
    }
    if (!upgrade || r->old) { /* RFC 9110 7.8 */
        r->tls = hb_span(NULL, 0);
    }
    return NULL;
}

/* ---- answers ---- */

bool hb_http_parse_status(struct hb_span line, unsigned *status)
{
    return line.len >= 9 && memcmp(line.p, "HTTP/1.", 7) == 0 && line.p[8] == ' ' &&
           hb_reply_code(hb_span_skip(line, 9), " ", status) && *status >= 100 && *status < 600;
}

bool hb_http_parse_answer(struct hb_span head, unsigned *status)
{
    struct hb_http_field f;

    if (!hb_http_parse_status(next_line(&head), status)) {
        return false;
    }
    while (head.len > 0) {
        if (!hb_http_parse_field(next_line(&head), &f)) {
            return false;
        }
    }
    return true;
}

/* ---- from one connection to another ---- */

/* Connection names it (RFC 9110 7.6.1). */
static bool nominated(struct hb_span head, struct hb_span wanted)
{
    struct hb_span name;
    struct hb_span value;

    (void)next_line(&head);
    while (head.len > 0) {
        if (!parse_field(next_line(&head), &name, &value) || !hb_span_is(name, "Connection")) {
            continue;
        }
        while (value.len > 0) {
            if (hb_span_caseeq(next_item(&value), wanted)) {
                return true;
            }
        }
    }
    return false;
}

enum hb_code hb_http_strip(struct hb_buf *head, const struct hb_env *env, const char *dropped)
{
    static const char *const hop_by_hop[] = {
        "Connection", "Keep-Alive", "Proxy-Connection", "Upgrade", "TE", "HTTP2-Settings", NULL};
    struct hb_span all = hb_buf_span(head);
    struct hb_span rest = all;
    struct hb_buf kept;
    struct hb_span name;
    struct hb_span value;

    hb_buf_init(&kept, HB_LINE_HARD_MAX);
    (void)next_line(&rest);
    enum hb_code code = hb_buf_add(&kept, env, hb_span_head(all, all.len - rest.len));
    while (code == HB_OK && rest.len > 0) {
        struct hb_span from = rest;
        struct hb_span line = next_line(&rest);
        if (parse_field(line, &name, &value) && !one_of(name, hop_by_hop) &&
            !(dropped != NULL && hb_span_is(name, dropped)) && !nominated(all, name)) {
            code = hb_buf_add(&kept, env, hb_span_head(from, from.len - rest.len));
        }
    }
    hb_buf_clear(head, env);
    *head = kept;
    return code;
}
