/* The credential store: the encoded messages, times to the second, names, signing, references, limits, and
 * what is left when memory runs out (PKI-02, PKI-05, PKI-06, PKI-08, SNI-T2, CERT-02). test_x509.c has the
 * pairs that load and those that do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>
#include "asn1.h"
#include "cred_store.h"
#include "testenv.h"
#include "x509/cert.h"
#include "x509/pem.h"
#include <hb/builder.h>
#include <hb/cursor.h>
#include <hb/trust.h>

static char text[1 << 19];

static void start(struct testenv *t)
{
    testenv_init(t, 7);
    t->wall = (uint64_t)time(NULL);
}

static enum hb_code add(struct hb_cred_store *store, const char *crt, const char *key,
                        struct hb_cred_facts *facts)
{
    char *chain = certs_file(crt);
    char *pem = certs_file(key);
    enum hb_code code = hb_cred_store_add(store, hb_span_str(chain), hb_span_str(pem), facts);

    free(chain);
    free(pem);
    return code;
}

static void add_pair(struct hb_cred_store *store, const char *name)
{
    char crt[64], key[64];

    (void)snprintf(crt, sizeof crt, "%s.crt", name);
    (void)snprintf(key, sizeof key, "%s.key", name);
    assert_int_equal(add(store, crt, key, NULL), HB_OK);
}

/* A certificate in a file in DER makes the same message; as an anchor, it is one. What is none is told. */
static void assert_same_in_der(struct testenv *t, struct hb_span der, const char *name, struct hb_span msg12)
{
    struct hb_cred_store *store = hb_cred_store_new(&t->env);
    struct hb_trust *trust = hb_trust_new(&t->env);
    unsigned added;
    unsigned skipped;
    char file[64];

    (void)snprintf(file, sizeof file, "%s.key", name);
    char *key = certs_file(file);
    assert_int_equal(hb_cred_store_add(store, der, hb_span_str(key), NULL), HB_OK);
    assert_true(hb_span_eq(hb_cred_at(store, 0)->msg12, msg12));
    assert_int_equal(hb_trust_add_pem(trust, der, &added, &skipped), HB_OK);
    assert_int_equal(added, 1);
    assert_int_equal(hb_trust_count(trust), 1);
    struct hb_span none = hb_span((const uint8_t *)"0\0", 2); /* SEQUENCE {} */
    assert_int_equal(hb_cred_store_add(store, none, hb_span_str(key), NULL), HB_E_DER);
    assert_int_equal(hb_trust_add_pem(trust, none, &added, &skipped), HB_E_DER);
    assert_int_equal(skipped, 1);
    hb_trust_free(&trust);
    hb_cred_store_free(&store);
    free(key);
}

/* RFC 5246 7.4.2 and RFC 8446 4.4.2, built here once more from the PEM. */
static void test_messages(void **state)
{
    static const char *const names[] = {"ecdsa-p256", "rsa2048", "chain", "many"};
    static uint8_t mem12[1 << 15], mem13[1 << 15], der[1 << 14];
    struct testenv t;

    (void)state;
    start(&t);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct hb_cred_store *store = hb_cred_store_new(&t.env);
        struct hb_bld b12 = hb_bld(mem12, sizeof mem12);
        struct hb_bld b13 = hb_bld(mem13, sizeof mem13);
        char file[64];
        struct hb_pem_block block;
        unsigned num = 0;
        (void)snprintf(file, sizeof file, "%s.crt", names[i]);
        char *pem = certs_file(file);
        struct hb_span rest = hb_span_str(pem);
        struct hb_bld_mark list12 = hb_bld_open24(&b12);
        hb_bld_u8(&b13, 0);
        struct hb_bld_mark list13 = hb_bld_open24(&b13);
        for (; hb_pem_next(&rest, &block) == HB_OK; num++) {
            size_t len;
            assert_int_equal(hb_pem_decode(&block, der, sizeof der, &len), HB_OK);
            hb_bld_u24(&b12, (uint32_t)len);
            hb_bld_put(&b12, hb_span(der, len));
            hb_bld_u24(&b13, (uint32_t)len);
            hb_bld_put(&b13, hb_span(der, len));
            hb_bld_u16(&b13, 0);
        }
        hb_bld_close(&b12, list12);
        hb_bld_close(&b13, list13);
        assert_int_equal(num, strcmp(names[i], "chain") == 0 ? 2 : 1);
        add_pair(store, names[i]);
        const struct hb_cred *cred = hb_cred_at(store, 0);
        assert_true(hb_span_eq(cred->msg12, hb_bld_span(&b12)));
        assert_true(hb_span_eq(cred->msg13, hb_bld_span(&b13)));
        struct hb_cert leaf;
        assert_int_equal(hb_cert_parse(cred->leaf, &leaf), HB_OK);
        assert_true(cred->leaf.p == cred->msg12.p + 6);
        if (num == 1) {
            assert_same_in_der(&t, cred->leaf, names[i], cred->msg12);
        }
        assert_int_equal(cred->not_after, leaf.not_after);
        hb_cred_store_free(&store);
        assert_null(store);
        free(pem);
    }
    assert_int_equal(t.held, 0);
}

/* notBefore <= now <= notAfter, both inclusive. */
static void test_time_boundaries(void **state)
{
    struct testenv t;
    struct hb_cred_facts facts;

    (void)state;
    start(&t);
    struct hb_cred_store *store = hb_cred_store_new(&t.env);
    assert_int_equal(add(store, "ecdsa-p256.crt", "ecdsa-p256.key", &facts), HB_OK);
    const struct {
        uint64_t now;
        enum hb_code want;
    } rows[] = {
        {0, HB_E_CERT_NOT_YET},
        {facts.not_before - 1, HB_E_CERT_NOT_YET},
        {facts.not_before, HB_OK},
        {facts.not_before + 1, HB_OK},
        {facts.not_after - 1, HB_OK},
        {facts.not_after, HB_OK},
        {facts.not_after + 1, HB_E_CERT_EXPIRED},
        {UINT64_MAX, HB_E_CERT_EXPIRED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct hb_cred_facts again;
        t.wall = rows[i].now;
        assert_string_equal(hb_err_name(add(store, "ecdsa-p256.crt", "ecdsa-p256.key", &again)),
                            hb_err_name(rows[i].want));
        assert_int_equal(again.not_after, facts.not_after); /* also of one that is refused */
        assert_string_equal(again.names, "mail.test,localhost");
    }
    assert_int_equal(hb_cred_store_count(store), 5);
    hb_cred_store_any_time(store);
    t.wall = facts.not_after + 1;
    assert_int_equal(add(store, "ecdsa-p256.crt", "ecdsa-p256.key", &facts), HB_OK);
    hb_cred_store_free(&store);
    assert_int_equal(t.held, 0);
}

static void test_names(void **state)
{
    static const struct {
        const char *cred, *host;
        enum hb_name_match want;
    } rows[] = {
        {"ecdsa-p256", "mail.test", HB_NAME_EXACT},    {"ecdsa-p256", "LOCALHOST", HB_NAME_EXACT},
        {"ecdsa-p256", "127.0.0.1", HB_NAME_NONE},     {"ecdsa-p256", "ecdsa-p256 (test)", HB_NAME_NONE},
        {"ecdsa-p256", "a.mail.test", HB_NAME_NONE},   {"ecdsa-p256", "", HB_NAME_NONE},
        {"wildcard", "a.wild.test", HB_NAME_WILDCARD}, {"wildcard", "wild.test", HB_NAME_NONE},
        {"wildcard", "a.b.wild.test", HB_NAME_NONE},   {"wildcard", "*.wild.test", HB_NAME_NONE},
        {"cn-only", "cn.test", HB_NAME_EXACT},         {"many", "mail.test", HB_NAME_EXACT},
        {"many", "n40.many.test", HB_NAME_EXACT}, /* although the wildcard covers it as well */
        {"many", "n41.many.test", HB_NAME_WILDCARD},   {"many", "many.test", HB_NAME_NONE},
    };
    struct testenv t;

    (void)state;
    start(&t);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct hb_cred_store *store = hb_cred_store_new(&t.env);
        print_message("%s for %s\n", rows[i].cred, rows[i].host);
        add_pair(store, rows[i].cred);
        assert_int_equal(hb_cred_covers(hb_cred_at(store, 0), hb_span_str(rows[i].host)), rows[i].want);
        hb_cred_store_free(&store);
    }
    struct hb_cred_store *store = hb_cred_store_new(&t.env);
    add_pair(store, "wildcard");
    add_pair(store, "many");
    assert_true(hb_span_is(hb_cred_first_name(hb_cred_at(store, 0)), "*.wild.test"));
    assert_true(hb_span_is(hb_cred_first_name(hb_cred_at(store, 1)), "n1.many.test"));
    assert_null(hb_cred_at(store, 2));
    hb_cred_store_free(&store);
    assert_int_equal(t.held, 0);
}

/* Of 1001 names the last is not looked at (PKI-06); names with NUL, blanks, high bytes or a star elsewhere
 * cover nothing and are not shown. The certificate is made here: its key is P-256's base point, the scalar 1.
 */
static void test_names_limit(void **state)
{
    static const char head[] =
        "30{30{a0{02{02}}02{01}30{06{2a8648ce3d040302}}30{}30{17{'260101000000Z'}17{'270101000000Z'}}"
        "30{}30{30{06{2a8648ce3d0201}06{2a8648ce3d030107}}03{00 04"
        "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
        "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5}}"
        "a3{30{30{06{551d11}04{30{";
    static const char tail[] = "}}}}}}30{06{2a8648ce3d040302}}03{00 30{02{01}02{01}}}}";
    static const char key[] = "30{02{01}04{01}a0{06{2a8648ce3d030107}}}";
    static char crt_text[1 << 17], key_text[1024];
    static uint8_t der[1 << 17];
    struct hb_cred_facts facts;
    struct testenv t;

    (void)state;
    testenv_init(&t, 9); /* 2026-06-01 */
    struct hb_cred_store *store = hb_cred_store_new(&t.env);
    (void)armour("EC PRIVATE KEY", hb_span(der, asn1(key, der, sizeof der)), key_text, sizeof key_text);

    size_t len = (size_t)snprintf(text, sizeof text, "%s", head);
    for (unsigned i = 1; i <= 1001; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len, "82{'n%u.test'}", i);
    }
    (void)snprintf(text + len, sizeof text - len, "%s", tail);
    (void)armour("CERTIFICATE", hb_span(der, asn1(text, der, sizeof der)), crt_text, sizeof crt_text);
    assert_int_equal(hb_cred_store_add(store, hb_span_str(crt_text), hb_span_str(key_text), &facts), HB_OK);
    assert_int_equal(facts.num_names, 1000);
    const struct hb_cred *cred = hb_cred_at(store, 0);
    assert_int_equal(hb_cred_covers(cred, hb_span_str("n1000.test")), HB_NAME_EXACT);
    assert_int_equal(hb_cred_covers(cred, hb_span_str("n1001.test")), HB_NAME_NONE);

    (void)snprintf(
        text, sizeof text,
        "%s82{'mail.test'00}82{'ma il.test'}82{'m'c3a4'il.test'}82{'m*.mail.test'}82{'*'0a'mail.test'}"
        "82{'*.test'}82{'192.0.2.1'}82{'good.test'}%s",
        head, tail);
    (void)armour("CERTIFICATE", hb_span(der, asn1(text, der, sizeof der)), crt_text, sizeof crt_text);
    assert_int_equal(hb_cred_store_add(store, hb_span_str(crt_text), hb_span_str(key_text), &facts), HB_OK);
    assert_int_equal(facts.num_names, 8);
    assert_string_equal(facts.names, "*.test,good.test"); /* shown, but it covers nothing */
    cred = hb_cred_at(store, 1);
    static const char *const nobody[] = {"mail.test", "m.mail.test", "a.test", "192.0.2.1"};
    for (size_t i = 0; i < sizeof nobody / sizeof nobody[0]; i++) {
        assert_int_equal(hb_cred_covers(cred, hb_span_str(nobody[i])), HB_NAME_NONE);
    }
    assert_int_equal(hb_cred_covers(cred, hb_span_str("good.test")), HB_NAME_EXACT);
    hb_cred_store_free(&store);
    assert_int_equal(t.held, 0);
}

static void test_facts(void **state)
{
    static const struct {
        const char *name, *key, *names;
        unsigned num_names;
    } rows[] = {
        {"rsa-pss", "RSA-PSS 2048", "mail.test,localhost", 2},
        {"ecdsa-p384", "ECDSA P-384", "mail.test,localhost", 2},
        {"many", "ECDSA P-256", NULL, 42}, /* far more than fit */
    };
    struct testenv t;

    (void)state;
    start(&t);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct hb_cred_store *store = hb_cred_store_new(&t.env);
        struct hb_cred_facts facts;
        char crt[64], key[64];
        print_message("%s\n", rows[i].name);
        (void)snprintf(crt, sizeof crt, "%s.crt", rows[i].name);
        (void)snprintf(key, sizeof key, "%s.key", rows[i].name);
        enum hb_code code = add(store, crt, key, &facts);
        assert_int_equal(code, HB_OK);
        assert_string_equal(facts.key, rows[i].key);
        size_t len = strlen(facts.names);
        if (rows[i].names != NULL) {
            assert_string_equal(facts.names, rows[i].names);
        } else { /* cut, and says so */
            assert_memory_equal(facts.names, "n1.many.test,n2.many.test,", 26);
            assert_true(len < sizeof facts.names && len > sizeof facts.names - 20);
            assert_string_equal(facts.names + len - 3, "...");
        }
        assert_int_equal(facts.num_names, rows[i].num_names);
        hb_cred_store_free(&store);
    }
    assert_int_equal(t.held, 0);
}

/* Each key signs every scheme of its kind, the certificate's key verifies it, and no other scheme is signed.
 */
static void test_sign(void **state)
{
    static const char *const names[] = {"ecdsa-p256", "ecdsa-p384", "ed25519", "rsa2048", "rsa-pss"};
    struct hb_span input = hb_span_str("what the handshake says");
    struct testenv t;

    (void)state;
    start(&t);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct hb_cred_store *store = hb_cred_store_new(&t.env);
        struct hb_cert cert;
        struct hb_pubkey *pub;
        unsigned good = 0;
        print_message("%s\n", names[i]);
        add_pair(store, names[i]);
        const struct hb_cred *cred = hb_cred_at(store, 0);
        assert_int_equal(hb_cert_parse(cred->leaf, &cert), HB_OK);
        assert_int_equal(hb_cert_pubkey(&cert, &t.env, &pub), HB_OK);
        for (size_t k = 0; k < hb_num_sigalgs; k++) {
            const struct hb_sigalg *alg = &hb_sigalgs[k];
            bool ec = cred->kind == HB_KEY_P256 || cred->kind == HB_KEY_P384;
            bool alg_ec = alg->kind == HB_KEY_P256 || alg->kind == HB_KEY_P384 || alg->kind == HB_KEY_P521;
            uint8_t sig[HB_SIG_MAX];
            size_t len = 1;
            enum hb_code code = hb_cred_sign(cred, &t.env, alg->id, input, sig, sizeof sig, &len);
            if (ec ? alg_ec : alg->kind == cred->kind) {
                assert_int_equal(code, HB_OK);
                assert_int_equal(hb_verify(pub, alg, input, hb_span(sig, len)), HB_OK);
                sig[len / 2] ^= 1;
                assert_int_equal(hb_verify(pub, alg, input, hb_span(sig, len)), HB_E_TLS_BAD_SIGNATURE);
                assert_int_equal(hb_cred_sign(cred, &t.env, alg->id, input, sig, 8, &len), HB_E_OVERFLOW);
                good++;
            } else {
                assert_int_equal(code, HB_E_TLS_SIGN_FAILED);
                assert_int_equal(len, 0);
            }
        }
        assert_true(good > 0);
        uint8_t sig[HB_SIG_MAX];
        size_t len = 1;
        assert_int_equal(hb_cred_sign(cred, &t.env, 0x0201, input, sig, sizeof sig, &len),
                         HB_E_TLS_SIGN_FAILED);
        assert_int_equal(len, 0);
        hb_pubkey_free(&t.env, &pub);
        hb_cred_store_free(&store);
    }
    assert_int_equal(t.held, 0);
}

/* PSS certificates do not go with plain RSA keys, nor the other way round. */
static void test_kinds(void **state)
{
    static const struct {
        const char *crt, *key;
        enum hb_code want;
    } rows[] = {
        {"rsa-pss.crt", "rsa-pss.key", HB_OK},
        {"rsa-pss.crt", "rsa2048.key", HB_E_KEY_ALGORITHM},
        {"rsa2048.crt", "rsa-pss.key", HB_E_KEY_MISMATCH},
        {"ecdsa-p521.crt", "ecdsa-p521.key", HB_OK},
        {"ecdsa-p256.crt", "ecdsa-p384.key", HB_E_KEY_MISMATCH},
        {"ecdsa-p256.crt", "ecdsa-p256.pkcs8.key", HB_OK},
        {"rsa2048.crt", "rsa2048.pkcs8.key", HB_OK},
        {"ecdsa-p256.crt", "ecdsa-p256.explicit.key", HB_E_KEY_ALGORITHM},
        {"ed25519.crt", "ecdsa-p256.key", HB_E_KEY_MISMATCH},
    };
    struct testenv t;

    (void)state;
    start(&t);
    struct hb_cred_store *store = hb_cred_store_new(&t.env);
    size_t want_count = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        print_message("%s with %s\n", rows[i].crt, rows[i].key);
        assert_string_equal(hb_err_name(add(store, rows[i].crt, rows[i].key, NULL)),
                            hb_err_name(rows[i].want));
        want_count += rows[i].want == HB_OK;
        assert_int_equal(hb_cred_store_count(store),
                         want_count); /* a refused pair leaves the store as it was */
    }
    hb_cred_store_free(&store);
    assert_int_equal(t.held, 0);
}

/* Chain and key in one text; ten certificates and not eleven; rubbish among them; too large. */
static void test_chains(void **state)
{
    struct testenv t;
    char *crt = certs_file("ecdsa-p256.crt");
    char *ca = certs_file("ca.crt");
    char *key = certs_file("ecdsa-p256.key");

    (void)state;
    start(&t);
    struct hb_cred_store *store = hb_cred_store_new(&t.env);
    (void)snprintf(text, sizeof text, "%s%s%s", key, crt, ca);
    assert_int_equal(hb_cred_store_add(store, hb_span_str(text), hb_span_str(text), NULL), HB_OK);
    for (int num = 2; num <= 11; num++) {
        (void)snprintf(text, sizeof text, "%s", crt);
        for (int i = 1; i < num; i++) {
            size_t len = strlen(text);
            (void)snprintf(text + len, sizeof text - len, "subject=x\n%s", ca);
        }
        assert_int_equal(hb_cred_store_add(store, hb_span_str(text), hb_span_str(key), NULL),
                         num <= 10 ? HB_OK : HB_E_CERT_TOO_LONG);
    }
    static const struct {
        const char *behind;
        enum hb_code want;
    } rows[] = {
        {"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", HB_E_DER},
        {"-----BEGIN CERTIFICATE-----\nMA!=\n-----END CERTIFICATE-----\n", HB_E_PEM_ARMOUR},
        {"-----BEGIN CERTIFICATE-----\nMAA=\n", HB_E_PEM_ARMOUR},
        {"-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n", HB_OK}, /* not ours to judge */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)snprintf(text, sizeof text, "%s%s", crt, rows[i].behind);
        assert_int_equal(hb_cred_store_add(store, hb_span_str(text), hb_span_str(key), NULL), rows[i].want);
    }
    /* 64 KiB at most each, 100 KiB in all */
    static uint8_t der[120000];
    static const struct {
        size_t len;
        enum hb_code want;
    } sizes[] = {{65536, HB_E_DER}, {102400, HB_E_CERT_TOO_LONG}, {120000, HB_E_CERT_TOO_LONG}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        (void)armour("CERTIFICATE", hb_span(der, sizes[i].len), text, sizeof text);
        assert_int_equal(hb_cred_store_add(store, hb_span_str(text), hb_span_str(key), NULL), sizes[i].want);
    }
    assert_int_equal(hb_cred_store_add(store, hb_span(NULL, 0), hb_span_str(key), NULL), HB_E_PEM_NONE);
    assert_int_equal(hb_cred_store_add(store, hb_span_str(crt), hb_span(NULL, 0), NULL), HB_E_PEM_NONE);
    hb_cred_store_free(&store);
    assert_int_equal(t.held, 0);
    free(crt);
    free(ca);
    free(key);
}

static void test_references(void **state)
{
    struct testenv t;

    (void)state;
    start(&t);
    struct hb_cred_store *store = hb_cred_store_new(&t.env);
    add_pair(store, "ecdsa-p256");
    struct hb_cred_store *other = hb_cred_store_ref(store);
    hb_cred_store_free(&store);
    assert_null(store);
    assert_int_equal(hb_cred_store_count(other), 1);
    assert_false(hb_cred_signs_later(hb_cred_at(other, 0)));
    hb_cred_store_sign_later(other, true);
    assert_true(hb_cred_signs_later(hb_cred_at(other, 0)));
    hb_cred_store_free(&other);
    assert_int_equal(t.held, 0);
    hb_cred_store_free(&other);
    hb_cred_store_free(NULL);
}

/* A chain whose key is elsewhere, and the key by itself: what the two halves of a keeper of keys see. */
static void test_remote_keys(void **state)
{
    struct testenv t;
    struct hb_privkey *key = NULL;
    struct hb_pubkey *pub;
    struct hb_cert cert;
    uint8_t sig[HB_SIG_MAX];
    size_t len;

    (void)state;
    start(&t);
    struct hb_cred_store *store = hb_cred_store_new(&t.env);
    char *chain = certs_file("ecdsa-p256.crt");
    char *pem = certs_file("ecdsa-p256.key");
    assert_int_equal(hb_cred_store_add_remote(store, hb_span_str(chain), 0, NULL), HB_E_KEY_INVALID);
    assert_int_equal(hb_cred_store_add_remote(store, hb_span_str(chain), 7, NULL), HB_OK);
    const struct hb_cred *cred = hb_cred_at(store, 0);
    assert_int_equal(hb_cred_handle(cred), 7);
    assert_true(hb_cred_signs_later(cred));
    assert_int_equal(hb_cred_sign(cred, &t.env, 0x0403, hb_span_str("x"), sig, sizeof sig, &len),
                     HB_E_TLS_SIGN_FAILED);
    assert_int_equal(hb_cred_decrypt(cred, &t.env, 0x0303, hb_span_str("x"), sig), HB_E_TLS_SIGN_FAILED);
    assert_int_equal(hb_key_load(&t.env, hb_span_str(chain), &key), HB_E_PEM_NONE);
    assert_int_equal(hb_key_load(&t.env, hb_span_str(pem), &key), HB_OK);
    assert_int_equal(hb_key_sign(key, &t.env, 0x0403, hb_span_str("x"), sig, sizeof sig, &len), HB_OK);
    assert_int_equal(hb_cert_parse(cred->leaf, &cert), HB_OK);
    assert_int_equal(hb_cert_pubkey(&cert, &t.env, &pub), HB_OK);
    assert_int_equal(hb_verify(pub, hb_sigalg_find(0x0403), hb_span_str("x"), hb_span(sig, len)), HB_OK);
    hb_pubkey_free(&t.env, &pub);
    assert_int_equal(hb_key_sign(key, &t.env, 0x0804, hb_span_str("x"), sig, sizeof sig, &len),
                     HB_E_TLS_SIGN_FAILED); /* not with this kind of key */
    assert_int_equal(hb_key_decrypt(key, &t.env, 0x0303, hb_span_str("x"), sig), HB_E_TLS_SIGN_FAILED);
    hb_key_free(&t.env, &key);
    assert_null(key);
    hb_cred_store_free(&store);
    free(chain);
    free(pem);
    assert_int_equal(t.held, 0);
}

/* Every allocation of a second pair fails once: the first stays as it was, and nothing is left behind. */
static void test_out_of_memory(void **state)
{
    static const char *const names[] = {"ecdsa-p384", "rsa-pss", "ed25519", "chain"};
    struct testenv t;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char crt[64], key[64];
        enum hb_code code;
        start(&t);
        (void)snprintf(crt, sizeof crt, "%s.crt", names[i]);
        (void)snprintf(key, sizeof key, "%s.key", names[i]);
        struct hb_cred_store *store = hb_cred_store_new(&t.env);
        add_pair(store, "ecdsa-p256");
        size_t held = t.held;
        unsigned failures = 0;
        do {
            t.fail_at = t.num_allocs + failures + 1;
            code = add(store, crt, key, NULL);
            if (code != HB_OK) {
                failures++;
                assert_int_equal(code, HB_E_NO_MEMORY);
                assert_int_equal(t.held, held);
                assert_int_equal(hb_cred_store_count(store), 1);
            }
        } while (code != HB_OK);
        assert_true(failures >= 6); /* credential, working memory, key's DER, key, public key, messages */
        assert_int_equal(hb_cred_store_count(store), 2);
        hb_cred_store_free(&store);
        assert_int_equal(t.held, 0);
    }
    start(&t);
    t.fail_at = 1;
    assert_null(hb_cred_store_new(&t.env));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),      cmocka_unit_test(test_time_boundaries),
        cmocka_unit_test(test_names),         cmocka_unit_test(test_facts),
        cmocka_unit_test(test_names_limit),   cmocka_unit_test(test_sign),
        cmocka_unit_test(test_kinds),         cmocka_unit_test(test_chains),
        cmocka_unit_test(test_remote_keys),   cmocka_unit_test(test_references),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
