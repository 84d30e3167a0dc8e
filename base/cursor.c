/* cursor.c: the sticky reader.  Invariant: p <= end, and p == end once failed. */
#include <hb/cursor.h>

struct hb_cur hb_cur(struct hb_span s)
{
    static const uint8_t nothing[1];
    const uint8_t *p = s.p != NULL ? s.p : nothing;
    return (struct hb_cur){p, p + (s.p != NULL ? s.len : 0), false};
}

/* Inline, so that each width is a loop without a count: hellos consist of these. */
static inline uint64_t big_endian(struct hb_cur *c, size_t n)
{
    uint64_t v = 0;

    if (n > hb_cur_left(c)) {
        hb_cur_fail(c);
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        v = v << 8 | c->p[i];
    }
    c->p += n;
    return v;
}

uint8_t hb_cur_u8(struct hb_cur *c)
{
    return (uint8_t)big_endian(c, 1);
}

uint16_t hb_cur_u16(struct hb_cur *c)
{
    return (uint16_t)big_endian(c, 2);
}

uint32_t hb_cur_u24(struct hb_cur *c)
{
    return (uint32_t)big_endian(c, 3);
}

uint32_t hb_cur_u32(struct hb_cur *c)
{
    return (uint32_t)big_endian(c, 4);
}

uint64_t hb_cur_u64(struct hb_cur *c)
{
    return big_endian(c, 8);
}

static inline struct hb_cur vector(struct hb_cur *c, size_t width)
{
    size_t len = (size_t)big_endian(c, width);

    if (c->failed || len > hb_cur_left(c)) {
        hb_cur_fail(c);
        return (struct hb_cur){c->end, c->end, true};
    }
    struct hb_cur v = {c->p, c->p + len, false};
    c->p += len;
    return v;
}

struct hb_cur hb_cur_vec8(struct hb_cur *c)
{
    return vector(c, 1);
}

struct hb_cur hb_cur_vec16(struct hb_cur *c)
{
    return vector(c, 2);
}

struct hb_cur hb_cur_vec24(struct hb_cur *c)
{
    return vector(c, 3);
}
