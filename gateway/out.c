/* out.c: pieces in order; neighbours in memory become one piece. */
#include "out.h"

/* Below this a copy is cheaper than one more piece of a gathered write. */
#define POINT_FROM 1024u

static bool is_stable(const struct gw_out *o, struct hb_span s)
{
    uintptr_t at = (uintptr_t)s.p;
    uintptr_t from = (uintptr_t)o->stable.p;
    return s.len >= POINT_FROM && at >= from && at - from < o->stable.len;
}

static bool add_piece(struct gw_out *o, struct hb_span s)
{
    if (o->num > 0) {
        struct hb_span *last = &o->pieces[o->num - 1];
        if (last->p + last->len == s.p) {
            last->len += s.len;
            o->total += s.len;
            return true;
        }
    }
    if (o->num == GW_OUT_PIECES) {
        return false;
    }
    o->pieces[o->num++] = s;
    o->total += s.len;
    return true;
}

size_t gw_out_put(struct gw_out *o, struct hb_span s)
{
    if (s.len == 0) {
        return 0;
    }
    if (is_stable(o, s)) {
        return add_piece(o, s) ? s.len : 0;
    }
    s = hb_span_head(s, GW_OUT_MEMORY - o->used);
    if (s.len == 0) {
        return 0;
    }
    memcpy(o->mem + o->used, s.p, s.len);
    if (!add_piece(o, hb_span(o->mem + o->used, s.len))) {
        return 0;
    }
    o->used += s.len;
    return s.len;
}

void gw_out_reset(struct gw_out *o)
{
    o->num = 0;
    o->total = 0;
    o->used = 0;
}
