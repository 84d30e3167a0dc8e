/* proto_fuzz.c: the gateway's part, in short, and the promises of hb/proto.h as invariants:
 * never more used than given; nothing said behind CLOSE; no byte to the backend before TLS where it is
 * required, and never more behind the handshake than the client said there (GEN-03, GEN-06), but for what an
 * RFC lets outlive it; held memory
 * within a bound and none after the end; the same when an allocation fails; and the same bytes in one piece
 * or one by one (those behind BYTES_MAX: in small pieces) lead to the same conversation. */
#include "proto_fuzz.h"

#include "testenv.h"
#include <hb/proto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX  (1u << 18)
#define EXACT_MAX 8192u
#define BYTES_MAX 16384u         /* one by one up to here, in pieces from there */
#define TOTAL_MAX (1u << 20)     /* said by both sides; then the conversation is over */
#define HELD_MAX  (256u * 1024u) /* two partial lines, a saved one, the queue: each at most 64 KiB */

#define PROMISE(cond) ((cond) ? (void)0 : broken(#cond, __LINE__))

struct text {
    uint8_t *p;
    size_t len, cap;
    bool full; /* something did not fit: nothing can be compared any more */
};

struct play {
    struct testenv t;
    struct hb_proto_settings set;
    struct hb_proto_session *s;
    struct hb_proto_sink sink;
    struct text said[2]; /* what each side got */
    struct text held[2]; /* what each side sent and the session did not take yet */
    char asked[256];     /* what the session asked for, in order */
    size_t num_asked;
    size_t since_tls_in, since_tls_out; /* client's bytes, bytes to the backend, in this TLS state */
    size_t carried;                     /* what may outlive the upgrade, at most */
    bool linked, opaque, closed, secured, starved;
    bool by_bytes;
    size_t total;  /* said by both sides */
    bool waits[2]; /* said WAIT: not offered again before something happens on the other side */
    bool waited;   /* ...at any time */
};

static void broken(const char *what, int line)
{
    (void)fprintf(stderr, "proto_fuzz.c:%d: not kept: %s\n", line, what);
    abort();
}

static void append(struct text *t, struct hb_span bytes)
{
    if (t->len + bytes.len > TEXT_MAX) {
        t->full = true;
        return;
    }
    if (t->len + bytes.len > t->cap) {
        t->cap = 2 * (t->len + bytes.len);
        t->p = realloc(t->p, t->cap);
        PROMISE(t->p != NULL);
    }
    if (bytes.len > 0) {
        memcpy(t->p + t->len, bytes.p, bytes.len);
        t->len += bytes.len;
    }
}

static void to_client(void *ctx, struct hb_span bytes)
{
    struct play *p = ctx;

    PROMISE(!p->closed);
    append(&p->said[HB_FROM_CLIENT], bytes);
}

static void to_backend(void *ctx, struct hb_span bytes)
{
    struct play *p = ctx;

    PROMISE(!p->closed);
    PROMISE(p->secured || !p->set.tls_required);
    p->since_tls_out += bytes.len;
    PROMISE(p->since_tls_out <= p->since_tls_in);
    append(&p->said[HB_FROM_BACKEND], bytes);
}

/* Told of in clear alone, and with nothing in it that a log could not take. */
static void clear_login(void *ctx, const struct hb_proto_login *login)
{
    struct play *p = ctx;

    PROMISE(!p->secured && login->mechanism != NULL && login->software.len <= 64);
    for (size_t i = 0; i < login->software.len; i++) {
        PROMISE(login->software.p[i] >= 0x20 && login->software.p[i] < 0x7f);
    }
}

static void carry(struct play *p, struct hb_proto_step step)
{
    if (step.want != HB_WANT_MORE && step.want != HB_WANT_WAIT) {
        p->waits[0] = p->waits[1] = false;
    }
    if (step.want != HB_WANT_MORE && step.want != HB_WANT_WAIT && p->num_asked < sizeof p->asked - 1) {
        p->asked[p->num_asked++] = (char)('0' + (int)step.want);
    }
    switch (step.want) {
    case HB_WANT_MORE:
    case HB_WANT_WAIT:
        break;
    case HB_WANT_CONNECT:
        PROMISE(p->secured || !p->set.tls_required);
        p->linked = true;
        p->held[HB_FROM_BACKEND].len = 0;
        carry(p, hb_proto_backend_open(p->s, &p->sink));
        break;
    case HB_WANT_UPGRADE:
        PROMISE(!p->secured && p->set.tls_usable && p->set.starttls_offered);
        p->secured = true;
        p->linked = false;
        p->starved =
            p->starved || p->held[HB_FROM_CLIENT].len > 0; /* one by one they would come inside TLS */
        p->held[HB_FROM_CLIENT].len = 0;                   /* the residue: TLS has it */
        p->held[HB_FROM_BACKEND].len = 0;
        p->since_tls_in = p->carried;
        p->since_tls_out = 0;
        carry(p, hb_proto_secured(p->s, &p->sink));
        break;
    case HB_WANT_OPAQUE:
        PROMISE(p->secured);
        p->opaque = true;
        break;
    case HB_WANT_CLOSE:
        p->closed = true;
        break;
    }
}

/* Offers a side's bytes once; true if that moved anything. */
static bool offer(struct play *p, enum hb_proto_side side)
{
    struct text *held = &p->held[side];
    size_t asked = p->num_asked;

    if (held->len == 0 || p->closed || p->waits[side] || (side == HB_FROM_BACKEND && !p->linked)) {
        return false;
    }
    if (p->opaque) { /* from here on the gateway relays by itself */
        append(&p->said[side == HB_FROM_CLIENT ? HB_FROM_BACKEND : HB_FROM_CLIENT],
               hb_span(held->p, held->len));
        held->len = 0;
        return true;
    }
    bool copied = held->len <= EXACT_MAX;
    uint8_t *exact =
        copied ? malloc(held->len) : held->p; /* a block of its own: a sanitizer sees a byte too far */
    PROMISE(exact != NULL);
    if (copied) {
        memcpy(exact, held->p, held->len);
    }
    struct hb_proto_step step = hb_proto_feed(p->s, side, hb_span(exact, held->len), &p->sink);
    if (copied) {
        free(exact);
    }
    PROMISE(step.used <= held->len);
    PROMISE(step.want != HB_WANT_MORE || step.used == held->len);
    PROMISE(p->t.held_bytes <= HELD_MAX);
    if (step.used > 0) { /* what waits is offered often */
        memmove(held->p, held->p + step.used, held->len - step.used);
        held->len -= step.used;
    }
    p->waits[side] = step.want == HB_WANT_WAIT;
    p->waited = p->waited || step.want == HB_WANT_WAIT;
    carry(p, step);
    bool moved = step.used > 0 || p->num_asked > asked;
    p->waits[1 - side] = p->waits[1 - side] && !moved;
    return moved;
}

static void settle(struct play *p)
{
    bool more = true;

    while (more) {
        more = offer(p, HB_FROM_CLIENT);
        more = offer(p, HB_FROM_BACKEND) || more;
    }
}

/* How many bytes come at once. Who waits is not read from; long lists and articles are cut in pieces whose
 * sizes go up and down, so that each target ends in time. */
static size_t piece(struct play *p, enum hb_proto_side side, size_t left)
{
    size_t n = p->by_bytes && p->held[side].len == 0 ? 1 : left;

    if (n == 1 && p->total > BYTES_MAX) {
        n = 1 + p->total * 2654435761u % 509;
    }
    n = n < left ? n : left;
    p->total += n;
    return n;
}

static void say(struct play *p, enum hb_proto_side side, struct hb_span bytes)
{
    if (side == HB_FROM_BACKEND && !p->linked) {
        return;
    }
    /* what waits for the other side may, when the pieces differ, be answered before or behind what comes next
     */
    p->starved =
        p->starved || p->waited || p->held[HB_FROM_CLIENT].len > 0 || p->held[HB_FROM_BACKEND].len > 0;
    for (size_t at = 0; at < bytes.len && !p->closed;) {
        size_t n = piece(p, side, bytes.len - at);
        if (side == HB_FROM_CLIENT) {
            p->since_tls_in += n;
        }
        append(&p->held[side], hb_span(bytes.p + at, n));
        at += n;
        settle(p);
    }
}

static void event(struct play *p, uint8_t c)
{
    struct text *heard = &p->said[HB_FROM_CLIENT];
    bool at_line = heard->len == 0 || heard->p[heard->len - 1] == '\n';
    struct hb_proto_step step;

    if (p->closed) {
        return;
    }
    if (c == 0xfb || c == 0xfc) {
        step = hb_proto_bye(p->s, c == 0xfb ? HB_E_GW_SHUTDOWN : HB_E_GW_IDLE, at_line, &p->sink);
    } else if (p->linked) {
        step = hb_proto_backend_lost(p->s, c == 0xfa, &p->sink);
        PROMISE(step.want == HB_WANT_CLOSE);
    } else {
        return;
    }
    PROMISE(step.used == 0);
    carry(p, step);
}

/* fail_at: the n-th allocation fails; 0 never. */
static void play(struct play *p, const struct hb_proto *proto, const uint8_t *data, size_t len, bool by_bytes,
                 size_t fail_at)
{
    uint8_t flags = len > 0 ? data[0] : 0;
    struct text segment = {0};
    enum hb_proto_side side = HB_FROM_CLIENT;

    memset(p, 0, sizeof *p);
    testenv_init(&p->t, 1);
    p->t.fail_at = fail_at;
    p->by_bytes = by_bytes;
    p->set = (struct hb_proto_settings){
        .host = "mail.test",
        .implicit = (flags & PROTO_FUZZ_IMPLICIT) != 0,
        .tls_required = (flags & PROTO_FUZZ_REQUIRED) != 0,
        .tls_usable = (flags & PROTO_FUZZ_NO_CERTIFICATE) == 0,
        .starttls_offered = (flags & PROTO_FUZZ_NO_STARTTLS) == 0,
        .plaintext_auth = (flags & PROTO_FUZZ_PLAINTEXT_AUTH) != 0,
        .needs_ehlo = (flags & PROTO_FUZZ_NEEDS_EHLO) != 0,
        .warn_clear = (flags & PROTO_FUZZ_PLAINTEXT_AUTH) != 0,
    };
    p->sink = (struct hb_proto_sink){p, to_client, to_backend, p->set.warn_clear ? clear_login : NULL};
    p->secured = p->set.implicit;
    if (strcmp(hb_proto_name(proto), "nntp") == 0) {
        p->carried = strlen("MODE READER\r\n"); /* GEN-09 */
    } else if (strcmp(hb_proto_name(proto), "http") == 0) {
        p->carried = 16384 + strlen("Connection: close\r\n\r\n"); /* HTTP-02: a request's head */
        p->since_tls_in = strlen("Connection: close\r\n");        /* said for the client, in clear */
    }
    p->s = hb_proto_new(proto, &p->set, &p->t.env);
    if (p->s == NULL) {
        PROMISE(fail_at == 1);
        return;
    }
    carry(p, hb_proto_start(p->s, &p->sink));
    for (size_t i = 1; i <= len && p->total <= TOTAL_MAX; i++) {
        uint8_t c = i < len ? data[i] : 0xfd;
        if (c == 0xfe && i + 2 < len) {
            uint8_t block[512];
            memset(block, data[i + 1], sizeof block);
            for (unsigned n = data[i + 2]; n > 0; n--) {
                append(&segment, hb_span(block, sizeof block));
            }
            i += 2;
        } else if (c < 0xf8) {
            append(&segment, hb_span(&c, 1));
        } else {
            say(p, side, hb_span(segment.p, segment.len));
            segment.len = 0;
            side = c == 0xf8 ? HB_FROM_CLIENT : c == 0xf9 ? HB_FROM_BACKEND : side;
            if (c == 0xfa || c == 0xfb || c == 0xfc || c == 0xff) {
                event(p, c);
            }
        }
    }
    (void)hb_proto_idle_seconds(p->s);
    hb_proto_free(&p->s);
    PROMISE(p->t.held == 0);
    free(segment.p);
}

static void show(const char *who, const struct play *p)
{
    for (int side = 0; side < 2; side++) {
        (void)fprintf(stderr, "\n-- %s: the %s got (asked: %s)\n", who, side == 0 ? "client" : "backend",
                      p->asked);
        if (p->said[side].len > 0) {
            (void)fwrite(p->said[side].p, 1, p->said[side].len, stderr);
        }
    }
}

static bool full(const struct play *p)
{
    return p->said[0].full || p->said[1].full || p->held[0].full || p->held[1].full;
}

static bool same(struct text a, struct text b)
{
    return hb_span_eq(hb_span(a.p, a.len), hb_span(b.p, b.len));
}

static void wipe(struct play *p)
{
    for (size_t i = 0; i < 2; i++) {
        free(p->said[i].p);
        free(p->held[i].p);
    }
}

void proto_fuzz(const char *scheme, const uint8_t *data, size_t len)
{
    static struct play whole;
    static struct play bytes;
    bool implicit;
    const struct hb_proto *proto = hb_proto_find(scheme, &implicit);

    PROMISE(proto != NULL);
    play(&whole, proto, data, len, true, 1 + len % 32); /* without memory the same promises hold */
    wipe(&whole);
    play(&whole, proto, data, len, false, 0);
    play(&bytes, proto, data, len, true, 0);
    bool alike = strcmp(whole.asked, bytes.asked) == 0 &&
                 same(whole.said[HB_FROM_CLIENT], bytes.said[HB_FROM_CLIENT]) &&
                 same(whole.said[HB_FROM_BACKEND], bytes.said[HB_FROM_BACKEND]);
    if (!alike && !whole.starved && !bytes.starved && !full(&whole) && !full(&bytes)) {
        show("whole", &whole);
        show("byte by byte", &bytes);
        PROMISE(alike);
    }
    wipe(&whole);
    wipe(&bytes);
}
