/* transcript.h: the running hash over a handshake's messages (RFC 8446 4.4.1, RFC 5246 7.4.9). */
#ifndef HB_TRANSCRIPT_H
#define HB_TRANSCRIPT_H

#include "../crypto/crypto.h"

struct hb_transcript {
    const struct hb_hash *hash; /* NULL until the suite is known */
    union hb_hash_ctx ctx;
};

void hb_transcript_start(struct hb_transcript *t, const struct hb_hash *hash);
void hb_transcript_add(struct hb_transcript *t, struct hb_span message);
/* The hash so far; the transcript goes on. Writes hash->len bytes. */
void hb_transcript_now(const struct hb_transcript *t, uint8_t *dst);
/* After a HelloRetryRequest: what was hashed becomes a synthetic message_hash message (T13-07). */
void hb_transcript_retry(struct hb_transcript *t);

#endif
