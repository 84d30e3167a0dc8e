/* hex.h: hexadecimal digits, both ways. For fixtures, logs and fingerprints; not for secrets. */
#ifndef HB_HEX_H
#define HB_HEX_H

#include <hb/err.h>
#include <hb/span.h>

/* Decodes hex digits of either case, white space between bytes allowed, into dst (at most cap bytes).
 * HB_E_HEX on anything else, HB_E_OVERFLOW if it does not fit. */
HB_MUST_USE enum hb_code hb_hex_decode(struct hb_span text, uint8_t *dst, size_t cap, size_t *len);
/* Writes 2 * s.len lower-case digits and a NUL; dst has room for 2 * s.len + 1. */
void hb_hex_encode(struct hb_span s, char *dst);

#endif
