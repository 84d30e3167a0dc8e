/* dot.h: content that ends with CRLF.CRLF: mail data, and multi-line replies (RFC 5321 4.1.1.4, RFC 1939 3).
 *
 * Only 0D 0A 2E 0D 0A ends it. The scanner looks for line feeds with memchr and
 * touches nothing else, since whole read bursts pass through it. */
#ifndef HB_DOT_H
#define HB_DOT_H

#include <hb/span.h>

enum hb_dot { HB_DOT_LINE_START, HB_DOT_DOT, HB_DOT_DOT_CR, HB_DOT_TEXT, HB_DOT_CR };

struct hb_dot_result {
    size_t used; /* bytes looked at: through the final line if end, up to the offender if bare */
    bool end;    /* the final dot was there */
    bool bare;   /* a CR or LF alone stands at `used` (only if asked for) */
};

/* Goes over bytes from *state (HB_DOT_LINE_START at the beginning). strict: stop at a bare CR or LF. */
struct hb_dot_result hb_dot_scan(uint8_t *state, struct hb_span bytes, bool strict);

#endif
