/* fuzz_agree.c: whole dialogues of every protocol with a client that says anything, a server that reads as
 * carelessly as servers do (careless.h), and the session in between. They must agree on where each command
 * begins (SEC-04, SEC-05, ATK-46):
 *   - whenever all is quiet, the session waits for a command exactly if the server does, and for no reply;
 *   - every reply of the server is one that the session waits for: it never ends with a backend out of step;
 *   - the server never reads a command that is not for it (STARTTLS, XCLIENT, ...), however it was hidden,
 * nor in HTTP's clear text a second request, whatever it took for the end of the first.
 *
 * The client has a certificate, and may use it: EXTERNAL as a master user, or XCLIENT LOGIN, which is then
 * the one XCLIENT that comes. The input: protocol, flags, two bytes of the server's seed; then the client's
 * words, a byte below 80h as it is, another for a word of the dictionary, FFh a cut. */
#include "careless.h"
#include "external.h"
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROMISE(cond) ((cond) ? (void)0 : broken(p, #cond, __LINE__))
#define HELD_MAX      (1u << 18)

enum { OPTIONAL = 1, PLAINTEXT_AUTH = 2, BY_BYTES = 4, SLOW = 8, MASTER = 16, XCLIENT = 32 };

struct pair {
    struct testenv t, cuts;
    struct hb_proto_settings set;
    struct hb_proto_session *s;
    struct hb_proto_sink sink;
    struct careless server;
    const char *scheme;
    unsigned flags;
    uint64_t seed;
    uint8_t held[HELD_MAX]; /* the client's, not taken yet */
    size_t held_len;
    bool linked, over;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void broken(const struct pair *p, const char *what, int line)
{
    (void)fprintf(stderr,
                  "fuzz_agree.c:%d: %s, not kept: %s; the server is at %d, queue %u, its last line: %s\n",
                  line, p->scheme, what, (int)p->server.at, (unsigned)p->s->queue.num, p->server.line);
    abort();
}

static void to_client(void *ctx, struct hb_span bytes)
{
    (void)ctx;
    (void)bytes;
}

static void to_backend(void *ctx, struct hb_span bytes)
{
    struct pair *p = ctx;

    PROMISE(p->linked);
    careless_reads(&p->server, bytes.p, bytes.len);
    bool relays = p->server.tagged || strcmp(p->scheme, "pop3") == 0; /* behind the login, inside TLS */
    PROMISE(p->server.forbidden == NULL || (relays && p->server.logged_in && p->s->secured));
}

static bool out_of_step(enum hb_code why)
{
    return why == HB_E_PROTO_BACKEND_REPLY || why == HB_E_PROTO_BACKEND_GREETING ||
           why == HB_E_PROTO_BACKEND_LOST;
}

static void carry(struct pair *p, struct hb_proto_step step)
{
    switch (step.want) {
    case HB_WANT_MORE:
    case HB_WANT_WAIT:
        break;
    case HB_WANT_CONNECT:
        careless_begin(&p->server, p->scheme, ++p->seed);
        p->linked = true;
        carry(p, hb_proto_backend_open(p->s, &p->sink));
        break;
    case HB_WANT_UPGRADE:
        p->linked = false;
        p->held_len = 0; /* TLS has it */
        hb_proto_identify(p->s, CARELESS_NAME);
        carry(p, hb_proto_secured(p->s, &p->sink));
        break;
    case HB_WANT_OPAQUE:
        p->over = true;
        break;
    case HB_WANT_CLOSE:
        PROMISE(!out_of_step(step.why) || p->server.at == AT_END);
        p->over = true;
        break;
    }
}

static bool feed(struct pair *p, enum hb_proto_side from, void *bytes, size_t *len, size_t most)
{
    size_t n = *len < most ? *len : most;

    if (n == 0 || p->over) {
        return false;
    }
    uint8_t *exact = malloc(n);
    PROMISE(exact != NULL);
    memcpy(exact, bytes, n);
    struct hb_proto_step step = hb_proto_feed(p->s, from, hb_span(exact, n), &p->sink);
    free(exact);
    if (step.want == HB_WANT_UPGRADE) {
        *len = 0;
    } else {
        memmove(bytes, (uint8_t *)bytes + step.used, *len - step.used);
        *len -= step.used;
    }
    bool moved = step.used > 0 || (step.want != HB_WANT_MORE && step.want != HB_WANT_WAIT);
    carry(p, step);
    return moved;
}

/* The session is between two commands, for what went to the backend. */
static bool at_command(const struct hb_proto_session *s, const struct careless *v)
{
    if (s->external == HB_EXT_ASKED) {
        return true; /* what comes next is for the session alone */
    }
    if (v->tagged) {
        const struct hb_tagged_state *t = &s->u.tagged;
        return !(t->forward && (t->continues || t->client_literal > 0 || t->await_literal)) && !t->exchange;
    }
    if (v->smtp) {
        const struct hb_smtp_state *t = &s->u.smtp;
        return !t->data && !t->data_due && !t->sasl && (t->bdat == 0 || t->bdat_answer != NULL);
    }
    if (strcmp(v->scheme, "pop3") == 0) {
        return !s->u.pop3.sasl;
    }
    if (strcmp(v->scheme, "nntp") == 0) {
        const struct hb_nntp_state *t = &s->u.nntp;
        return !t->sasl && !(t->article && t->refusal == NULL);
    }
    const struct hb_sieve_state *t = &s->u.sieve;
    return !t->exchange && !(t->forward && (t->continues || t->client_literal > 0));
}

/* Everything that was said has arrived. */
static void quiet(struct pair *p)
{
    const struct hb_proto_session *s = p->s;

    if (p->over || !p->linked || s->backend_state != HB_BACKEND_UP || p->server.http ||
        p->server.at == AT_END) {
        return;
    }
    bool ours = at_command(s, &p->server);
    PROMISE(ours == (p->server.at == AT_COMMAND));
    PROMISE(!ours || s->queue.num == 0);
}

static void settle(struct pair *p)
{
    size_t client = (p->flags & BY_BYTES) != 0 ? 1 : HELD_MAX;

    for (bool more = true; more && !p->over;) {
        size_t server = (p->flags & SLOW) != 0 ? 1 + testenv_below(&p->cuts, 9) : HELD_MAX;
        more = false;
        for (bool again = true; again && !p->over;) {
            again = feed(p, HB_FROM_CLIENT, p->held, &p->held_len, client);
            more = more || again;
        }
        if (p->linked) {
            more = feed(p, HB_FROM_BACKEND, p->server.said, &p->server.said_len, server) || more;
        }
        if (!more && p->held_len > client && !p->over) { /* who waits is offered the whole */
            more = feed(p, HB_FROM_CLIENT, p->held, &p->held_len, HELD_MAX);
        }
    }
    quiet(p);
}

static const char *const schemes[] = {"imap", "acap",  "pop3", "smtp", "submission",
                                      "lmtp", "sieve", "nntp", "http"};
static const char *const dictionary[] = {
    "\r\n",
    "a ",
    "b ",
    "{5+}\r\n",
    "{5}\r\n",
    "{12+}\r\n",
    "{0+}\r\n",
    "\"",
    "STARTTLS\r\n",
    "STLS\r\n",
    "XCLIENT A=B\r\n",
    "LOGIN ",
    "AUTHENTICATE ",
    "EXTERNAL =\r\n",
    "EXTERNAL\r\n",
    "\"EXTERNAL\" \"\"\r\n",
    "\"PLAIN\"",
    "PLAIN",
    " =",
    "*\r\n",
    "IDLE\r\n",
    "DONE\r\n",
    "NOOP",
    "LOGOUT\r\n",
    "FETCH 1\r\n",
    "CAPABILITY\r\n",
    "ID (\"x\" \"y\")",
    "USER x\r\n",
    "PASS x\r\n",
    "AUTH ",
    "AUTH\r\n",
    "CAPA\r\n",
    "LIST\r\n",
    "RETR 1\r\n",
    "QUIT\r\n",
    "EHLO c\r\n",
    "LHLO c\r\n",
    "MAIL FROM:<a@b>\r\n",
    "RCPT TO:<c@d>\r\n",
    "DATA\r\n",
    ".\r\n",
    "\n.\n",
    "\r.\r",
    "BDAT 10\r\n",
    "BDAT 10 LAST\r\n",
    "BDAT 0 LAST\r\n",
    "RSET\r\n",
    "XFORWARD A=B\r\n",
    "PUTSCRIPT \"x\" ",
    "GETSCRIPT \"x\"\r\n",
    "HAVESPACE \"x\" 1\r\n",
    "CAPABILITIES\r\n",
    "MODE STREAM\r\n",
    "MODE READER\r\n",
    "POST\r\n",
    "IHAVE <x@y>\r\n",
    "TAKETHIS <x@y>\r\n",
    "ARTICLE 1\r\n",
    "AUTHINFO SASL ",
    "AUTHINFO USER x\r\n",
    "AUTHINFO PASS x\r\n",
    "LISTGROUP g\r\n",
    "hello\r\n",
    "UNAUTHENTICATE\r\n",
    "COMPRESS DEFLATE\r\n",
    "APPEND x ",
    "12345",
    "1234567890",
    "\t",
    "\x0b",
    "GET / HTTP/1.1\r\n",
    "POST /x HTTP/1.1\r\n",
    "Host: a\r\n",
    "Content-Length: 5\r\n",
    "Content-Length : 9\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Upgrade: TLS/1.0\r\nConnection: Upgrade\r\n",
};

static void say(struct pair *p, uint8_t c)
{
    char one[2] = {(char)c, 0};
    const char *text = c < 0x80 ? one : dictionary[(c - 0x80u) % (sizeof dictionary / sizeof dictionary[0])];
    size_t n = c < 0x80 ? 1 : strlen(text);

    if (p->held_len + n <= sizeof p->held) {
        memcpy(p->held + p->held_len, text, n);
        p->held_len += n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct pair mem;
    struct pair *p = &mem;
    bool implicit;

    if (len < 4) {
        return 0;
    }
    memset(p, 0, offsetof(struct pair, server));
    p->held_len = 0;
    p->linked = p->over = false;
    p->scheme = schemes[data[0] % (sizeof schemes / sizeof schemes[0])];
    p->flags = data[1];
    p->seed = data[2] | (uint64_t)data[3] << 8;
    testenv_init(&p->t, 1);
    testenv_init(&p->cuts, p->seed);
    p->set = (struct hb_proto_settings){
        .host = "mail.test",
        .implicit = (p->flags & OPTIONAL) == 0,
        .tls_required = (p->flags & OPTIONAL) == 0,
        .tls_usable = true,
        .starttls_offered = true,
        .plaintext_auth = (p->flags & PLAINTEXT_AUTH) != 0,
        .external = (p->flags & XCLIENT) != 0  ? HB_EXTERNAL_XCLIENT
                    : (p->flags & MASTER) != 0 ? HB_EXTERNAL_MASTER
                                               : HB_EXTERNAL_OFF,
        .master_user = "gw",
        .master_password = "pw",
    };
    bool mail = strcmp(p->scheme, "smtp") == 0 || strcmp(p->scheme, "submission") == 0;
    p->set.external = p->set.external == HB_EXTERNAL_XCLIENT && !mail ? HB_EXTERNAL_OFF : p->set.external;
    p->sink = (struct hb_proto_sink){p, to_client, to_backend, NULL};
    p->s = hb_proto_new(hb_proto_find(p->scheme, &implicit), &p->set, &p->t.env);
    PROMISE(p->s != NULL);
    if (p->set.implicit) {
        hb_proto_identify(p->s, CARELESS_NAME);
    }
    carry(p, hb_proto_start(p->s, &p->sink));
    for (size_t i = 4; i < len && i < 4096 && !p->over; i++) {
        if (data[i] != 0xff) {
            say(p, data[i]);
        } else {
            settle(p);
        }
    }
    settle(p);
    hb_proto_free(&p->s);
    PROMISE(p->t.held == 0);
    return 0;
}
