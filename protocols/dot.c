/* dot.c: a five-state machine with a fast lane through ordinary text. */
#include "dot.h"

#define STRIDE 1024u /* not more is looked through for an LF that may not come, while CRs do */

/* Ordinary text up to the next CR or LF, or to the end of a stride. */
static size_t skip_text(const uint8_t *p, size_t len)
{
    size_t stride = len < STRIDE ? len : STRIDE;
    const uint8_t *lf = memchr(p, '\n', stride);
    size_t n = lf != NULL ? (size_t)(lf - p) : stride;
    const uint8_t *cr = memchr(p, '\r', n);

    return cr != NULL ? (size_t)(cr - p) : n;
}

static uint8_t advance(uint8_t state, uint8_t c, bool *bare)
{
    bool after_cr = state == HB_DOT_CR || state == HB_DOT_DOT_CR;

    *bare = (c == '\n') != after_cr; /* LF without CR before it, or something else behind CR */
    if (c == '\n') {
        return after_cr ? HB_DOT_LINE_START : HB_DOT_TEXT;
    }
    if (c == '\r') {
        return state == HB_DOT_DOT ? HB_DOT_DOT_CR : HB_DOT_CR;
    }
    return state == HB_DOT_LINE_START && c == '.' ? HB_DOT_DOT : HB_DOT_TEXT;
}

struct hb_dot_result hb_dot_scan(uint8_t *state, struct hb_span bytes, bool strict)
{
    struct hb_dot_result r = {0, false, false};

    while (r.used < bytes.len) {
        if (*state == HB_DOT_TEXT) {
            r.used += skip_text(bytes.p + r.used, bytes.len - r.used);
            if (r.used == bytes.len) {
                break;
            }
        }
        bool bare;
        uint8_t next = advance(*state, bytes.p[r.used], &bare);
        if (bare && strict) {
            r.bare = true;
            return r;
        }
        r.used++;
        bool was_last_line = *state == HB_DOT_DOT_CR;
        *state = next;
        if (next == HB_DOT_LINE_START && was_last_line) {
            r.end = true;
            return r;
        }
    }
    return r;
}
