/* dane.c: what follows from DNS' answer (DANE-01), and which chain which record takes (DANE-02); the same
 * chain by public authorities. Certificates are the test folder's, records are made of them here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "asn1.h"
#include "testenv.h"
#include "x509/cert.h"
#include "x509/pem.h"
#include <hb/builder.h>
#include <hb/dane.h>
#include <hb/judge.h>

static void rules(void **state)
{
    (void)state;
    static const char none[64];
    const struct hb_span d32 = hb_span(none, 32);
    const struct hb_span d64 = hb_span(none, 64);
    const struct hb_span d5 = hb_span(none, 5);
    const struct {
        enum hb_dane_found found;
        size_t num;
        struct hb_tlsa r[2];
        enum hb_dane_rule rule;
    } rows[] = {
        {HB_DANE_INSECURE, 0, {{0}}, HB_DANE_OPPORTUNISTIC},
        {HB_DANE_INSECURE, 1, {{3, 1, 1, d32}}, HB_DANE_OPPORTUNISTIC}, /* an attacker's, perhaps */
        {HB_DANE_SECURE, 0, {{0}}, HB_DANE_OPPORTUNISTIC},              /* securely none */
        {HB_DANE_ERROR, 0, {{0}}, HB_DANE_AVOID},
        {HB_DANE_ERROR, 1, {{3, 1, 1, d32}}, HB_DANE_AVOID},
        {HB_DANE_SECURE, 1, {{3, 1, 1, d32}}, HB_DANE_MATCH},
        {HB_DANE_SECURE, 1, {{3, 0, 2, d64}}, HB_DANE_MATCH},
        {HB_DANE_SECURE, 1, {{2, 1, 0, d5}}, HB_DANE_MATCH},
        {HB_DANE_SECURE, 1, {{0, 1, 1, d32}}, HB_DANE_TLS}, /* usages of the web's authorities */
        {HB_DANE_SECURE, 1, {{1, 1, 1, d32}}, HB_DANE_TLS},
        {HB_DANE_SECURE, 1, {{4, 1, 1, d32}}, HB_DANE_TLS},
        {HB_DANE_SECURE, 1, {{3, 2, 1, d32}}, HB_DANE_TLS},
        {HB_DANE_SECURE, 1, {{3, 1, 3, d32}}, HB_DANE_TLS},
        {HB_DANE_SECURE, 1, {{3, 1, 1, d64}}, HB_DANE_TLS}, /* not a SHA-256 */
        {HB_DANE_SECURE, 1, {{3, 1, 2, d32}}, HB_DANE_TLS},
        {HB_DANE_SECURE, 1, {{3, 1, 0, {NULL, 0}}}, HB_DANE_TLS},
        {HB_DANE_SECURE, 2, {{1, 1, 1, d32}, {3, 1, 1, d32}}, HB_DANE_MATCH},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum hb_dane_rule rule = hb_dane_decide(rows[i].found, rows[i].r, rows[i].num);
        if (rule != rows[i].rule) {
            fail_msg("row %zu: %d", i, (int)rule);
        }
    }
}

static void texts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
        size_t len;
    } rows[] = {
        {"3 1 1 0123abCD", true, 4},
        {" 2\t0  2 01 23", true, 2},
        {"3 1 1 00112233445566778899", true, 10},
        {"3 1 1", false, 0},
        {"3 1 1 ", false, 0},
        {"3 1 1 0", false, 0},
        {"3 1 1 0g", false, 0},
        {"3 1 256 00", false, 0},
        {"3 1 -1 00", false, 0},
        {"3 1 1111 00", false, 0},
        {"3,1,1 00", false, 0},
        {"", false, 0},
        {"3 1 1 0011223344556677889900", false, 0}, /* longer than there is room for */
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct hb_tlsa r;
        uint8_t mem[10];
        bool good = hb_tlsa_parse(rows[i].text, &r, mem, sizeof mem);
        if (good != rows[i].good || (good && r.data.len != rows[i].len)) {
            fail_msg("row %zu: %s", i, rows[i].text);
        }
    }
}

/* The certificates of the files, all of each, one behind another, as TLS gives them. */
struct chain {
    uint8_t bytes[20000];
    size_t len;
    struct hb_span cert[8]; /* views */
    unsigned num;
};

static void add_file(struct chain *c, const char *name)
{
    char *text = certs_file(name);
    struct hb_span rest = hb_span_str(text);
    struct hb_pem_block block;

    while (hb_pem_next(&rest, &block) == HB_OK) {
        size_t len;
        uint8_t *der = c->bytes + c->len + 3;
        assert_int_equal(hb_pem_decode(&block, der, sizeof c->bytes - c->len - 3, &len), HB_OK);
        der[-3] = (uint8_t)(len >> 16);
        der[-2] = (uint8_t)(len >> 8);
        der[-1] = (uint8_t)len;
        c->cert[c->num++] = hb_span(der, len);
        c->len += len + 3;
    }
    free(text);
}

/* The record's data for a certificate, in mem. */
static struct hb_span data_of(const struct hb_tlsa *r, struct hb_span der, uint8_t mem[64])
{
    struct hb_cert cert;

    assert_int_equal(hb_cert_parse(der, &cert), HB_OK);
    struct hb_span bytes = r->selector == 0 ? cert.der : cert.spki;
    if (r->matching == 0) {
        return bytes;
    }
    hb_hash_once(r->matching == 1 ? &hb_sha256 : &hb_sha512, bytes, mem);
    return hb_span(mem, r->matching == 1 ? 32 : 64);
}

static void chains(void **state)
{
    (void)state;
    static const struct {
        const char *files[2]; /* what the server shows */
        uint8_t usage, selector, matching;
        int of; /* the certificate the record was made of; -1: the CA that was not shown */
        const char *names[2];
        enum hb_code code;
    } rows[] = {
        {{"ecdsa-p256.crt"}, 3, 1, 1, 0, {"mail.test"}, HB_OK},
        {{"ecdsa-p256.crt"}, 3, 1, 2, 0, {"mail.test"}, HB_OK},
        {{"ecdsa-p256.crt"}, 3, 1, 0, 0, {"mail.test"}, HB_OK},
        {{"ecdsa-p256.crt"}, 3, 0, 1, 0, {"mail.test"}, HB_OK},
        {{"ecdsa-p256.crt"}, 3, 0, 2, 0, {"mail.test"}, HB_OK},
        {{"ecdsa-p256.crt"}, 3, 0, 0, 0, {"mail.test"}, HB_OK},
        {{"other.crt"}, 3, 1, 1, 0, {"mail.test"}, HB_OK},   /* EE: names do not count */
        {{"expired.crt"}, 3, 1, 1, 0, {"mail.test"}, HB_OK}, /* nor do dates */
        {{"future.crt"}, 3, 1, 1, 0, {"mail.test"}, HB_OK},
        {{"chain.crt"}, 3, 1, 1, 1, {"mail.test"}, HB_E_X509_TLSA}, /* EE: the leaf and nothing else */
        {{"ecdsa-p256.crt"}, 3, 1, 1, -1, {"mail.test"}, HB_E_X509_TLSA},
        {{"chain.crt"}, 2, 1, 1, 1, {"mail.test"}, HB_OK},
        {{"chain.crt"}, 2, 0, 2, 1, {"mail.test"}, HB_OK},
        {{"chain.crt"}, 2, 1, 0, 1, {"mail.test"}, HB_OK},
        {{"ecdsa-p256.crt", "ca.crt"}, 2, 0, 1, 1, {"mail.test"}, HB_OK},
        {{"ecdsa-p256.crt"}, 2, 0, 1, -1, {"mail.test"}, HB_E_X509_TLSA}, /* the server must show it */
        {{"ecdsa-p256.crt"}, 2, 0, 0, -1, {"mail.test"}, HB_E_X509_TLSA},
        {{"other.crt", "ca.crt"}, 2, 0, 1, 1, {"mail.test"}, HB_E_X509_NAME_MISMATCH},
        {{"other.crt", "ca.crt"}, 2, 0, 1, 1, {"mail.test", "other.test"}, HB_OK}, /* the next-hop domain */
        {{"expired.crt", "ca.crt"}, 2, 0, 1, 1, {"mail.test"}, HB_E_CERT_EXPIRED},
        {{"ecdsa-p256.crt", "intermediate.crt"},
         2,
         0,
         1,
         1,
         {"mail.test"},
         HB_E_X509_UNKNOWN_CA},                                                    /* not its issuer */
        {{"ecdsa-p256.crt", "ca.crt"}, 1, 0, 1, 0, {"mail.test"}, HB_E_X509_TLSA}, /* PKIX usages are no use
                                                                                    */
    };
    struct chain ca = {0};

    add_file(&ca, "ca.crt");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct testenv t;
        struct chain c = {0};
        struct hb_span names[2];
        size_t num_names = 0;
        uint8_t mem[64];
        testenv_init(&t, 1);
        for (size_t k = 0; k < 2 && rows[i].files[k] != NULL; k++) {
            add_file(&c, rows[i].files[k]);
        }
        for (; num_names < 2 && rows[i].names[num_names] != NULL; num_names++) {
            names[num_names] = hb_span_str(rows[i].names[num_names]);
        }
        struct hb_tlsa r[2] = {{3, 1, 1, hb_span("nothing that is of that length..", 32)},
                               {rows[i].usage, rows[i].selector, rows[i].matching, {NULL, 0}}};
        r[1].data = data_of(&r[1], rows[i].of < 0 ? ca.cert[0] : c.cert[rows[i].of], mem);
        enum hb_code code =
            hb_dane_check(&t.env, r, 2, hb_span(c.bytes, c.len), names, num_names, (uint64_t)time(NULL));
        if (code != rows[i].code) {
            fail_msg("row %zu: %s", i, hb_err_name(code));
        }
        assert_int_equal(t.held, 0);
        for (size_t at = 1; at <= t.num_allocs && rows[i].usage == 2;
             at++) { /* and without memory, never a yes */
            testenv_init(&t, 1);
            t.fail_at = at;
            code =
                hb_dane_check(&t.env, r, 2, hb_span(c.bytes, c.len), names, num_names, (uint64_t)time(NULL));
            assert_true(code == rows[i].code || code != HB_OK);
            assert_int_equal(t.held, 0);
        }
    }
}

static void authorities(void **state)
{
    (void)state;
    static const struct {
        const char *file, *name;
        enum hb_code code;
    } rows[] = {
        {"ecdsa-p256.crt", "mail.test", HB_OK},
        {"chain.crt", "mail.test", HB_OK},
        {"ecdsa-p256.crt", "example.test", HB_E_X509_NAME_MISMATCH},
        {"expired.crt", "mail.test", HB_E_CERT_EXPIRED},
        {"must-staple.crt", "mail.test", HB_E_X509_STAPLE_MISSING},
        {"ecdsa-p256.crt", "127.0.0.1", HB_OK},
    };
    struct testenv t;
    unsigned added;
    unsigned skipped;
    char *pem = certs_file("ca.crt");

    testenv_init(&t, 1);
    struct hb_trust *trust = hb_trust_new(&t.env);
    assert_int_equal(hb_trust_add_pem(trust, hb_span_str(pem), &added, &skipped), HB_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct chain c = {0};
        add_file(&c, rows[i].file);
        enum hb_code code = hb_judge_server(&t.env, trust, hb_span(c.bytes, c.len), hb_span_str(rows[i].name),
                                            hb_span(NULL, 0), (uint64_t)time(NULL));
        if (code != rows[i].code) {
            fail_msg("row %zu: %s", i, hb_err_name(code));
        }
        struct hb_chain_facts facts;
        assert_int_equal(hb_chain_facts(hb_span(c.bytes, c.len), &facts), HB_OK);
        assert_int_equal(facts.num, c.num);
        assert_string_equal(facts.name, "mail.test");
        assert_true(facts.not_before < facts.not_after);
        for (size_t cut = 0; cut < c.len; cut += 7) { /* a chain that breaks off */
            assert_int_not_equal(hb_judge_server(&t.env, trust, hb_span(c.bytes, cut),
                                                 hb_span_str(rows[i].name), hb_span(NULL, 0),
                                                 (uint64_t)time(NULL)),
                                 HB_OK);
        }
    }
    hb_trust_free(&trust);
    free(pem);
    assert_int_equal(t.held, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules),
        cmocka_unit_test(texts),
        cmocka_unit_test(chains),
        cmocka_unit_test(authorities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
