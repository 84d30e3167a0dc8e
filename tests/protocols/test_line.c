/* line.c: every line of a table, whole, byte by byte and cut once at each place, with the same outcome. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "line.h"
#include "testenv.h"

static const struct {
    const char *name, *bytes;
    size_t len;
    enum hb_line_status status;
    const char *line;
} rows[] = {
    {"a line", "abc\r\n", 5, HB_LINE_OK, "abc"},
    {"an empty one", "\r\n", 2, HB_LINE_OK, ""},
    {"as long as may be", "12345678\r\n", 10, HB_LINE_OK, "12345678"},
    {"one too long", "123456789\r\n", 11, HB_LINE_TOO_LONG, NULL},
    {"much too long", "1234567890123456789\r\n", 21, HB_LINE_TOO_LONG, NULL},
    {"too long, bare LF", "1234567890123456789\n", 20, HB_LINE_BAD, NULL},
    {"bare LF", "abc\n", 4, HB_LINE_BAD, NULL},
    {"only LF", "\n", 1, HB_LINE_BAD, NULL},
    {"bare CR", "a\rc\r\n", 5, HB_LINE_BAD, NULL},
    {"two CR", "abc\r\r\n", 6, HB_LINE_BAD, NULL},
    {"NUL", "a\0c\r\n", 5, HB_LINE_BAD, NULL},
    {"unfinished", "abc\r", 4, HB_LINE_MORE, NULL},
};

static void play(size_t row, size_t first, size_t step)
{
    struct testenv t;
    struct hb_line l;
    struct hb_span line = hb_span(NULL, 0);
    enum hb_line_status status = HB_LINE_MORE;
    size_t at = 0;

    testenv_init(&t, 1);
    hb_line_init(&l);
    for (size_t n = first; at < rows[row].len && status == HB_LINE_MORE; n = step) {
        n = n < rows[row].len - at ? n : rows[row].len - at;
        struct hb_span in = hb_span(rows[row].bytes + at, n);
        status = hb_line_next(&l, &t.env, &in, 10, &line);
        at += n;
        if (status == HB_LINE_MORE) {
            assert_int_equal(in.len, 0); /* all of it was stored */
        } else {
            struct hb_span again = in; /* asked twice, said twice */
            struct hb_span line2;
            assert_int_equal(hb_line_next(&l, &t.env, &again, 10, &line2), status);
            assert_true(hb_span_eq(line, line2));
            if (status == HB_LINE_OK) {
                assert_true(hb_span_eq(line, hb_span_str(rows[row].line)));
            }
            hb_line_done(&l, &t.env, &in);
            assert_int_equal(in.len, 0);
            assert_false(hb_line_pending(&l));
        }
    }
    if (status != rows[row].status) {
        fail_msg("%s (first cut %zu): status %d", rows[row].name, first, status);
    }
    hb_line_clear(&l, &t.env);
    assert_int_equal(t.held, 0);
}

static void lines(void **state)
{
    (void)state;
    for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++) {
        play(row, 1, 1);
        for (size_t first = 1; first <= rows[row].len; first++) {
            play(row, first, rows[row].len);
        }
    }
}

static void a_stream_without_an_end(void **state)
{
    (void)state;
    static uint8_t junk[1000];
    struct testenv t;
    struct hb_line l;
    struct hb_span line;
    size_t given = 0;
    memset(junk, 'x', sizeof junk);
    testenv_init(&t, 1);
    hb_line_init(&l);
    for (;;) {
        struct hb_span in = hb_span(junk, sizeof junk);
        enum hb_line_status status = hb_line_next(&l, &t.env, &in, 255, &line);
        given += sizeof junk;
        assert_true(t.held_bytes <= 512); /* no more than a line may have */
        if (status == HB_LINE_ENDLESS) {
            break;
        }
        assert_int_equal(status, HB_LINE_MORE);
    }
    assert_true(given > HB_LINE_HARD_MAX && given <= HB_LINE_HARD_MAX + 1000);
    assert_int_equal(line.len, 255);
    hb_line_clear(&l, &t.env);
    assert_int_equal(t.held, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lines), cmocka_unit_test(a_stream_without_an_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
