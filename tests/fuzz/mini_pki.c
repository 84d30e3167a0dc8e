/* mini_pki.c: see mini_pki.h. DER is built from the inside to the outside. */
#include "mini_pki.h"

#include <gmp.h>
#include <stdlib.h>

struct piece {
    uint8_t mem[4096];
    struct hb_bld b;
};

static struct piece *begin(struct piece *p)
{
    p->b = hb_bld(p->mem, sizeof p->mem);
    return p;
}

static struct hb_span done(const struct piece *p)
{
    HB_INVARIANT(hb_bld_ok(&p->b));
    return hb_bld_span(&p->b);
}

void pki_tlv(struct hb_bld *out, uint8_t tag, struct hb_span contents)
{
    hb_bld_u8(out, tag);
    if (contents.len >= 256) {
        hb_bld_u8(out, 0x82);
        hb_bld_u16(out, (uint16_t)contents.len);
    } else {
        if (contents.len >= 128) {
            hb_bld_u8(out, 0x81);
        }
        hb_bld_u8(out, (uint8_t)contents.len);
    }
    hb_bld_put(out, contents);
}

static void put_oid(struct hb_bld *b, const char *bytes)
{
    pki_tlv(b, 0x06, hb_span_str(bytes));
}

static void put_small(struct hb_bld *b, uint8_t number)
{
    pki_tlv(b, 0x02, hb_span(&number, 1));
}

static void put_bits(struct hb_bld *b, struct hb_span bytes)
{
    struct piece p;

    hb_bld_u8(&begin(&p)->b, 0);
    hb_bld_put(&p.b, bytes);
    pki_tlv(b, 0x03, done(&p));
}

void pki_armour(const char *label, struct hb_span der, struct hb_bld *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    hb_bld_str(out, "-----BEGIN ");
    hb_bld_str(out, label);
    hb_bld_str(out, "-----\n");
    for (size_t i = 0; i < der.len; i += 3) {
        size_t left = der.len - i;
        uint32_t v = (uint32_t)der.p[i] << 16 | (left > 1 ? (uint32_t)der.p[i + 1] << 8 : 0) |
                     (left > 2 ? der.p[i + 2] : 0);
        hb_bld_u8(out, (uint8_t)digits[v >> 18]);
        hb_bld_u8(out, (uint8_t)digits[v >> 12 & 63]);
        hb_bld_u8(out, (uint8_t)(left > 1 ? digits[v >> 6 & 63] : '='));
        hb_bld_u8(out, (uint8_t)(left > 2 ? digits[v & 63] : '='));
    }
    hb_bld_str(out, "\n-----END ");
    hb_bld_str(out, label);
    hb_bld_str(out, "-----\n");
    HB_INVARIANT(hb_bld_room(out) > 0);
    out->p[out->len] = 0;
}

/* ---- keys ---- */

static void keep_pem(struct pki_key *k, const char *label, struct hb_span der)
{
    struct hb_bld pem = hb_bld(k->pem, sizeof k->pem);

    pki_armour(label, der, &pem);
}

static void keep_spki(struct pki_key *k, struct hb_span algorithm, struct hb_span bits)
{
    struct piece p;
    struct hb_bld spki = hb_bld(k->spki, sizeof k->spki);

    pki_tlv(&begin(&p)->b, 0x30, algorithm);
    put_bits(&p.b, bits);
    pki_tlv(&spki, 0x30, done(&p));
    HB_INVARIANT(hb_bld_ok(&spki));
    k->spki_len = spki.len;
}

void pki_key_ec(const struct hb_env *env, struct pki_key *k)
{
    uint8_t priv[HB_KEX_PRIV_MAX];
    uint8_t point[HB_SHARE_MAX];
    struct piece p;
    struct piece q;

    hb_secp256r1.generate(env, priv, point);
    struct hb_span scalar = hb_span(priv, 32);
    if (hb_privkey_ec(env, HB_KEY_P256, scalar, &k->key) != HB_OK) {
        abort();
    }
    put_oid(&begin(&p)->b, "\x2a\x86\x48\xce\x3d\x02\x01");
    put_oid(&p.b, "\x2a\x86\x48\xce\x3d\x03\x01\x07");
    keep_spki(k, done(&p), hb_span(point, hb_secp256r1.client_share_len));
    put_oid(&begin(&q)->b, "\x2a\x86\x48\xce\x3d\x03\x01\x07");
    put_small(&begin(&p)->b, 1);
    pki_tlv(&p.b, 0x04, scalar);
    pki_tlv(&p.b, 0xa0, done(&q));
    pki_tlv(&begin(&q)->b, 0x30, done(&p));
    keep_pem(k, "EC PRIVATE KEY", done(&q));
}

/* z as an INTEGER. */
static void put_number(struct hb_bld *b, const mpz_t z)
{
    uint8_t bytes[300] = {0};
    size_t len;

    (void)mpz_export(bytes + 1, &len, 1, 1, 1, 0, z);
    bool pad = len == 0 || (bytes[1] & 0x80) != 0;
    pki_tlv(b, 0x02, pad ? hb_span(bytes, len + 1) : hb_span(bytes + 1, len));
}

/* A prime of 1024 bits whose predecessor has no common factor with e. */
static void find_prime(mpz_t prime, uint8_t number, const mpz_t e)
{
    mpz_t t;

    mpz_init(t);
    mpz_set_ui(prime, 3);
    mpz_mul_2exp(prime, prime, 1022); /* the two uppermost bits */
    mpz_set_ui(t, number);
    mpz_mul_2exp(t, t, 900);
    mpz_add(prime, prime, t);
    do {
        mpz_nextprime(prime, prime);
        mpz_sub_ui(t, prime, 1);
        mpz_gcd(t, t, e);
    } while (mpz_cmp_ui(t, 1) != 0);
    mpz_clear(t);
}

enum { N, E, D, P, Q, DP, DQ, QINV, T, NUM };

void pki_key_rsa(const struct hb_env *env, uint8_t number, struct pki_key *k)
{
    mpz_t z[NUM];
    struct piece p;
    struct piece q;

    for (unsigned i = 0; i < NUM; i++) {
        mpz_init(z[i]);
    }
    mpz_set_ui(z[E], 65537);
    find_prime(z[P], number, z[E]);
    find_prime(z[Q], (uint8_t)(number + 1), z[E]);
    mpz_mul(z[N], z[P], z[Q]);
    mpz_sub_ui(z[DP], z[P], 1);
    mpz_sub_ui(z[DQ], z[Q], 1);
    mpz_mul(z[T], z[DP], z[DQ]);
    if (mpz_invert(z[D], z[E], z[T]) == 0 || mpz_invert(z[QINV], z[Q], z[P]) == 0) {
        abort();
    }
    mpz_mod(z[DP], z[D], z[DP]);
    mpz_mod(z[DQ], z[D], z[DQ]);
    (void)mpz_export(k->modulus, NULL, 1, 1, 1, 0, z[N]);
    put_small(&begin(&p)->b, 0);
    for (unsigned i = N; i <= QINV; i++) {
        put_number(&p.b, z[i]);
    }
    pki_tlv(&begin(&q)->b, 0x30, done(&p));
    keep_pem(k, "RSA PRIVATE KEY", done(&q));
    put_number(&begin(&p)->b, z[N]);
    put_number(&p.b, z[E]);
    pki_tlv(&begin(&q)->b, 0x30, done(&p));
    put_oid(&begin(&p)->b, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01");
    hb_bld_put(&p.b, hb_span("\x05", 2)); /* NULL */
    keep_spki(k, done(&p), done(&q));
    for (unsigned i = 0; i < NUM; i++) {
        mpz_clear(z[i]);
    }
    (void)env;
    k->key = NULL; /* a store reads the PEM; nobody here signs with it */
}

void pki_rsa_raw(const struct pki_key *k, const uint8_t in[256], uint8_t out[256])
{
    mpz_t m;
    mpz_t n;
    size_t len;

    mpz_init(m);
    mpz_init(n);
    mpz_import(m, 256, 1, 1, 1, 0, in);
    mpz_import(n, 256, 1, 1, 1, 0, k->modulus);
    mpz_powm_ui(m, m, 65537, n);
    len = (mpz_sizeinbase(m, 2) + 7) / 8;
    memset(out, 0, 256);
    (void)mpz_export(out + 256 - len, NULL, 1, 1, 1, 0, m);
    mpz_clear(m);
    mpz_clear(n);
}

void pki_key_free(const struct hb_env *env, struct pki_key *k)
{
    hb_privkey_free(env, &k->key);
}

/* ---- certificates ---- */

static void put_name(struct hb_bld *b, const char *cn)
{
    struct piece p;
    struct piece q;

    put_oid(&begin(&p)->b, "\x55\x04\x03");
    pki_tlv(&p.b, 0x0c, hb_span_str(cn));
    pki_tlv(&begin(&q)->b, 0x30, done(&p));
    pki_tlv(&begin(&p)->b, 0x31, done(&q));
    pki_tlv(b, 0x30, done(&p));
}

static void put_extension(struct hb_bld *b, const char *oid, bool critical, struct hb_span value)
{
    struct piece p;

    put_oid(&begin(&p)->b, oid);
    if (critical) {
        pki_tlv(&p.b, 0x01, hb_span("\xff", 1));
    }
    pki_tlv(&p.b, 0x04, value);
    pki_tlv(b, 0x30, done(&p));
}

static void put_extensions(struct hb_bld *b, enum pki_kind kind)
{
    static const char server_auth[] = "\x2b\x06\x01\x05\x05\x07\x03\x01";
    static const char client_auth[] = "\x2b\x06\x01\x05\x05\x07\x03\x02";
    static const char ocsp_signing[] = "\x2b\x06\x01\x05\x05\x07\x03\x09";
    struct piece p;
    struct piece q;
    struct piece all;

    begin(&all);
    if (kind == PKI_CA || kind == PKI_MIDDLE) {
        pki_tlv(&begin(&p)->b, 0x01, hb_span("\xff", 1));
        pki_tlv(&begin(&q)->b, 0x30, done(&p));
        put_extension(&all.b, "\x55\x1d\x13", true, done(&q));
        put_extension(&all.b, "\x55\x1d\x0f", true,
                      hb_span("\x03\x02\x01\x06", 4)); /* signs certificates and CRLs */
    } else {
        put_oid(&begin(&p)->b, kind == PKI_CLIENT      ? client_auth
                               : kind == PKI_RESPONDER ? ocsp_signing
                                                       : server_auth);
        pki_tlv(&begin(&q)->b, 0x30, done(&p));
        put_extension(&all.b, "\x55\x1d\x25", false, done(&q));
    }
    if (kind == PKI_MIDDLE) { /* permitted: DNS names below test */
        pki_tlv(&begin(&p)->b, 0x82, hb_span_str("test"));
        pki_tlv(&begin(&q)->b, 0x30, done(&p));
        pki_tlv(&begin(&p)->b, 0xa0, done(&q));
        pki_tlv(&begin(&q)->b, 0x30, done(&p));
        put_extension(&all.b, "\x55\x1d\x1e", true, done(&q));
    }
    if (kind == PKI_SERVER) {
        pki_tlv(&begin(&p)->b, 0x82, hb_span_str("mail.test"));
        pki_tlv(&p.b, 0x82, hb_span_str("*.wild.test"));
        pki_tlv(&p.b, 0x87, hb_span("\x7f\x00\x00\x01", 4));
        pki_tlv(&begin(&q)->b, 0x30, done(&p));
        put_extension(&all.b, "\x55\x1d\x11", false, done(&q));
    }
    if (kind == PKI_CLIENT) {
        pki_tlv(&begin(&p)->b, 0x81, hb_span_str("alice@mail.test"));
        pki_tlv(&begin(&q)->b, 0x30, done(&p));
        put_extension(&all.b, "\x55\x1d\x11", false, done(&q));
    }
    pki_tlv(&begin(&p)->b, 0x30, done(&all));
    pki_tlv(b, 0xa3, done(&p));
}

static void put_ecdsa_sha256(struct hb_bld *b)
{
    struct piece p;

    put_oid(&begin(&p)->b, "\x2a\x86\x48\xce\x3d\x04\x03\x02");
    pki_tlv(b, 0x30, done(&p));
}

void pki_tbs(enum pki_kind kind, const char *subject, const char *issuer, const struct pki_key *key,
             uint8_t serial, struct pki_tbs *tbs)
{
    struct piece p;
    struct piece q;
    struct hb_bld out = hb_bld(tbs->p, sizeof tbs->p);

    put_small(&begin(&q)->b, 2); /* v3 */
    pki_tlv(&begin(&p)->b, 0xa0, done(&q));
    put_small(&p.b, serial);
    put_ecdsa_sha256(&p.b);
    put_name(&p.b, issuer);
    pki_tlv(&begin(&q)->b, 0x17, hb_span_str("260101000000Z"));
    pki_tlv(&q.b, 0x17, hb_span_str("261231235959Z"));
    pki_tlv(&p.b, 0x30, done(&q));
    put_name(&p.b, subject);
    hb_bld_put(&p.b, hb_span(key->spki, key->spki_len));
    put_extensions(&p.b, kind);
    pki_tlv(&out, 0x30, done(&p));
    HB_INVARIANT(hb_bld_ok(&out));
    tbs->len = out.len;
}

static void put_signed(const struct hb_env *env, struct hb_span tbs, const struct pki_key *key,
                       struct hb_bld *out)
{
    uint8_t sig[HB_SIG_MAX];
    size_t len;
    struct piece p;

    if (hb_sign(key->key, env, hb_sigalg_find(0x0403), tbs, sig, sizeof sig, &len) != HB_OK) {
        abort();
    }
    hb_bld_put(&begin(&p)->b, tbs);
    put_ecdsa_sha256(&p.b);
    put_bits(&p.b, hb_span(sig, len));
    pki_tlv(out, 0x30, done(&p));
}

void pki_sign(const struct hb_env *env, struct hb_span tbs, const struct pki_key *issuer, struct hb_bld *out)
{
    put_signed(env, tbs, issuer, out);
    HB_INVARIANT(hb_bld_ok(out));
}

/* ---- OCSP (RFC 6960 4.2.1) ---- */

static void put_cert_id(struct hb_bld *b, const char *issuer, const struct pki_key *key, uint8_t serial)
{
    struct piece p;
    struct piece q;
    uint8_t digest[HB_HASH_MAX];
    size_t bits = key->spki_len - 65; /* an uncompressed point is the last of it */

    put_oid(&begin(&q)->b, "\x2b\x0e\x03\x02\x1a"); /* SHA-1: identifies, proves nothing */
    pki_tlv(&begin(&p)->b, 0x30, done(&q));
    put_name(&begin(&q)->b, issuer);
    hb_hash_once(&hb_sha1, done(&q), digest);
    pki_tlv(&p.b, 0x04, hb_span(digest, 20));
    hb_hash_once(&hb_sha1, hb_span(key->spki + bits, 65), digest);
    pki_tlv(&p.b, 0x04, hb_span(digest, 20));
    put_small(&p.b, serial);
    pki_tlv(b, 0x30, done(&p));
}

void pki_ocsp_tbs(const char *issuer, const struct pki_key *key, uint8_t serial, struct pki_tbs *tbs)
{
    struct piece p;
    struct piece q;
    struct hb_bld out = hb_bld(tbs->p, sizeof tbs->p);

    put_cert_id(&begin(&p)->b, issuer, key, serial);
    pki_tlv(&p.b, 0x80, hb_span(NULL, 0)); /* good */
    pki_tlv(&p.b, 0x18, hb_span_str("20260531000000Z"));
    pki_tlv(&begin(&q)->b, 0x18, hb_span_str("20260607000000Z"));
    pki_tlv(&p.b, 0xa0, done(&q)); /* nextUpdate */
    pki_tlv(&begin(&q)->b, 0x30, done(&p));
    pki_tlv(&begin(&p)->b, 0x30, done(&q)); /* responses */
    struct piece all;
    put_name(&begin(&q)->b, issuer);
    pki_tlv(&begin(&all)->b, 0xa1, done(&q)); /* byName */
    pki_tlv(&all.b, 0x18, hb_span_str("20260531000000Z"));
    hb_bld_put(&all.b, done(&p));
    pki_tlv(&out, 0x30, done(&all));
    HB_INVARIANT(hb_bld_ok(&out));
    tbs->len = out.len;
}

void pki_ocsp_sign(const struct hb_env *env, struct hb_span tbs, const struct pki_key *key,
                   struct hb_bld *out)
{
    struct piece p;
    struct piece q;

    put_signed(env, tbs, key, &begin(&q)->b);
    put_oid(&begin(&p)->b, "\x2b\x06\x01\x05\x05\x07\x30\x01\x01");
    pki_tlv(&p.b, 0x04, done(&q));
    pki_tlv(&begin(&q)->b, 0x30, done(&p));
    pki_tlv(&begin(&p)->b, 0x0a, hb_span("", 1)); /* successful */
    pki_tlv(&p.b, 0xa0, done(&q));
    pki_tlv(out, 0x30, done(&p));
    HB_INVARIANT(hb_bld_ok(out));
}
