/* words.c: words, literals, mechanisms, and what looks like HTTP; as tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "words.h"

static void words_end_at_one_blank(void **state)
{
    (void)state;
    struct hb_span rest = hb_span_str("a  b\tc d");
    assert_true(hb_span_is(hb_word(&rest), "a"));
    assert_int_equal(hb_word(&rest).len, 0); /* two blanks: an empty word between */
    assert_true(hb_span_is(hb_word(&rest), "b\tc"));
    assert_true(hb_span_is(hb_word(&rest), "d"));
    assert_int_equal(hb_word(&rest).len, 0);
    assert_int_equal(rest.len, 0);
}

static void loose_words_end_at_any_blanks(void **state)
{
    (void)state;
    struct hb_span rest = hb_span_str(" \ta \t b  ");
    assert_true(hb_span_is(hb_word_loose(&rest), "a"));
    assert_true(hb_span_is(hb_word_loose(&rest), "b"));
    assert_int_equal(rest.len, 0);
    assert_int_equal(hb_word_loose(&rest).len, 0);
}

static void prefixes_and_suffixes_in_any_case(void **state)
{
    (void)state;
    assert_true(hb_has_prefix(hb_span_str("AUTH=plain"), "auth="));
    assert_false(hb_has_prefix(hb_span_str("AUT"), "AUTH="));
    assert_true(hb_has_suffix(hb_span_str("SCRAM-SHA-1-plus"), "-PLUS"));
    assert_false(hb_has_suffix(hb_span_str("PLUS"), "-PLUS"));
    assert_int_equal(hb_trim_end(hb_span_str("ab \t ")).len, 2);
    assert_int_equal(hb_trim_end(hb_span_str(" ")).len, 0);
}

static void reply_codes(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        bool good, last;
        unsigned code;
        const char *text;
    } rows[] = {
        {"250-text", true, false, 250, "text"}, {"250 text", true, true, 250, "text"},
        {"250", true, true, 250, ""},           {"250 ", true, true, 250, ""},
        {"599 x", true, true, 599, "x"},        {"25", false, false, 0, ""},
        {"2505", false, false, 0, ""},          {"250\tx", false, false, 0, ""},
        {"2a0 x", false, false, 0, ""},         {"199 x", false, false, 0, ""},
        {"600 x", false, false, 0, ""},         {"", false, false, 0, ""},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        unsigned code;
        bool last;
        struct hb_span text;
        assert_int_equal(hb_smtp_reply_line(hb_span_str(rows[i].line), &code, &last, &text), rows[i].good);
        if (rows[i].good) {
            assert_int_equal(code, rows[i].code);
            assert_int_equal(last, rows[i].last);
            assert_true(hb_span_eq(text, hb_span_str(rows[i].text)));
        }
    }
    unsigned code;
    assert_true(hb_reply_code(hb_span_str("111\t20261126"), " \t", &code) && code == 111);
    assert_false(
        hb_reply_code(hb_span("250\0x", 5), " -", &code)); /* the NUL that ends the separators is none */
}

/* clang-format off */
static const struct {
    const char *line;
    enum hb_literal at_end, announced;
    uint64_t size;
} literals[] = {
    /* line                                at the end of a client's line, of a server's      size */
    { "a LOGIN {3}",                       HB_LITERAL_SYNC, HB_LITERAL_SYNC,                 3 },
    { "a LOGIN {3+}",                      HB_LITERAL_PLUS, HB_LITERAL_PLUS,                 3 },
    { "a LOGIN {0}",                       HB_LITERAL_SYNC, HB_LITERAL_SYNC,                 0 },
    { "a LOGIN {0+}",                      HB_LITERAL_PLUS, HB_LITERAL_PLUS,                 0 },
    { "a APPEND x ~{7}",                   HB_LITERAL_SYNC, HB_LITERAL_SYNC,                 7 },
    { "a APPEND x ~{7+}",                  HB_LITERAL_PLUS, HB_LITERAL_PLUS,                 7 },
    { "{5}",                               HB_LITERAL_SYNC, HB_LITERAL_SYNC,                 5 },
    { "a LOGIN {3-}",                      HB_LITERAL_NONE, HB_LITERAL_NONE,                 0 },
    { "a LOGIN {}",                        HB_LITERAL_NONE, HB_LITERAL_NONE,                 0 },
    { "a LOGIN {+}",                       HB_LITERAL_NONE, HB_LITERAL_NONE,                 0 },
    { "a LOGIN {3 }",                      HB_LITERAL_NONE, HB_LITERAL_NONE,                 0 },
    { "a LOGIN { 3}",                      HB_LITERAL_NONE, HB_LITERAL_NONE,                 0 },
    { "a LOGIN {3} ",                      HB_LITERAL_NONE, HB_LITERAL_NONE,                 0 },
    { "a LOGIN {-3}",                      HB_LITERAL_NONE, HB_LITERAL_NONE,                 0 },
    { "a LOGIN {0x3}",                     HB_LITERAL_NONE, HB_LITERAL_NONE,                 0 },
    { "a LOGIN {3a}",                      HB_LITERAL_NONE, HB_LITERAL_NONE,                 0 },
    { "a LOGIN 3}",                        HB_LITERAL_NONE, HB_LITERAL_NONE,                 0 },
    { "5}",                                HB_LITERAL_NONE, HB_LITERAL_NONE,                 0 },
    { "}",                                 HB_LITERAL_NONE, HB_LITERAL_NONE,                 0 },
    { "",                                  HB_LITERAL_NONE, HB_LITERAL_NONE,                 0 },
    { "a {007}",                           HB_LITERAL_SYNC, HB_LITERAL_SYNC,                 7 },
    { "a {9223372036854775807}",           HB_LITERAL_SYNC, HB_LITERAL_SYNC,                 INT64_MAX },
    { "a {9223372036854775808}",           HB_LITERAL_BAD,  HB_LITERAL_BAD,                  0 },
    { "a {99999999999999999999+}",         HB_LITERAL_BAD,  HB_LITERAL_BAD,                  0 },
    { "a LOGIN \"{5}\" x",                 HB_LITERAL_NONE, HB_LITERAL_NONE,                 0 },
    { "a LOGIN \"x {5}",                   HB_LITERAL_BAD,  HB_LITERAL_SYNC,                 5 },
    { "a LOGIN \"x\\\" {5+}",              HB_LITERAL_BAD,  HB_LITERAL_PLUS,                 5 },
    { "a LOGIN \"x\\\\\" {5+}",            HB_LITERAL_PLUS, HB_LITERAL_PLUS,                 5 },
    { "a LOGIN \"x\" {5+}",                HB_LITERAL_PLUS, HB_LITERAL_PLUS,                 5 },
};
/* clang-format on */

static void literals_at_the_end_of_lines(void **state) /* IMAP-03 IMAP-07 SEC-05 */
{
    (void)state;
    for (size_t i = 0; i < sizeof literals / sizeof literals[0]; i++) {
        struct hb_span line = hb_span_str(literals[i].line);
        uint64_t size;
        if (hb_literal_at_end(line, &size) != literals[i].at_end ||
            hb_literal_announced(line, &size) != literals[i].announced) {
            fail_msg("%s", literals[i].line);
        }
        if (literals[i].announced != HB_LITERAL_BAD) {
            assert_true(size == literals[i].size);
        }
    }
}

static void plain_words(void **state)
{
    (void)state;
    static const char *const good[] = {"LOGIN", "x", "SCRAM-SHA-256", "KERBEROS_V4", "X.509", "9"};
    static const char *const bad[] = {"",    "LOGIN\t",  "\"PLAIN\"", "PL\\AIN", "{5+}",
                                      "a b", "\xc3\xa9", "(",         "x\x7f"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(hb_plain_word(hb_span_str(good[i])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(hb_plain_word(hb_span_str(bad[i])));
    }
}

static void mechanisms(void **state) /* GEN-14 GEN-15 */
{
    (void)state;
    static const struct {
        const char *mech;
        bool plain, layered;
    } table[] = {
        {"PLAIN", true, false},       {"login", true, false},    {"CRAM-MD5", false, false},
        {"GSSAPI", false, true},      {"gs2-krb5", false, true}, {"DIGEST-MD5", false, true},
        {"KERBEROS_V4", false, true}, {"NTLM", false, true},     {"GSS-SPNEGO", false, true},
        {"PLAINX", false, false},     {"XOAUTH2", false, false}, {"SCRAM-SHA-1", false, false},
        {"", false, false},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        assert_int_equal(hb_mech_plain(hb_span_str(table[i].mech)), table[i].plain);
        assert_int_equal(hb_mech_layered(hb_span_str(table[i].mech)), table[i].layered);
    }
}

static void http(void **state) /* GEN-23 */
{
    (void)state;
    static const struct {
        const char *line;
        bool is;
    } table[] = {
        {"GET / HTTP/1.1", true},
        {"GET ", true},
        {"POST /x", true},
        {"HEAD /", true},
        {"PUT /", true},
        {"OPTIONS *", true},
        {"CONNECT a:25", true},
        {"BREW /pot HTTP/1.0", true},
        {"a GET / HTTP/1.1", true},
        {"GETX", false},
        {"get /", false},
        {"EHLO HTTP/1.1", true},
        {"EHLO xHTTP/1.1", false},
        {"a LOGIN x y", false},
        {"", false},
        {" HTTP/2", false},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (hb_looks_like_http(hb_span_str(table[i].line)) != table[i].is) {
            fail_msg("%s", table[i].line);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reply_codes),
        cmocka_unit_test(words_end_at_one_blank),
        cmocka_unit_test(loose_words_end_at_any_blanks),
        cmocka_unit_test(prefixes_and_suffixes_in_any_case),
        cmocka_unit_test(literals_at_the_end_of_lines),
        cmocka_unit_test(plain_words),
        cmocka_unit_test(mechanisms),
        cmocka_unit_test(http),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
