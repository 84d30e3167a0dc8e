/* cursor.c: the sticky reader.  Invariant: p <= end, and p == end once failed. */
#include <hb/cursor.h>

struct hb_cur hb_cur(struct hb_span s)
{
    static const uint8_t nothing[1];
    const uint8_t *p = s.p != NULL ? s.p : nothing;
    return (struct hb_cur){p, p + (s.p != NULL ? s.len : 0), false};
}

size_t hb_cur_left(const struct hb_cur *c)
{
    return (size_t)(c->end - c->p);
}

bool hb_cur_ok(const struct hb_cur *c)
{
    return !c->failed;
}

bool hb_cur_end(const struct hb_cur *c)
{
    return !c->failed && c->p == c->end;
}

void hb_cur_fail(struct hb_cur *c)
{
    c->failed = true;
    c->p = c->end;
}

struct hb_span hb_cur_take(struct hb_cur *c, size_t n)
{
    if (c->failed || n > hb_cur_left(c)) {
        hb_cur_fail(c);
        return hb_span(NULL, 0);
    }
    struct hb_span s = hb_span(c->p, n);
    c->p += n;
    return s;
}

struct hb_span hb_cur_rest(struct hb_cur *c)
{
    return hb_cur_take(c, hb_cur_left(c));
}

static uint64_t big_endian(struct hb_cur *c, size_t n)
{
    struct hb_span s = hb_cur_take(c, n);
    uint64_t v = 0;
    for (size_t i = 0; i < s.len; i++) {
        v = v << 8 | s.p[i];
    }
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

static struct hb_cur vector(struct hb_cur *c, size_t width)
{
    size_t len = (size_t)big_endian(c, width);
    struct hb_cur v = hb_cur(hb_cur_take(c, len));
    if (c->failed) {
        hb_cur_fail(&v);
    }
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
