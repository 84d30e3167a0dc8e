/* transcript.c: a hash, and a copy of it each time somebody asks. */
#include "transcript.h"

void hb_transcript_start(struct hb_transcript *t, const struct hb_hash *hash)
{
    t->hash = hash;
    hash->init(&t->ctx);
}

void hb_transcript_add(struct hb_transcript *t, struct hb_span message)
{
    t->hash->update(&t->ctx, message);
}

void hb_transcript_now(const struct hb_transcript *t, uint8_t *dst)
{
    union hb_hash_ctx copy = t->ctx;

    t->hash->final(&copy, dst);
}

void hb_transcript_retry(struct hb_transcript *t)
{
    uint8_t message[4 + HB_HASH_MAX] = {254, 0, 0, t->hash->len};

    hb_transcript_now(t, message + 4);
    t->hash->init(&t->ctx);
    t->hash->update(&t->ctx, hb_span(message, 4u + t->hash->len));
}
