/* http.c: HTTP/1.1 (RFC 9110, 9112) with Upgrade to TLS (RFC 2817), the client's side; http_head.c reads
 * heads, http_backend.c has the backend's side.
 *
 *   head, whole -> refused | 426 | 101, TLS, then it goes to the backend | forwarded, the only one of its
 * link
 *
 * In clear a connection carries one request to the backend and its answer; the backend is asked to close
 * behind it, and nothing behind its last octet is read: so nobody need agree where a second one begins.
 * Inside TLS nobody looks: one client has one link to the backend, and whatever they make of their octets is
 * theirs. A request that is carried over the upgrade came in clear, and could have been changed there, while
 * its answer comes with the authority of TLS. So it is carried only if it is safe (RFC 9110 9.2.1), has no
 * body and shows no credentials (GEN-14); for others there is 426, and OPTIONS * to begin with (RFC
 * 2817 3.2). Invariants: `saved` holds one head, bounded; what goes to the backend was read to its last field
 * first. */
#include "http.h"

#include "words.h"

#define LINE_MAX_HTTP 8192u
#define HEAD_MAX      16384u
#define FIELDS_MAX    100u

static const struct hb_span no_tag = {NULL, 0};

static struct hb_http_state *state(struct hb_proto_session *s)
{
    return &s->u.http;
}

/* ---- what is said ---- */

static size_t decimal(char *end, size_t value)
{
    size_t n = 0;

    do {
        *(end - ++n) = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return n;
}

/* An answer of our own; its text says no more than its status. */
static void answer(struct hb_proto_session *s, const char *status, bool upgrade, bool close)
{
    char digits[20];
    size_t n = decimal(digits + sizeof digits, strlen(status) + 2);

    hb_say(s, hb_span_str(status), "HTTP/1.1 %t");
    if (upgrade) {
        hb_say(s, no_tag, "Upgrade: TLS/1.2, HTTP/1.1");
    }
    if (upgrade || close) {
        hb_say(s, no_tag,
               !close    ? "Connection: Upgrade"
               : upgrade ? "Connection: Upgrade, close"
                         : "Connection: close");
    }
    hb_say(s, hb_span(digits + sizeof digits - n, n), "Content-Length: %t");
    hb_say(s, no_tag, "Content-Type: text/plain\r\n");
    if (!state(s)->head) { /* HEAD is answered without its text */
        hb_say(s, hb_span_str(status), "%t");
    }
}

void hb_http_bye(struct hb_proto_session *s, enum hb_goodbye kind)
{
    static const char *const lines[] = {
        [HB_BYE_SHUTDOWN] = "503 Service Unavailable", [HB_BYE_IDLE] = "408 Request Timeout",
        [HB_BYE_BACKEND] = "502 Bad Gateway",          [HB_BYE_INSECURE] = "403 Forbidden",
        [HB_BYE_BAD_CHARACTER] = "400 Bad Request",
    };
    struct hb_http_state *t = state(s);
    bool asked = t->sent || hb_buf_len(&s->saved) > 0 || hb_line_pending(&s->client) ||
                 kind == HB_BYE_BAD_CHARACTER ||
                 (kind == HB_BYE_BACKEND && s->backend_state != HB_BACKEND_UP);

    if (asked && !s->opaque && !t->answered) { /* unasked it would be taken for the next request's answer */
        answer(s, lines[kind], false, true);
    }
}

/* An answer that has begun is gone on with. */
static bool bye_later(const struct hb_proto_session *s)
{
    return s->u.http.sent;
}

static void too_long(struct hb_proto_session *s, struct hb_span head)
{
    (void)head;
    answer(s, hb_buf_len(&s->saved) > 0 ? "431 Request Header Fields Too Large" : "414 URI Too Long", false,
           true);
}

static bool needs_line(const struct hb_proto_session *s)
{
    (void)s;
    return true; /* a request without one of its lines is another request */
}

static enum hb_unit fail(struct hb_proto_session *s, const char *status, enum hb_code why)
{
    answer(s, status, false, true);
    return hb_end(s, why);
}

/* There is nothing to say before the client has asked. */
static void greet(struct hb_proto_session *s)
{
    (void)s;
}

/* ---- requests ---- */

static bool safe(struct hb_span method)
{
    return hb_span_eq(method, hb_span_str("GET")) || hb_span_eq(method, hb_span_str("HEAD")) ||
           hb_span_eq(method, hb_span_str("OPTIONS"));
}

/* HTTP-02: the request waits in `saved` for the link behind the handshake (row->carries). */
static enum hb_unit switch_protocols(struct hb_proto_session *s, const struct hb_http_request *r)
{
    uint8_t token[HB_HTTP_TLS_TOKEN];

    memcpy(token, r->tls.p, sizeof token);
    bool expects = r->expects_continue;
    const char *end = r->closes ? "Connection: close\r\n\r\n" : "\r\n";
    enum hb_code code = hb_http_strip(&s->saved, s->env, "Expect");
    if (code == HB_OK) {
        code = hb_buf_add(&s->saved, s->env, hb_span_str(end));
    }
    if (code != HB_OK) {
        return hb_end(s, code);
    }
    if (expects) { /* RFC 9110 7.8 */
        hb_say(s, no_tag, "HTTP/1.1 100 Continue\r\n");
    }
    hb_say(s, hb_span(token, sizeof token), "HTTP/1.1 101 Switching Protocols\r\nUpgrade: %t, HTTP/1.1");
    hb_say(s, no_tag, "Connection: Upgrade\r\n");
    return HB_UNIT_UPGRADE;
}

/* HTTP-04. The connection stays, so that the next request can ask for TLS. */
static enum hb_unit upgrade_required(struct hb_proto_session *s, const struct hb_http_request *r)
{
    bool close = r->closes || r->old || r->length > 0 || r->chunked;
    struct hb_http_state *t = state(s);

    if (!s->set->tls_usable || !s->set->starttls_offered) { /* R6, R7 */
        return fail(s, "503 Service Unavailable", HB_E_PROTO_TLS_REQUIRED);
    }
    answer(s, "426 Upgrade Required", true, close);
    hb_buf_clear(&s->saved, s->env);
    t->fields = 0;
    t->blank = false;
    return close ? hb_end(s, HB_E_PROTO_TLS_REQUIRED) : hb_bad_command(s);
}

static enum hb_unit forward(struct hb_proto_session *s, uint64_t length)
{
    enum hb_code code = hb_http_strip(&s->saved, s->env, NULL);

    if (code != HB_OK) {
        return hb_end(s, code);
    }
    hb_to_backend(s, hb_buf_span(&s->saved));
    hb_to_backend(s, hb_span_str("Connection: close\r\n\r\n"));
    hb_buf_clear(&s->saved, s->env);
    state(s)->sent = true;
    state(s)->body = length;
    return HB_UNIT_NEXT;
}

/* A request's head is whole: the one place where policy is looked at. */
static enum hb_unit request(struct hb_proto_session *s)
{
    struct hb_http_request r;
    const char *refusal = hb_http_parse_request(hb_buf_span(&s->saved), &r);

    state(s)->head = hb_span_eq(r.method, hb_span_str("HEAD"));
    if (refusal == NULL && hb_span_eq(r.method, hb_span_str("CONNECT"))) {
        refusal = "501 Not Implemented"; /* nobody's tunnel */
    }
    if (refusal != NULL) {
        return fail(s, refusal, HB_E_PROTO_SYNTAX);
    }
    bool shown = r.credentials && hb_hide_passwords(s);
    bool body = r.length > 0 || r.chunked; /* HTTP-03 */
    if (r.tls.len > 0 && !body && !shown && safe(r.method) && hb_offer_starttls(s)) {
        return switch_protocols(s, &r);
    }
    if (hb_before_tls(s) || shown) {
        return upgrade_required(s, &r);
    }
    return r.chunked ? fail(s, "411 Length Required", HB_E_PROTO_SYNTAX) : forward(s, r.length);
}

static enum hb_unit head_line(struct hb_proto_session *s, struct hb_span line)
{
    struct hb_http_state *t = state(s);
    size_t have = hb_buf_len(&s->saved);

    if (line.len == 0 && have == 0 && !t->blank) { /* RFC 9112 2.2: one may stand before a request */
        t->blank = true;
        return HB_UNIT_NEXT;
    }
    if (line.len == 0) {
        return request(s);
    }
    if (have + line.len + 2 > HEAD_MAX || t->fields > FIELDS_MAX) {
        too_long(s, line);
        return hb_end(s, HB_E_PROTO_LINE_TOO_LONG);
    }
    t->fields++;
    enum hb_code code = hb_buf_add(&s->saved, s->env, line);
    if (code == HB_OK) {
        code = hb_buf_add(&s->saved, s->env, hb_span_str("\r\n"));
    }
    return code == HB_OK ? HB_UNIT_NEXT : hb_end(s, code);
}

/* The body, by its length; what comes behind it is nothing. */
static enum hb_unit body(struct hb_proto_session *s, struct hb_span *in)
{
    struct hb_http_state *t = state(s);
    struct hb_span part = hb_span_head(*in, t->body < SIZE_MAX ? (size_t)t->body : SIZE_MAX);

    hb_to_backend(s, part);
    t->body -= part.len;
    *in = hb_span_skip(*in, in->len);
    return HB_UNIT_MORE;
}

static enum hb_unit client(struct hb_proto_session *s, struct hb_span *in)
{
    struct hb_span line;

    if (state(s)->sent) {
        return body(s, in);
    }
    enum hb_unit unit = hb_client_line(s, in, LINE_MAX_HTTP, &line);
    if (unit == HB_UNIT_NEXT) {
        unit = head_line(s, line);
        hb_client_done(s, in);
    }
    return unit;
}

/* A link is open, and its server waits to be asked: inside TLS with the request that was carried over. */
static enum hb_unit opened(struct hb_proto_session *s)
{
    if (!s->secured) {
        return HB_UNIT_NEXT;
    }
    hb_to_backend(s, hb_buf_span(&s->saved));
    hb_buf_clear(&s->saved, s->env);
    return HB_UNIT_OPAQUE;
}

const struct hb_proto hb_proto_http = {
    .name = "http",
    .alpn = {"http/1.1"},
    .port = 80,
    .implicit_port = 443,
    .max_line = LINE_MAX_HTTP,
    .idle_auth = 310,
    .idle_least = 1,
    .login_optional = true,
    .http = HB_HTTP_IS_FINE,
    .carries = true,
    .greet = greet,
    .opened = opened,
    .client = client,
    .backend = hb_http_backend,
    .bye = hb_http_bye,
    .bye_later = bye_later,
    .too_long = too_long,
    .needs_line = needs_line,
};
