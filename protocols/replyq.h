/* replyq.h: what was forwarded to the backend and not answered yet: a bounded queue of kinds and tags.
 *
 * Protocols without tags answer in order: they take the front. Tagged ones
 * find their entry. Empty, it owns no memory. */
#ifndef HB_REPLYQ_H
#define HB_REPLYQ_H

#include <hb/buf.h>

#define HB_REPLYQ_MAX 64u /* GEN-18 */

struct hb_replyq {
    struct hb_buf entries; /* kind u8, tag length u8, tag */
    uint8_t num;
};

void hb_replyq_init(struct hb_replyq *q);
void hb_replyq_clear(struct hb_replyq *q, const struct hb_env *env);
bool hb_replyq_full(const struct hb_replyq *q);
/* tag: at most 255 bytes, copied. HB_E_OVERFLOW if full. */
HB_MUST_USE enum hb_code hb_replyq_add(struct hb_replyq *q, const struct hb_env *env, uint8_t kind,
                                       struct hb_span tag);
/* Kind of the oldest entry, 0 if there is none. */
uint8_t hb_replyq_front(const struct hb_replyq *q);
/* Its tag; good until the queue changes. */
struct hb_span hb_replyq_front_tag(const struct hb_replyq *q);
void hb_replyq_drop_front(struct hb_replyq *q, const struct hb_env *env);
/* True if the newest entry has this tag. */
bool hb_replyq_last_is(const struct hb_replyq *q, struct hb_span tag);
/* Takes the entry with this tag out (the oldest, if several); its kind, 0 if there is none. */
uint8_t hb_replyq_take(struct hb_replyq *q, const struct hb_env *env, struct hb_span tag);

#endif
