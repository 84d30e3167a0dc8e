/* Certificates: one that is good, and everything that can be wrong with it, one thing at a time (PKI-01,
 * PKI-02, PKI-05, PKI-06); then those that certtool makes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "asn1.h"
#include "testenv.h"
#include "x509/cert.h"
#include "x509/name.h"
#include "x509/pem.h"

#define ECDSA_SHA256 "30{06{2a8648ce3d040302}}"
#define EC_P256      "30{06{2a8648ce3d0201}06{2a8648ce3d030107}}"
/* the base point of P-256: a public key like any other */
#define POINT                                                                                                \
    "04 6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"                                    \
    "   4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
#define SERVER_AUTH "06{2b06010505070301}"

static const char good[] = "30{ 30{"
                           " a0{02{02}}"
                           " 02{1234}"
                           " " ECDSA_SHA256 " 30{31{30{06{550403}0c{'issuer'}}}}"
                           " 30{17{'260101000000Z'}17{'270101000000Z'}}"
                           " 30{31{30{06{550406}13{'DE'}}}31{30{06{550403}0c{'cn.test'}}}}"
                           " 30{" EC_P256 "03{00" POINT "}}"
                           " a3{30{"
                           " 30{06{551d0f}01{ff}04{03{0780}}}"
                           " 30{06{551d11}04{30{87{7f000001}82{'mail.test'}81{'x@y'}82{'*.mail.test'}}}}"
                           " 30{06{551d13}01{ff}04{30{}}}"
                           " 30{06{551d25}04{30{" SERVER_AUTH "}}}"
                           " 30{06{551d0e}04{04{'id'}}}"
                           " }}"
                           " } " ECDSA_SHA256 " 03{00 30{02{01}02{01}}} }";

/* clang-format off */
static const struct {
    const char *name, *find, *by;
    enum hb_code want;
} rows[] = {
    {"as it is",                            NULL, NULL, HB_OK},
    {"no extensions",                       "a3{30{ 30{06{551d0f}01{ff}04{03{0780}}} 30{06{551d11}04{30{87{7f000001}82{'mail.test'}81{'x@y'}82{'*.mail.test'}}}} 30{06{551d13}01{ff}04{30{}}} 30{06{551d25}04{30{" SERVER_AUTH "}}} 30{06{551d0e}04{04{'id'}}} }}", "", HB_OK},
    {"unique identifiers",                  " a3{", " 81{00aa} 82{00bb} a3{", HB_OK},
    {"GeneralizedTime",                     "17{'270101000000Z'}", "18{'20500101000000Z'}", HB_OK},
    {"negative serial number",              "02{1234}", "02{81}", HB_OK},
    {"critical written out as FALSE",       "06{551d25}", "06{551d25}01{00}", HB_OK},
    {"unknown critical extension",          "06{551d0e}", "06{551d63}01{ff}", HB_OK},
    {"path length",                         "04{30{}}", "04{30{01{ff}02{00}}}", HB_OK},

    {"version 1 (PKI-01)",                  "a0{02{02}}", "", HB_E_X509_VERSION},
    {"version 1, written out",              "a0{02{02}}", "a0{02{00}}", HB_E_X509_VERSION},
    {"version 2",                           "a0{02{02}}", "a0{02{01}}", HB_E_X509_VERSION},
    {"version 4",                           "a0{02{02}}", "a0{02{03}}", HB_E_X509_VERSION},
    {"version 2 + 256",                     "a0{02{02}}", "a0{02{0102}}", HB_E_X509_VERSION},
    {"version padded",                      "a0{02{02}}", "a0{02{0002}}", HB_E_X509_VERSION},
    {"version, something behind it",        "a0{02{02}}", "a0{02{02}05{}}", HB_E_X509_VERSION},
    {"serial number missing",               "02{1234}", "", HB_E_DER},
    {"serial number empty",                 "02{1234}", "02{}", HB_E_DER},
    {"serial number padded",                "02{1234}", "02{000034}", HB_E_DER},
    {"serial number padded, negative",      "02{1234}", "02{ffff34}", HB_E_DER},
    {"serial number is a string",           "02{1234}", "04{1234}", HB_E_DER},
    {"algorithms differ (PKI-01)",          ECDSA_SHA256, "30{06{2a8648ce3d040303}}", HB_E_DER},
    {"algorithm parameters differ",         ECDSA_SHA256, "30{06{2a8648ce3d040302}05{}}", HB_E_DER},
    {"issuer is no SEQUENCE",               "30{31{30{06{550403}0c{'issuer'}}}}", "31{31{30{06{550403}0c{'issuer'}}}}", HB_E_DER},
    {"subject is no SEQUENCE",              "30{31{30{06{550406}", "31{31{30{06{550406}", HB_E_DER},
    {"validity has one time",               "17{'270101000000Z'}", "", HB_E_DER},
    {"validity has three times",            "17{'270101000000Z'}", "17{'270101000000Z'}17{'270101000000Z'}", HB_E_DER},
    {"time without seconds (PKI-02)",       "260101000000Z", "2601010000Z", HB_E_DER},
    {"time with an offset (PKI-02)",        "270101000000Z", "270101000000+0100", HB_E_DER},
    {"time of another type",                "17{'260101000000Z'}", "13{'260101000000Z'}", HB_E_DER},
    {"nothing behind the subject",          " 30{" EC_P256 "03{00" POINT "}}", "", HB_E_X509_ALGORITHM},
    {"key: unused bits",                    "03{00" POINT, "03{01" POINT, HB_E_DER},
    {"key: something behind it",            POINT "}", POINT "}05{}", HB_E_DER},
    {"key: explicit curve (PKI-05)",        EC_P256, "30{06{2a8648ce3d0201}30{02{01}}}", HB_E_X509_ALGORITHM},
    {"key: no curve",                       EC_P256, "30{06{2a8648ce3d0201}}", HB_E_X509_ALGORITHM},
    {"key: unknown curve secp256k1",        EC_P256, "30{06{2a8648ce3d0201}06{2b8104000a}}", HB_E_X509_ALGORITHM},
    {"key: something behind the curve",     EC_P256, "30{06{2a8648ce3d0201}06{2a8648ce3d030107}05{}}", HB_E_X509_ALGORITHM},
    {"key: P-521",                          EC_P256, "30{06{2a8648ce3d0201}06{2b81040023}}", HB_OK},
    {"key: DSA",                            EC_P256, "30{06{2a8648ce380401}}", HB_E_X509_ALGORITHM},
    {"key: Ed25519",                        EC_P256, "30{06{2b6570}}", HB_OK},
    {"key: Ed25519 with parameters",        EC_P256, "30{06{2b6570}05{}}", HB_E_X509_ALGORITHM},
    {"key: X25519",                         EC_P256, "30{06{2b656e}}", HB_E_X509_ALGORITHM},
    {"key: RSA",                            EC_P256 "03{00" POINT, "30{06{2a864886f70d010101}05{}}03{00 30{02{00ff}02{03}}", HB_OK},
    {"key: RSA-PSS, no parameters",         EC_P256 "03{00" POINT, "30{06{2a864886f70d01010a}}03{00 30{02{00ff}02{03}}", HB_OK},
    {"key: RSA without NULL",               EC_P256 "03{00" POINT, "30{06{2a864886f70d010101}}03{00 30{02{00ff}02{03}}", HB_E_X509_ALGORITHM},
    {"key: RSA with other parameters",      EC_P256 "03{00" POINT, "30{06{2a864886f70d010101}05{00}}03{00 30{02{00ff}02{03}}", HB_E_X509_ALGORITHM},
    {"key: RSA, negative modulus",          EC_P256 "03{00" POINT, "30{06{2a864886f70d010101}05{}}03{00 30{02{ff}02{03}}", HB_E_DER},
    {"key: RSA, no exponent",               EC_P256 "03{00" POINT, "30{06{2a864886f70d010101}05{}}03{00 30{02{00ff}}", HB_E_DER},
    {"key: RSA, three numbers",             EC_P256 "03{00" POINT, "30{06{2a864886f70d010101}05{}}03{00 30{02{00ff}02{03}02{01}}", HB_E_DER},
    {"key: RSA, something behind it",       EC_P256 "03{00" POINT, "30{06{2a864886f70d010101}05{}}03{00 30{02{00ff}02{03}}05{}", HB_E_DER},
    {"extensions twice",                    " } " ECDSA_SHA256, " a3{30{}} } " ECDSA_SHA256, HB_E_DER},
    {"extensions, something behind them",   " }} ", " }05{}} ", HB_E_DER},
    {"extension without value",             "30{06{551d0e}04{04{'id'}}}", "30{06{551d0e}}", HB_E_DER},
    {"extension, value no OCTET STRING",    "30{06{551d0e}04{", "30{06{551d0e}05{", HB_E_DER},
    {"extension, something behind it",      "04{04{'id'}}}", "04{04{'id'}}05{}}", HB_E_DER},
    {"extension, critical 01",              "01{ff}04{03{0780}}", "01{01}04{03{0780}}", HB_E_DER},
    {"extension, no identifier",            "30{06{551d0e}", "30{", HB_E_DER},
    {"keyUsage twice (RFC 5280 4.2)",       "06{551d0e}04{04{'id'}}", "06{551d0f}04{03{0780}}", HB_E_DER},
    {"SAN twice",                           "06{551d0e}04{04{'id'}}", "06{551d11}04{30{82{'other.test'}}}", HB_E_DER},
    {"keyUsage no BIT STRING",              "03{0780}", "04{0780}", HB_E_DER},
    {"keyUsage, 8 unused bits",             "03{0780}", "03{0880}", HB_E_DER},
    {"keyUsage, unused bits set",           "03{0780}", "03{0781}", HB_E_DER},
    {"keyUsage, no bits but unused ones",   "03{0780}", "03{01}", HB_E_DER},
    {"keyUsage empty",                      "03{0780}", "03{}", HB_E_DER},
    {"keyUsage, something behind it",       "03{0780}", "03{0780}05{}", HB_E_DER},
    {"SAN no SEQUENCE",                     "04{30{87{", "04{31{87{", HB_E_DER},
    {"SAN, name cut short",                 "82{'*.mail.test'}", "820c'*.mail.test'", HB_E_DER},
    {"SAN, name with indefinite length",    "82{'mail.test'}", "8280'mail.test'0000", HB_E_DER},
    {"SAN, something behind it",            "82{'*.mail.test'}}", "82{'*.mail.test'}}05{}", HB_E_DER},
    {"EKU no SEQUENCE",                     "04{30{" SERVER_AUTH "}}", "04{" SERVER_AUTH "}", HB_E_DER},
    {"EKU, no OID",                         SERVER_AUTH, "05{}", HB_E_DER},
    {"basicConstraints, cA 01",             "04{30{}}", "04{30{01{01}}}", HB_E_DER},
    {"basicConstraints, path negative",     "04{30{}}", "04{30{01{ff}02{ff}}}", HB_E_DER},
    {"basicConstraints, something more",    "04{30{}}", "04{30{01{ff}02{00}05{}}}", HB_E_DER},
    {"signature with unused bits",          "03{00 30{02", "03{04 30{02", HB_E_DER},
    {"signature missing",                   "03{00 30{02{01}02{01}}}", "", HB_E_DER},
    {"something behind the signature",      "03{00 30{02{01}02{01}}}", "03{00 30{02{01}02{01}}}05{}", HB_E_DER},
    {"outermost is a SET",                  "30{ 30{", "31{ 30{", HB_E_DER},
    {"tbs is a SET",                        "30{ 30{", "30{ 31{", HB_E_DER},
};

/* The names of a certificate in their order. */
static const struct {
    const char *name, *find, *by;
    const char *want;
} names[] = {
    {"those of the SAN, not the CN",        NULL, NULL, "mail.test *.mail.test"},
    {"an empty one is no end",              "82{'mail.test'}", "82{}82{'mail.test'}", "mail.test *.mail.test"},
    {"SAN with an address only: no CN (PKI-06)", "82{'mail.test'}81{'x@y'}82{'*.mail.test'}", "", ""},
    {"SAN empty: no CN",                    "87{7f000001}82{'mail.test'}81{'x@y'}82{'*.mail.test'}", "", ""},
    {"no SAN: CN",                          "06{551d11}", "06{551d63}", "cn.test"},
    {"constructed [2] is no dNSName",       "82{'mail.test'}", "a2{'mail.test'}", "*.mail.test"},
};
/* clang-format on */

static uint8_t der[1 << 17];
static char text[1 << 16];

static size_t make(const char *find, const char *by)
{
    asn1_replace(good, find, by, text, sizeof text);
    return asn1(text, der, sizeof der);
}

static enum hb_code parse_exact(const uint8_t *p, size_t len)
{
    struct hb_cert cert;
    uint8_t *exact = malloc(len + 1); /* its own block, so that a sanitizer sees one byte too far */

    assert_non_null(exact);
    memcpy(exact, p, len);
    enum hb_code code = hb_cert_parse(hb_span(exact, len), &cert);
    if (code == HB_OK) {
        struct hb_cert_names walk = hb_cert_names(&cert);
        for (unsigned i = 0; hb_cert_next_name(&walk).len > 0; i++) {
            assert_true(i < len);
        }
    }
    free(exact);
    return code;
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        print_message("%s\n", rows[i].name);
        size_t len = make(rows[i].find, rows[i].by);
        assert_string_equal(hb_err_name(parse_exact(der, len)), hb_err_name(rows[i].want));
    }
}

static void test_trailing(void **state)
{
    size_t len = make(NULL, NULL);

    (void)state;
    assert_int_equal(parse_exact(der, len), HB_OK);
    der[len] = 0;
    assert_int_equal(parse_exact(der, len + 1), HB_E_DER);
    for (size_t cut = 0; cut < len; cut++) {
        assert_int_not_equal(parse_exact(der, cut), HB_OK);
    }
}

/* Each byte changed to each value: whatever comes of it, it comes without reading beyond. */
static void test_bytes_changed(void **state)
{
    size_t len = make(NULL, NULL);
    size_t refused = 0;

    (void)state;
    for (size_t i = 0; i < len; i++) {
        uint8_t old = der[i];
        for (unsigned v = 0; v < 256; v += 3) {
            der[i] = (uint8_t)v;
            refused += parse_exact(der, len) != HB_OK;
        }
        der[i] = old;
    }
    assert_true(refused > 0);
}

/* The largest we take, and one byte more. */
static void test_large(void **state)
{
    char by[64];

    (void)state;
    (void)snprintf(by, sizeof by, "04{04{00*%u}}", 65000u);
    size_t len = make("04{04{'id'}}", by);
    unsigned num = (unsigned)(65000 + HB_CERT_MAX - len);
    (void)snprintf(by, sizeof by, "04{04{00*%u}}", num);
    len = make("04{04{'id'}}", by);
    assert_int_equal(len, HB_CERT_MAX);
    assert_int_equal(parse_exact(der, len), HB_OK);
    (void)snprintf(by, sizeof by, "04{04{00*%u}}", num + 1);
    len = make("04{04{'id'}}", by);
    assert_int_equal(len, HB_CERT_MAX + 1);
    assert_int_equal(parse_exact(der, len), HB_E_DER);
}

static void test_views(void **state)
{
    struct testenv t;
    struct hb_cert cert;
    struct hb_pubkey *key;

    (void)state;
    testenv_init(&t, 1);
    size_t len = make(NULL, NULL);
    assert_int_equal(hb_cert_parse(hb_span(der, len), &cert), HB_OK);
    assert_true(hb_span_eq(cert.der, hb_span(der, len)));
    assert_true(hb_span_eq(cert.serial, hb_span("\x12\x34", 2)));
    assert_int_equal(cert.issuer.p[0], 0x30);
    assert_int_equal(cert.issuer.len, 2 + 17);
    assert_int_equal(cert.not_before, 1767225600);
    assert_int_equal(cert.not_after, 1798761600);
    assert_int_equal(cert.key_kind, HB_KEY_P256);
    assert_int_equal(cert.point.len, 65);
    assert_true(cert.has_key_usage && cert.key_usage == HB_KU_DIGITAL_SIGNATURE);
    assert_true(cert.has_san && cert.has_eku && cert.eku_server_auth);
    assert_false(cert.is_ca);
    assert_true(hb_span_eq(cert.sig_oid, hb_span("\x2a\x86\x48\xce\x3d\x04\x03\x02", 8)));
    assert_int_equal(cert.tbs.p[0], 0x30);
    assert_true(cert.tbs.p > der && cert.tbs.p + cert.tbs.len < der + len);
    assert_int_equal(hb_cert_pubkey(&cert, &t.env, &key), HB_OK);
    assert_int_equal(hb_pubkey_kind(key), HB_KEY_P256);
    hb_pubkey_free(&t.env, &key);
    /* a point that is none is a certificate nobody can verify with */
    len = make("4fe342e2", "4fe342e3");
    assert_int_equal(hb_cert_parse(hb_span(der, len), &cert), HB_OK);
    assert_int_equal(hb_cert_pubkey(&cert, &t.env, &key), HB_E_KEY_INVALID);
    /* EKU for clients only, and for anything */
    len = make(SERVER_AUTH, "06{2b06010505070302}");
    assert_int_equal(hb_cert_parse(hb_span(der, len), &cert), HB_OK);
    assert_true(cert.has_eku && !cert.eku_server_auth);
    len = make(SERVER_AUTH, "06{2b06010505070302}06{551d2500}");
    assert_int_equal(hb_cert_parse(hb_span(der, len), &cert), HB_OK);
    assert_true(cert.eku_server_auth);
    len = make("04{30{}}", "04{30{01{ff}02{03}}}");
    assert_int_equal(hb_cert_parse(hb_span(der, len), &cert), HB_OK);
    assert_true(cert.is_ca);
    assert_int_equal(t.held, 0);
}

static void test_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct hb_cert cert;
        char got[256] = "";
        print_message("%s\n", names[i].name);
        size_t len = make(names[i].find, names[i].by);
        assert_int_equal(hb_cert_parse(hb_span(der, len), &cert), HB_OK);
        struct hb_cert_names walk = hb_cert_names(&cert);
        for (struct hb_span n; (n = hb_cert_next_name(&walk)).len > 0;) {
            size_t at = strlen(got);
            (void)snprintf(got + at, sizeof got - at, "%s%.*s", at > 0 ? " " : "", (int)n.len,
                           (const char *)n.p);
        }
        assert_string_equal(got, names[i].want);
        assert_int_equal(hb_cert_next_name(&walk).len, 0); /* and stays at its end */
    }
}

/* PKI-05, PKI-08: what certtool makes of every kind. */
static void test_made(void **state)
{
    static const struct {
        const char *file;
        enum hb_key_kind kind;
        unsigned bits;
        const char *first_name;
    } made[] = {
        {"ca.crt", HB_KEY_RSA, 2048, "hauberk test CA"},   {"ecdsa-p256.crt", HB_KEY_P256, 256, "mail.test"},
        {"ecdsa-p384.crt", HB_KEY_P384, 384, "mail.test"}, {"ecdsa-p521.crt", HB_KEY_P521, 521, "mail.test"},
        {"ed25519.crt", HB_KEY_ED25519, 256, "mail.test"}, {"rsa2048.crt", HB_KEY_RSA, 2048, "mail.test"},
        {"rsa3072.crt", HB_KEY_RSA, 3072, "mail.test"},    {"rsa-pss.crt", HB_KEY_RSA_PSS, 2048, "mail.test"},
        {"weak.crt", HB_KEY_RSA, 1024, "mail.test"},       {"wildcard.crt", HB_KEY_P256, 256, "*.wild.test"},
        {"cn-only.crt", HB_KEY_P256, 256, "cn.test"},
    };
    struct testenv t;

    (void)state;
    testenv_init(&t, 2);
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
        struct hb_cert cert;
        struct hb_pem_block block;
        struct hb_pubkey *key;
        size_t len;
        print_message("%s\n", made[i].file);
        char *pem = certs_file(made[i].file);
        struct hb_span rest = hb_span_str(pem);
        assert_int_equal(hb_pem_next(&rest, &block), HB_OK);
        assert_int_equal(hb_pem_decode(&block, der, sizeof der, &len), HB_OK);
        assert_int_equal(parse_exact(der, len), HB_OK);
        assert_int_equal(hb_cert_parse(hb_span(der, len), &cert), HB_OK);
        assert_int_equal(cert.key_kind, made[i].kind);
        assert_int_equal(cert.is_ca, i == 0);
        assert_int_equal(cert.eku_server_auth, i != 0);
        struct hb_cert_names walk = hb_cert_names(&cert);
        assert_true(hb_span_is(hb_cert_next_name(&walk), made[i].first_name));
        assert_int_equal(hb_cert_pubkey(&cert, &t.env, &key), HB_OK);
        assert_int_equal(hb_pubkey_bits(key), made[i].bits);
        hb_pubkey_free(&t.env, &key);
        for (size_t cut = 0; cut < len; cut++) {
            assert_int_not_equal(parse_exact(der, cut), HB_OK);
        }
        free(pem);
    }
    assert_int_equal(t.held, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),  cmocka_unit_test(test_trailing), cmocka_unit_test(test_bytes_changed),
        cmocka_unit_test(test_large), cmocka_unit_test(test_views),    cmocka_unit_test(test_names),
        cmocka_unit_test(test_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
