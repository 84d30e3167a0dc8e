/* builder.h: a sticky writer into memory of a fixed size that the caller owns.
 *
 * A write that does not fit writes nothing, and the builder stays failed: ask
 * hb_bld_ok() once at the end.  Nested lengths are opened and closed; the
 * length is filled in at close and checked to fit its bytes.  The gateway's
 * output buffers, TLS messages and protocol lines are all made with it. */
#ifndef HB_BUILDER_H
#define HB_BUILDER_H

#include <hb/span.h>

struct hb_bld {
    uint8_t *p; /* borrowed */
    size_t len, cap;
    bool failed;
};

/* Where an open length stands, from hb_bld_open*(); hand it to hb_bld_close(). */
struct hb_bld_mark {
    size_t at;
    uint8_t width;
};

struct hb_bld hb_bld(void *p, size_t cap);
static inline bool hb_bld_ok(const struct hb_bld *b)
{
    return !b->failed;
}

/* Bytes that still fit; 0 once failed. */
static inline size_t hb_bld_room(const struct hb_bld *b)
{
    return b->failed ? 0 : b->cap - b->len;
}

/* What was written so far, borrowed. */
struct hb_span hb_bld_span(const struct hb_bld *b);
/* Empties it and forgets a failure; the memory stays. */
void hb_bld_reset(struct hb_bld *b);

void hb_bld_u8(struct hb_bld *b, uint8_t v);
void hb_bld_u16(struct hb_bld *b, uint16_t v);
void hb_bld_u24(struct hb_bld *b, uint32_t v);
void hb_bld_u32(struct hb_bld *b, uint32_t v);
void hb_bld_u64(struct hb_bld *b, uint64_t v);
void hb_bld_put(struct hb_bld *b, struct hb_span s);
void hb_bld_str(struct hb_bld *b, const char *s);
/* Claims n bytes to be filled by the caller; NULL (and failed) if they do not fit. */
static inline uint8_t *hb_bld_claim(struct hb_bld *b, size_t n)
{
    if (n > hb_bld_room(b)) {
        b->failed = true;
        return NULL;
    }
    uint8_t *at = b->p + b->len;
    b->len += n;
    return at;
}

struct hb_bld_mark hb_bld_open8(struct hb_bld *b);
struct hb_bld_mark hb_bld_open16(struct hb_bld *b);
struct hb_bld_mark hb_bld_open24(struct hb_bld *b);
void hb_bld_close(struct hb_bld *b, struct hb_bld_mark mark);

#endif
