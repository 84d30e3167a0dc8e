#include "tap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

static struct hb_rec_cache cache; /* nobody else's: keyed anew for each record */

void tap_start(struct tap *t, struct duo *d, bool test_client)
{
    memset(t, 0, sizeof *t);
    t->d = d;
    t->tested = test_client ? &d->client : &d->server;
    t->other = test_client ? &d->server : &d->client;
    duo_events(d, &d->client);
}

static void give(struct tap *t, struct duo_end *to, const uint8_t *bytes, size_t len)
{
    uint8_t *exact = malloc(len);

    assert_non_null(exact);
    memcpy(exact, bytes, len);
    hb_tls_input(to->tls, exact, len);
    duo_events(t->d, to);
    free(exact);
}

void tap_answer(struct tap *t)
{
    if (t->tested->out.len > 0 && !t->other->failed) {
        give(t, t->other, t->tested->out.p, t->tested->out.len);
    }
    hb_bld_reset(&t->tested->out);
}

/* Opens the record that lies first in the wire. */
static bool open_record(struct tap *t, struct tap_item *item)
{
    uint8_t *p = t->wire + t->wire_at;
    struct hb_rec_header h;
    struct hb_rec_dir dir = t->tested->tls->rd;
    struct hb_span plain;
    uint8_t type;

    assert_int_equal(hb_rec_parse(p, HB_REC_CIPHER12_MAX, &h), HB_OK);
    t->wire_at += HB_REC_HEADER + (size_t)h.len;
    if (dir.generation != t->open_generation) {
        t->open_generation = dir.generation;
        t->open_seq = 0;
    }
    bool clear =
        dir.suite == NULL || (h.type == HB_REC_CCS && hb_tls_info(t->tested->tls)->version == 0x0304);
    if (clear) {
        memset(&dir, 0, sizeof dir);
    }
    if (clear && h.type == HB_REC_DATA) {
        return false;
    }
    dir.seq = t->open_seq;
    cache.generation = 0;
    type = h.type;
    assert_int_equal(hb_rec_open(&dir, &cache, p, &h, &type, &plain), HB_OK);
    t->open_seq += !clear;
    item->type = type;
    item->len = plain.len;
    assert_true(plain.len <= sizeof item->bytes);
    memcpy(item->bytes, plain.p, plain.len);
    return true;
}

bool tap_next(struct tap *t, struct tap_item *item)
{
    for (;;) {
        size_t have = t->hand_len - t->hand_at;
        const uint8_t *p = t->hand + t->hand_at;
        size_t len = have >= 4 ? 4 + ((size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3]) : 0;
        if (have >= 4 && have >= len) {
            assert_true(len <= sizeof item->bytes);
            item->type = HB_REC_HANDSHAKE;
            item->len = len;
            memcpy(item->bytes, p, len);
            t->hand_at += len;
            return true;
        }
        if (t->wire_at < t->wire_len) {
            if (!open_record(t, item)) {
                return false;
            }
            if (item->type != HB_REC_HANDSHAKE) {
                return true;
            }
            memmove(t->hand, p, have);
            memcpy(t->hand + have, item->bytes, item->len);
            t->hand_at = 0;
            t->hand_len = have + item->len;
            continue;
        }
        tap_answer(t);
        t->wire_at = 0;
        t->wire_len = t->other->out.len;
        assert_true(t->wire_len <= sizeof t->wire);
        if (t->wire_len == 0) {
            return false;
        }
        memcpy(t->wire, t->other->out.p, t->wire_len);
        hb_bld_reset(&t->other->out);
    }
}

static void put(struct tap *t, struct hb_rec_dir dir, uint8_t type, const void *bytes, size_t len)
{
    static uint8_t mem[HB_TLS_RECORD_MAX + 64];
    struct hb_bld out = hb_bld(mem, sizeof mem);
    struct hb_span span = hb_span(bytes, len);
    struct hb_rec_source src = {&span, 0};

    cache.generation = 0;
    hb_rec_seal(&dir, &cache, type, 0x0303, &src, len, &out);
    assert_true(hb_bld_ok(&out));
    give(t, t->tested, mem, out.len);
}

void tap_put(struct tap *t, uint8_t type, const void *bytes, size_t len)
{
    put(t, t->tested->tls->rd, type, bytes, len);
}

void tap_put_plain(struct tap *t, uint8_t type, const void *bytes, size_t len)
{
    const struct hb_rec_dir none = {0};

    put(t, none, type, bytes, len);
}

void tap_finish(struct tap *t)
{
    static struct tap_item item;

    while (!t->tested->failed && tap_next(t, &item)) {
        if (item.type == HB_REC_CCS) {
            tap_put_plain(t, item.type, item.bytes, item.len);
        } else {
            tap_put(t, item.type, item.bytes, item.len);
        }
    }
    tap_answer(t);
}
