/* buf.h: an owned byte queue with a maximum from birth.
 *
 * Empty, it owns no memory at all: an idle session's queues cost their struct
 * only.  Memory comes from the environment, grows by doubling up to max and is
 * wiped and given back as soon as the queue is empty. */
#ifndef HB_BUF_H
#define HB_BUF_H

#include <hb/env.h>
#include <hb/err.h>
#include <hb/span.h>

struct hb_buf {
    uint8_t *p; /* owned, or NULL */
    uint32_t cap, head, tail, max;
};

/* max: the most bytes it may ever hold (below 2^31). Allocates nothing. */
void hb_buf_init(struct hb_buf *b, size_t max);
/* Gives the memory back, wiped. The queue is empty and usable afterwards. */
void hb_buf_clear(struct hb_buf *b, const struct hb_env *env);
/* Copies s behind what is there. HB_E_OVERFLOW beyond max, HB_E_NO_MEMORY; then nothing was added. */
HB_MUST_USE enum hb_code hb_buf_add(struct hb_buf *b, const struct hb_env *env, struct hb_span s);
/* What is queued, borrowed until the next call. */
struct hb_span hb_buf_span(const struct hb_buf *b);
/* The same, to be changed in place. */
uint8_t *hb_buf_bytes(struct hb_buf *b);
size_t hb_buf_len(const struct hb_buf *b);
/* Drops the first n bytes (n <= len); gives the memory back when nothing is left. */
void hb_buf_drop(struct hb_buf *b, const struct hb_env *env, size_t n);

#endif
