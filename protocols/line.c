/* line.c: the line cutter.
 * Invariant: part holds at most max bytes of the line plus what one call added up to max; everything beyond
 * is counted in seen and dropped. */
#include "line.h"

void hb_line_init(struct hb_line *l)
{
    memset(l, 0, sizeof *l);
    hb_buf_init(&l->part, HB_LINE_HARD_MAX);
}

void hb_line_clear(struct hb_line *l, const struct hb_env *env)
{
    hb_buf_clear(&l->part, env);
    hb_line_init(l);
}

bool hb_line_pending(const struct hb_line *l)
{
    return l->seen > 0;
}

uint32_t hb_line_tail(const struct hb_line *l)
{
    return l->tail;
}

static uint32_t tail_behind(uint32_t tail, struct hb_span bytes)
{
    for (size_t i = bytes.len > 4 ? bytes.len - 4 : 0; i < bytes.len; i++) {
        tail = tail << 8 | bytes.p[i];
    }
    return tail;
}

/* A line with its CRLF: is it free of what must not be in one? */
static enum hb_line_status judge(struct hb_span whole, size_t max, struct hb_span *line)
{
    if (whole.len < 2 || whole.p[whole.len - 2] != '\r') {
        *line = hb_span_head(whole, whole.len - 1 < max ? whole.len - 1 : max); /* as if it came in pieces */
        return HB_LINE_BAD;
    }
    *line = hb_span(whole.p, whole.len - 2);
    if (whole.len > max) { /* dropped: what is in it does not matter */
        *line = hb_span_head(whole, max);
        return HB_LINE_TOO_LONG;
    }
    if (line->len > 0 &&
        (memchr(line->p, '\r', line->len) != NULL || memchr(line->p, 0, line->len) != NULL)) {
        return HB_LINE_BAD;
    }
    return HB_LINE_OK;
}

/* Stores bytes of an unfinished line, as many as a line may have. */
static enum hb_line_status store(struct hb_line *l, const struct hb_env *env, struct hb_span bytes,
                                 size_t max)
{
    size_t have = hb_buf_len(&l->part);
    size_t room = max > have ? max - have : 0;
    bool endless = l->seen + bytes.len > HB_LINE_HARD_MAX; /* and so it stays */

    l->seen = endless ? HB_LINE_HARD_MAX : l->seen + (uint32_t)bytes.len;
    l->tail = tail_behind(l->tail, bytes);
    if (hb_buf_add(&l->part, env, hb_span_head(bytes, room)) != HB_OK) {
        return HB_LINE_NO_MEMORY;
    }
    return endless ? HB_LINE_ENDLESS : HB_LINE_OK;
}

enum hb_line_status hb_line_next(struct hb_line *l, const struct hb_env *env, struct hb_span *in, size_t max,
                                 struct hb_span *line)
{
    *line = hb_span(NULL, 0);
    l->taken = 0;
    if (!l->ready) {
        const uint8_t *lf = in->len > 0 ? memchr(in->p, '\n', in->len) : NULL;
        size_t n = lf != NULL ? (size_t)(lf - in->p) + 1 : in->len;
        if (lf != NULL && l->seen == 0) { /* whole, in the input: no copy */
            if (n > HB_LINE_HARD_MAX) {
                *line = hb_span_head(*in, max);
                return HB_LINE_ENDLESS;
            }
            l->taken = (uint32_t)n;
            l->tail = tail_behind(0, hb_span(in->p, n));
            return judge(hb_span(in->p, n), max, line);
        }
        enum hb_line_status stored = store(l, env, hb_span(in->p, n), max);
        if (stored != HB_LINE_OK) {
            *line = hb_buf_span(&l->part);
            return stored;
        }
        *in = hb_span_skip(*in, n);
        if (lf == NULL) {
            return HB_LINE_MORE;
        }
        l->ready = true;
    }
    struct hb_span stored = hb_buf_span(&l->part);
    if (l->seen > stored.len) { /* its end was not stored */
        *line = stored;
        return (l->tail >> 8 & 0xff) == '\r' ? HB_LINE_TOO_LONG : HB_LINE_BAD;
    }
    return judge(stored, max, line);
}

void hb_line_done(struct hb_line *l, const struct hb_env *env, struct hb_span *in)
{
    if (l->taken > 0) {
        *in = hb_span_skip(*in, l->taken);
        l->taken = 0;
    } else {
        hb_line_clear(l, env);
    }
}
