/* buf.c: the bounded byte queue.
 * Invariant: head <= tail <= cap <= max rounded up; p is NULL exactly when cap is 0; an empty queue owns
 * nothing. */
#include <hb/buf.h>

#define SMALLEST 256u

void hb_buf_init(struct hb_buf *b, size_t max)
{
    HB_INVARIANT(max < (size_t)1 << 31);
    *b = (struct hb_buf){.max = (uint32_t)max};
}

void hb_buf_clear(struct hb_buf *b, const struct hb_env *env)
{
    env->release(env->ctx, b->p, b->cap);
    *b = (struct hb_buf){.max = b->max};
}

/* Makes room for n more bytes at the tail: slides what is there, or moves it to larger memory. */
static enum hb_code make_room(struct hb_buf *b, const struct hb_env *env, uint32_t n)
{
    uint32_t used = b->tail - b->head;

    if (b->cap - b->tail >= n) {
        return HB_OK;
    }
    if (b->cap - used >= n && b->head >= b->cap / 2) {
        memmove(b->p, b->p + b->head, used);
        b->head = 0;
        b->tail = used;
        return HB_OK;
    }
    uint32_t cap = b->cap > SMALLEST ? b->cap : SMALLEST;
    while (cap < used + n) {
        cap *= 2;
    }
    uint8_t *p = env->alloc(env->ctx, cap);
    if (p == NULL) {
        return HB_E_NO_MEMORY;
    }
    if (used > 0) {
        memcpy(p, b->p + b->head, used);
    }
    env->release(env->ctx, b->p, b->cap);
    b->p = p;
    b->cap = cap;
    b->head = 0;
    b->tail = used;
    return HB_OK;
}

enum hb_code hb_buf_add(struct hb_buf *b, const struct hb_env *env, struct hb_span s)
{
    if (s.len == 0) {
        return HB_OK;
    }
    if (s.len > b->max - (b->tail - b->head)) {
        return HB_E_OVERFLOW;
    }
    HB_TRY(make_room(b, env, (uint32_t)s.len));
    memcpy(b->p + b->tail, s.p, s.len);
    b->tail += (uint32_t)s.len;
    return HB_OK;
}

struct hb_span hb_buf_span(const struct hb_buf *b)
{
    return b->p != NULL ? hb_span(b->p + b->head, b->tail - b->head) : hb_span(NULL, 0);
}

uint8_t *hb_buf_bytes(struct hb_buf *b)
{
    return b->p != NULL ? b->p + b->head : NULL;
}

size_t hb_buf_len(const struct hb_buf *b)
{
    return b->tail - b->head;
}

void hb_buf_drop(struct hb_buf *b, const struct hb_env *env, size_t n)
{
    HB_INVARIANT(n <= hb_buf_len(b));
    b->head += (uint32_t)n;
    if (b->head == b->tail) {
        hb_buf_clear(b, env);
    }
}
