/* utf8.c: well-formedness, and a peer's text made harmless for a log line. */
#include <hb/utf8.h>

bool hb_utf8_ok(struct hb_span s)
{
    for (size_t i = 0; i < s.len;) {
        uint8_t c = s.p[i++];
        uint32_t v;
        unsigned more;
        if (c < 0x80) {
            continue;
        }
        if (c >= 0xc2 && c <= 0xdf) {
            more = 1;
            v = c & 0x1fu;
        } else if (c >= 0xe0 && c <= 0xef) {
            more = 2;
            v = c & 0x0fu;
        } else if (c >= 0xf0 && c <= 0xf4) {
            more = 3;
            v = c & 0x07u;
        } else {
            return false;
        }
        if (s.len - i < more) {
            return false;
        }
        for (unsigned k = 0; k < more; k++, i++) {
            if ((s.p[i] & 0xc0) != 0x80) {
                return false;
            }
            v = v << 6 | (s.p[i] & 0x3fu);
        }
        if ((more == 2 && v < 0x800) || (more == 3 && (v < 0x10000 || v > 0x10ffff)) ||
            (v >= 0xd800 && v <= 0xdfff)) {
            return false;
        }
    }
    return true;
}

size_t hb_log_escape(struct hb_span s, size_t max_in, char *dst, size_t cap)
{
    static const char digits[] = "0123456789abcdef";
    size_t n = 0;
    size_t take = s.len < max_in ? s.len : max_in;
    size_t i;

    for (i = 0; i < take && n + 8 <= cap; i++) {
        uint8_t c = s.p[i];
        if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
            dst[n++] = (char)c;
        } else {
            dst[n++] = '\\';
            dst[n++] = 'x';
            dst[n++] = digits[c >> 4];
            dst[n++] = digits[c & 15];
        }
    }
    if (i < s.len) {
        memcpy(dst + n, "...", 3);
        n += 3;
    }
    dst[n] = 0;
    return n;
}
