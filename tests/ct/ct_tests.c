/* ct_tests.c: see ct_tests.h. A result that is wrong ends the program: a test that computes nonsense in
 * constant time proves nothing. */
#include "ct_tests.h"

#include "crypto/legacy.h"
#include "crypto/mlkem.h"
#include "keys/prf12.h"
#include "keys/schedule13.h"
#include "legacy/record.h"
#include "session.h"
#include "tls_tape.h"
#include "x509/key.h"
#include <hb/ct.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(a)   (sizeof(a) / sizeof(a)[0])
#define MUST(cond) ((cond) ? (void)0 : wrong(#cond, __LINE__))

static void wrong(const char *what, int line)
{
    (void)fprintf(stderr, "ct_tests.c:%d: %s does not hold\n", line, what);
    abort();
}

static struct testenv *env(void)
{
    static struct testenv t;

    testenv_init(&t, 7);
    return &t;
}

static bool same(const void *a, const void *b, size_t len)
{
    return hb_ct_eq(a, b, len); /* declares its verdict public */
}

/* ---- control: mistakes that must be seen ---- */

static volatile unsigned sink;

static void control_branch(void)
{
    uint8_t secret = 3;

    HB_CT_SECRET(&secret, 1);
    if (secret > 2) {
        sink = 1;
    }
    HB_CT_PUBLIC(&secret, 1);
}

static void control_index(void)
{
    static const uint8_t table[256] = {1, 2, 3};
    uint8_t secret = 2;

    HB_CT_SECRET(&secret, 1);
    sink = table[secret];
}

static void control_memcmp(void)
{
    uint8_t a[32] = {1};
    uint8_t b[32] = {2};

    HB_CT_SECRET(a, sizeof a);
    sink = memcmp(a, b, sizeof a) == 0;
}

/* The marks of the product are compiled in: a key that was loaded is a secret. */
static void control_key(void)
{
    struct testenv *t = env();
    uint8_t seed[32] = {1};
    struct hb_ticket_keys *keys;

    (void)seed;
    MUST(hb_ticket_keys_new(&t->env, hb_span_str("a secret of thirty-two bytes or more"), &keys) == HB_OK);
    uint8_t first = ((const uint8_t *)keys)[24];
    if (first > 100) {
        sink = 2;
    }
    hb_ticket_keys_free(&keys);
}

/* ---- small things ---- */

static void eq(void)
{
    uint8_t a[48] = {1, 2, 3};
    uint8_t b[48] = {1, 2, 3};

    HB_CT_SECRET(a, sizeof a);
    MUST(hb_ct_eq(a, b, sizeof a));
    HB_CT_SECRET(a, sizeof a);
    MUST(!hb_ct_is_zero(a, sizeof a));
}

static void finished13(void)
{
    uint8_t traffic[HB_HASH_MAX] = {5};
    uint8_t digest[HB_HASH_MAX] = {6};
    uint8_t mac[HB_HASH_MAX];
    uint8_t got[HB_HASH_MAX] = {0};

    HB_CT_SECRET(traffic, sizeof traffic);
    hb_ks13_finished(&hb_sha384, traffic, digest, mac);
    MUST(!same(mac, got, 48));
}

static void binder13(void)
{
    uint8_t psk[32] = {5};
    uint8_t derived[HB_HASH_MAX];
    uint8_t key[HB_HASH_MAX];
    uint8_t digest[HB_HASH_MAX] = {6};
    uint8_t mac[HB_HASH_MAX];
    uint8_t got[HB_HASH_MAX] = {0};

    HB_CT_SECRET(psk, sizeof psk);
    hb_ks13_early_psk(&hb_sha256, hb_span(psk, sizeof psk), false, derived, key);
    hb_ks13_finished(&hb_sha256, key, digest, mac);
    MUST(!same(mac, got, 32));
}

static void prf(const struct hb_hash *hash)
{
    uint8_t master[48] = {5};
    uint8_t out[104];
    uint8_t got[104] = {0};

    HB_CT_SECRET(master, sizeof master);
    hb_prf12(hash, hb_span(master, 48), "key expansion", hb_span_str("seed"), hb_span(NULL, 0), out,
             sizeof out);
    MUST(!same(out, got, sizeof got));
}

static void prf12(void)
{
    prf(&hb_sha256);
}

static void prf10(void)
{
    prf(&hb_md5sha1);
}

static void tickets(void)
{
    struct testenv *t = env();
    struct hb_ticket_keys *keys;
    struct hb_session s = {.version = 0x0304, .suite = 0x1301, .secret_len = 32, .made = 1};
    struct hb_session opened;
    uint8_t mem[1024];
    struct hb_bld b = hb_bld(mem, sizeof mem);

    HB_CT_SECRET(s.secret, sizeof s.secret);
    MUST(hb_ticket_keys_new(&t->env, hb_span_str("a secret of thirty-two bytes or more"), &keys) == HB_OK);
    hb_ticket_seal(keys, hb_span_str("context"), &s, &b);
    MUST(hb_ticket_open(keys, hb_span_str("context"), hb_bld_span(&b), &opened));
    mem[60] ^= 1;
    MUST(!hb_ticket_open(keys, hb_span_str("context"), hb_bld_span(&b), &opened));
    hb_ticket_keys_free(&keys);
}

/* Lengths: none, less than a block, a few, those of which GHASH and the stream take several at a time, a
 * record. (AES-GCM takes the way that it has on this machine: with PCLMULQDQ, where there is one, under
 * Valgrind, too.) */
static void aead(const struct hb_aead *a)
{
    static const size_t lengths[] = {0, 7, 100, 128, 1000, 16384};
    static uint8_t plain[16384];
    static uint8_t sealed[sizeof plain + HB_TAG_LEN];
    uint8_t key[HB_KEY_MAX] = {1};
    uint8_t nonce[12] = {3};
    union hb_aead_ctx c;

    HB_CT_SECRET(key, sizeof key);
    a->set_key(&c, key);
    for (size_t i = 0; i < COUNT(lengths); i++) {
        size_t n = lengths[i];
        HB_CT_SECRET(plain, n);
        a->seal(&c, nonce, hb_span_str("aad"), sealed, plain, n);
        HB_CT_PUBLIC(sealed, n + HB_TAG_LEN);
        MUST(a->open(&c, nonce, hb_span_str("aad"), sealed, sealed, n));
        HB_CT_PUBLIC(sealed, n + HB_TAG_LEN);
        sealed[n] ^= 1;
        MUST(!a->open(&c, nonce, hb_span_str("aad"), sealed, sealed, n));
    }
}

static void aes128(void)
{
    aead(&hb_aes128_gcm);
}

static void aes256(void)
{
    aead(&hb_aes256_gcm);
}

static void chacha(void)
{
    aead(&hb_chacha20_poly1305);
}

/* ---- ML-KEM ---- */

static void mlkem_both(bool tamper)
{
    uint8_t seed[HB_MLKEM_SEED] = {1};
    uint8_t m[32] = {2};
    uint8_t ek[HB_MLKEM_EK];
    uint8_t dk[HB_MLKEM_DK];
    uint8_t ct[HB_MLKEM_CT];
    uint8_t ss[2][HB_MLKEM_SS];

    HB_CT_SECRET(seed, sizeof seed);
    HB_CT_SECRET(m, sizeof m);
    hb_mlkem_keygen(seed, ek, dk);
    MUST(hb_mlkem_ek_ok(ek));
    hb_mlkem_encaps(ek, m, ct, ss[0]);
    ct[5] ^= tamper;
    hb_mlkem_decaps(dk, ct, ss[1]);
    MUST(same(ss[0], ss[1], sizeof ss[0]) == !tamper);
}

static void mlkem(void)
{
    mlkem_both(false);
}

static void mlkem_rejects(void)
{
    mlkem_both(true);
}

/* ---- rows of these ---- */

static const struct {
    const char *name;
    void (*run)(void);
} controls[] =
    {
        {"a branch", control_branch},
        {"an index", control_index},
        {"memcmp", control_memcmp},
        {"the secret of tickets", control_key},
},
  parts[] = {
      {"hb_ct_eq, hb_ct_is_zero (CT-01)", eq},
      {"Finished of TLS 1.3 (CT-01)", finished13},
      {"binder (CT-01)", binder13},
      {"PRF of TLS 1.2", prf12},
      {"PRF of TLS 1.0", prf10},
      {"ticket sealed, opened, refused (CT-01)", tickets},
      {"AES-128-GCM (CT-02)", aes128},
      {"AES-256-GCM (CT-02)", aes256},
      {"ChaCha20-Poly1305 (CT-02)", chacha},
      {"ML-KEM (MLK-06)", mlkem},
      {"ML-KEM, another ciphertext (MLK-06)", mlkem_rejects},
};

static size_t num_controls(void)
{
    return COUNT(controls);
}

static void run_control(size_t i, char *name, size_t cap)
{
    (void)snprintf(name, cap, "%s", controls[i].name);
    controls[i].run();
}

static size_t num_parts(void)
{
    return COUNT(parts);
}

static void run_part(size_t i, char *name, size_t cap)
{
    (void)snprintf(name, cap, "%s", parts[i].name);
    parts[i].run();
}

/* ---- key exchange: both halves, and both answers ---- */

static const struct hb_kex *const groups[] = {&hb_x25519mlkem768, &hb_x25519,    &hb_secp256r1,
                                              &hb_secp384r1,      &hb_secp521r1, &hb_x448,
                                              &hb_ffdhe2048,      &hb_ffdhe3072, &hb_secp256r1mlkem768};

static size_t num_kex(void)
{
    return COUNT(groups);
}

static void run_kex(size_t i, char *name, size_t cap)
{
    const struct hb_kex *g = groups[i];
    struct testenv *t = env();
    uint8_t priv[HB_KEX_PRIV_MAX];
    uint8_t share[HB_SHARE_MAX];
    uint8_t answer[HB_SHARE_MAX];
    uint8_t shared[2][HB_SHARED_MAX];

    (void)snprintf(name, cap, "%s", g->name);
    testenv_secret(true);
    g->generate(&t->env, priv, share);
    MUST(g->answer(&t->env, hb_span(share, g->client_share_len), answer, shared[0]) == HB_OK);
    MUST(g->derive(priv, hb_span(answer, g->server_share_len), shared[1]) == HB_OK);
    MUST(same(shared[0], shared[1], g->shared_len));
    testenv_secret(false);
}

/* ---- signatures: the private key is a secret since it was loaded ---- */

static const struct {
    uint16_t scheme;
    enum hb_key_kind kind;
} signatures[] = {{0x0403, HB_KEY_P256},    {0x0503, HB_KEY_P384},  {0x0603, HB_KEY_P521},
                  {0x0807, HB_KEY_ED25519}, {0x0808, HB_KEY_ED448}, {0x0804, HB_KEY_RSA},
                  {0x0401, HB_KEY_RSA}};

static size_t num_signatures(void)
{
    return COUNT(signatures);
}

static struct hb_privkey *load_rsa(const struct hb_env *e)
{
    struct hb_privkey *key;

    MUST(hb_key_from_pem(e, hb_span_str(tape_pki()->rsa.pem), &key) == HB_OK);
    return key;
}

static struct hb_privkey *load(const struct hb_env *e, enum hb_key_kind kind)
{
    uint8_t bytes[57] = {1, 2, 3};
    struct hb_privkey *key = NULL;
    enum hb_code code = HB_OK;

    if (kind == HB_KEY_RSA) {
        return load_rsa(e);
    }
    if (kind == HB_KEY_ED25519) {
        code = hb_privkey_ed25519(e, hb_span(bytes, 32), &key);
    } else if (kind == HB_KEY_ED448) {
        code = hb_privkey_ed448(e, hb_span(bytes, 57), &key);
    } else {
        code = hb_privkey_ec(e, kind, hb_span(bytes, 32), &key);
    }
    MUST(code == HB_OK);
    return key;
}

static void run_signature(size_t i, char *name, size_t cap)
{
    struct testenv *t = env();
    const struct hb_sigalg *alg = hb_sigalg_find(signatures[i].scheme);
    struct hb_privkey *key = load(&t->env, signatures[i].kind);
    uint8_t sig[HB_SIG_MAX];
    size_t len;

    (void)snprintf(name, cap, "%s", alg->name);
    testenv_secret(true);
    MUST(hb_sign(key, &t->env, alg, hb_span_str("input"), sig, sizeof sig, &len) == HB_OK && len > 0);
    testenv_secret(false);
    hb_privkey_free(&t->env, &key);
}

/* ---- RSA key transport (CT-03): the same work whatever the ciphertext holds ---- */

static const char *const ciphertexts[] = {
    "good",  "block type 1",          "no separator", "a short secret", "another version",
    "zeros", "too short a ciphertext"};

static size_t num_premasters(void)
{
    return COUNT(ciphertexts);
}

static void run_premaster(size_t i, char *name, size_t cap)
{
    struct testenv *t = env();
    struct hb_privkey *key = load_rsa(&t->env);
    uint8_t c[256];
    uint8_t em[256];
    uint8_t secret[48] = {3, 3};
    uint8_t premaster[48];

    (void)snprintf(name, cap, "%s (CT-03)", ciphertexts[i]);
    memset(em, 0x55, sizeof em);
    em[0] = 0;
    em[1] = i == 1 ? 1 : 2;
    if (i != 2) {
        em[i == 3 ? 208 : 207] = 0;
    }
    memset(secret + 2, 0x77, 46);
    secret[1] = i == 4 ? 1 : 3;
    memcpy(em + 208 + (i == 3), secret, i == 3 ? 47 : 48);
    if (i == 5) {
        memset(em + 1, 0, sizeof em - 1);
    }
    pki_rsa_raw(&tape_pki()->rsa, em, c);
    testenv_secret(true);
    MUST(hb_rsa_decrypt_premaster(key, &t->env, 0x0303, hb_span(c, i == 6 ? 255 : 256), premaster) == HB_OK);
    testenv_secret(false);
    MUST(same(premaster + 2, secret + 2, 46) ==
         (i == 0 || i == 4)); /* only these two have a secret in them */
    HB_CT_PUBLIC(premaster, 2);
    MUST(premaster[0] == 3 && premaster[1] == 3);
    hb_privkey_free(&t->env, &key);
}

/* ---- CBC records (CT-04, ATK-T2): everything decrypted is secret until the MAC was right ---- */

static const struct {
    const char *name;
    const struct hb_legacy_kind *kind;
    uint16_t version;
    bool etm;
} records[] = {
    {"AES-128-CBC, SHA-1, TLS 1.0", &hb_legacy_aes128_sha1, 0x0301, false},
    {"AES-256-CBC, SHA-1, TLS 1.1", &hb_legacy_aes256_sha1, 0x0302, false},
    {"AES-128-CBC, SHA-256", &hb_legacy_aes128_sha256, 0x0303, false},
    {"AES-256-CBC, SHA-384", &hb_legacy_aes256_sha384, 0x0303, false},
    {"AES-128-CBC, SHA-1, encrypt-then-MAC", &hb_legacy_aes128_sha1, 0x0303, true},
};

static size_t num_records(void)
{
    return COUNT(records);
}

static struct hb_legacy_dir *direction(size_t i, const struct hb_env *e, bool encrypts)
{
    uint8_t keys[96] = {9};

    HB_CT_SECRET(keys, 48);
    return hb_legacy_new(e, records[i].kind, records[i].version, records[i].etm, encrypts, keys, keys + 48,
                         keys + 80);
}

/* spoil: 0 nothing, 1 the last block (padding), 2 the block in front of it (MAC). */
static void one_record(size_t i, const struct hb_env *e, size_t content, unsigned spoil)
{
    uint8_t body[1024] = {0};
    struct hb_legacy_dir *out = direction(i, e, true);
    struct hb_legacy_dir *in = direction(i, e, false);
    struct hb_span plain;

    size_t len = hb_legacy_sealed_len(out, content);
    memset(body + hb_legacy_head(out), 'x', content);
    hb_legacy_seal(out, 1, HB_REC_DATA, body, content);
    HB_CT_PUBLIC(body, len);
    if (spoil > 0) {
        body[len - 16u * spoil - (spoil == 1)] ^= 0x5a;
    }
    enum hb_code code = hb_legacy_open(in, 1, HB_REC_DATA, body, len, &plain);
    MUST(code == (spoil > 0 ? HB_E_TLS_BAD_RECORD_MAC : HB_OK) && (spoil > 0 || plain.len == content));
    hb_legacy_free(&out);
    hb_legacy_free(&in);
}

static void run_record(size_t i, char *name, size_t cap)
{
    struct testenv *t = env();

    (void)snprintf(name, cap, "%s (CT-04)", records[i].name);
    for (size_t content = 0; content < 340; content += 67) {
        for (unsigned spoil = 0; spoil < 3; spoil++) {
            one_record(i, &t->env, content, spoil);
        }
    }
}

/* ---- whole handshakes: every random byte and both keys are secret ---- */

static size_t num_handshakes(void)
{
    return tape_num_scenarios;
}

static void run_handshake(size_t i, char *name, size_t cap)
{
    (void)snprintf(name, cap, "%s", tape_name((unsigned)i));
    (void)tape_pki(); /* making certificates is no part of the engine */
    testenv_secret(true);
    (void)tape_world((unsigned)i, false);
    testenv_secret(false);
}

const struct ct_group ct_groups[] = {
    {"control", true, num_controls, run_control},
    {"parts", false, num_parts, run_part},
    {"kex", false, num_kex, run_kex},
    {"sign", false, num_signatures, run_signature},
    {"premaster", false, num_premasters, run_premaster},
    {"record", false, num_records, run_record},
    {"handshake", false, num_handshakes, run_handshake},
};
const size_t ct_num_groups = COUNT(ct_groups);
