/* Private keys (PKI-05, PKI-08): the wrappings we take, the kinds and sizes we take, and damage of every
 * sort. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "asn1.h"
#include "testenv.h"
#include "x509/key.h"
#include "x509/pem.h"

/* clang-format off */
static const struct {
    const char *file;
    enum hb_code want;
    enum hb_key_kind kind;
    unsigned bits;
} files[] = {
    {"ecdsa-p256.key",              HB_OK, HB_KEY_P256, 256},
    {"ecdsa-p256.sec1.key",         HB_OK, HB_KEY_P256, 256},
    {"ecdsa-p256.pkcs8.key",        HB_OK, HB_KEY_P256, 256},
    {"ecdsa-p384.key",              HB_OK, HB_KEY_P384, 384},
    {"ed25519.key",                 HB_OK, HB_KEY_ED25519, 256},
    {"rsa2048.key",                 HB_OK, HB_KEY_RSA, 2048},
    {"rsa2048.pkcs1.key",           HB_OK, HB_KEY_RSA, 2048},
    {"rsa2048.pkcs8.key",           HB_OK, HB_KEY_RSA, 2048},
    {"rsa3072.key",                 HB_OK, HB_KEY_RSA, 3072},
    {"rsa-pss.key",                 HB_OK, HB_KEY_RSA_PSS, 2048},
    {"weak.key",                    HB_E_KEY_WEAK, 0, 0},
    {"ecdsa-p521.key",              HB_OK, HB_KEY_P521, 521},
    {"ecdsa-p256.explicit.key",     HB_E_KEY_ALGORITHM, 0, 0},
    {"ecdsa-p256.encrypted.key",    HB_E_PEM_ENCRYPTED, 0, 0},
    {"rsa2048.encrypted-pkcs1.key", HB_E_PEM_ENCRYPTED, 0, 0},
    {"ecdsa-p256.crt",              HB_E_PEM_NONE, 0, 0},
};

#define P8(alg, key) "30{02{00}" alg "04{" key "}}"
#define ALG_P256 "30{06{2a8648ce3d0201}06{2a8648ce3d030107}}"
#define ALG_P384 "30{06{2a8648ce3d0201}06{2b81040022}}"
#define ALG_P521 "30{06{2a8648ce3d0201}06{2b81040023}}"
#define ALG_ED   "30{06{2b6570}}"
#define ALG_RSA  "30{06{2a864886f70d010101}05{}}"
#define P256_OID "a0{06{2a8648ce3d030107}}"
#define ORDER256 "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"
/* 3 * 11 = 33, e = 3, d = 7: the smallest key that fits together */
#define RSA33    "30{02{00}02{21}02{03}02{07}02{0b}02{03}02{07}02{01}02{04}}"

static const struct {
    const char *name, *label, *der;
    enum hb_code want;
} made[] = {
    {"SEC1",                            "EC PRIVATE KEY", "30{02{01}04{01*32}" P256_OID "}", HB_OK},
    {"SEC1 with public key",            "EC PRIVATE KEY", "30{02{01}04{01*32}" P256_OID "a1{03{00 04*65}}}", HB_OK},
    {"SEC1, short scalar",              "EC PRIVATE KEY", "30{02{01}04{01}" P256_OID "}", HB_OK},
    {"SEC1, sign byte before it",       "EC PRIVATE KEY", "30{02{01}04{00 80*32}" P256_OID "}", HB_OK},
    {"SEC1, order - 1",                 "EC PRIVATE KEY", "30{02{01}04{ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550}" P256_OID "}", HB_OK},
    {"SEC1, order (NET-04)",            "EC PRIVATE KEY", "30{02{01}04{" ORDER256 "}" P256_OID "}", HB_E_KEY_INVALID},
    {"SEC1, zero (NET-04)",             "EC PRIVATE KEY", "30{02{01}04{00*32}" P256_OID "}", HB_E_KEY_INVALID},
    {"SEC1, empty scalar",              "EC PRIVATE KEY", "30{02{01}04{}" P256_OID "}", HB_E_KEY_INVALID},
    {"SEC1, scalar too long",           "EC PRIVATE KEY", "30{02{01}04{01*33}" P256_OID "}", HB_E_KEY_INVALID},
    {"SEC1, version 0",                 "EC PRIVATE KEY", "30{02{00}04{01*32}" P256_OID "}", HB_E_KEY_INVALID},
    {"SEC1, something behind it",       "EC PRIVATE KEY", "30{02{01}04{01*32}" P256_OID "}05{}", HB_E_KEY_INVALID},
    {"SEC1, something more in it",      "EC PRIVATE KEY", "30{02{01}04{01*32}" P256_OID "05{}}", HB_E_KEY_INVALID},
    {"SEC1, no curve",                  "EC PRIVATE KEY", "30{02{01}04{01*32}}", HB_E_KEY_ALGORITHM},
    {"SEC1, secp256k1",                 "EC PRIVATE KEY", "30{02{01}04{01*32}a0{06{2b8104000a}}}", HB_E_KEY_ALGORITHM},
    {"SEC1, P-521",                     "EC PRIVATE KEY", "30{02{01}04{01*66}a0{06{2b81040023}}}", HB_OK},
    {"SEC1, not DER",                   "EC PRIVATE KEY", "3080 02{01}04{01*32}" P256_OID "0000", HB_E_KEY_INVALID},
    {"SEC1 under RSA's label",          "RSA PRIVATE KEY", "30{02{01}04{01*32}" P256_OID "}", HB_E_KEY_INVALID},
    {"PKCS#8 P-256",                    "PRIVATE KEY", P8(ALG_P256, "30{02{01}04{01*32}}"), HB_OK},
    {"PKCS#8 P-384",                    "PRIVATE KEY", P8(ALG_P384, "30{02{01}04{01*48}}"), HB_OK},
    {"PKCS#8 P-521",                    "PRIVATE KEY", P8(ALG_P521, "30{02{01}04{01*66}}"), HB_OK},
    {"PKCS#8 P-256, scalar of P-384",   "PRIVATE KEY", P8(ALG_P256, "30{02{01}04{01*48}}"), HB_E_KEY_INVALID},
    {"PKCS#8 Ed25519",                  "PRIVATE KEY", P8(ALG_ED, "04{55*32}"), HB_OK},
    {"PKCS#8 Ed25519, version 1, public key", "PRIVATE KEY", "30{02{01}" ALG_ED "04{04{55*32}}81{00 66*32}}", HB_OK},
    {"PKCS#8 Ed25519, attributes",      "PRIVATE KEY", "30{02{00}" ALG_ED "04{04{55*32}}a0{}}", HB_OK},
    {"PKCS#8 Ed25519, 31 bytes",        "PRIVATE KEY", P8(ALG_ED, "04{55*31}"), HB_E_KEY_INVALID},
    {"PKCS#8 Ed25519, 33 bytes",        "PRIVATE KEY", P8(ALG_ED, "04{55*33}"), HB_E_KEY_INVALID},
    {"PKCS#8 Ed25519, wrapped once",    "PRIVATE KEY", P8(ALG_ED, "55*32"), HB_E_KEY_INVALID},
    {"PKCS#8 Ed25519, something behind it", "PRIVATE KEY", P8(ALG_ED, "04{55*32}05{}"), HB_E_KEY_INVALID},
    {"PKCS#8 Ed448",                    "PRIVATE KEY", P8("30{06{2b6571}}", "04{55*57}"), HB_OK},
    {"PKCS#8 DSA",                      "PRIVATE KEY", P8("30{06{2a8648ce380401}}", "02{01}"), HB_E_KEY_ALGORITHM},
    {"PKCS#8, version 2",               "PRIVATE KEY", "30{02{02}" ALG_ED "04{04{55*32}}}", HB_E_KEY_INVALID},
    {"PKCS#8, no version",              "PRIVATE KEY", "30{" ALG_ED "04{04{55*32}}}", HB_E_KEY_INVALID},
    {"PKCS#8, no key",                  "PRIVATE KEY", "30{02{00}" ALG_ED "}", HB_E_KEY_INVALID},
    {"PKCS#8, something behind it",     "PRIVATE KEY", P8(ALG_ED, "04{55*32}") "00", HB_E_KEY_INVALID},
    {"PKCS#8, empty",                   "PRIVATE KEY", "30{}", HB_E_KEY_INVALID},
    {"PKCS#8, one byte",                "PRIVATE KEY", "30", HB_E_KEY_INVALID},
    {"PKCS#1, fits, far too short",     "RSA PRIVATE KEY", RSA33, HB_E_KEY_INVALID}, /* Nettle wants 12 octets */
    {"PKCS#1, multi-prime",             "RSA PRIVATE KEY", "30{02{01}02{21}02{03}02{07}02{0b}02{03}02{07}02{01}02{04}}", HB_E_KEY_INVALID},
    {"PKCS#1, a number missing",        "RSA PRIVATE KEY", "30{02{00}02{21}02{03}02{07}02{0b}02{03}02{07}02{01}}", HB_E_KEY_INVALID},
    {"PKCS#1, a number more",           "RSA PRIVATE KEY", "30{02{00}02{21}02{03}02{07}02{0b}02{03}02{07}02{01}02{04}02{04}}", HB_E_KEY_INVALID},
    {"PKCS#1, negative number",         "RSA PRIVATE KEY", "30{02{00}02{a1}02{03}02{07}02{0b}02{03}02{07}02{01}02{04}}", HB_E_KEY_INVALID},
    {"PKCS#1, zeros",                   "RSA PRIVATE KEY", "30{02{00}02{00}02{00}02{00}02{00}02{00}02{00}02{00}02{00}}", HB_E_KEY_INVALID},
    {"PKCS#1, modulus of 8200 bits",    "RSA PRIVATE KEY", "30{02{00}02{01*1025}02{03}02{07}02{0b}02{03}02{07}02{01}02{04}}", HB_E_KEY_LARGE},
    {"PKCS#1, longer than any",         "RSA PRIVATE KEY", "30{02{00}02{01*9000}}", HB_E_KEY_LARGE},
    {"PKCS#8 of RSA, inside damaged",   "PRIVATE KEY", P8(ALG_RSA, "30{02{00}}"), HB_E_KEY_INVALID},
    {"label of no key",                 "PUBLIC KEY", "30{}", HB_E_PEM_NONE},
    {"label of another kind",           "DSA PRIVATE KEY", "30{}", HB_E_PEM_NONE},
};
/* clang-format on */

static char text[1 << 16];
static uint8_t der[1 << 15];

static enum hb_code load(struct testenv *t, const char *pem, struct hb_privkey **key)
{
    return hb_key_from_pem(&t->env, hb_span_str(pem), key);
}

/* The key signs, and a signature is what its kind gives. */
static void assert_signs(struct testenv *t, const struct hb_privkey *key)
{
    uint8_t sig[HB_SIG_MAX];
    size_t len;

    for (size_t i = 0; i < hb_num_sigalgs; i++) {
        if (hb_sigalgs[i].kind == hb_privkey_kind(key)) {
            assert_int_equal(hb_sign(key, &t->env, &hb_sigalgs[i], hb_span_str("x"), sig, sizeof sig, &len),
                             HB_OK);
            assert_true(len > 0);
            return;
        }
    }
    fail();
}

/* The same key from a file in DER: what is in the first block of a key, without armour. */
static void assert_same_in_der(struct testenv *t, const char *pem, enum hb_key_kind kind, enum hb_code want)
{
    struct hb_span rest = hb_span_str(pem);
    struct hb_pem_block block;
    struct hb_privkey *key;
    size_t len;

    do {
        if (hb_pem_next(&rest, &block) != HB_OK) {
            return; /* no key in it */
        }
    } while (memmem(block.label.p, block.label.len, "PRIVATE KEY", 11) == NULL);
    if (hb_pem_decode(&block, der, sizeof der, &len) != HB_OK) {
        return; /* PKCS#1 encrypted inside its armour: nothing of it is DER */
    }
    assert_string_equal(hb_err_name(hb_key_from_file(&t->env, hb_span(der, len), &key)), hb_err_name(want));
    if (want == HB_OK) {
        assert_int_equal(hb_privkey_kind(key), kind);
        assert_signs(t, key);
    }
    hb_privkey_free(&t->env, &key);
    assert_int_equal(hb_key_from_file(&t->env, hb_span_str(pem), &key), want); /* PEM as before */
    hb_privkey_free(&t->env, &key);
    der[len] = 0; /* a byte more is neither */
    assert_int_equal(hb_key_from_file(&t->env, hb_span(der, len + 1), &key), HB_E_PEM_NONE);
    assert_null(key);
}

/* Files of other kinds in DER: {} is what asn1.h writes. */
static void test_der_of_others(void **state)
{
    static const struct {
        const char *name, *der;
        enum hb_code want;
    } rows[] = {
        {"nothing in it", "30{}", HB_E_PEM_NONE},
        {"a certificate's shape", "30{30{}30{}03{00}}", HB_E_PEM_NONE},
        {"PKCS#8, encrypted", "30{30{}04{00}}", HB_E_PEM_ENCRYPTED},
        {"a number and nothing behind", "30{02{00}}", HB_E_KEY_INVALID},
        {"longer than any", "30{02{00}02{01*9000}}", HB_E_KEY_LARGE},
        {"PKCS#1, zeros", "30{02{00}02{00}02{00}02{00}02{00}02{00}02{00}02{00}02{00}}", HB_E_KEY_INVALID},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct testenv t;
        struct hb_privkey *key;
        print_message("%s\n", rows[i].name);
        testenv_init(&t, i);
        size_t len = asn1(rows[i].der, der, sizeof der);
        assert_string_equal(hb_err_name(hb_key_from_file(&t.env, hb_span(der, len), &key)),
                            hb_err_name(rows[i].want));
        assert_null(key);
        assert_int_equal(t.held, 0);
    }
}

static void test_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct testenv t;
        struct hb_privkey *key;
        print_message("%s\n", files[i].file);
        testenv_init(&t, i);
        char *pem = certs_file(files[i].file);
        assert_string_equal(hb_err_name(load(&t, pem, &key)), hb_err_name(files[i].want));
        assert_int_equal(key != NULL, files[i].want == HB_OK);
        if (key != NULL) {
            assert_int_equal(hb_privkey_kind(key), files[i].kind);
            assert_int_equal(hb_privkey_bits(key), files[i].bits);
            assert_signs(&t, key);
            hb_privkey_free(&t.env, &key);
        }
        assert_same_in_der(&t, pem, files[i].kind, files[i].want);
        assert_int_equal(t.held, 0);
        free(pem);
    }
}

static void test_made(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
        struct testenv t;
        struct hb_privkey *key;
        print_message("%s\n", made[i].name);
        testenv_init(&t, i);
        (void)armour(made[i].label, hb_span(der, asn1(made[i].der, der, sizeof der)), text, sizeof text);
        assert_string_equal(hb_err_name(load(&t, text, &key)), hb_err_name(made[i].want));
        if (made[i].want == HB_OK) {
            assert_signs(&t, key);
        }
        hb_privkey_free(&t.env, &key);
        assert_int_equal(t.held, 0);
    }
}

/* Certificates and EC PARAMETERS before the key are skipped; the first key is the one; damage before it is
 * told. */
static void test_around(void **state)
{
    static const char params[] =
        "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    struct testenv t;
    struct hb_privkey *key;
    char *crt = certs_file("rsa2048.crt");
    char *ec = certs_file("ecdsa-p384.key");
    char *rsa = certs_file("rsa2048.key");

    (void)state;
    testenv_init(&t, 3);
    (void)snprintf(text, sizeof text, "Key:\n%s%s%s%s", crt, params, ec, rsa);
    assert_int_equal(load(&t, text, &key), HB_OK);
    assert_int_equal(hb_privkey_kind(key), HB_KEY_P384);
    hb_privkey_free(&t.env, &key);
    (void)snprintf(text, sizeof text, "-----BEGIN CERTIFICATE-----\nabc\n%s", ec);
    assert_int_equal(load(&t, text, &key), HB_E_PEM_ARMOUR);
    assert_int_equal(load(&t, params, &key), HB_E_PEM_NONE);
    assert_int_equal(load(&t, "", &key), HB_E_PEM_NONE);
    assert_null(key);
    assert_int_equal(t.held, 0);
    free(crt);
    free(ec);
    free(rsa);
}

/* A real RSA key with one of its eight numbers made wrong, shorter, longer, zero: refused, never an abort and
 * never a signature that gives the primes away (CT-05). */
static void test_rsa_numbers(void **state)
{
    struct testenv t;
    struct hb_privkey *key;
    struct hb_span part[9];
    char *pem = certs_file("rsa2048.pkcs1.key");

    (void)state;
    testenv_init(&t, 4);
    /* the numbers, read with a reader of our own: SEQUENCE 82 xx xx { 02 len value ... } */
    static uint8_t raw[4096];
    size_t len = 0;
    uint32_t bits = 0;
    unsigned have = 0;
    for (const char *c = strchr(pem, '\n'); *c != '-'; c++) {
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        const char *at = strchr(digits, *c);
        if (*c == '\n' || at == NULL) {
            continue;
        }
        bits = bits << 6 | (uint32_t)(at - digits);
        have += 6;
        if (have >= 8) {
            have -= 8;
            raw[len++] = (uint8_t)(bits >> have);
        }
    }
    const uint8_t *p = raw + 4;
    for (size_t i = 0; i < 9; i++) {
        size_t n = p[1];
        size_t head = 2;
        if (n > 0x80) {
            head = p[1] == 0x81 ? 3 : 4;
            n = head == 3 ? p[2] : (size_t)(p[2] << 8 | p[3]);
        }
        part[i] = hb_span(p + head, n);
        p += head + n;
    }
    assert_ptr_equal(p, raw + len);

    enum change { AS_IS, ZERO, ONE, ADD_TWO, HALF, LONGER, EQUAL_TO_N, CHANGES };
    for (size_t which = 1; which < 9; which++) {
        for (int change = AS_IS; change < CHANGES; change++) {
            static uint8_t value[8][600];
            char line[1 << 14];
            size_t at = (size_t)snprintf(line, sizeof line, "30{02{00}");
            for (size_t i = 1; i < 9; i++) {
                struct hb_span v = part[i];
                uint8_t *copy = value[i - 1];
                memcpy(copy, v.p, v.len);
                if (i == which && change == ZERO) {
                    v = hb_span("\0", 1);
                } else if (i == which && change == ONE) {
                    v = hb_span("\1", 1);
                } else if (i == which && change == ADD_TWO) {
                    copy[v.len - 1] = (uint8_t)(copy[v.len - 1] ^ 2);
                    v = hb_span(copy, v.len);
                } else if (i == which && change == HALF && v.len > 4) {
                    memset(copy, 0x11, v.len / 2);
                    v = hb_span(copy, v.len / 2);
                } else if (i == which && change == LONGER) {
                    memmove(copy + 9, copy, v.len);
                    memset(copy, 0x11, 9);
                    v = hb_span(copy, v.len + 9);
                } else if (i == which && change == EQUAL_TO_N) {
                    v = part[1];
                }
                at += (size_t)snprintf(line + at, sizeof line - at, "02{");
                for (size_t k = 0; k < v.len; k++) {
                    at += (size_t)snprintf(line + at, sizeof line - at, "%02x", v.p[k]);
                }
                at += (size_t)snprintf(line + at, sizeof line - at, "}");
            }
            (void)snprintf(line + at, sizeof line - at, "}");
            (void)armour("RSA PRIVATE KEY", hb_span(der, asn1(line, der, sizeof der)), text, sizeof text);
            enum hb_code code = load(&t, text, &key);
            /* d is not used (the CRT is), and its change is not seen; n = n is no change; e has no half */
            bool unchanged = change == AS_IS || which == 3 || (which == 1 && change == EQUAL_TO_N) ||
                             (which == 2 && change == HALF);
            if (unchanged) {
                assert_int_equal(code, HB_OK);
                assert_signs(&t, key);
            } else {
                assert_int_equal(code, HB_E_KEY_INVALID);
            }
            hb_privkey_free(&t.env, &key);
        }
    }
    assert_int_equal(t.held, 0);
    free(pem);
}

/* Numbers that fit one another where one prime is 1, or 3 and the other as long as the modulus: signing with
 * such a key would write beyond what Nettle has set aside. */
static void test_rsa_trivial(void **state)
{
    static const struct {
        const char *name, *der;
    } rows[] = {
        {"q = 1", "30{02{00}02{7f*256}02{03}02{03}02{7f*256}02{01}02{03}02{01}02{01}}"},
        {"p = 1", "30{02{00}02{7f*256}02{03}02{03}02{01}02{7f*256}02{01}02{03}02{00}}"},
        /* q = 2^2046 + 3 = e, so that e is 1 modulo q - 1 and dq = 1 */
        {"p = 3",
         "30{02{00}02{00c0 00*254 09}02{40 00*254 03}02{07}02{03}02{40 00*254 03}02{01}02{01}02{01}}"},
    };
    struct testenv t;
    struct hb_privkey *key;

    (void)state;
    testenv_init(&t, 5);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        print_message("%s\n", rows[i].name);
        (void)armour("RSA PRIVATE KEY", hb_span(der, asn1(rows[i].der, der, sizeof der)), text, sizeof text);
        assert_int_equal(load(&t, text, &key), HB_E_KEY_INVALID);
    }
    assert_int_equal(t.held, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),       cmocka_unit_test(test_made),
        cmocka_unit_test(test_around),      cmocka_unit_test(test_der_of_others),
        cmocka_unit_test(test_rsa_numbers), cmocka_unit_test(test_rsa_trivial),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
