/* line.h: cuts a byte stream into CRLF lines, with a maximum and no surprises.
 *
 * A line that lies whole in the input is given as a span into it; only a line
 * that came in pieces is stored. A given line stays until hb_line_done(): so a
 * session may decide to wait, and see the same line again.
 * A bare LF, a bare CR or a NUL is never part of a line (GEN-17): a peer that
 * takes them for line ends would see other commands than we do. */
#ifndef HB_LINE_H
#define HB_LINE_H

#include <hb/buf.h>
#include <hb/span.h>

/* More than this without an end of line, and the stream is given up (GEN-18). */
#define HB_LINE_HARD_MAX 65536u

enum hb_line_status {
    HB_LINE_MORE,     /* no end of line yet: all input was taken */
    HB_LINE_OK,       /* *line: without its CRLF */
    HB_LINE_TOO_LONG, /* longer than max; discarded; *line: its beginning */
    HB_LINE_BAD,      /* NUL, bare CR or bare LF */
    HB_LINE_ENDLESS,  /* over HB_LINE_HARD_MAX without an end; *line: its beginning */
    HB_LINE_NO_MEMORY /* the stream cannot be read on */
};

struct hb_line {
    struct hb_buf part; /* what came of an unfinished line */
    uint32_t seen;      /* bytes of it seen, stored or not */
    uint32_t taken;     /* bytes of the input that a line given out takes; 0: it lies in part */
    bool ready;         /* part holds a whole line */
    uint32_t tail;      /* the last four bytes seen, the newest lowest */
};

void hb_line_init(struct hb_line *l);
void hb_line_clear(struct hb_line *l, const struct hb_env *env);
/* Looks for the next line. *in is moved on over what was stored, not over a line given out in place.
 * max: longest line, CRLF included. */
enum hb_line_status hb_line_next(struct hb_line *l, const struct hb_env *env, struct hb_span *in, size_t max,
                                 struct hb_span *line);
/* The line given out last is used up. */
void hb_line_done(struct hb_line *l, const struct hb_env *env, struct hb_span *in);
/* The end of the line given out last, also of one that was discarded: its last four bytes, CRLF included. */
uint32_t hb_line_tail(const struct hb_line *l);
/* True if bytes of a line are stored. */
bool hb_line_pending(const struct hb_line *l);

#endif
