/* cursor.h: a sticky, bounds-checked reader over borrowed bytes.
 *
 * A read beyond the end yields zeros and empty spans, and the cursor stays
 * failed: so a parser reads like the RFC's struct, top to bottom, and asks
 * once, at its end, hb_cur_end(): true only if nothing failed and nothing is
 * left.  Decide nothing on a value before that.  All lengths from a peer go
 * through here. */
#ifndef HB_CURSOR_H
#define HB_CURSOR_H

#include <hb/span.h>

struct hb_cur {
    const uint8_t *p, *end; /* borrowed */
    bool failed;
};

struct hb_cur hb_cur(struct hb_span s);
/* Bytes left; 0 once failed. */
static inline size_t hb_cur_left(const struct hb_cur *c)
{
    return (size_t)(c->end - c->p);
}

/* True if no read failed so far (bytes may be left). */
static inline bool hb_cur_ok(const struct hb_cur *c)
{
    return !c->failed;
}

/* True if no read failed and nothing is left: too short, too long and trailing bytes are all "false". */
static inline bool hb_cur_end(const struct hb_cur *c)
{
    return !c->failed && c->p == c->end;
}

/* Marks the cursor failed: for a parser that found nonsense inside. */
static inline void hb_cur_fail(struct hb_cur *c)
{
    c->failed = true;
    c->p = c->end;
}

/* Big-endian integers. */
uint8_t hb_cur_u8(struct hb_cur *c);
uint16_t hb_cur_u16(struct hb_cur *c);
uint32_t hb_cur_u24(struct hb_cur *c);
uint32_t hb_cur_u32(struct hb_cur *c);
uint64_t hb_cur_u64(struct hb_cur *c);

/* The next n bytes, borrowed from the same memory; empty and failed if fewer are left. */
static inline struct hb_span hb_cur_take(struct hb_cur *c, size_t n)
{
    if (c->failed || n > hb_cur_left(c)) {
        hb_cur_fail(c);
        return hb_span(NULL, 0);
    }
    struct hb_span s = hb_span(c->p, n);
    c->p += n;
    return s;
}

/* Everything left. */
static inline struct hb_span hb_cur_rest(struct hb_cur *c)
{
    return hb_cur_take(c, hb_cur_left(c));
}

/* A vector with a length of one, two or three bytes before it, as a cursor of its own. If it does not
 * fit, both cursors are failed. */
struct hb_cur hb_cur_vec8(struct hb_cur *c);
struct hb_cur hb_cur_vec16(struct hb_cur *c);
struct hb_cur hb_cur_vec24(struct hb_cur *c);

#endif
