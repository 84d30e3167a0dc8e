/* fuzz_proto_smtp.c: conversations on a listener of smtp (proto_fuzz.h), and the same client against a
 * server.
 *
 * The server reads what the session forwards the way the most careless servers do: LF, CR or CRLF ends a
 * line, any blank separates words, a message ends with a dot between any of those line ends. Even so it must
 * find commands, chunks and messages where the session sees them (SEC-05, ATK-46):
 *   - it never reads a command that is not for it (XCLIENT, STARTTLS, ...), however that was hidden;
 *   - where a message ends for it, it ends with CRLF . CRLF;
 *   - its replies, one to each command it reads, are always ones the session waits for. */
#include "proto_fuzz.h"

#include "testenv.h"
#include <ctype.h>
#include <hb/proto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LINE_MAX_SERVER 70000u
#define REPLIES_MAX     (1u << 20)

#define PROMISE(cond) ((cond) ? (void)0 : broken(#cond, __LINE__))

enum {
    NO_CHUNKING = 1,
    NO_DATA = 2,
    SLOW = 4,
    BY_BYTES = 8
}; /* bits of the input's first byte, for the server */

enum reading { COMMAND, MESSAGE, CHUNK, ANSWER };

struct server {
    struct testenv t;
    struct hb_proto_settings set;
    struct hb_proto_session *s;
    struct hb_proto_sink sink;
    uint8_t flags;
    enum reading reading;
    char line[LINE_MAX_SERVER];
    size_t line_len;
    unsigned long chunk;
    bool last_cr;      /* the last byte ended a line, if the line may end with CR alone */
    bool ended_by_cr;  /* a message ended so: only its LF may follow */
    uint8_t recent[5]; /* the last bytes of the message */
    size_t message_len;
    char replies[REPLIES_MAX];
    size_t replies_len;
    uint8_t *held; /* the client's bytes that were not taken yet */
    size_t held_len;
    bool closed;
    enum hb_code why;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void broken(const char *what, int line)
{
    (void)fprintf(stderr, "fuzz_proto_smtp.c:%d: not kept: %s\n", line, what);
    abort();
}

/* ---- the server ---- */

static void reply(struct server *v, const char *text)
{
    size_t n = strlen(text);

    PROMISE(v->replies_len + n <= sizeof v->replies);
    memcpy(v->replies + v->replies_len, text, n);
    v->replies_len += n;
}

static bool is(const char *word, size_t len, const char *verb)
{
    return len == strlen(verb) && strncasecmp(word, verb, len) == 0;
}

static void read_command(struct server *v)
{
    static const char *const never[] = {"XCLIENT", "XFORWARD", "STARTTLS", "ATRN", "TURN"};
    const char *p = v->line;
    size_t n = 0;

    while (isspace((unsigned char)*p) || *p == '"') {
        p++;
    }
    while (p[n] != 0 && !isspace((unsigned char)p[n]) && p[n] != '"') {
        n++;
    }
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
        PROMISE(!is(p, n, never[i]));
    }
    bool chunking = (v->flags & NO_CHUNKING) == 0;
    if (is(p, n, "EHLO")) {
        reply(v, chunking ? "250-b\r\n250-AUTH PLAIN\r\n250 CHUNKING\r\n" : "250-XCLIENT ADDR\r\n250 b\r\n");
    } else if (is(p, n, "DATA") && (v->flags & NO_DATA) == 0) {
        reply(v, "354 go\r\n");
        v->reading = MESSAGE;
        v->message_len = 0;
        memcpy(v->recent, "???\r\n", 5);
    } else if (is(p, n, "BDAT")) {
        PROMISE(chunking);
        v->chunk = strtoul(p + n, NULL, 10); /* takes "+5", and "5x" */
        v->reading = v->chunk > 0 ? CHUNK : COMMAND;
        reply(v, "250 ok\r\n");
    } else if (is(p, n, "AUTH")) {
        reply(v, "334 \r\n");
        v->reading = ANSWER;
    } else {
        reply(v, n > 4 ? "500-what\r\n500 ?\r\n" : "250 ok\r\n");
    }
}

static void line_byte(struct server *v, uint8_t c)
{
    if (c == '\n' && v->last_cr) { /* the second half of a CRLF */
        v->last_cr = false;
        return;
    }
    v->last_cr = c == '\r';
    if (c != '\r' && c != '\n') {
        PROMISE(v->line_len < sizeof v->line - 1);
        v->line[v->line_len++] = (char)c;
        return;
    }
    v->line[v->line_len] = 0;
    PROMISE(strlen(v->line) == v->line_len);
    v->line_len = 0;
    if (v->reading == ANSWER) {
        v->reading = COMMAND;
        reply(v, v->line[0] == '*' ? "501 cancelled\r\n" : "235 in\r\n");
    } else {
        read_command(v);
    }
}

static void message_byte(struct server *v, uint8_t c)
{
    if (v->ended_by_cr) {
        PROMISE(c == '\n');
    }
    memmove(v->recent, v->recent + 1, 4);
    v->recent[4] = c;
    v->message_len++;
    bool ended = memcmp(v->recent, "\r\n.\r\n", 5) == 0;
    const uint8_t *end = v->recent + 5;
    bool by_lf = c == '\n' && end[-2] == '.' && (end[-3] == '\n' || end[-3] == '\r');
    bool by_mixed = memcmp(end - 3, ".\r\n", 3) == 0 && (end[-4] == '\r' || end[-4] == '\n');
    PROMISE(ended || (!by_lf && !by_mixed));
    v->ended_by_cr = c == '\r' && end[-2] == '.' && (end[-3] == '\n' || end[-3] == '\r');
    if (ended) {
        v->reading = COMMAND;
        v->last_cr = false;
        reply(v, "250 queued\r\n");
    }
}

static void to_server(void *ctx, struct hb_span bytes)
{
    struct server *v = ctx;

    PROMISE(!v->closed);
    for (size_t i = 0; i < bytes.len; i++) {
        if (v->reading == MESSAGE) {
            if (v->message_len == 0 && v->last_cr && bytes.p[i] == '\n') { /* of the DATA line */
                v->last_cr = false;
            } else {
                message_byte(v, bytes.p[i]);
            }
        } else if (v->reading == CHUNK && !(v->last_cr && bytes.p[i] == '\n')) {
            v->last_cr = false;
            v->chunk--;
            v->reading = v->chunk > 0 ? CHUNK : COMMAND;
        } else if (v->reading == CHUNK) { /* of the BDAT line */
            v->last_cr = false;
        } else {
            line_byte(v, bytes.p[i]);
        }
    }
}

static void to_client(void *ctx, struct hb_span bytes)
{
    struct server *v = ctx;

    PROMISE(!v->closed);
    (void)bytes;
}

/* ---- the gateway between ---- */

static void carry(struct server *v, struct hb_proto_step step)
{
    PROMISE(step.want != HB_WANT_UPGRADE && step.want != HB_WANT_OPAQUE);
    if (step.want == HB_WANT_CLOSE) {
        v->closed = true;
        v->why = step.why;
    }
}

static bool offer_client(struct server *v)
{
    if (v->closed || v->held_len == 0) {
        return false;
    }
    struct hb_proto_step step = hb_proto_feed(v->s, HB_FROM_CLIENT, hb_span(v->held, v->held_len), &v->sink);
    PROMISE(step.used <= v->held_len);
    memmove(v->held, v->held + step.used, v->held_len - step.used);
    v->held_len -= step.used;
    carry(v, step);
    return step.used > 0;
}

static bool offer_server(struct server *v)
{
    if (v->closed || v->replies_len == 0) {
        return false;
    }
    size_t n = (v->flags & BY_BYTES) != 0 ? 1 : v->replies_len;
    char part[4096];
    n = n < sizeof part ? n : sizeof part;
    memcpy(part, v->replies, n); /* the session's answers may add replies */
    memmove(v->replies, v->replies + n, v->replies_len - n);
    v->replies_len -= n;
    struct hb_proto_step step = hb_proto_feed(v->s, HB_FROM_BACKEND, hb_span(part, n), &v->sink);
    carry(v, step);
    PROMISE(v->closed || step.used == n);
    return true;
}

static void segment(struct server *v, const uint8_t *p, size_t len, bool settle)
{
    memcpy(v->held + v->held_len, p, len);
    v->held_len += len;
    while (offer_client(v) || (settle && offer_server(v))) {
    }
}

static void serve(const uint8_t *data, size_t len)
{
    static struct server v;
    bool implicit;

    memset(&v, 0, sizeof v);
    testenv_init(&v.t, 1);
    v.flags = data[0];
    v.set =
        (struct hb_proto_settings){.host = "mail.test", .implicit = true, .tls_usable = true, .max_bad = 200};
    v.sink = (struct hb_proto_sink){&v, to_client, to_server, NULL};
    v.held = malloc(len);
    v.s = hb_proto_new(hb_proto_find("smtp", &implicit), &v.set, &v.t.env);
    PROMISE(v.held != NULL && v.s != NULL);
    PROMISE(hb_proto_start(v.s, &v.sink).want == HB_WANT_CONNECT);
    carry(&v, hb_proto_backend_open(v.s, &v.sink));
    reply(&v, "220 b\r\n");
    for (size_t from = 1, at = 1; at <= len; at++) {
        if (at == len || data[at] >= 0xf8) { /* control bytes of the other game are cuts in this one */
            bool slow = (v.flags & SLOW) != 0 && at < len && data[at] != 0xf8;
            segment(&v, data + from, at - from, !slow);
            from = at + 1;
        }
    }
    PROMISE(!v.closed || (v.why != HB_E_PROTO_BACKEND_REPLY && v.why != HB_E_PROTO_BACKEND_GREETING));
    PROMISE(v.closed || v.held_len == 0);
    hb_proto_free(&v.s);
    PROMISE(v.t.held == 0);
    free(v.held);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    proto_fuzz("smtp", data, len);
    if (len > 0 && len < LINE_MAX_SERVER) {
        serve(data, len);
    }
    return 0;
}
