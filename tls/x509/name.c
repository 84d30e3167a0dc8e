/* name.c: syntax and matching of host names; bytes only, no look-ups. */
#include "name.h"

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool label_char(uint8_t c)
{
    uint8_t l = hb_ascii_lower(c);
    return (l >= 'a' && l <= 'z') || is_digit(c) || c == '-' || c == '_';
}

bool hb_dns_name_ok(struct hb_span host)
{
    size_t label = 0;
    bool numeric = true; /* the last label is all digits: an IPv4 address, or nothing that DNS has */

    if (host.len == 0 || host.len > 255) {
        return false;
    }
    for (size_t i = 0; i < host.len; i++) {
        uint8_t c = host.p[i];
        if (c == '.') {
            if (label == 0) {
                return false;
            }
            label = 0;
            numeric = true;
            continue;
        }
        if (!label_char(c) || ++label > 63) {
            return false;
        }
        numeric = numeric && is_digit(c);
    }
    return label > 0 && !numeric;
}

bool hb_dns_name_covers(struct hb_span pattern, struct hb_span host, bool *wildcard)
{
    *wildcard = false;
    if (!hb_dns_name_ok(host)) {
        return false;
    }
    if (pattern.len > 2 && pattern.p[0] == '*' && pattern.p[1] == '.') {
        const uint8_t *dot = memchr(host.p, '.', host.len);
        if (dot == NULL) {
            return false;
        }
        struct hb_span rest = hb_span_skip(host, (size_t)(dot - host.p) + 1);
        struct hb_span want = hb_span_skip(pattern, 2);
        *wildcard = true;
        /* "*.com" would cover whole top-level domains */
        return want.len > 0 && memchr(want.p, '.', want.len) != NULL && hb_dns_name_ok(want) && hb_span_caseeq(want, rest);
    }
    return hb_dns_name_ok(pattern) && hb_span_caseeq(pattern, host);
}
