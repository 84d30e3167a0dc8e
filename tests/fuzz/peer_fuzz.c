/* peer_fuzz.c: the promises of hb/peer.h as invariants: never more used than given; nothing said between
 * UPGRADE and secured() nor behind FAIL; no READY without TLS where STARTTLS was asked for; memory within a
 * bound and none after the end; and the same bytes in one piece or one by one lead to the same dialogue,
 * but for an answer that came in one piece with what is before its question: that is the end (ATK-06). */
#include "peer_fuzz.h"

#include "testenv.h"
#include <hb/peer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAID_MAX (1u << 16)
#define HELD_MAX (512u * 1024u) /* a greeting, two lists, one line */

#define PROMISE(cond) ((cond) ? (void)0 : broken(#cond, __LINE__))

struct play {
    struct testenv t;
    struct hb_peer *p;
    struct hb_peer_sink sink;
    struct hb_peer_step last;
    uint8_t said[SAID_MAX]; /* what the server got */
    size_t said_len;
    size_t taken; /* bytes taken before READY */
    bool may_speak;
    bool early;
};

static void broken(const char *what, int line)
{
    (void)fprintf(stderr, "peer_fuzz.c:%d: not kept: %s\n", line, what);
    abort();
}

static void to_server(void *ctx, struct hb_span bytes)
{
    struct play *p = ctx;

    PROMISE(p->may_speak);
    PROMISE(bytes.len > 0 && p->said_len + bytes.len <= SAID_MAX);
    memcpy(p->said + p->said_len, bytes.p, bytes.len);
    p->said_len += bytes.len;
}

static void take(struct play *p, struct hb_peer_step step)
{
    p->last = step;
    p->may_speak = step.want == HB_PEER_MORE;
    PROMISE((step.want == HB_PEER_FAIL) == (step.why != HB_OK));
    PROMISE(p->t.held_bytes <= HELD_MAX);
}

static void segment(struct play *p, struct hb_span bytes, bool by_bytes)
{
    for (size_t at = 0;
         at < bytes.len && (p->last.want == HB_PEER_MORE || p->last.want == HB_PEER_UPGRADE);) {
        size_t n = by_bytes ? 1 : bytes.len - at;
        uint8_t *exact = malloc(n);
        PROMISE(exact != NULL);
        memcpy(exact, bytes.p + at, n);
        p->may_speak = p->last.want == HB_PEER_MORE;
        struct hb_peer_step step = hb_peer_feed(p->p, hb_span(exact, n), &p->sink);
        free(exact);
        PROMISE(step.used <= n && (step.want != HB_PEER_MORE || step.used == n));
        p->taken += step.used;
        take(p, step);
        at += n;
    }
    if (p->last.want == HB_PEER_UPGRADE) {
        p->may_speak = true;
        take(p, hb_peer_secured(p->p, &p->sink));
    }
}

static void play(struct play *p, const char *face, const uint8_t *data, size_t len, bool by_bytes,
                 size_t fail_at)
{
    uint8_t flags = len > 0 ? data[0] : 0;
    struct hb_peer_client client = {.addr = (flags & PEER_FUZZ_IPV6) != 0 ? "2001:db8::1" : "192.0.2.1",
                                    .port = 4711,
                                    .ipv6 = (flags & PEER_FUZZ_IPV6) != 0,
                                    .tls = true,
                                    .session = "a=+b",
                                    .sni = "mail\\\".example",
                                    .ttl = 5};
    struct hb_peer_settings set = {.host = "mail.test",
                                   .tls = (flags & PEER_FUZZ_STARTTLS) != 0   ? HB_PEER_STARTTLS
                                          : (flags & PEER_FUZZ_IMPLICIT) != 0 ? HB_PEER_IMPLICIT
                                                                              : HB_PEER_CLEAR,
                                   .look = (flags & PEER_FUZZ_LOOK) != 0,
                                   .client = (flags & PEER_FUZZ_CLIENT) != 0 ? &client : NULL};
    size_t from = 1;

    memset(p, 0, sizeof *p);
    testenv_init(&p->t, 1);
    p->t.fail_at = fail_at;
    p->sink = (struct hb_peer_sink){p, to_server};
    p->p = hb_peer_new(hb_peer_find(face), &set, &p->t.env);
    if (p->p == NULL) {
        PROMISE(fail_at == 1);
        return;
    }
    p->may_speak = true;
    take(p, hb_peer_start(p->p, &p->sink));
    for (size_t i = 1; i <= len; i++) {
        if (i < len && data[i] < 0xfe) {
            continue;
        }
        if (from < i) {
            segment(p, hb_span(data + from, i - from), by_bytes);
        }
        from = i + 1;
        if (i < len && data[i] == 0xff && p->last.want == HB_PEER_MORE) {
            take(p, hb_peer_silent(p->p, &p->sink));
        }
    }
    if (p->last.want == HB_PEER_READY) {
        PROMISE(set.tls != HB_PEER_STARTTLS || hb_peer_facts(p->p)->secured);
        struct hb_span g = hb_peer_greeting(p->p);
        bool waits = strcmp(face, "http") == 0; /* the server says nothing unasked */
        PROMISE(waits ? g.len == 0 : g.len >= 2 && g.p[g.len - 2] == '\r' && g.p[g.len - 1] == '\n');
    }
    p->early = hb_peer_facts(p->p)->early;
    PROMISE(!p->early || (!by_bytes && p->last.want == HB_PEER_FAIL));
    p->may_speak = p->last.want == HB_PEER_MORE || p->last.want == HB_PEER_READY;
    hb_peer_goodbye(p->p, &p->sink);
    hb_peer_free(&p->p);
    PROMISE(p->t.held == 0);
}

void peer_fuzz(const char *face, const uint8_t *data, size_t len)
{
    static struct play whole;
    static struct play bytes;

    play(&whole, face, data, len, true, 1 + len % 16); /* without memory the same promises hold */
    play(&whole, face, data, len, false, 0);
    play(&bytes, face, data, len, true, 0);
    if (whole.early) {
        return;
    }
    PROMISE(whole.last.want == bytes.last.want && whole.last.why == bytes.last.why);
    PROMISE(whole.said_len == bytes.said_len && memcmp(whole.said, bytes.said, whole.said_len) == 0);
    PROMISE(whole.last.want != HB_PEER_READY || whole.taken == bytes.taken);
}
