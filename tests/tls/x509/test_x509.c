/* DER, PEM, names, times, keys and the credential store: tables of what is right and what is not, and real
 * certificates made by certtool (PKI-01, PKI-02, PKI-05, PKI-06, PKI-08, CERT-02, SNI-T1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>
#include "cred_store.h"
#include "testenv.h"
#include "x509/cert.h"
#include "x509/der.h"
#include "x509/name.h"
#include "x509/pem.h"
#include <hb/hex.h>

static struct hb_cur cur_of(const char *hex, uint8_t *mem, size_t cap)
{
    size_t len = 0;

    assert_int_equal(hb_hex_decode(hb_span_str(hex), mem, cap, &len), HB_OK);
    return hb_cur(hb_span(mem, len));
}

static void der_lengths(void **state)
{
    (void)state;
    static const struct {
        const char *name, *hex;
        bool ok;
    } rows[] = {
        {"short form", "0403 010203", true},
        {"long form", "0481 80 @", true},
        {"long form for a short length", "0481 03 010203", false},
        {"two bytes where one does", "0482 0080 @", false},
        {"indefinite", "0480 010203 0000", false},
        {"reserved", "04ff 01", false},
        {"four bytes", "0484 00000003 010203", false},
        {"beyond the end", "0404 010203", false},
        {"trailing", "0402 010203", false},
        {"another tag", "0503 010203", false},
        {"nothing", "", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t mem[512];
        char hex[600] = {0};
        for (const char *p = rows[i].hex; *p != 0; p++) {
            size_t n = strlen(hex);
            for (int k = 0; *p == '@' && k < 128; k++) {
                memcpy(hex + n + 2 * k, "55", 3);
            }
            if (*p != '@') {
                hex[n] = *p;
            }
        }
        struct hb_cur c = cur_of(hex, mem, sizeof mem);
        (void)hb_der_take(&c, HB_DER_OCTET_STRING);
        if (hb_cur_end(&c) != rows[i].ok) {
            fail_msg("%s", rows[i].name);
        }
    }
}

static void der_integers_and_booleans(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        bool ok;
        size_t len;
    } rows[] = {
        {"0201 00", true, 1},    {"0201 7f", true, 1}, {"0202 0080", true, 1},   {"0201 80", false, 0},
        {"0202 007f", false, 0}, {"0200", false, 0},   {"0203 008001", true, 2}, {"0202 ff7f", false, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t mem[16];
        struct hb_cur c = cur_of(rows[i].hex, mem, sizeof mem);
        struct hb_span s = hb_der_unsigned(&c);
        assert_int_equal(hb_cur_end(&c), rows[i].ok);
        assert_int_equal(s.len, rows[i].len);
    }
    static const struct {
        const char *hex;
        bool ok, value;
    } bools[] = {{"0101 ff", true, true},
                 {"0101 00", true, false},
                 {"0101 01", false, false},
                 {"0102 ffff", false, false}};
    for (size_t i = 0; i < sizeof bools / sizeof bools[0]; i++) {
        uint8_t mem[16];
        struct hb_cur c = cur_of(bools[i].hex, mem, sizeof mem);
        assert_int_equal(hb_der_bool(&c), bools[i].value);
        assert_int_equal(hb_cur_end(&c), bools[i].ok);
    }
}

static void times(void **state)
{
    (void)state;
    static const struct {
        uint8_t tag;
        const char *text;
        bool ok;
        uint64_t want;
    } rows[] = {
        {HB_DER_UTC_TIME, "700101000000Z", true, 0},
        {HB_DER_UTC_TIME, "260601000000Z", true, 1780272000},
        {HB_DER_UTC_TIME, "491231235959Z", true, 2524607999},
        {HB_DER_UTC_TIME, "500101000000Z", true, 0}, /* 1950 */
        {HB_DER_GENERALIZED_TIME, "20500101000000Z", true, 2524608000},
        {HB_DER_GENERALIZED_TIME, "20240229120000Z", true, 1709208000},
        {HB_DER_GENERALIZED_TIME, "99991231235959Z", true, 253402300799},
        {HB_DER_GENERALIZED_TIME, "20230229120000Z", false, 0},
        {HB_DER_GENERALIZED_TIME, "21000229000000Z", false, 0},
        {HB_DER_UTC_TIME, "260601000000", false, 0},
        {HB_DER_UTC_TIME, "2606010000Z", false, 0},
        {HB_DER_UTC_TIME, "260601000000+0100", false, 0},
        {HB_DER_UTC_TIME, "261301000000Z", false, 0},
        {HB_DER_UTC_TIME, "260600000000Z", false, 0},
        {HB_DER_UTC_TIME, "260601240000Z", false, 0},
        {HB_DER_UTC_TIME, "26060100000xZ", false, 0},
        {HB_DER_GENERALIZED_TIME, "20260601000000.5Z", false, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t mem[40] = {rows[i].tag, (uint8_t)strlen(rows[i].text)};
        memcpy(mem + 2, rows[i].text, strlen(rows[i].text));
        struct hb_cur c = hb_cur(hb_span(mem, 2 + strlen(rows[i].text)));
        uint64_t got = hb_der_time(&c);
        if (hb_cur_ok(&c) != rows[i].ok || got != rows[i].want) {
            fail_msg("%s: %llu", rows[i].text, (unsigned long long)got);
        }
    }
}

static void names(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *host;
        bool covers;
    } rows[] = {
        {"mail.test", "mail.test", true},
        {"mail.test", "MAIL.Test", true},
        {"mail.test", "mail.test.", false},
        {"mail.test", "amail.test", false},
        {"*.example.com", "a.example.com", true},
        {"*.example.com", "a.b.example.com", false},
        {"*.example.com", "example.com", false},
        {"*.example.com", ".example.com", false},
        {"f*.example.com", "foo.example.com", false},
        {"*.com", "example.com", false},
        {"*", "example", false},
        {"a.*.com", "a.b.com", false},
        {"mail test", "mail test", false},
        {"192.0.2.1", "192.0.2.1", false},
        {"", "", false},
        {"a_b.test", "a_b.test", true},
        {"xn--mnchen-3ya.test", "XN--MNCHEN-3YA.test", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool wildcard;
        if (hb_dns_name_covers(hb_span_str(rows[i].pattern), hb_span_str(rows[i].host), &wildcard) !=
            rows[i].covers) {
            fail_msg("%s and %s", rows[i].pattern, rows[i].host);
        }
    }
    char label[65];
    memset(label, 'a', 64);
    assert_true(hb_dns_name_ok(hb_span(label, 63)));
    assert_false(hb_dns_name_ok(hb_span(label, 64)));
    assert_false(hb_dns_name_ok(hb_span("a\0b", 3)));
}

static void pem_blocks(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        enum hb_code found, decoded;
        size_t len;
    } rows[] = {
        {"plain", "-----BEGIN X-----\nAAEC\n-----END X-----\n", HB_OK, HB_OK, 3},
        {"CRLF and text around", "hello\r\n-----BEGIN X-----\r\nAAEC\r\nAw==\r\n-----END X-----\r\nbye",
         HB_OK, HB_OK, 4},
        {"no newline at the end", "-----BEGIN X-----\nAAE=\n-----END X-----", HB_OK, HB_OK, 2},
        {"nothing", "hello\n", HB_E_PEM_NONE, HB_OK, 0},
        {"no end", "-----BEGIN X-----\nAAEC\n", HB_E_PEM_ARMOUR, HB_OK, 0},
        {"another end", "-----BEGIN X-----\nAAEC\n-----END Y-----\n", HB_E_PEM_ARMOUR, HB_OK, 0},
        {"begin in a block", "-----BEGIN X-----\n-----BEGIN X-----\nAAEC\n-----END X-----\n", HB_E_PEM_ARMOUR,
         HB_OK, 0},
        {"bad character", "-----BEGIN X-----\nAA!C\n-----END X-----\n", HB_OK, HB_E_PEM_ARMOUR, 0},
        {"not whole", "-----BEGIN X-----\nAAECA\n-----END X-----\n", HB_OK, HB_E_PEM_ARMOUR, 0},
        {"data behind padding", "-----BEGIN X-----\nAA==AAEC\n-----END X-----\n", HB_OK, HB_E_PEM_ARMOUR, 0},
        {"too much padding", "-----BEGIN X-----\nA===\n-----END X-----\n", HB_OK, HB_E_PEM_ARMOUR, 0},
        {"empty", "-----BEGIN X-----\n-----END X-----\n", HB_OK, HB_E_PEM_ARMOUR, 0},
        {"too long", "-----BEGIN X-----\nAAECAAECAAEC\n-----END X-----\n", HB_OK, HB_E_OVERFLOW, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct hb_span text = hb_span_str(rows[i].text);
        struct hb_pem_block block;
        uint8_t dst[8];
        size_t len = 0;
        enum hb_code code = hb_pem_next(&text, &block);
        if (code != rows[i].found) {
            fail_msg("%s: %s", rows[i].name, hb_err_name(code));
        }
        if (code == HB_OK) {
            code = hb_pem_decode(&block, dst, sizeof dst, &len);
            if (code != rows[i].decoded || (code == HB_OK && len != rows[i].len)) {
                fail_msg("%s: %s, %zu", rows[i].name, hb_err_name(code), len);
            }
        }
    }
}

/* ---- real certificates ---- */

static char text[2][65536];

static struct hb_span read_file(const char *name, char *mem)
{
    const char *folder = getenv("CERTS");
    char path[512];

    assert_non_null(folder);
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        fail_msg("cannot open %s", path);
    }
    size_t len = fread(mem, 1, 65536, f);
    (void)fclose(f);
    return hb_span(mem, len);
}

static enum hb_code load(struct testenv *t, const char *chain, const char *key, struct hb_cred_facts *facts)
{
    struct hb_cred_store *store = hb_cred_store_new(&t->env);
    if (store == NULL) {
        return HB_E_NO_MEMORY;
    }
    enum hb_code code = hb_cred_store_add(store, read_file(chain, text[0]), read_file(key, text[1]), facts);
    assert_int_equal(hb_cred_store_count(store), code == HB_OK ? 1 : 0);
    hb_cred_store_free(&store);
    return code;
}

static void loading(void **state)
{
    (void)state;
    static const struct {
        const char *chain, *key;
        enum hb_code code;
        const char *kind, *names;
    } rows[] = {
        {"ecdsa-p256.crt", "ecdsa-p256.key", HB_OK, "ECDSA P-256", "mail.test,localhost"},
        {"ecdsa-p256.crt", "ecdsa-p256.sec1.key", HB_OK, "ECDSA P-256", "mail.test,localhost"},
        {"ecdsa-p384.crt", "ecdsa-p384.key", HB_OK, "ECDSA P-384", "mail.test,localhost"},
        {"ed25519.crt", "ed25519.key", HB_OK, "Ed25519", "mail.test,localhost"},
        {"rsa2048.crt", "rsa2048.key", HB_OK, "RSA 2048", "mail.test,localhost"},
        {"rsa2048.crt", "rsa2048.pkcs1.key", HB_OK, "RSA 2048", "mail.test,localhost"},
        {"rsa3072.crt", "rsa3072.key", HB_OK, "RSA 3072", "mail.test,localhost"},
        {"wildcard.crt", "wildcard.key", HB_OK, "ECDSA P-256", "*.wild.test"},
        {"cn-only.crt", "cn-only.key", HB_OK, "ECDSA P-256", "cn.test"},
        {"chain.crt", "chain.key", HB_OK, "ECDSA P-256", "mail.test,localhost"},
        {"expired.crt", "expired.key", HB_E_CERT_EXPIRED, "ECDSA P-256", "mail.test,localhost"},
        {"future.crt", "future.key", HB_E_CERT_NOT_YET, "ECDSA P-256", "mail.test,localhost"},
        {"weak.crt", "weak.key", HB_E_KEY_WEAK, "RSA 1024", "mail.test,localhost"},
        {"ecdsa-p256.crt", "other.key", HB_E_KEY_MISMATCH, NULL, NULL},
        {"ecdsa-p256.crt", "rsa2048.key", HB_E_KEY_MISMATCH, NULL, NULL},
        {"rsa2048.crt", "rsa3072.key", HB_E_KEY_MISMATCH, NULL, NULL},
        {"ecdsa-p256.crt", "ecdsa-p256.encrypted.key", HB_E_PEM_ENCRYPTED, NULL, NULL},
        {"rsa2048.crt", "rsa2048.encrypted-pkcs1.key", HB_E_PEM_ENCRYPTED, NULL, NULL},
        {"ecdsa-p256.crt", "ecdsa-p256.crt", HB_E_PEM_NONE, NULL, NULL},
        {"ecdsa-p256.key", "ecdsa-p256.key", HB_E_PEM_NONE, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct testenv t;
        struct hb_cred_facts facts;
        testenv_init(&t, 5);
        t.wall = (uint64_t)time(NULL);
        enum hb_code code = load(&t, rows[i].chain, rows[i].key, &facts);
        if (code != rows[i].code) {
            fail_msg("%s with %s: %s", rows[i].chain, rows[i].key, hb_err_name(code));
        }
        if (rows[i].kind != NULL) {
            assert_string_equal(facts.key, rows[i].kind);
            assert_string_equal(facts.names, rows[i].names);
        }
        assert_int_equal(t.held, 0);
    }
}

static void out_of_memory_anywhere(void **state)
{
    (void)state;
    static const char *const files[][2] = {
        {"ecdsa-p256.crt", "ecdsa-p256.key"}, {"rsa2048.crt", "rsa2048.key"}, {"ed25519.crt", "ed25519.key"}};
    for (size_t i = 0; i < 3; i++) {
        for (size_t n = 1;; n++) {
            struct testenv t;
            testenv_init(&t, 5);
            t.wall = (uint64_t)time(NULL);
            t.fail_at = n;
            enum hb_code code = load(&t, files[i][0], files[i][1], NULL);
            assert_int_equal(t.held, 0);
            if (code == HB_OK) {
                assert_true(n > 5);
                break;
            }
            assert_int_equal(code, HB_E_NO_MEMORY);
        }
    }
}

static void every_cut_of_a_certificate_is_refused(void **state)
{
    (void)state;
    struct hb_span pem = read_file("ecdsa-p256.crt", text[0]);
    struct hb_pem_block block;
    uint8_t der[4096];
    size_t len;
    struct hb_cert cert;
    assert_int_equal(hb_pem_next(&pem, &block), HB_OK);
    assert_int_equal(hb_pem_decode(&block, der, sizeof der, &len), HB_OK);
    assert_int_equal(hb_cert_parse(hb_span(der, len), &cert), HB_OK);
    assert_true(cert.eku_server_auth && cert.has_san && !cert.is_ca);
    for (size_t cut = 0; cut < len; cut++) {
        assert_int_not_equal(hb_cert_parse(hb_span(der, cut), &cert), HB_OK);
    }
    der[len] = 0;
    assert_int_not_equal(hb_cert_parse(hb_span(der, len + 1), &cert), HB_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(der_lengths),
        cmocka_unit_test(der_integers_and_booleans),
        cmocka_unit_test(times),
        cmocka_unit_test(names),
        cmocka_unit_test(pem_blocks),
        cmocka_unit_test(loading),
        cmocka_unit_test(out_of_memory_anywhere),
        cmocka_unit_test(every_cut_of_a_certificate_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
