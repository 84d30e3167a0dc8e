/* line.c: what a line is, at every limit, whole, byte by byte and in random cuts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "line.h"
#include "testenv.h"
#include <stdlib.h>

enum { WHOLE, BYTES, CUTS };

#define MANY 80000u

/* n times 'x', then the end. */
static struct hb_span run_of(uint8_t *mem, size_t n, const char *end)
{
    memset(mem, 'x', n);
    memcpy(mem + n, end, strlen(end));
    return hb_span(mem, n + strlen(end));
}

/* Feeds input until the cutter says something other than MORE; *left: what it did not take. */
static enum hb_line_status first(struct hb_line *l, struct testenv *t, struct hb_span input, size_t max,
                                 int mode, uint8_t *copy, size_t *copied, size_t *left)
{
    enum hb_line_status status = HB_LINE_MORE;
    struct hb_span line = hb_span(NULL, 0);
    struct hb_span rest = input;

    while (rest.len > 0 && status == HB_LINE_MORE) {
        size_t n = mode == WHOLE ? rest.len : mode == BYTES ? 1 : 1 + testenv_below(t, 3000);
        struct hb_span in = hb_span_head(rest, n);
        size_t given = in.len;
        status = hb_line_next(l, &t->env, &in, max, &line);
        if (status == HB_LINE_MORE) {
            assert_int_equal(in.len, 0); /* all taken */
        }
        if (status != HB_LINE_MORE) { /* asked twice, said twice */
            struct hb_span again = in;
            struct hb_span line2;
            assert_int_equal(hb_line_next(l, &t->env, &again, max, &line2), status);
            assert_true(hb_span_eq(line, line2));
        }
        *copied = line.len;
        if (line.len > 0) {
            memcpy(copy, line.p, line.len);
        }
        if (status != HB_LINE_MORE && status != HB_LINE_ENDLESS) {
            hb_line_done(l, &t->env, &in);
        }
        rest = hb_span_skip(rest, given - in.len);
    }
    *left = rest.len;
    return status;
}

struct row {
    const char *name;
    size_t n; /* this many x before the end */
    const char *end;
    size_t max;
    enum hb_line_status want;
    size_t line_len; /* of the line given out */
};

/* clang-format off */
static const struct row rows[] = {
    /* name                              n      end         max    want               line */
    { "empty",                           0,     "\r\n",     10,    HB_LINE_OK,        0 },
    { "one octet below the limit",       7,     "\r\n",     10,    HB_LINE_OK,        7 },
    { "at the limit",                    8,     "\r\n",     10,    HB_LINE_OK,        8 },
    { "above the limit",                 9,     "\r\n",     10,    HB_LINE_TOO_LONG,  10 },
    { "far above the limit",             60000, "\r\n",     10,    HB_LINE_TOO_LONG,  10 },
    { "64 KiB is still a line",          65534, "\r\n",     65536, HB_LINE_OK,        65534 },
    { "64 KiB is still dropped whole",   65534, "\r\n",     100,   HB_LINE_TOO_LONG,  100 },
    { "more is given up",                65535, "\r\n",     65536, HB_LINE_ENDLESS,   65536 },
    { "without an end",                  70000, "",         100,   HB_LINE_ENDLESS,   100 },
    { "unfinished",                      5,     "\r",       100,   HB_LINE_MORE,      0 },
    { "bare LF",                         5,     "\n",       100,   HB_LINE_BAD,       5 },
    { "bare LF first",                   0,     "\n",       100,   HB_LINE_BAD,       0 },
    { "bare LF before a CRLF",           5,     "\ny\r\n",  100,   HB_LINE_BAD,       5 },
    { "bare CR",                         5,     "\ry\r\n",  100,   HB_LINE_BAD,       SIZE_MAX },
    { "CR CR LF",                        5,     "\r\r\n",   100,   HB_LINE_BAD,       SIZE_MAX },
    { "too long with a bare LF",         500,   "\n",       100,   HB_LINE_BAD,       100 },
    { "too long, CR inside: dropped",    500,   "\ry\r\n",  100,   HB_LINE_TOO_LONG,  100 },
};
/* clang-format on */

static void lines_at_every_limit(void **state) /* GEN-17 GEN-18 R10 R11 */
{
    (void)state;
    uint8_t *mem = malloc(MANY);
    uint8_t *copy = malloc(MANY);
    assert_non_null(mem);
    assert_non_null(copy);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct hb_span input = run_of(mem, rows[i].n, rows[i].end);
        for (int mode = WHOLE; mode < CUTS + 8; mode++) {
            struct testenv t;
            struct hb_line l;
            size_t copied = 0;
            size_t left = 0;
            testenv_init(&t, (uint64_t)mode);
            hb_line_init(&l);
            enum hb_line_status got = first(&l, &t, input, rows[i].max, mode, copy, &copied, &left);
            if (got != rows[i].want || (rows[i].line_len != SIZE_MAX && copied != rows[i].line_len)) {
                fail_msg("%s (mode %d): got %d with %zu bytes", rows[i].name, mode, (int)got, copied);
            }
            assert_true(t.peak_bytes <= 512 + 3 * rows[i].max); /* no more than a line may have */
            hb_line_clear(&l, &t.env);
            assert_int_equal(t.held, 0);
        }
    }
    free(mem);
    free(copy);
}

static void nul_is_never_part_of_a_line(void **state) /* GEN-17 */
{
    (void)state;
    static const uint8_t input[] = {'a', 0, 'b', '\r', '\n'};
    uint8_t copy[16];
    size_t copied;
    size_t left;
    for (int mode = WHOLE; mode <= CUTS; mode++) {
        struct testenv t;
        struct hb_line l;
        testenv_init(&t, 1);
        hb_line_init(&l);
        assert_int_equal(first(&l, &t, hb_span(input, sizeof input), 100, mode, copy, &copied, &left),
                         HB_LINE_BAD);
        hb_line_clear(&l, &t.env);
    }
}

static void a_whole_line_is_given_in_place(void **state)
{
    (void)state;
    static const char input[] = "one\r\ntwo\r\n";
    struct testenv t;
    struct hb_line l;
    struct hb_span line;
    struct hb_span in = hb_span(input, sizeof input - 1);
    testenv_init(&t, 1);
    hb_line_init(&l);
    assert_int_equal(hb_line_next(&l, &t.env, &in, 100, &line), HB_LINE_OK);
    assert_ptr_equal(line.p, input); /* no copy */
    assert_int_equal(in.len, 10);    /* not taken before it is done */
    assert_int_equal(hb_line_next(&l, &t.env, &in, 100, &line), HB_LINE_OK);
    assert_ptr_equal(line.p, input); /* the same line again: a session may wait */
    hb_line_done(&l, &t.env, &in);
    assert_int_equal(in.len, 5);
    assert_int_equal(hb_line_next(&l, &t.env, &in, 100, &line), HB_LINE_OK);
    assert_true(hb_span_is(line, "two"));
    hb_line_done(&l, &t.env, &in);
    assert_int_equal(in.len, 0);
    assert_int_equal(t.num_allocs, 0);
    assert_false(hb_line_pending(&l));
}

static void a_stored_line_stays_until_done(void **state)
{
    (void)state;
    struct testenv t;
    struct hb_line l;
    struct hb_span line;
    struct hb_span in = hb_span("on", 2);
    testenv_init(&t, 1);
    hb_line_init(&l);
    assert_int_equal(hb_line_next(&l, &t.env, &in, 100, &line), HB_LINE_MORE);
    assert_true(hb_line_pending(&l));
    in = hb_span("e\r\nrest", 7);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(hb_line_next(&l, &t.env, &in, 100, &line), HB_LINE_OK);
        assert_true(hb_span_is(line, "one"));
        assert_int_equal(in.len, 4); /* its bytes are stored; what is behind it is not touched */
    }
    hb_line_done(&l, &t.env, &in);
    assert_int_equal(in.len, 4);
    assert_int_equal(t.held, 0); /* quiet: no memory */
}

static void the_tail_tells_what_was_announced(void **state) /* SEC-05 */
{
    (void)state;
    static const struct {
        const char *input;
        uint32_t tail;
    } tails[] = {
        {"a b {5+}\r\n", 0x2b7d0d0a}, {"xxxxxxxxxxxxxxxxxxxxxx {5+}\r\n", 0x2b7d0d0a},
        {"{5}\r\n", 0x357d0d0a},      {"\r\n", 0x0d0a},
        {"ab\r\n", 0x61620d0a},
    };
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        for (int mode = WHOLE; mode <= BYTES; mode++) {
            struct testenv t;
            struct hb_line l;
            struct hb_span line;
            struct hb_span rest = hb_span_str(tails[i].input);
            enum hb_line_status status = HB_LINE_MORE;
            testenv_init(&t, 1);
            hb_line_init(&l);
            while (status == HB_LINE_MORE) {
                struct hb_span in = hb_span_head(rest, mode == WHOLE ? rest.len : 1);
                size_t given = in.len;
                status = hb_line_next(&l, &t.env, &in, 12, &line);
                rest = hb_span_skip(rest, given - in.len);
            }
            assert_int_equal(hb_line_tail(&l), tails[i].tail);
            hb_line_clear(&l, &t.env);
        }
    }
}

static void without_memory_the_stream_is_given_up(void **state)
{
    (void)state;
    struct testenv t;
    struct hb_line l;
    struct hb_span line;
    struct hb_span in = hb_span("abc", 3);
    testenv_init(&t, 1);
    t.fail_at = 1;
    hb_line_init(&l);
    assert_int_equal(hb_line_next(&l, &t.env, &in, 100, &line), HB_LINE_NO_MEMORY);
    hb_line_clear(&l, &t.env);
    assert_int_equal(t.held, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_at_every_limit),
        cmocka_unit_test(nul_is_never_part_of_a_line),
        cmocka_unit_test(a_whole_line_is_given_in_place),
        cmocka_unit_test(a_stored_line_stays_until_done),
        cmocka_unit_test(the_tail_tells_what_was_announced),
        cmocka_unit_test(without_memory_the_stream_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
