/* der.c: the TLV reader.  Everything looser than DER fails the cursor (PKI-01). */
#include "der.h"

uint8_t hb_der_peek(const struct hb_cur *c)
{
    return hb_cur_ok(c) && hb_cur_left(c) > 0 ? *c->p : 0;
}

/* Length octets: short form, or the shortest long form of at most three bytes. */
static size_t length(struct hb_cur *c)
{
    uint8_t first = hb_cur_u8(c);
    size_t len = 0;

    if (first < 0x80) {
        return first;
    }
    unsigned n = first & 0x7fu;
    if (n == 0 || n > 3) { /* indefinite, or longer than anything we take */
        hb_cur_fail(c);
        return 0;
    }
    for (unsigned i = 0; i < n; i++) {
        len = len << 8 | hb_cur_u8(c);
    }
    if (len < 0x80 || len >> (8 * (n - 1)) == 0) {
        hb_cur_fail(c);
        return 0;
    }
    return len;
}

struct hb_cur hb_der_take(struct hb_cur *c, uint8_t tag)
{
    if (hb_cur_u8(c) != tag) {
        hb_cur_fail(c);
    }
    size_t len = length(c);
    struct hb_cur body = hb_cur(hb_cur_take(c, len));
    if (!hb_cur_ok(c)) {
        hb_cur_fail(&body);
    }
    return body;
}

struct hb_span hb_der_element(struct hb_cur *c)
{
    const uint8_t *start = c->p;
    uint8_t tag = hb_cur_u8(c);

    if ((tag & 0x1f) == 0x1f) { /* multi-byte tags: nothing we read has one */
        hb_cur_fail(c);
    }
    size_t len = length(c);
    (void)hb_cur_take(c, len);
    return hb_cur_ok(c) ? hb_span(start, (size_t)(c->p - start)) : hb_span(NULL, 0);
}

struct hb_span hb_der_integer(struct hb_cur *c)
{
    struct hb_cur body = hb_der_take(c, HB_DER_INTEGER);
    struct hb_span s = hb_cur_rest(&body);

    /* the first nine bits are neither all zeros nor all ones (X.690 8.3.2) */
    if (s.len == 0 || (s.len > 1 && (s.p[0] == 0 || s.p[0] == 0xff) && ((s.p[0] ^ s.p[1]) & 0x80) == 0)) {
        hb_cur_fail(c);
        return hb_span(NULL, 0);
    }
    return s;
}

struct hb_span hb_der_unsigned(struct hb_cur *c)
{
    struct hb_span s = hb_der_integer(c);

    if (s.len == 0 || (s.p[0] & 0x80) != 0) {
        hb_cur_fail(c);
        return hb_span(NULL, 0);
    }
    return s.len > 1 && s.p[0] == 0 ? hb_span_skip(s, 1) : s;
}

struct hb_span hb_der_bits(struct hb_cur *c)
{
    struct hb_cur body = hb_der_take(c, HB_DER_BIT_STRING);

    if (hb_cur_u8(&body) != 0 || !hb_cur_ok(&body)) {
        hb_cur_fail(c);
        return hb_span(NULL, 0);
    }
    return hb_cur_rest(&body);
}

struct hb_span hb_der_oid(struct hb_cur *c)
{
    struct hb_cur body = hb_der_take(c, HB_DER_OID);
    struct hb_span s = hb_cur_rest(&body);

    if (s.len == 0) {
        hb_cur_fail(c);
    }
    return s;
}

bool hb_der_bool(struct hb_cur *c)
{
    struct hb_cur body = hb_der_take(c, HB_DER_BOOLEAN);
    uint8_t v = hb_cur_u8(&body);

    if (!hb_cur_end(&body) || (v != 0 && v != 0xff)) {
        hb_cur_fail(c);
        return false;
    }
    return v == 0xff;
}

static unsigned digits(struct hb_cur *c, unsigned n)
{
    unsigned v = 0;

    for (unsigned i = 0; i < n; i++) {
        uint8_t d = hb_cur_u8(c);
        if (d < '0' || d > '9') {
            hb_cur_fail(c);
            return 0;
        }
        v = v * 10 + d - '0';
    }
    return v;
}

/* Days from 1970-01-01 of a Gregorian date. */
static uint64_t days(unsigned year, unsigned month, unsigned day)
{
    unsigned y = month <= 2 ? year - 1 : year; /* years begin in March, so that the leap day is the last */
    unsigned m = month <= 2 ? month + 9 : month - 3;
    uint64_t era_days = 365u * (uint64_t)y + y / 4 - y / 100 + y / 400;

    return era_days + (153u * m + 2) / 5 + day - 1 - 719468;
}

static unsigned month_days(unsigned year, unsigned month)
{
    static const uint8_t len[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : len[month - 1];
}

uint64_t hb_der_time(struct hb_cur *c)
{
    uint8_t tag = hb_der_peek(c);
    struct hb_cur t = hb_der_take(c, tag == HB_DER_UTC_TIME ? HB_DER_UTC_TIME : HB_DER_GENERALIZED_TIME);
    unsigned year;

    if (tag == HB_DER_UTC_TIME) {
        year = digits(&t, 2);
        year += year >= 50 ? 1900 : 2000;
    } else {
        year = digits(&t, 4);
    }
    unsigned month = digits(&t, 2);
    unsigned day = digits(&t, 2);
    unsigned hour = digits(&t, 2);
    unsigned minute = digits(&t, 2);
    unsigned second = digits(&t, 2);
    if (hb_cur_u8(&t) != 'Z' || !hb_cur_end(&t) || year < 1950 || month < 1 || month > 12 || day < 1 ||
        day > month_days(year, month) || hour > 23 || minute > 59 || second > 59) {
        hb_cur_fail(c);
        return 0;
    }
    if (year < 1970) {
        return 0; /* before our clocks begin: long ago is all that matters */
    }
    return days(year, month, day) * 86400u + (uint64_t)hour * 3600u + (uint64_t)minute * 60u + second;
}

bool hb_oid_is(struct hb_span oid, const char *bytes, size_t len)
{
    return oid.len == len && memcmp(oid.p, bytes, len) == 0;
}

bool hb_der_is_file(struct hb_span file)
{
    struct hb_cur c = hb_cur(file);

    (void)hb_der_take(&c, HB_DER_SEQUENCE);
    return hb_cur_end(&c);
}
