/* The DER readers: every form that is not the shortest or not definite, and the times of certificates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "asn1.h"
#include "x509/der.h"

enum reader { TAKE, ELEMENT, INTEGER, UNSIGNED, BITS, OID, BOOLEAN };

struct row {
    const char *name;
    enum reader reader;
    const char *der;
    const char *want; /* what the reader gives, in the notation of asn1.h; NULL: refused */
};

/* clang-format off */
static const struct row rows[] = {
    {"short length",                    TAKE,     "0403 616263",         "'abc'"},
    {"no contents",                     TAKE,     "0400",                ""},
    {"length 127",                      TAKE,     "047f 41*127",         "41*127"},
    {"length 128, one octet",           TAKE,     "048180 41*128",       "41*128"},
    {"length 255",                      TAKE,     "0481ff 41*255",       "41*255"},
    {"length 256, two octets",          TAKE,     "04820100 41*256",     "41*256"},
    {"length 65536, three octets",      TAKE,     "0483010000 41*65536", "41*65536"},
    {"nothing",                         TAKE,     "",                    NULL},
    {"tag alone",                       TAKE,     "04",                  NULL},
    {"length cut short",                TAKE,     "0482 01",             NULL},
    {"contents cut short",              TAKE,     "0403 6162",           NULL},
    {"another tag",                     TAKE,     "0c03 616263",         NULL},
    {"constructed form of the tag",     TAKE,     "2403 616263",         NULL},
    {"indefinite (PKI-01)",             TAKE,     "0480 616263 0000",    NULL},
    {"length 127 in long form",         TAKE,     "04817f 41*127",       NULL},
    {"length 0 in long form",           TAKE,     "048100",              NULL},
    {"length 255 in two octets",        TAKE,     "048200ff 41*255",     NULL},
    {"length 256 in three octets",      TAKE,     "0483000100 41*256",   NULL},
    {"length in four octets",           TAKE,     "0484 01000000 41",    NULL},
    {"length in 126 octets",            TAKE,     "04fe 01*126",         NULL},
    {"reserved length ff",              TAKE,     "04ff 01*127",         NULL},
    {"longer than there is, at most",   TAKE,     "0483ffffff 41",       NULL},

    {"element keeps its head",          ELEMENT,  "0403 616263",         "0403 616263"},
    {"element with long length",        ELEMENT,  "30820100 41*256",     "30820100 41*256"},
    {"element, tag in two octets",      ELEMENT,  "1f2203 616263",       NULL},
    {"element, cut short",              ELEMENT,  "3003 0201",           NULL},
    {"element, nothing",                ELEMENT,  "",                    NULL},

    {"zero",                            INTEGER,  "0201 00",             "00"},
    {"-1",                              INTEGER,  "0201 ff",             "ff"},
    {"-128",                            INTEGER,  "0201 80",             "80"},
    {"-129",                            INTEGER,  "0202 ff7f",           "ff7f"},
    {"128",                             INTEGER,  "0202 0080",           "0080"},
    {"no octet",                        INTEGER,  "0200",                NULL},
    {"127 in two octets",               INTEGER,  "0202 007f",           NULL},
    {"-128 in two octets",              INTEGER,  "0202 ff80",           NULL},
    {"0 in two octets",                 INTEGER,  "0202 0000",           NULL},

    {"unsigned 0",                      UNSIGNED, "0201 00",             "00"},
    {"unsigned 127",                    UNSIGNED, "0201 7f",             "7f"},
    {"unsigned 128 loses its sign",     UNSIGNED, "0202 0080",           "80"},
    {"unsigned, large",                 UNSIGNED, "0221 00 ff*32",       "ff*32"},
    {"unsigned, negative",              UNSIGNED, "0201 80",             NULL},
    {"unsigned, padded",                UNSIGNED, "0202 0001",           NULL},
    {"unsigned, no octet",              UNSIGNED, "0200",                NULL},
    {"unsigned, OCTET STRING",          UNSIGNED, "0401 01",             NULL},

    {"bits",                            BITS,     "0303 00 8001",        "8001"},
    {"bits, none",                      BITS,     "0301 00",             ""},
    {"bits, no count of unused ones",   BITS,     "0300",                NULL},
    {"bits, one unused",                BITS,     "0302 01 80",          NULL},
    {"bits, constructed",               BITS,     "2305 0303 00 8001",   NULL},

    {"OID",                             OID,      "0603 551d11",         "551d11"},
    {"OID, empty",                      OID,      "0600",                NULL},

    {"true",                            BOOLEAN,  "0101 ff",             "ff"},
    {"false",                           BOOLEAN,  "0101 00",             "00"},
    {"true of BER",                     BOOLEAN,  "0101 01",             NULL},
    {"BOOLEAN, no octet",               BOOLEAN,  "0100",                NULL},
    {"BOOLEAN, two octets",             BOOLEAN,  "0102 ffff",           NULL},
};

struct time_row {
    const char *der;
    bool ok;
    uint64_t want;
};
/* PKI-02, the numbers from date(1). */
static const struct time_row times[] = {
    {"17{'700101000000Z'}",     true,  0},
    {"17{'700101000001Z'}",     true,  1},
    {"17{'691231235959Z'}",     true,  0}, /* before our clocks: long ago */
    {"17{'500101000000Z'}",     true,  0},
    {"17{'491231235959Z'}",     true,  2524607999},
    {"17{'000229120000Z'}",     true,  951825600},
    {"17{'240229235959Z'}",     true,  1709251199},
    {"17{'260601000000Z'}",     true,  1780272000},
    {"17{'381119031408Z'}",     true,  2173749248},
    {"18{'20500101000000Z'}",   true,  2524608000},
    {"18{'19700101000000Z'}",   true,  0},
    {"18{'20260601000000Z'}",   true,  1780272000},
    {"18{'21000301000000Z'}",   true,  4107542400},
    {"18{'20000229000000Z'}",   true,  951782400},
    {"18{'99991231235959Z'}",   true,  253402300799},
    {"17{'230229000000Z'}",     false, 0}, /* not a leap year */
    {"18{'21000229000000Z'}",   false, 0},
    {"17{'260001000000Z'}",     false, 0},
    {"17{'261301000000Z'}",     false, 0},
    {"17{'260100000000Z'}",     false, 0},
    {"17{'260431000000Z'}",     false, 0},
    {"17{'260132000000Z'}",     false, 0},
    {"17{'260101240000Z'}",     false, 0},
    {"17{'260101006000Z'}",     false, 0},
    {"17{'260101000060Z'}",     false, 0}, /* no leap seconds */
    {"17{'2601010000Z'}",       false, 0}, /* seconds are required */
    {"17{'260101000000'}",      false, 0},
    {"17{'260101000000z'}",     false, 0},
    {"17{'260101000000+0000'}", false, 0},
    {"17{'260101000000ZZ'}",    false, 0},
    {"17{'26010100000 Z'}",     false, 0},
    {"17{'-60101000000Z'}",     false, 0},
    {"17{'20260101000000Z'}",   false, 0}, /* the other one's form */
    {"18{'260101000000Z'}",     false, 0},
    {"18{'20260101000000.5Z'}", false, 0},
    {"18{'20260101000000.0Z'}", false, 0},
    {"18{'19491231235959Z'}",   false, 0},
    {"18{'00000000000000Z'}",   false, 0},
    {"17{}",                    false, 0},
    {"0c{'260101000000Z'}",     false, 0},
    {"",                        false, 0},
};
/* clang-format on */

static uint8_t der[1 << 17], want[1 << 17];

static struct hb_span run(enum reader reader, struct hb_cur *c)
{
    static uint8_t truth;
    struct hb_cur body;

    switch (reader) {
    case TAKE:
        body = hb_der_take(c, HB_DER_OCTET_STRING);
        return hb_cur_rest(&body);
    case ELEMENT:
        return hb_der_element(c);
    case INTEGER:
        return hb_der_integer(c);
    case UNSIGNED:
        return hb_der_unsigned(c);
    case BITS:
        return hb_der_bits(c);
    case OID:
        return hb_der_oid(c);
    case BOOLEAN:
        truth = hb_der_bool(c) ? 0xff : 0;
        return hb_span(&truth, 1);
    }
    fail();
    return hb_span(NULL, 0);
}

static void test_readers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *r = &rows[i];
        print_message("%s\n", r->name);
        size_t len = asn1(r->der, der, sizeof der);
        struct hb_cur c = hb_cur(hb_span(der, len));
        struct hb_span got = run(r->reader, &c);
        assert_int_equal(hb_cur_end(&c), r->want != NULL);
        if (r->want != NULL) {
            size_t want_len = asn1(r->want, want, sizeof want);
            assert_true(hb_span_eq(got, hb_span(want, want_len)));
        } else if (r->reader != BOOLEAN) {
            assert_int_equal(got.len, 0); /* a failed reader gives nothing that could be believed */
        }
        /* What follows an element stays for the next reader; a failure takes it along. */
        der[len] = 0x05;
        der[len + 1] = 0;
        c = hb_cur(hb_span(der, len + 2));
        (void)run(r->reader, &c);
        if (r->want != NULL) {
            assert_int_equal(hb_cur_left(&c), 2);
            assert_int_equal(hb_der_peek(&c), HB_DER_NULL);
        }
    }
}

/* Every good element cut at every length is refused. */
static void test_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].want == NULL) {
            continue;
        }
        size_t len = asn1(rows[i].der, der, sizeof der);
        for (size_t cut = 0; cut < len; cut += cut < 512 ? 1 : 997) {
            uint8_t *exact = malloc(cut + 1);
            assert_non_null(exact);
            memcpy(exact, der, cut);
            struct hb_cur c = hb_cur(hb_span(exact, cut));
            (void)run(rows[i].reader, &c);
            assert_false(hb_cur_ok(&c));
            assert_int_equal(hb_der_peek(&c), 0);
            free(exact);
        }
    }
}

static void test_times(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        print_message("%s\n", times[i].der);
        struct hb_cur c = hb_cur(hb_span(der, asn1(times[i].der, der, sizeof der)));
        uint64_t got = hb_der_time(&c);
        assert_int_equal(hb_cur_end(&c), times[i].ok);
        assert_int_equal(got, times[i].want);
    }
}

/* Every day of 400 years is the day before and one: the calendar repeats after that. */
static void test_calendar(void **state)
{
    static const unsigned len[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    uint64_t expect = 0;

    (void)state;
    for (unsigned year = 1970; year < 2370; year++) {
        for (unsigned month = 1; month <= 12; month++) {
            bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
            for (unsigned day = 1; day <= len[month - 1] + (month == 2 && leap); day++, expect += 86400) {
                char text[32] = "\x18\x0f";
                (void)snprintf(text + 2, sizeof text - 2, "%04u%02u%02u000000Z", year, month, day);
                struct hb_cur c = hb_cur(hb_span_str(text));
                assert_int_equal(hb_der_time(&c), expect);
                assert_true(hb_cur_end(&c));
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readers),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_calendar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
