/* replyq.c: entries behind one another in a bounded buffer; 64 of them at most, so searching is cheap. */
#include "replyq.h"

void hb_replyq_init(struct hb_replyq *q)
{
    hb_buf_init(&q->entries, (size_t)HB_REPLYQ_MAX * 257u);
    q->num = 0;
}

void hb_replyq_clear(struct hb_replyq *q, const struct hb_env *env)
{
    hb_buf_clear(&q->entries, env);
    q->num = 0;
}

bool hb_replyq_full(const struct hb_replyq *q)
{
    return q->num >= HB_REPLYQ_MAX;
}

enum hb_code hb_replyq_add(struct hb_replyq *q, const struct hb_env *env, uint8_t kind, struct hb_span tag)
{
    uint8_t entry[257] = {kind, (uint8_t)tag.len};

    if (hb_replyq_full(q) || tag.len > 255) {
        return HB_E_OVERFLOW;
    }
    if (tag.len > 0) {
        memcpy(entry + 2, tag.p, tag.len);
    }
    HB_TRY(hb_buf_add(&q->entries, env, hb_span(entry, 2 + tag.len)));
    q->num++;
    return HB_OK;
}

uint8_t hb_replyq_front(const struct hb_replyq *q)
{
    return q->num > 0 ? hb_buf_span(&q->entries).p[0] : 0;
}

struct hb_span hb_replyq_front_tag(const struct hb_replyq *q)
{
    struct hb_span all = hb_buf_span(&q->entries);

    return q->num > 0 ? hb_span(all.p + 2, all.p[1]) : hb_span(NULL, 0);
}

void hb_replyq_drop_front(struct hb_replyq *q, const struct hb_env *env)
{
    if (q->num > 0) {
        hb_buf_drop(&q->entries, env, 2u + hb_buf_span(&q->entries).p[1]);
        q->num--;
    }
}

bool hb_replyq_last_is(const struct hb_replyq *q, struct hb_span tag)
{
    struct hb_span all = hb_buf_span(&q->entries);
    struct hb_span last = hb_span(NULL, 0);

    while (all.len > 0) {
        last = hb_span(all.p + 2, all.p[1]);
        all = hb_span_skip(all, 2u + all.p[1]);
    }
    return q->num > 0 && hb_span_eq(last, tag);
}

uint8_t hb_replyq_take(struct hb_replyq *q, const struct hb_env *env, struct hb_span tag)
{
    uint8_t *p = hb_buf_bytes(&q->entries);
    size_t len = hb_buf_len(&q->entries);

    for (size_t at = 0; at < len; at += 2u + p[at + 1]) {
        if (!hb_span_eq(hb_span(p + at + 2, p[at + 1]), tag)) {
            continue;
        }
        uint8_t kind = p[at];
        size_t size = 2u + p[at + 1];
        memmove(p + size, p, at); /* close the gap from the front, where dropping is cheap */
        hb_buf_drop(&q->entries, env, size);
        q->num--;
        return kind;
    }
    return 0;
}
