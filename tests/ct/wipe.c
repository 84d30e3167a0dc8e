/* wipe.c: no secret is left behind in memory (CT-06, KS-02).
 *
 * The program's malloc never gives a block out twice and free() changes nothing, so every byte that was ever
 * written to the heap, by us, GMP or anybody, is still there and can be searched. A run is one connection of
 * both roles: after each step the secrets of both ends are noted (masked, so that the notes are not what is
 * found), and when both are gone the heap, freed blocks and the lane included, is searched for them. Each
 * scenario runs to its end, and once with each record on its way spoilt: failures wipe as successes do. At
 * last configurations and keys are freed, and the private keys, too, must be gone. Not searched: the stack,
 * which the next call overwrites. */
#include "crypto/mlkem.h"
#include "crypto/suite.h"
#include "tls_tape.h"
#include "x509/pem.h"

#include <hb/ct.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

/* ---- a heap that forgets nothing ---- */

#define ARENA (UINT64_C(1) << 36) /* addresses; pages come as they are touched and go with forget() */

struct block {
    size_t len;
    uint8_t pad[8];
};

static uint8_t *arena, *top;

static void *take(size_t len, size_t align)
{
    if (arena == NULL) {
        arena = mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        top = arena;
        if (arena == MAP_FAILED) {
            _Exit(3);
        }
    }
    uintptr_t at = ((uintptr_t)top + sizeof(struct block) + align - 1) & ~(uintptr_t)(align - 1);
    uint8_t *p = arena + (at - (uintptr_t)arena);
    top = p + len;
    ((struct block *)(void *)p)[-1].len = len;
    return p;
}

void *malloc(size_t len)
{
    return take(len, 16);
}

void *calloc(size_t n, size_t len)
{
    return n > 0 && len > SIZE_MAX / n ? NULL : take(n * len, 16);
}

void *realloc(void *p, size_t len)
{
    void *q = take(len, 16);

    if (p != NULL) {
        size_t old = ((struct block *)p)[-1].len;
        memcpy(q, p, old < len ? old : len);
    }
    return q;
}

void free(void *p)
{
    (void)p;
}

void *aligned_alloc(size_t align, size_t len)
{
    return take(len, align < 16 ? 16 : align);
}

int posix_memalign(void **p, size_t align, size_t len)
{
    *p = take(len, align < 16 ? 16 : align);
    return 0;
}

size_t malloc_usable_size(void *p)
{
    return p != NULL ? ((struct block *)p)[-1].len : 0;
}

/* Gives the pages of what was searched back. */
static void forget(uint8_t *from)
{
    uintptr_t a = ((uintptr_t)from + 4095) & ~(uintptr_t)4095;
    uintptr_t b = (uintptr_t)top & ~(uintptr_t)4095;

    if (b > a) {
        (void)madvise(arena + (a - (uintptr_t)arena), b - a, MADV_DONTNEED);
    }
}

/* ---- what is looked for ---- */

#define WINDOW 16u
#define MASK   0xa5u
#define MAX    8192u

struct note {
    uint8_t masked[WINDOW];
    const char *what;
};

static struct note notes[MAX];
static unsigned num_notes;
static uint8_t first_bytes[65536 / 8];

static void note_window(const char *what, const uint8_t *p, bool backwards)
{
    struct note n = {.what = what};
    unsigned zeros = 0;

    for (unsigned i = 0; i < WINDOW; i++) {
        uint8_t byte = p[backwards ? WINDOW - 1 - i : i];
        n.masked[i] = byte ^ MASK;
        zeros += byte == 0;
    }
    if (zeros > 8 || num_notes == MAX) {
        return; /* says nothing of whom it is */
    }
    for (unsigned i = 0; i < num_notes; i++) {
        if (memcmp(notes[i].masked, n.masked, WINDOW) == 0) {
            return;
        }
    }
    unsigned key = (unsigned)(n.masked[0] ^ MASK) << 8 | (n.masked[1] ^ MASK);
    first_bytes[key / 8] |= (uint8_t)(1u << key % 8);
    notes[num_notes++] = n;
}

/* Every 16 bytes of a secret, in the order of bytes and in the one in which GMP's limbs hold a number. */
static void note(const char *what, const uint8_t *p, size_t len)
{
    for (size_t at = 0; at + WINDOW <= len; at += WINDOW) {
        note_window(what, p + at, false);
        note_window(what, p + at, true);
    }
}

static void drop_public(const uint8_t *p, size_t len)
{
    for (unsigned i = 0; i < num_notes; i++) {
        for (size_t at = 0; at + WINDOW <= len; at += WINDOW) {
            bool same = true;
            for (unsigned k = 0; k < WINDOW; k++) {
                same = same && (notes[i].masked[k] ^ MASK) == p[at + k];
            }
            if (same) {
                notes[i--] = notes[--num_notes];
                break;
            }
        }
    }
}

static void forget_notes(void)
{
    num_notes = 0;
    memset(first_bytes, 0, sizeof first_bytes);
}

static bool found_at(const uint8_t *p, const char **what)
{
    for (unsigned i = 0; i < num_notes; i++) {
        bool same = true;
        for (unsigned k = 0; k < WINDOW && same; k++) {
            same = (notes[i].masked[k] ^ MASK) == p[k];
        }
        if (same) {
            *what = notes[i].what;
            return true;
        }
    }
    return false;
}

static unsigned search(const char *name, const uint8_t *from, const uint8_t *to)
{
    unsigned found = 0;
    const char *what;

    for (const uint8_t *p = from; p + WINDOW <= to; p++) {
        unsigned key = (unsigned)p[0] << 8 | p[1];
        if ((first_bytes[key / 8] & 1u << key % 8) != 0 && found_at(p, &what)) {
            if (found++ < 8) {
                (void)printf("left behind: %s: %s, at %td of %td\n", name, what, p - from, to - from);
            }
        }
    }
    return found;
}

/* ---- the secrets of a connection ---- */

static void note_random(void *ctx, size_t len, uint8_t *dst);

static void note_session(struct hb_span kept)
{
    struct hb_session s;
    struct hb_cur c = hb_cur(kept);

    if (hb_session_read(&c, &s)) {
        note("secret of a session", s.secret, s.secret_len);
    }
    hb_wipe(&s, sizeof s);
}

static void note_handshake(const struct hb_hs *hs)
{
    note("salt of the main secret", hs->ks.derived, 48);
    note("client handshake traffic", hs->ks.client, 48);
    note("server handshake traffic", hs->ks.server, 48);
    note("client traffic", hs->app.client, 48);
    note("server traffic", hs->app.server, 48);
    note("exporter", hs->app.exporter, 48);
    note("master secret", hs->app.master, 48);
    note("early secret", hs->early, 48);
    note("shared secret", hs->shared, 64);
    note("private half", hs->kex_priv, 32);
    note("premaster secret", hs->peer_kex_random + 2, 46);
    note("key block", hs->keys12, sizeof hs->keys12);
    note("secret of a session", hs->session.secret, sizeof hs->session.secret);
    if (hs->choice.psk != HB_PSK_EXTERNAL && !hs->resumed) {
        return;
    }
    if (hs->choice.psk != HB_PSK_EXTERNAL) { /* an external one lives on in the configuration */
        note("PSK", hs->psk, hs->psk_len);
    }
}

/* A hybrid's: ML-KEM's vector s, its z behind what everybody knows, and the curve's. */
static void note_private(const struct hb_kex *group, const uint8_t *priv)
{
    if (group != &hb_x25519mlkem768 && group != &hb_secp256r1mlkem768) {
        note("private half", priv, 32);
        return;
    }
    note("ML-KEM's secret vector", priv, HB_MLKEM_DK - HB_MLKEM_EK - 64);
    note("ML-KEM's z", priv + HB_MLKEM_DK - 32, 32);
    note("a hybrid's private half on the curve", priv + HB_MLKEM_DK, 32);
}

static void note_connection(const struct hb_tls *t)
{
    if (t->rd.suite != NULL && t->rd.legacy == NULL) {
        note("key", t->rd.key, t->rd.suite->aead->key_len);
    }
    if (t->wr.suite != NULL && t->wr.legacy == NULL) {
        note("key", t->wr.key, t->wr.suite->aead->key_len);
    }
    if (t->is_open && t->info.version == 0x0304) {
        note("traffic secret", t->secrets.v13.read, 48);
        note("traffic secret", t->secrets.v13.write, 48);
        note("exporter", t->secrets.v13.exporter, 48);
    } else if (t->is_open) {
        note("master secret", t->secrets.v12.master, 48);
    }
    if (t->hs != NULL) {
        note_handshake(t->hs);
        if (t->hs->client != NULL) {
            for (unsigned i = 0; i < t->hs->client->num_shares; i++) {
                note_private(t->hs->client->share_groups[i], t->hs->client->priv[i]);
            }
            note("secret of a session", t->hs->client->session.secret, 48);
        }
    }
    if (t->post != NULL && t->is_client) {
        note_session(hb_buf_span(&t->post->kept));
        note_session(hb_buf_span(&t->post->pending));
    }
}

/* What is random and long enough to be a secret is one, unless it went out in clear. */
static void (*real_random)(void *ctx, size_t len, uint8_t *dst);

static void note_random(void *ctx, size_t len, uint8_t *dst)
{
    real_random(ctx, len, dst);
    if (len >= 32) {
        note("random bytes", dst, len);
    }
}

/* ---- a run ---- */

struct run {
    struct hb_tls *end[2]; /* client, server */
    struct hb_bld out[2];
    bool ready[2], failed[2];
    int spoil; /* the number of the record that is spoilt; -1: none */
    int records;
    uint8_t randoms[3][32]; /* client's, server's, session id */
};

static uint8_t wire[HB_TLS_FLIGHT_MAX + 65536];

static void step(struct run *r, unsigned who)
{
    struct hb_tls_event e;
    enum hb_tls_ev ev;

    do {
        ev = hb_tls_next(r->end[who], &r->out[who], &e);
        note_connection(r->end[who]);
        const struct hb_hs *hs = r->end[who]->hs;
        if (hs != NULL) {
            memcpy(r->randoms[0], hs->client_random, 32);
            memcpy(r->randoms[1], hs->server_random, 32);
            memcpy(r->randoms[2], hs->session_id, 32);
            drop_public(r->randoms[0], sizeof r->randoms);
        }
        if (ev == HB_TLS_SESSION) {
            note_session(e.data);
        }
        r->ready[who] = r->ready[who] || ev == HB_TLS_READY;
        r->failed[who] = ev == HB_TLS_FAILED;
    } while (ev != HB_TLS_NONE && ev != HB_TLS_FAILED);
}

static bool move(struct run *r, unsigned from)
{
    size_t len = r->out[from].len;
    unsigned to = 1 - from;

    memcpy(wire, r->out[from].p, len);
    hb_bld_reset(&r->out[from]);
    for (size_t at = 0; at < len;) {
        size_t total = HB_REC_HEADER + (size_t)(wire[at + 3] << 8 | wire[at + 4]);
        if (r->records++ == r->spoil) {
            wire[at + total - 1] ^= 1;
        }
        hb_tls_input(r->end[to], wire + at, total);
        step(r, to);
        at += total;
    }
    return len > 0;
}

static void pump(struct run *r)
{
    bool moved = true;

    step(r, 0);
    step(r, 1);
    while (moved) {
        moved = move(r, 0);
        moved = move(r, 1) || moved;
    }
}

static void talk(struct run *r)
{
    struct hb_span text = hb_span_str("a1 NOOP\r\n");

    for (unsigned i = 0; i < 2; i++) {
        struct hb_tls *t = r->end[i];
        if (r->ready[i] && hb_tls_write(t, &text, 1, &r->out[i]) == HB_OK &&
            hb_tls_info(t)->version == 0x0304 && hb_tls_key_update(t, true, &r->out[i]) != HB_OK) {
            abort();
        }
        note_connection(t);
    }
    pump(r);
    for (unsigned i = 0; i < 2; i++) {
        hb_tls_close(r->end[i], &r->out[i]);
    }
    pump(r);
}

/* One connection; how many records it had. */
static int connection(struct world *w, int spoil, unsigned *found)
{
    static uint8_t mem[2][HB_TLS_FLIGHT_MAX + 65536];
    struct run r = {.spoil = spoil};
    uint8_t *from = top;

    forget_notes();
    r.end[0] = tape_begin(w, true);
    real_random = w->mine.env.random;
    w->mine.env.random = note_random;
    w->peer.env.random = note_random;
    r.end[1] = tape_peer(w, true);
    for (unsigned i = 0; i < 2; i++) {
        r.out[i] = hb_bld(mem[i], sizeof mem[i]);
    }
    pump(&r);
    talk(&r);
    if (spoil < 0 && (!r.ready[0] || !r.ready[1] || r.failed[0] || r.failed[1])) {
        (void)printf("%s: does not become ready\n", tape_name(w->number));
        ++*found;
    }
    hb_tls_free(&r.end[0]);
    hb_tls_free(&r.end[1]);
    if (num_notes < 4) {
        (void)printf("%s: there were no secrets\n", tape_name(w->number));
        ++*found;
    }
    char name[128];
    (void)snprintf(name, sizeof name, "%s, record %d", tape_name(w->number), spoil);
    *found += search(name, from, top);
    (void)snprintf(name, sizeof name, "%s, record %d, lane", tape_name(w->number), spoil);
    *found += search(name, (const uint8_t *)w->lane, (const uint8_t *)(w->lane + 1));
    forget(from);
    return r.records;
}

static void note_key(const char *pem)
{
    struct hb_span text = hb_span_str(pem);
    struct hb_pem_block block;
    uint8_t der[2048];
    size_t len;

    if (hb_pem_next(&text, &block) == HB_OK && hb_pem_decode(&block, der, sizeof der, &len) == HB_OK) {
        bool ec = len < 200;
        note("private key", der + (ec ? 7 : 300), ec ? 32 : len - 300); /* RSA: behind n and e */
    }
    hb_wipe(der, sizeof der);
}

static unsigned scenario(unsigned i)
{
    uint8_t *from = top;
    struct world *w = tape_world_new(i);
    unsigned found = 0;
    int records = connection(w, -1, &found);

    for (int spoil = 0; spoil < records; spoil++) {
        (void)connection(w, spoil, &found);
    }
    forget_notes();
    note_key(tape_pki()->server.pem);
    note_key(tape_pki()->client.pem);
    note_key(tape_pki()->rsa.pem);
    note("PSK", (const uint8_t *)"0123456789abcdef0123456789abcdef", 32);
    note("secret of tickets", (const uint8_t *)w->keys + 12, 32);
    tape_world_free(&w);
    found += search("behind everything", from, top);
    (void)printf("%s wipe: %s (%d records)\n", found == 0 ? "ok  " : "FAIL", tape_name(i), records);
    return found;
}

/* What is not wiped is found, in a block that was freed; what is, is not. */
static unsigned control(void)
{
    uint8_t secret[32];
    uint8_t *p = malloc(100);
    uint8_t *from = p;

    for (unsigned i = 0; i < sizeof secret; i++) {
        secret[i] = (uint8_t)(i * 37 + 11);
    }
    forget_notes();
    note("control", secret, sizeof secret);
    memcpy(p + 3, secret, sizeof secret);
    free(p);
    unsigned seen = search("control (this is as it must be)", from, top);
    hb_wipe(p, 100);
    bool ok = seen >= 2 && search("control", from, top) == 0;
    (void)printf("%s wipe: control\n", ok ? "ok  " : "FAIL");
    return !ok;
}

int main(void)
{
    unsigned found = control();

    (void)tape_pki(); /* keys and certificates are made outside of what is searched */
    for (unsigned i = 0; i < tape_num_scenarios; i++) {
        found += scenario(i) > 0;
    }
    (void)printf("%u run, %u failed\n", tape_num_scenarios + 1, found);
    return found > 0;
}
