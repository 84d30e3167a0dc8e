/* tls_tape.c: the scenarios, and how they are recorded: our own client and server, each record opened with
 * the keys the receiver is about to use. */
#include "tls_tape.h"

#include "config.h"
#include "hs/kx12.h"
#include <hb/ct.h>
#include <stdio.h>
#include <stdlib.h>

#define OUT_SIZE (HB_TLS_FLIGHT_MAX + 65536u)

enum {
    EC = 1,
    RSA = 2,
    CHAIN = 4,
    STAPLE = 8,
    CLIENT_CERT = 16,
    TICKETS = 32,
    RESUMED = 64,
    PSK = 128,
    ETM = 256,
    NO_EMS = 512
};

struct scenario {
    const char *name;
    unsigned has;
    enum hb_tls_profile profile;
    uint16_t version, suite, group; /* 0: as the profile has it */
};

/* clang-format off */
#define I HB_PROFILE_INTERMEDIATE
#define L HB_PROFILE_LEGACY
#define A HB_PROFILE_ANTIQUE
static const struct scenario scenarios[] = {
    {"1.3",                          EC,                       I, 0x0304, 0,      0x001d},
    {"1.3 hybrid, chain, staple",    EC | CHAIN | STAPLE,      I, 0x0304, 0,      0},
    {"1.3 retry",                    EC,                       I, 0x0304, 0x1302, 0x0017},
    {"1.3 client certificate",       EC | CLIENT_CERT,         I, 0x0304, 0x1303, 0x001d},
    {"1.3 RSA, tickets",             RSA | TICKETS,            I, 0x0304, 0,      0x001d},
    {"1.3 resumed",                  EC | TICKETS | RESUMED,   I, 0x0304, 0,      0x001d},
    {"1.3 resumed, retry",           EC | TICKETS | RESUMED,   I, 0x0304, 0,      0x0017},
    {"1.3 PSK",                      PSK,                      I, 0x0304, 0,      0x001d},
    {"1.2",                          EC,                       I, 0x0303, 0xc02b, 0x001d},
    {"1.2 chain, staple, tickets",   EC | CHAIN | STAPLE | TICKETS, I, 0x0303, 0xcca9, 0x0017},
    {"1.2 RSA, client certificate",  RSA | CLIENT_CERT,        I, 0x0303, 0xc030, 0x001d},
    {"1.2 resumed",                  EC | TICKETS | RESUMED,   I, 0x0303, 0,      0x001d},
    {"1.2 resumed, client certificate", EC | CLIENT_CERT | TICKETS | RESUMED, I, 0x0303, 0, 0x001d},
    {"1.2 ECDHE_PSK",                PSK,                      I, 0x0303, 0xd001, 0x001d},
    {"1.2 PSK",                      PSK,                      L, 0x0303, 0x00a8, 0x001d},
    {"1.2 RSA transport, CBC",       RSA,                      L, 0x0303, 0x0035, 0x001d},
    {"1.2 RSA transport, EtM",       RSA | ETM,                L, 0x0303, 0x002f, 0x001d},
    {"1.2 DHE",                      RSA,                      L, 0x0303, 0x009e, 0x0100},
    {"1.2 RSA_PSK",                  RSA | PSK,                L, 0x0303, 0x00ac, 0x001d},
    {"1.1 CBC",                      EC,                       L, 0x0302, 0xc009, 0x001d},
    {"1.0 client certificate, CBC",  RSA | CLIENT_CERT,        L, 0x0301, 0xc014, 0x001d},
    {"1.0 RC4",                      RSA,                      A, 0x0301, 0x0005, 0x001d},
    {"1.2 3DES",                     RSA,                      A, 0x0303, 0x000a, 0x001d},
    {"any version",                  EC | RSA | TICKETS,       L, 0,      0,      0x001d},
    {"1.3 P-256 hybrid, client certificate", EC | CLIENT_CERT, I, 0x0304, 0,      0x11eb},
};
#undef I
#undef L
#undef A
/* clang-format on */
const unsigned tape_num_scenarios = sizeof scenarios / sizeof scenarios[0];

const char *tape_name(unsigned i)
{
    return scenarios[i].name;
}

static void must(enum hb_code code)
{
    if (code != HB_OK) {
        (void)fprintf(stderr, "tls_tape: %s\n", hb_err_name(code));
        abort();
    }
}

static struct hb_span copy_of(struct hb_span s)
{
    uint8_t *p = malloc(s.len > 0 ? s.len : 1);

    if (p == NULL) {
        abort();
    }
    memcpy(p, s.p, s.len);
    return hb_span(p, s.len);
}

/* ---- certificates ---- */

static struct hb_span issue(const struct hb_env *env, enum pki_kind kind, const char *cn,
                            const char *issuer_cn, const struct pki_key *key, const struct pki_key *issuer,
                            uint8_t serial)
{
    struct pki_tbs tbs;
    uint8_t mem[4096];
    struct hb_bld out = hb_bld(mem, sizeof mem);

    pki_tbs(kind, cn, issuer_cn, key, serial, &tbs);
    pki_sign(env, hb_span(tbs.p, tbs.len), issuer, &out);
    return copy_of(hb_bld_span(&out));
}

const struct tape_pki *tape_pki(void)
{
    static struct tape_pki pki;
    static struct testenv t;
    static struct pki_tbs tbs;
    uint8_t mem[4096];
    struct hb_bld b = hb_bld(mem, sizeof mem);

    if (pki.ca_pem.len > 0) {
        return &pki;
    }
    testenv_init(&t, 99);
    struct pki_key *ec[] = {&pki.ca, &pki.middle, &pki.server, &pki.client, &pki.responder};
    for (unsigned i = 0; i < 5; i++) {
        pki_key_ec(&t.env, ec[i]);
    }
    pki_key_rsa(&t.env, 1, &pki.rsa);
    pki.ca_der = issue(&t.env, PKI_CA, "fuzz CA", "fuzz CA", &pki.ca, &pki.ca, 1);
    pki.middle_der = issue(&t.env, PKI_MIDDLE, "middle", "fuzz CA", &pki.middle, &pki.ca, 2);
    pki.server_der = issue(&t.env, PKI_SERVER, "mail.test", "middle", &pki.server, &pki.middle, 3);
    pki.rsa_der = issue(&t.env, PKI_SERVER, "mail.test", "fuzz CA", &pki.rsa, &pki.ca, 4);
    pki.client_der = issue(&t.env, PKI_CLIENT, "alice", "fuzz CA", &pki.client, &pki.ca, 5);
    pki.responder_der = issue(&t.env, PKI_RESPONDER, "responder", "fuzz CA", &pki.responder, &pki.ca, 6);
    pki_ocsp_tbs("middle", &pki.middle, 3, &tbs);
    pki_ocsp_sign(&t.env, hb_span(tbs.p, tbs.len), &pki.middle, &b);
    pki.staple = copy_of(hb_bld_span(&b));
    hb_bld_reset(&b);
    pki_armour("CERTIFICATE", pki.ca_der, &b);
    pki.ca_pem = copy_of(hb_bld_span(&b));
    return &pki;
}

static void add_cred(struct hb_cred_store *store, struct hb_span leaf, struct hb_span middle,
                     const struct pki_key *key)
{
    static uint8_t mem[16384];
    struct hb_bld b = hb_bld(mem, sizeof mem);

    pki_armour("CERTIFICATE", leaf, &b);
    if (middle.len > 0) {
        pki_armour("CERTIFICATE", middle, &b);
    }
    must(hb_cred_store_add(store, hb_bld_span(&b), hb_span_str(key->pem), NULL));
}

/* ---- a scenario's two configs ---- */

static struct hb_tls_config *configure(struct world *w, struct hb_cred_store *creds, bool client)
{
    const struct scenario *s = w->scenario;
    struct hb_tls_config *c = hb_tls_config_new(&w->shared.env, s->profile, creds);

    if (c == NULL) {
        abort();
    }
    if (s->version != 0) {
        must(hb_tls_config_versions(c, s->version, s->version));
    }
    if ((s->has & PSK) != 0) {
        must(hb_tls_config_add_psk(c, hb_span_str("gateway-1"),
                                   hb_span_str("0123456789abcdef0123456789abcdef")));
        must(hb_tls_config_psk12(c));
    }
    if (s->suite != 0) {
        c->suites[0] = hb_suite_find(s->suite);
        c->num_suites = 1;
    }
    if (client && (s->has & ETM) == 0 && s->profile == HB_PROFILE_LEGACY) {
        c->profile = HB_PROFILE_INTERMEDIATE; /* which does not ask for encrypt-then-MAC */
    }
    if (s->group != 0 && (!client || s->group == 0x11eb)) { /* which nobody offers unasked */
        must(hb_tls_config_groups(c, &s->group, 1));
    }
    if (s->group == 0x001d && client) {
        must(hb_tls_config_shares(c, &s->group, 1));
    }
    if ((s->has & TICKETS) != 0) {
        hb_tls_config_tickets(c, w->keys, hb_span_str("imap 143"), 2, 7200);
    }
    must(hb_tls_config_add_alpn(c, "imap"));
    hb_tls_config_verify(c, client ? HB_VERIFY_FULL : HB_VERIFY_CHAIN, w->trust);
    if ((s->has & CLIENT_CERT) != 0 && !client) {
        hb_tls_config_client_auth(c, HB_AUTH_REQUIRE);
    }
    return c;
}

static void make_world(struct world *w)
{
    const struct tape_pki *pki = tape_pki();
    unsigned has = w->scenario->has;
    unsigned added;
    unsigned skipped;

    testenv_init(&w->shared, 3);
    w->server_creds = hb_cred_store_new(&w->shared.env);
    w->client_creds = hb_cred_store_new(&w->shared.env);
    w->trust = hb_trust_new(&w->shared.env);
    w->lane = hb_tls_lane_new(&w->shared.env);
    must(hb_trust_add_pem(w->trust, pki->ca_pem, &added, &skipped));
    must(hb_ticket_keys_new(&w->shared.env, hb_span_str("a secret of thirty-two bytes or more"), &w->keys));
    if ((has & EC) != 0) {
        add_cred(w->server_creds, pki->server_der, pki->middle_der, &pki->server);
        if ((has & STAPLE) != 0) {
            must(hb_cred_store_staple(w->server_creds, pki->staple, NULL));
        }
    }
    if ((has & RSA) != 0) {
        add_cred(w->server_creds, pki->rsa_der, hb_span(NULL, 0), &pki->rsa);
    }
    if ((has & CLIENT_CERT) != 0) {
        add_cred(w->client_creds, pki->client_der, hb_span(NULL, 0), &pki->client);
    }
    w->server = configure(w, w->server_creds, false);
    w->client = configure(w, w->client_creds, true);
}

static struct hb_tls *connect(struct world *w, bool client, struct testenv *env)
{
    struct hb_tls *t = client ? hb_tls_client_new(w->client, &env->env, w->lane,
                                                  (w->scenario->has & (EC | RSA)) != 0 ? "mail.test" : NULL,
                                                  hb_span(w->session, w->session_len))
                              : hb_tls_server_new(w->server, &env->env, w->lane);
    if (t == NULL) {
        abort();
    }
    return t;
}

struct hb_tls *tape_begin(struct world *w, bool client)
{
    uint64_t seed = 1 + 8u * w->number; /* two scenarios never have a random value in common */

    testenv_init(&w->mine, seed);
    testenv_init(&w->peer, seed + 1);
    w->shared.seed = seed + 2;
    return connect(w, client, &w->mine);
}

struct hb_tls *tape_peer(struct world *w, bool client)
{
    return connect(w, !client, &w->peer);
}

/* ---- recording ---- */

struct recorder {
    struct world *w;
    bool taping, client; /* client: the connection under test is one */
    struct hb_tls *mine, *peer;
    struct hb_bld mine_out, peer_out;
    bool mine_ready, peer_ready;
};

static void events(struct recorder *r, struct hb_tls *t, struct hb_bld *out, bool *ready)
{
    struct hb_tls_event e;
    struct tape *tape = &r->w->tape;

    for (;;) {
        switch (hb_tls_next(t, out, &e)) {
        case HB_TLS_NONE:
            return;
        case HB_TLS_READY:
            *ready = true;
            if (t == r->mine && r->taping) {
                hb_transcript_now(&t->hs->transcript, tape->digest);
                tape->num_handshake = tape->num;
            }
            break;
        case HB_TLS_SESSION:
            if (!r->taping) {
                memcpy(r->w->session, e.data.p, e.data.len);
                r->w->session_len = e.data.len;
            }
            break;
        case HB_TLS_FAILED:
            (void)fprintf(stderr, "tls_tape: %s, %s\n", r->w->scenario->name, hb_err_name(e.code));
            abort();
        case HB_TLS_DATA:
        case HB_TLS_CLOSED:
        case HB_TLS_SIGN:
        case HB_TLS_DECRYPT:
        case HB_TLS_VERIFY:
            break;
        }
    }
}

static void add_item(struct tape *tape, uint8_t type, bool is13, struct hb_span bytes)
{
    if (tape->num == TAPE_ITEMS) {
        abort();
    }
    tape->item[tape->num++] = (struct tape_item){type, is13, copy_of(bytes)};
}

static void add_content(struct tape *tape, uint8_t type, bool is13, struct hb_span plain)
{
    while (type == HB_REC_HANDSHAKE && plain.len > 0) { /* no message of ours is longer than a record */
        size_t len = 4u + ((size_t)plain.p[1] << 16 | (size_t)plain.p[2] << 8 | plain.p[3]);
        if (len > plain.len) {
            abort();
        }
        add_item(tape, type, is13, hb_span_head(plain, len));
        plain = hb_span_skip(plain, len);
    }
    if (plain.len > 0) {
        add_item(tape, type, is13, plain);
    }
}

/* Notes what a record for r->mine holds. What TLS 1.2 protects during a handshake is a Finished, whose
 * contents r->mine knows already; data there is noted as data of our own. */
static void note(struct recorder *r, const uint8_t *p, size_t len)
{
    struct hb_rec_dir d = r->mine->rd;
    static struct hb_rec_cache cache;
    static uint8_t copy[HB_TLS_RECORD_MAX];
    struct hb_rec_header h;
    uint8_t type;
    struct hb_span plain = hb_span(p + HB_REC_HEADER, len - HB_REC_HEADER);
    bool is13 = d.suite != NULL && d.suite->version == 0x0304;

    must(hb_rec_parse(p, HB_REC_CIPHER12_MAX, &h));
    type = h.type;
    if (is13 && h.type == HB_REC_DATA) {
        memcpy(copy, p, len);
        cache.generation = 0;
        must(hb_rec_open(&d, &cache, copy, &h, &type, &plain));
    } else if (d.suite != NULL && !is13 && h.type == HB_REC_HANDSHAKE) {
        uint8_t finished[4 + HB_VERIFY12_LEN] = {HB_MSG_FINISHED, 0, 0, HB_VERIFY12_LEN};
        hb_kx12_verify_data(r->mine, r->client, finished + 4);
        add_item(&r->w->tape, type, false, hb_span(finished, sizeof finished));
        return;
    } else if (d.suite != NULL && !is13) {
        plain = h.type == HB_REC_DATA ? hb_span_str("a1 NOOP\r\n") : hb_span("\1", 2);
    }
    add_content(&r->w->tape, type, is13, plain);
}

static bool to_mine(struct recorder *r)
{
    static uint8_t wire[OUT_SIZE];
    size_t len = r->peer_out.len;

    memcpy(wire, r->peer_out.p, len);
    hb_bld_reset(&r->peer_out);
    for (size_t at = 0; at < len;) {
        size_t total = HB_REC_HEADER + (size_t)(wire[at + 3] << 8 | wire[at + 4]);
        if (r->taping) {
            note(r, wire + at, total);
        }
        hb_tls_input(r->mine, wire + at, total);
        events(r, r->mine, &r->mine_out, &r->mine_ready);
        at += total;
    }
    return len > 0;
}

static bool to_peer(struct recorder *r)
{
    static uint8_t wire[OUT_SIZE];
    size_t len = r->mine_out.len;

    memcpy(wire, r->mine_out.p, len);
    hb_bld_reset(&r->mine_out);
    hb_tls_input(r->peer, wire, len);
    events(r, r->peer, &r->peer_out, &r->peer_ready);
    return len > 0;
}

static void pump(struct recorder *r)
{
    events(r, r->mine, &r->mine_out, &r->mine_ready);
    events(r, r->peer, &r->peer_out, &r->peer_ready);
    for (bool moved = true; moved;) {
        moved = to_mine(r);
        moved = to_peer(r) || moved;
    }
}

/* A whole connection: handshake, data both ways, in 1.3 keys changed, an end. */
static void record(struct world *w, bool client, bool taping)
{
    static uint8_t mine_mem[OUT_SIZE];
    static uint8_t peer_mem[OUT_SIZE];
    struct recorder r = {.w = w, .taping = taping, .client = client};
    struct hb_span text = hb_span_str("a1 NOOP\r\n");

    r.mine = tape_begin(w, client);
    r.peer = connect(w, !client, &w->peer);
    r.mine_out = hb_bld(mine_mem, sizeof mine_mem);
    r.peer_out = hb_bld(peer_mem, sizeof peer_mem);
    pump(&r);
    if (!r.mine_ready || !r.peer_ready) {
        (void)fprintf(stderr, "tls_tape: %s does not become ready\n", w->scenario->name);
        abort();
    }
    must(hb_tls_write(r.mine, &text, 1, &r.mine_out));
    must(hb_tls_write(r.peer, &text, 1, &r.peer_out));
    pump(&r);
    if (hb_tls_info(r.mine)->version == 0x0304) {
        must(hb_tls_key_update(r.peer, true, &r.peer_out));
        must(hb_tls_write(r.peer, &text, 1, &r.peer_out));
        pump(&r);
    }
    hb_tls_close(r.peer, &r.peer_out);
    pump(&r);
    hb_tls_free(&r.mine);
    hb_tls_free(&r.peer);
}

static void fill_world(struct world *w, unsigned i)
{
    w->number = i % tape_num_scenarios;
    w->scenario = &scenarios[w->number];
    make_world(w);
    if ((w->scenario->has & RESUMED) != 0) {
        record(w, true, false);
        if (w->session_len == 0) {
            abort();
        }
    }
}

struct world *tape_world_new(unsigned i)
{
    struct world *w = calloc(1, sizeof *w);

    if (w == NULL) {
        abort();
    }
    fill_world(w, i);
    return w;
}

void tape_world_free(struct world **pw)
{
    struct world *w = *pw;

    *pw = NULL;
    hb_tls_config_free(&w->server);
    hb_tls_config_free(&w->client);
    hb_cred_store_free(&w->server_creds);
    hb_cred_store_free(&w->client_creds);
    hb_trust_free(&w->trust);
    hb_ticket_keys_free(&w->keys);
    hb_tls_lane_free(&w->lane);
    hb_wipe(w, sizeof *w);
    free(w);
}

struct world *tape_world(unsigned i, bool client)
{
    static struct world worlds[2][sizeof scenarios / sizeof scenarios[0]];
    struct world *w = &worlds[client][i % tape_num_scenarios];

    if (!w->tape.recorded) {
        fill_world(w, i);
        record(w, client, true);
        w->tape.recorded = true;
        for (unsigned k = 0; k < w->tape.num; k++) {
            const struct tape_item *it = &w->tape.item[k];
            w->tape.has_signature = w->tape.has_signature || (it->type == HB_REC_HANDSHAKE &&
                                                              it->bytes.p[0] == HB_MSG_CERTIFICATE_VERIFY);
        }
    }
    return w;
}
