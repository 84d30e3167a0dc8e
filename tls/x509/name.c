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
    if (pattern.len > 2 && pattern.p[0] == '*' && pattern.p[1] == '.') {
        const uint8_t *dot = host.len > 0 ? memchr(host.p, '.', host.len) : NULL;
        if (dot == NULL) {
            return false;
        }
        struct hb_span rest = hb_span_skip(host, (size_t)(dot - host.p) + 1);
        struct hb_span want = hb_span_skip(pattern, 2);
        *wildcard = true;
        /* "*.com" would cover whole top-level domains */
        return want.len > 0 && memchr(want.p, '.', want.len) != NULL && hb_span_caseeq(want, rest) &&
               hb_dns_name_ok(host);
    }
    return hb_span_caseeq(pattern, host) && hb_dns_name_ok(host); /* so is the pattern, then */
}

static bool ipv4(struct hb_span host, uint8_t dst[4])
{
    unsigned part = 0;
    unsigned digits = 0;
    unsigned value = 0;

    for (size_t i = 0; i <= host.len; i++) {
        if (i == host.len || host.p[i] == '.') {
            if (digits == 0 || part > 3) {
                return false;
            }
            dst[part++] = (uint8_t)value;
            digits = 0;
            value = 0;
        } else {
            if (!is_digit(host.p[i]) || ++digits > 3) {
                return false;
            }
            value = value * 10 + (unsigned)(host.p[i] - '0');
            if (value > 255) {
                return false;
            }
        }
    }
    return part == 4;
}

static int hex_digit(uint8_t c)
{
    uint8_t l = hb_ascii_lower(c);
    return is_digit(c) ? c - '0' : l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

/* RFC 4291 2.2: groups of up to four digits, one "::", perhaps an IPv4 address at the end. */
static bool ipv6(struct hb_span host, uint8_t dst[16])
{
    uint8_t tail[16];
    size_t num = 0;      /* bytes in front of "::" */
    size_t num_tail = 0; /* and behind it */
    bool gap = false;
    size_t i = 0;

    if (host.len >= 2 && host.p[0] == ':' && host.p[1] == ':') {
        gap = true;
        i = 2;
    }
    while (i < host.len) {
        size_t end = i;
        unsigned value = 0;
        while (end < host.len && host.p[end] != ':' && host.p[end] != '.') {
            int d = hex_digit(host.p[end++]);
            if (d < 0 || end - i > 4) {
                return false;
            }
            value = value << 4 | (unsigned)d;
        }
        uint8_t *p = gap ? tail + num_tail : dst + num;
        size_t used = num + num_tail;
        if (end < host.len && host.p[end] == '.') {
            if (used > 12 || !ipv4(hb_span_skip(host, i), p)) {
                return false;
            }
            *(gap ? &num_tail : &num) += 4;
            break;
        }
        if (end == i || used > 14) {
            return false;
        }
        p[0] = (uint8_t)(value >> 8);
        p[1] = (uint8_t)value;
        *(gap ? &num_tail : &num) += 2;
        i = end;
        if (i < host.len) {
            i++;
            if (i == host.len) {
                return false; /* a single colon at the end */
            }
            if (host.p[i] == ':') {
                if (gap) {
                    return false;
                }
                gap = true;
                i++;
            }
        }
    }
    if (gap ? num + num_tail > 14 : num != 16) {
        return false;
    }
    memset(dst + num, 0, 16 - num - num_tail);
    memcpy(dst + 16 - num_tail, tail, num_tail);
    return true;
}

bool hb_name_ip(struct hb_span host, uint8_t dst[16], size_t *len)
{
    if (host.len > 45) {
        return false;
    }
    *len = memchr(host.p, ':', host.len) != NULL ? 16 : 4;
    return host.len > 0 && (*len == 16 ? ipv6(host, dst) : ipv4(host, dst));
}

bool hb_name_is_ip(struct hb_span host)
{
    uint8_t bytes[16];
    size_t len;

    return hb_name_ip(host, bytes, &len);
}
