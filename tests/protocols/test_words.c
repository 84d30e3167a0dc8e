/* words.c: literals at the end of lines, words, HTTP (IMAP-03, IMAP-07, GEN-23). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "words.h"

static void literals(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum hb_literal kind;
        uint64_t size;
    } rows[] = {
        {"a LOGIN {3}", HB_LITERAL_SYNC, 3},
        {"a LOGIN {3+}", HB_LITERAL_PLUS, 3},
        {"a APPEND x ~{10}", HB_LITERAL_SYNC, 10},
        {"{0}", HB_LITERAL_SYNC, 0},
        {"{0+}", HB_LITERAL_PLUS, 0},
        {"a {3-}", HB_LITERAL_NONE, 0},
        {"a {}", HB_LITERAL_NONE, 0},
        {"a {+}", HB_LITERAL_NONE, 0},
        {"a {3} ", HB_LITERAL_NONE, 0},
        {"a 3}", HB_LITERAL_NONE, 0},
        {"a {3a}", HB_LITERAL_NONE, 0},
        {"a \"{5}\"", HB_LITERAL_NONE, 0},
        {"a \"x\" {5}", HB_LITERAL_SYNC, 5},
        {"a \"x {5}", HB_LITERAL_BAD, 0},
        {"a \"x\\\" {5}", HB_LITERAL_BAD, 0},
        {"a {9223372036854775807}", HB_LITERAL_SYNC, INT64_MAX},
        {"a {9223372036854775808}", HB_LITERAL_BAD, 0},
        {"a {99999999999999999999}", HB_LITERAL_BAD, 0},
        {"", HB_LITERAL_NONE, 0},
        {"}", HB_LITERAL_NONE, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t size = 77;
        enum hb_literal kind = hb_literal_at_end(hb_span_str(rows[i].line), &size);
        if (kind != rows[i].kind || (kind != HB_LITERAL_BAD && kind != HB_LITERAL_NONE && size != rows[i].size)) {
            fail_msg("%s: %d, %llu", rows[i].line, kind, (unsigned long long)size);
        }
    }
}

static void words(void **state)
{
    (void)state;
    struct hb_span rest = hb_span_str("a  b c");
    assert_true(hb_span_is(hb_word(&rest), "a"));
    assert_int_equal(hb_word(&rest).len, 0); /* two blanks: an empty word */
    assert_true(hb_span_is(hb_word(&rest), "B"));
    assert_true(hb_span_is(hb_word(&rest), "c"));
    assert_int_equal(hb_word(&rest).len, 0);
    rest = hb_span_str(" \tMAIL \t FROM:<a> ");
    assert_true(hb_span_is(hb_word_loose(&rest), "mail"));
    assert_true(hb_span_is(hb_word_loose(&rest), "from:<a>"));
    assert_int_equal(hb_word_loose(&rest).len, 0);
    assert_true(hb_has_prefix(hb_span_str("AUTH=PLAIN"), "auth="));
    assert_false(hb_has_prefix(hb_span_str("AUT"), "auth"));
    assert_true(hb_has_suffix(hb_span_str("SCRAM-SHA-256-plus"), "-PLUS"));
    assert_int_equal(hb_trim_end(hb_span_str("a \t ")).len, 1);
}

static void http(void **state)
{
    (void)state;
    assert_true(hb_looks_like_http(hb_span_str("GET / HTTP/1.1")));
    assert_true(hb_looks_like_http(hb_span_str("POST x")));
    assert_true(hb_looks_like_http(hb_span_str("BREW /pot HTTP/1.0")));
    assert_false(hb_looks_like_http(hb_span_str("a GETACL x")));
    assert_false(hb_looks_like_http(hb_span_str("get x"))); /* methods are upper case */
    assert_false(hb_looks_like_http(hb_span_str("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(literals), cmocka_unit_test(words), cmocka_unit_test(http)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
