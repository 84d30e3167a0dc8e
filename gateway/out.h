/* out.h: what one turn of the loop wants to send one way, gathered for a single write.
 *
 * Bytes that lie in the worker's read buffer are only pointed at: they stay
 * until the turn ends.  Everything else, and everything short, is copied into
 * the list's own memory.  One list per direction and worker; empty between
 * turns.
 * Invariant: total is the sum of the pieces, in the order they were put. */
#ifndef GW_OUT_H
#define GW_OUT_H

#include <hb/span.h>

#define GW_OUT_PIECES 64u
#define GW_OUT_MEMORY 65536u

struct gw_out {
    struct hb_span pieces[GW_OUT_PIECES]; /* borrowed: from mem, or from the stable region */
    unsigned num;
    size_t total, used;
    struct hb_span stable; /* borrowed: the region whose bytes outlive the turn's gathering */
    uint8_t mem[GW_OUT_MEMORY];
};

/* Takes as much of s as fits now; returns the number of bytes taken. Fewer than s.len: flush and go on. */
size_t gw_out_put(struct gw_out *o, struct hb_span s);
/* Empties the list. */
void gw_out_reset(struct gw_out *o);

#endif
