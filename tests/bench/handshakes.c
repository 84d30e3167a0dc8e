/* handshakes.c: what a handshake costs a server, beside the sum of its primitives and beside OpenSSL's on the
 * same machine in the same minute; what records cost beside the bare cipher; what an open connection holds.
 * Bars are those of the README; nothing here fails for being slow.
 *
 * Timed is the server alone: making it, its turns, freeing it. The sum counts what no implementation on these
 * primitives could leave out, once each, with the sizes of that very handshake: the hello's random, the
 * transcript's hash and its digests (four; TLS 1.2 three, resumed two), key exchange, signature, every step
 * of the key schedule and both Finished, opening and sealing tickets, a record each way and its key. A step
 * is a call of its own with the set-up of its key: a PRF, a ticket. That the engine sets up the master secret
 * and the tickets' cipher once for all their uses is its gain, as is what it leaves out. Not in it: parsing,
 * negotiation, session structs, allocation and wiping, records of one message; that is what the ratio shows.
 * Under callgrind: --toggle-collect=server_turn* or =sum_of_primitives, and few rounds (second argument). */
#include "keys/prf12.h"
#include "nettle_end.h"
#include "openssl_end.h"
#include "timing.h"
#include "tls_tape.h"
#include "x509/key.h"

#include <stdio.h>
#include <stdlib.h>

static unsigned rounds = 401;

static void must(bool ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "handshakes: %s\n", what);
        abort();
    }
}

static double bar(const char *what, double value, const char *unit, double limit, bool at_most)
{
    bool ok = at_most ? value <= limit : value >= limit;

    (void)printf("    %-44s %8.2f %s  (%s %.2f: %s)\n", what, value, unit, at_most ? "at most" : "at least",
                 limit, ok ? "yes" : "NO");
    return value;
}

/* ---- a handshake of ours: only the server's calls are timed ---- */

struct ours {
    struct world *w;
    size_t wire_in, wire_out; /* handshake bytes of the server */
    size_t num_allocs, peak_bytes;
    const struct hb_suite *suite;
};

static void turn(struct hb_tls *t, uint8_t *in, size_t len, struct hb_bld *out, bool *ready)
{
    struct hb_tls_event e;
    enum hb_tls_ev ev;

    hb_tls_input(t, in, len);
    do {
        ev = hb_tls_next(t, out, &e);
        *ready = *ready || ev == HB_TLS_READY;
    } while (ev != HB_TLS_NONE && ev != HB_TLS_FAILED);
    must(ev != HB_TLS_FAILED, hb_err_name(e.code));
}

/* By itself, so that a profiler can be told to look at nothing else (callgrind --toggle-collect=server_turn).
 */
static __attribute__((noinline)) double server_turn(struct hb_tls *t, uint8_t *in, size_t len,
                                                    struct hb_bld *out, bool *ready)
{
    double from = timing_now();

    turn(t, in, len, out, ready);
    return timing_since(from);
}

static double our_handshake(void *ctx)
{
    static uint8_t mem[2][HB_TLS_FLIGHT_MAX];
    static uint8_t wire[HB_TLS_FLIGHT_MAX];
    struct ours *o = ctx;
    struct hb_bld out[2] = {hb_bld(mem[0], sizeof mem[0]), hb_bld(mem[1], sizeof mem[1])};
    bool ready[2] = {false, false};

    testenv_init(&o->w->peer, 4);
    double from = timing_now();
    struct hb_tls *server = tape_begin(o->w, false);
    double took = timing_since(from);
    struct hb_tls *client = tape_peer(o->w, false);
    o->wire_in = 0;
    o->wire_out = 0;
    turn(client, NULL, 0, &out[0], &ready[0]);
    while (!ready[0] || !ready[1]) {
        size_t len = out[0].len;
        must(len > 0, "stuck");
        memcpy(wire, out[0].p, len);
        o->wire_in += len;
        hb_bld_reset(&out[0]);
        took += server_turn(server, wire, len, &out[1], &ready[1]);
        o->wire_out += out[1].len;
        memcpy(wire, out[1].p, out[1].len);
        len = out[1].len;
        hb_bld_reset(&out[1]);
        turn(client, wire, len, &out[0], &ready[0]);
    }
    o->suite = server->wr.suite;
    o->num_allocs = o->w->mine.num_allocs;
    o->peak_bytes = o->w->mine.peak_bytes;
    hb_tls_free(&client);
    from = timing_now();
    hb_tls_free(&server);
    return took + timing_since(from);
}

/* ---- the same work without a handshake around it ---- */

struct sum {
    const struct hb_kex *kex; /* NULL: none */
    struct hb_privkey *key;   /* NULL: no signature */
    const struct hb_sigalg *alg;
    const struct hb_hash *hash;
    const struct hb_aead *aead;
    bool is13, ticket;     /* ticket: one opened, one sealed (1.3: two) */
    const struct ours *of; /* whose sizes count */
    struct testenv env;
    uint8_t peer[HB_SHARE_MAX];
    bool has_peer;
};

static void ticket_work(unsigned seals)
{
    static union hb_aead_ctx c;
    static uint8_t body[256 + HB_TAG_LEN];
    static const uint8_t key[HB_KEY_MAX];
    static const uint8_t nonce[HB_IV_LEN];

    for (unsigned i = 0; i <= seals; i++) { /* opening costs what sealing does */
        hb_aes256_gcm.set_key(&c, key);
        hb_aes256_gcm.seal(&c, nonce, hb_span(nonce, sizeof nonce), body, body, 200);
    }
}

static void schedule13(const struct sum *s, const uint8_t *shared, const uint8_t *digest)
{
    struct hb_ks13_handshake ks;
    struct hb_ks13_application app;
    uint8_t out[HB_HASH_MAX];
    uint8_t early[HB_HASH_MAX] = {0};
    uint8_t key[HB_KEY_MAX];
    uint8_t iv[HB_IV_LEN];

    if (s->ticket && s->key == NULL) { /* resumed: early secret and binder */
        hb_ks13_early_psk(s->hash, hb_span(early, 32), false, early, out);
        hb_ks13_finished(s->hash, out, digest, out);
    }
    hb_ks13_to_handshake(s->hash, early, hb_span(shared, 32), digest, &ks);
    hb_ks13_record_keys(s->hash, ks.server, key, s->aead->key_len, iv);
    hb_ks13_record_keys(s->hash, ks.client, key, s->aead->key_len, iv);
    hb_ks13_finished(s->hash, ks.server, digest, out);
    hb_ks13_to_application(&ks, digest, &app);
    hb_ks13_record_keys(s->hash, app.server, key, s->aead->key_len, iv);
    hb_ks13_finished(s->hash, ks.client, digest, out);
    hb_ks13_record_keys(s->hash, app.client, key, s->aead->key_len, iv);
    if (s->ticket) {
        hb_ks13_resumption(s->hash, &app, digest, out);
        hb_ks13_ticket_psk(s->hash, out, hb_span_str("0"), early);
    }
}

static void schedule12(const struct sum *s, const uint8_t *shared, const uint8_t *digest)
{
    uint8_t master[48];
    uint8_t out[104];
    struct hb_span d = hb_span(digest, s->hash->len);

    if (s->kex != NULL) {
        hb_prf12(s->hash, hb_span(shared, 32), "extended master secret", d, hb_span(NULL, 0), master, 48);
    } else {
        memset(master, 1, sizeof master);
    }
    hb_prf12(s->hash, hb_span(master, 48), "key expansion", d, d, out, 2u * s->aead->key_len + 8);
    hb_prf12(s->hash, hb_span(master, 48), "client finished", d, hb_span(NULL, 0), out, 12);
    hb_prf12(s->hash, hb_span(master, 48), "server finished", d, hb_span(NULL, 0), out, 12);
}

static double sum_of_primitives(void *ctx)
{
    static uint8_t body[16384];
    static const uint8_t nonce[HB_IV_LEN];
    static union hb_aead_ctx c;
    struct sum *s = ctx;
    uint8_t share[HB_SHARE_MAX];
    uint8_t shared[HB_SHARED_MAX] = {0};
    uint8_t sig[HB_SIG_MAX];
    uint8_t digest[HB_HASH_MAX];
    union hb_hash_ctx h;
    size_t len;

    if (s->kex != NULL && !s->has_peer) {
        uint8_t priv[HB_KEX_PRIV_MAX];
        s->kex->generate(&s->env.env, priv, s->peer);
        s->has_peer = true;
    }
    double from = timing_now();
    s->env.env.random(s->env.env.ctx, 32, body);
    s->hash->init(&h);
    s->hash->update(&h, hb_span(body, s->of->wire_in + s->of->wire_out));
    for (unsigned i = 0; i < (s->is13 ? 4 : s->kex != NULL ? 3 : 2); i++) { /* a digest at each stage */
        union hb_hash_ctx copy = h;
        s->hash->final(&copy, digest);
    }
    if (s->kex != NULL) {
        must(s->kex->answer(&s->env.env, hb_span(s->peer, s->kex->client_share_len), share, shared) == HB_OK,
             "kex");
    }
    if (s->key != NULL) {
        must(hb_sign(s->key, &s->env.env, s->alg, hb_span(body, 146), sig, sizeof sig, &len) == HB_OK,
             "sign");
    }
    if (s->is13) {
        schedule13(s, shared, digest);
    } else {
        schedule12(s, shared, digest);
    }
    if (s->ticket) {
        ticket_work(s->is13 ? 2 : 1);
    }
    for (unsigned i = 0; i < 2; i++) { /* a record each way, and its key */
        s->aead->set_key(&c, body);
        s->aead->seal(&c, nonce, hb_span(nonce, 5), body, body, i == 0 && s->is13 ? s->of->wire_out : 64);
    }
    return timing_since(from);
}

/* ---- the table ---- */

static const struct row {
    const char *name;
    unsigned scenario; /* of tls_tape.c */
    const struct hb_kex *kex;
    enum { NO_KEY, EC_KEY, RSA_KEY } key;
    uint16_t scheme;
    bool is13, ticket;
    bool openssl; /* knows all of it, too */
} rows[] = {
    {"TLS 1.3, X25519, ECDSA P-256", 0, &hb_x25519, EC_KEY, 0x0403, true, false, true},
    {"TLS 1.3, resumed, X25519", 5, &hb_x25519, NO_KEY, 0, true, true, true},
    {"TLS 1.3, X25519MLKEM768, ECDSA P-256", 1, &hb_x25519mlkem768, EC_KEY, 0x0403, true, false, false},
    {"TLS 1.3, X25519, RSA-2048, tickets", 4, &hb_x25519, RSA_KEY, 0x0804, true, true, true},
    {"TLS 1.2, X25519, ECDSA P-256", 8, &hb_x25519, EC_KEY, 0x0403, false, false, true},
    {"TLS 1.2, resumed", 11, NULL, NO_KEY, 0, false, true, true},
};

static void handshake(const struct row *r)
{
    struct ours o = {.w = tape_world_new(r->scenario)};
    struct sum s = {
        .kex = r->kex, .alg = hb_sigalg_find(r->scheme), .is13 = r->is13, .ticket = r->ticket, .of = &o};
    struct openssl_end *other = NULL;
    struct timing things[3] = {{"ours", our_handshake, &o, 0}, {"sum", sum_of_primitives, &s, 0}};

    testenv_init(&s.env, 9);
    if (r->key != NO_KEY) {
        const struct pki_key *k = r->key == EC_KEY ? &tape_pki()->server : &tape_pki()->rsa;
        must(hb_key_from_pem(&s.env.env, hb_span_str(k->pem), &s.key) == HB_OK, "key");
    }
    (void)our_handshake(&o);
    s.hash = o.suite->hash;
    s.aead = o.suite->aead;
    if (r->openssl) {
        other = openssl_end_new(r->is13, r->key == RSA_KEY, r->key == NO_KEY);
        things[2] = (struct timing){"OpenSSL", openssl_end_handshake, other, 0};
    }
    timing_run(things, r->openssl ? 3 : 2, r->key == RSA_KEY ? rounds / 4 + 1 : rounds);
    (void)printf("%s, %s\n    ours %.1f us, primitives %.1f us", r->name, o.suite->name, things[0].us,
                 things[1].us);
    if (r->openssl) {
        (void)printf(", OpenSSL %.1f us (ours is %.2f of it)", things[2].us, things[0].us / things[2].us);
        openssl_end_free(&other);
    }
    (void)printf("; %zu allocations, %zu bytes at most\n", o.num_allocs, o.peak_bytes);
    (void)bar("beside the sum of its primitives", things[0].us / things[1].us, "x", 1.10, true);
    hb_privkey_free(&s.env.env, &s.key);
    tape_world_free(&o.w);
}

/* ---- records ---- */

struct record_work {
    struct hb_rec_dir d;
    struct hb_rec_cache cache;
    const struct hb_aead *aead;
    union nettle_end nettle;
    uint8_t sealed[HB_TLS_RECORD_MAX];
    size_t sealed_len;
};

static uint8_t content[HB_REC_PLAIN_MAX] __attribute__((aligned(64)));
static uint8_t place[HB_TLS_RECORD_MAX] __attribute__((aligned(64)));

static double seal_record(void *ctx)
{
    struct record_work *w = ctx;
    struct hb_span span = hb_span(content, sizeof content);
    double from = timing_now();

    for (unsigned i = 0; i < 16; i++) {
        struct hb_rec_source src = {&span, 0};
        struct hb_bld out = hb_bld(place, sizeof place);
        hb_rec_seal(&w->d, &w->cache, HB_REC_DATA, 0x0303, &src, sizeof content, &out);
    }
    return (timing_since(from)) / 16;
}

/* Nettle by itself, on buffers that suit it best. */
static double seal_bare(void *ctx)
{
    struct record_work *w = ctx;
    double from = timing_now();

    for (unsigned i = 0; i < 16; i++) {
        nettle_seal(w->aead, &w->nettle, place, content, sizeof content);
    }
    return (timing_since(from)) / 16;
}

static double open_record(void *ctx)
{
    struct record_work *w = ctx;
    struct hb_rec_header h;
    struct hb_span plain;
    uint8_t type;
    double took = 0;

    for (unsigned i = 0; i < 16; i++) {
        memcpy(place, w->sealed, w->sealed_len);
        w->d.seq = 0;
        double from = timing_now();
        must(hb_rec_parse(place, HB_REC_CIPHER12_MAX, &h) == HB_OK, "header");
        must(hb_rec_open(&w->d, &w->cache, place, &h, &type, &plain) == HB_OK, "record");
        took += timing_since(from);
    }
    return took / 16;
}

static double open_bare(void *ctx)
{
    struct record_work *w = ctx;
    static uint8_t kept[sizeof content + HB_TAG_LEN];
    static const struct hb_aead *made_for;
    double took = 0;

    if (made_for != w->aead) {
        nettle_seal(w->aead, &w->nettle, kept, content, sizeof content);
        made_for = w->aead;
    }
    for (unsigned i = 0; i < 16; i++) {
        memcpy(place, kept, sizeof kept);
        double from = timing_now();
        must(nettle_open(w->aead, &w->nettle, place, sizeof content), "bare record");
        took += timing_since(from);
    }
    return took / 16;
}

static void records(uint16_t id)
{
    static struct record_work w;
    const struct hb_suite *suite = hb_suite_find(id);
    static const uint8_t key[HB_KEY_MAX] = {1};
    struct hb_span span = hb_span(content, sizeof content);
    struct hb_rec_source src = {&span, 0};
    struct hb_bld out = hb_bld(w.sealed, sizeof w.sealed);
    struct timing things[4] = {{"seal", seal_record, &w, 0},
                               {"bare", seal_bare, &w, 0},
                               {"open", open_record, &w, 0},
                               {"bare", open_bare, &w, 0}};

    memset(&w, 0, sizeof w);
    w.aead = suite->aead;
    nettle_key(w.aead, &w.nettle, key);
    hb_rec_install(&w.d, suite, 1, key, key);
    hb_rec_seal(&w.d, &w.cache, HB_REC_DATA, 0x0303, &src, sizeof content, &out);
    w.sealed_len = out.len;
    timing_run(things, 4, rounds);
    (void)printf("%s, %s: 16 KiB sealed in %.2f us, opened in %.2f us\n", suite->name, suite->aead->name,
                 things[0].us, things[2].us);
    (void)bar("sealing beside the bare cipher", things[1].us / things[0].us, " ", 0.95, false);
    (void)bar("opening beside the bare cipher", things[3].us / things[2].us, " ", 0.95, false);
}

int main(int argc, char **argv) /* handshakes [PART OF A NAME [ROUNDS]] */
{
    const char *only = argc > 1 ? argv[1] : "";
    rounds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : rounds;
    static const uint16_t suites[] = {0x1301, 0x1302, 0x1303, 0xc02b, 0xcca9};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strstr(rows[i].name, only) != NULL) {
            handshake(&rows[i]);
        }
    }
    for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++) {
        if (strstr(hb_suite_find(suites[i])->name, only) != NULL) {
            records(suites[i]);
        }
    }
    (void)printf("an open connection\n");
    (void)bar("bytes", (double)sizeof(struct hb_tls), "  ", 512, true);
    return 0;
}
