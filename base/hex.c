/* hex.c: hexadecimal digits, nothing clever. */
#include <hb/hex.h>

static int digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = hb_ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum hb_code hb_hex_decode(struct hb_span text, uint8_t *dst, size_t cap, size_t *len)
{
    size_t n = 0;

    for (size_t i = 0; i < text.len;) {
        if (text.p[i] == ' ' || text.p[i] == '\n' || text.p[i] == '\t' || text.p[i] == '\r') {
            i++;
            continue;
        }
        if (i + 1 >= text.len || digit(text.p[i]) < 0 || digit(text.p[i + 1]) < 0) {
            return HB_E_HEX;
        }
        if (n == cap) {
            return HB_E_OVERFLOW;
        }
        dst[n++] = (uint8_t)(digit(text.p[i]) << 4 | digit(text.p[i + 1]));
        i += 2;
    }
    *len = n;
    return HB_OK;
}

void hb_hex_encode(struct hb_span s, char *dst)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < s.len; i++) {
        *dst++ = digits[s.p[i] >> 4];
        *dst++ = digits[s.p[i] & 15];
    }
    *dst = 0;
}
