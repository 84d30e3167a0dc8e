/* PEM armour (PKI-08, RFC 7468): which blocks a text has, and what their base64 says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "asn1.h"
#include "x509/pem.h"

#define B(label)    "-----BEGIN " label "-----\n"
#define E(label)    "-----END " label "-----\n"
#define BRNL(label) "-----BEGIN " label "-----\r\n"
#define ERNL(label) "-----END " label "-----\r\n"

/* What each row must give, block by block: label=contents, "!" behind it if it is encrypted, then the code
 * that ended the walk. */
/* clang-format off */
static const struct {
    const char *name, *text, *want;
} texts[] = {
    {"nothing",                  "",                                                     "PEM_NONE"},
    {"text only",                "hello\nworld",                                         "PEM_NONE"},
    {"one block",                B("A") "YWJj\n" E("A"),                                 "A=abc PEM_NONE"},
    {"no newline at the end",    B("A") "YWJj\n-----END A-----",                         "A=abc PEM_NONE"},
    {"CRLF",                     BRNL("A") "YWJj\r\n" ERNL("A"),                         "A=abc PEM_NONE"},
    {"white space at line ends", "-----BEGIN A----- \t\nYWJj \t\n-----END A-----  \n",   "A=abc PEM_NONE"},
    {"several lines, any width", B("A") "YW\nJ\njZGVm\n\n" E("A"),                       "A=abcdef PEM_NONE"},
    {"two blocks, text between", "x\n" B("A") "YWJj\n" E("A") "subject=x\n" B("B C") "ZA==\n" E("B C") "y", "A=abc B C=d PEM_NONE"},
    {"one = of padding",         B("A") "YWI=\n" E("A"),                                 "A=ab PEM_NONE"},
    {"padding on a line apart",  B("A") "YQ\n=\n=\n" E("A"),                             "A=a PEM_NONE"},
    {"encrypted PKCS#8",         B("ENCRYPTED PRIVATE KEY") "YWJj\n" E("ENCRYPTED PRIVATE KEY"), "ENCRYPTED PRIVATE KEY=abc! PEM_NONE"},
    {"encrypted, traditional",   B("RSA PRIVATE KEY") "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nYWJj\n" E("RSA PRIVATE KEY"), "RSA PRIVATE KEY=PEM_ARMOUR! PEM_NONE"},
    {"empty block",              B("A") E("A"),                                          "A=PEM_ARMOUR PEM_NONE"},
    {"blank lines only",         B("A") "\n \n" E("A"),                                  "A=PEM_ARMOUR PEM_NONE"},
    {"three characters",         B("A") "YWJ\n" E("A"),                                  "A=PEM_ARMOUR PEM_NONE"},
    {"one character",            B("A") "Y\n" E("A"),                                    "A=PEM_ARMOUR PEM_NONE"},
    {"padding alone",            B("A") "====\n" E("A"),                                 "A=PEM_ARMOUR PEM_NONE"},
    {"padding in second place",  B("A") "Y===\n" E("A"),                                 "A=PEM_ARMOUR PEM_NONE"},
    {"padding too much",         B("A") "YWI==\n" E("A"),                                "A=PEM_ARMOUR PEM_NONE"},
    {"padding in the middle",    B("A") "YQ==YWJj\n" E("A"),                             "A=PEM_ARMOUR PEM_NONE"},
    {"character behind =",       B("A") "YQ=a\n" E("A"),                                 "A=PEM_ARMOUR PEM_NONE"},
    {"other character",          B("A") "YW.j\n" E("A"),                                 "A=PEM_ARMOUR PEM_NONE"},
    {"base64url",                B("A") "YW-_\n" E("A"),                                 "A=PEM_ARMOUR PEM_NONE"},
    {"high byte",                B("A") "YW\xc3\xa4\n" E("A"),                           "A=PEM_ARMOUR PEM_NONE"},
    {"header that we do not know", B("A") "Comment: x\n\nYWJj\n" E("A"),                 "A=PEM_ARMOUR PEM_NONE"},
    {"no end",                   B("A") "YWJj\n",                                        "PEM_ARMOUR"},
    {"nothing behind begin",     B("A"),                                                 "PEM_ARMOUR"},
    {"another end",              B("A") "YWJj\n" E("B"),                                 "PEM_ARMOUR"},
    {"begin inside",             B("A") "YWJj\n" B("A") "YWJj\n" E("A"),                 "PEM_ARMOUR"},
    {"end line cut short",       B("A") "YWJj\n-----END A----\n",                        "PEM_ARMOUR"},
    {"good one, then a bad one", B("A") "YWJj\n" E("A") B("B") "YWJj\n",                 "A=abc PEM_ARMOUR"},
    {"end without begin",        E("A") B("B") "YWJj\n" E("B"),                          "B=abc PEM_NONE"},
    {"four dashes",              "----BEGIN A-----\nYWJj\n----END A-----\n",             "PEM_NONE"},
    {"no label",                 "-----BEGIN -----\nYWJj\n-----END -----\n",             "PEM_NONE"},
    {"no blank before label",    "-----BEGINA-----\nYWJj\n-----ENDA-----\n",             "PEM_NONE"},
    {"not at the line's start",  "x-----BEGIN A-----\nYWJj\n-----END A-----\n",          "PEM_NONE"},
    {"dashes only",              "----------",                                           "PEM_NONE"},
};
/* clang-format on */

static void put(char *dst, size_t cap, struct hb_span s)
{
    size_t len = strlen(dst);

    assert_true(len + s.len + 1 < cap);
    if (s.len > 0) {
        memcpy(dst + len, s.p, s.len);
    }
    dst[len + s.len] = 0;
}

static void walk(struct hb_span text, char *got, size_t cap)
{
    struct hb_pem_block block;
    enum hb_code code;
    size_t before = text.len;

    got[0] = 0;
    while ((code = hb_pem_next(&text, &block)) == HB_OK) {
        uint8_t bytes[64];
        size_t len;
        assert_true(text.len < before); /* it gets on */
        before = text.len;
        put(got, cap, block.label);
        put(got, cap, hb_span_str("="));
        code = hb_pem_decode(&block, bytes, sizeof bytes, &len);
        put(got, cap, code == HB_OK ? hb_span(bytes, len) : hb_span_str(hb_err_name(code)));
        put(got, cap, hb_span_str(block.encrypted ? "! " : " "));
    }
    put(got, cap, hb_span_str(hb_err_name(code)));
}

static void test_texts(void **state)
{
    char got[512];

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        print_message("%s\n", texts[i].name);
        walk(hb_span_str(texts[i].text), got, sizeof got);
        assert_string_equal(got, texts[i].want);
    }
}

/* Cut anywhere, in memory of its own: nothing is read beyond, and the walk ends in one of its two codes. */
static void test_cut(void **state)
{
    char got[512];

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        for (size_t cut = 0; cut < strlen(texts[i].text); cut++) {
            char *exact = malloc(cut + 1);
            assert_non_null(exact);
            memcpy(exact, texts[i].text, cut);
            walk(hb_span(exact, cut), got, sizeof got);
            assert_true(strstr(got, "PEM_NONE") != NULL || strstr(got, "PEM_ARMOUR") != NULL);
            free(exact);
        }
    }
}

/* All lengths and all byte values come back from base64 as they went in. */
static void test_round_trip(void **state)
{
    static uint8_t der[1024], back[1024];
    static char text[4096];

    (void)state;
    for (size_t len = 1; len <= sizeof der; len++) {
        struct hb_pem_block block;
        size_t got;
        der[len - 1] = (uint8_t)(len * 167);
        struct hb_span rest = hb_span(text, armour("X", hb_span(der, len), text, sizeof text));
        assert_int_equal(hb_pem_next(&rest, &block), HB_OK);
        assert_int_equal(hb_pem_decode(&block, back, len, &got), HB_OK);
        assert_true(hb_span_eq(hb_span(der, len), hb_span(back, got)));
        /* one byte less of room is an overflow, and nothing is written beyond */
        back[len - 1] = (uint8_t)~der[len - 1];
        assert_int_equal(hb_pem_decode(&block, back, len - 1, &got), HB_E_OVERFLOW);
        assert_int_equal(back[len - 1], (uint8_t)~der[len - 1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
