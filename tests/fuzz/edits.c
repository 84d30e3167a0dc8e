/* edits.c: see edits.h. In place: the rest is moved. */
#include "edits.h"

#include <string.h>

#define INSERT_MAX 255u

static void insert(struct hb_bld *out, size_t off, struct hb_span bytes)
{
    if (bytes.len == 0 || bytes.len > INSERT_MAX || hb_bld_room(out) < bytes.len) {
        return;
    }
    memmove(out->p + off + bytes.len, out->p + off, out->len - off);
    memcpy(out->p + off, bytes.p, bytes.len);
    out->len += bytes.len;
}

static void erase(struct hb_bld *out, size_t off, size_t len)
{
    size_t behind = out->len - off;

    len = len < behind ? len : behind;
    memmove(out->p + off, out->p + off + len, behind - len);
    out->len -= len;
}

bool edits(struct hb_cur *c, struct hb_span old, struct hb_bld *out)
{
    unsigned num = hb_cur_u8(c);

    hb_bld_reset(out);
    hb_bld_put(out, old);
    for (unsigned i = 0; i < num && hb_cur_left(c) > 0; i++) {
        uint8_t op = hb_cur_u8(c) % 4;
        size_t off = hb_cur_u16(c) % (out->len + 1);
        if (op == 0) {
            uint8_t value = hb_cur_u8(c);
            if (off < out->len) {
                out->p[off] = value;
            }
        } else if (op == 1) {
            struct hb_cur bytes = hb_cur_vec8(c);
            insert(out, off, hb_cur_rest(&bytes));
        } else if (op == 2) {
            erase(out, off, hb_cur_u8(c));
        } else {
            out->len = off;
        }
    }
    return !hb_span_eq(hb_bld_span(out), old);
}
