/* builder.c: the sticky writer.  Invariant: len <= cap; a failed builder changes nothing any more. */
#include <hb/builder.h>

struct hb_bld hb_bld(void *p, size_t cap)
{
    return (struct hb_bld){p, 0, cap, false};
}

struct hb_span hb_bld_span(const struct hb_bld *b)
{
    return hb_span(b->p, b->len);
}

void hb_bld_reset(struct hb_bld *b)
{
    b->len = 0;
    b->failed = false;
}

static inline void put_int(struct hb_bld *b, uint64_t v, size_t width)
{
    uint8_t *at = hb_bld_claim(b, width);
    for (size_t i = 0; at != NULL && i < width; i++) {
        at[i] = (uint8_t)(v >> (8 * (width - 1 - i)));
    }
}

void hb_bld_u8(struct hb_bld *b, uint8_t v)
{
    put_int(b, v, 1);
}

void hb_bld_u16(struct hb_bld *b, uint16_t v)
{
    put_int(b, v, 2);
}

void hb_bld_u24(struct hb_bld *b, uint32_t v)
{
    put_int(b, v, 3);
}

void hb_bld_u32(struct hb_bld *b, uint32_t v)
{
    put_int(b, v, 4);
}

void hb_bld_u64(struct hb_bld *b, uint64_t v)
{
    put_int(b, v, 8);
}

void hb_bld_put(struct hb_bld *b, struct hb_span s)
{
    if (s.len == 0) {
        return;
    }
    uint8_t *at = hb_bld_claim(b, s.len);
    if (at != NULL) {
        memcpy(at, s.p, s.len);
    }
}

void hb_bld_str(struct hb_bld *b, const char *s)
{
    hb_bld_put(b, hb_span_str(s));
}

static struct hb_bld_mark open_width(struct hb_bld *b, uint8_t width)
{
    put_int(b, 0, width);
    return (struct hb_bld_mark){b->len, width};
}

struct hb_bld_mark hb_bld_open8(struct hb_bld *b)
{
    return open_width(b, 1);
}

struct hb_bld_mark hb_bld_open16(struct hb_bld *b)
{
    return open_width(b, 2);
}

struct hb_bld_mark hb_bld_open24(struct hb_bld *b)
{
    return open_width(b, 3);
}

void hb_bld_close(struct hb_bld *b, struct hb_bld_mark mark)
{
    if (b->failed) {
        return;
    }
    size_t len = b->len - mark.at;
    if (len >> (8 * mark.width) != 0) {
        b->failed = true;
        return;
    }
    for (size_t i = 0; i < mark.width; i++) {
        b->p[mark.at - 1 - i] = (uint8_t)(len >> (8 * i));
    }
}
