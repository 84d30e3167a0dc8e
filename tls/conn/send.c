/* send.c: what leaves: flights, alerts, key updates, data.
 *
 * Invariants: everything goes out under the write keys of the moment, but for a CCS of TLS 1.3; at most one
 * fatal alert leaves, and behind it the keys are gone (ALR-03); tickets leave with the first reply, in front
 * of it; a key is changed, or the connection ended, before its limit (REC-15).
 * Writes to the caller's builder, which has the room it was told to have. Keeps nothing. */
#include "../alert.h"
#include "../hs/hs.h"
#include "../legacy/record.h"
#include "conn.h"
#include "parts.h"
#include <hb/ct.h>

#define SMALL_RECORDS 16u /* REC-18: the first ones fit a packet each */
#define SMALL_PLAIN   1400u

void hb_conn_emit_record(struct hb_tls *t, uint8_t type, struct hb_span bytes)
{
    struct hb_rec_dir plain = {0};
    struct hb_rec_source src = {&bytes, 0};
    /* A CCS of TLS 1.3 is never protected. */
    struct hb_rec_dir *d = type == HB_REC_CCS && t->info.version == 0x0304 ? &plain : &t->wr;

    /* 0x0301 on the first hello, for servers that know nothing newer (REC-02) */
    uint16_t version = t->is_client && t->info.version == 0               ? 0x0301
                       : t->info.version < 0x0303 && t->info.version != 0 ? t->info.version
                                                                          : 0x0303;

    hb_rec_seal(d, &t->lane->write, type, version, &src, bytes.len, t->out);
}

void hb_conn_emit(struct hb_tls *t)
{
    struct hb_span flight = hb_bld_span(&t->lane->flight);
    size_t limit = t->wr.suite != NULL ? t->max_plain : HB_REC_PLAIN_MAX; /* REC-16: protected records only */

    while (flight.len > 0) {
        struct hb_span part = hb_span_head(flight, limit);
        hb_conn_emit_record(t, HB_REC_HANDSHAKE, part);
        flight = hb_span_skip(flight, part.len);
    }
    hb_bld_reset(&t->lane->flight);
}

void hb_conn_install(struct hb_tls *t, struct hb_rec_dir *d, const struct hb_suite *suite, const uint8_t *key,
                     const uint8_t *iv)
{
    hb_rec_install(d, suite, ++t->lane->next_generation, key, iv);
}

void hb_conn_alert(struct hb_tls *t, uint8_t level, uint8_t alert)
{
    uint8_t bytes[2] = {level, alert};

    hb_conn_emit_record(t, HB_REC_ALERT, hb_span(bytes, sizeof bytes));
}

void hb_conn_fail(struct hb_tls *t, enum hb_code code)
{
    enum hb_alert alert = hb_alert_of(code);

    if (t->failed) {
        return;
    }
    t->failed = true;
    t->code = (uint16_t)code;
    hb_bld_reset(&t->lane->flight);
    if (alert != HB_ALERT_NONE && !t->closed) {
        hb_conn_alert(t, 2, (uint8_t)alert);
        t->info.alert_sent = (uint8_t)alert;
    }
    hb_conn_drop_keys(t); /* ALR-03 */
    hb_buf_clear(&t->held, t->env);
    hb_conn_free_post(t); /* no ticket of a session that failed is told or sent */
    t->in_len = 0;
}

/* The next generation of our own keys, announced under the old ones (T13-18). */
static void send_key_update(struct hb_tls *t, bool request)
{
    const uint8_t message[] = {HB_MSG_KEY_UPDATE, 0, 0, 1, request};
    const struct hb_suite *suite = t->wr.suite;
    uint8_t key[HB_KEY_MAX];
    uint8_t iv[HB_IV_LEN];

    hb_conn_emit_record(t, HB_REC_HANDSHAKE, hb_span(message, sizeof message));
    hb_ks13_update(suite->hash, t->secrets.v13.write);
    hb_ks13_record_keys(suite->hash, t->secrets.v13.write, key, suite->aead->key_len, iv);
    hb_conn_install(t, &t->wr, suite, key, iv);
    hb_wipe(key, sizeof key);
    t->update_due = false;
}
static size_t data_limit(const struct hb_tls *t)
{
    return t->num_sent < SMALL_RECORDS && t->max_plain > SMALL_PLAIN ? SMALL_PLAIN : t->max_plain;
}

size_t hb_tls_sealed_len(const struct hb_tls *t, size_t plain_len)
{
    size_t overhead = t->wr.legacy != NULL ? 2u * (HB_REC_HEADER + 96u) : HB_REC_HEADER + HB_TAG_LEN + 9;
    size_t records = SMALL_RECORDS + plain_len / t->max_plain + 3; /* a key update among them */
    size_t pending = t->post != NULL ? hb_buf_len(&t->post->pending) : 0;

    return plain_len + records * overhead + pending + (pending / t->max_plain + 1) * overhead;
}

/* Tickets leave in the same write as the first reply: no system call, no packet of their own. */
static void send_pending(struct hb_tls *t)
{
    if (t->is_client || t->post == NULL || hb_buf_len(&t->post->pending) == 0) {
        return;
    }
    hb_bld_put(&t->lane->flight, hb_buf_span(&t->post->pending));
    hb_conn_emit(t);
    hb_conn_free_post(t);
}

enum hb_code hb_tls_key_update(struct hb_tls *t, bool request, struct hb_bld *out)
{
    if (!t->is_open || t->failed || t->closed || t->info.version != 0x0304) {
        return HB_E_INTERNAL;
    }
    t->out = out;
    send_pending(t);
    send_key_update(t, request);
    return HB_OK;
}

enum hb_code hb_tls_write(struct hb_tls *t, const struct hb_span *plain, size_t n, struct hb_bld *out)
{
    struct hb_rec_source src = {plain, 0};
    size_t left = 0;
    bool split = false; /* REC-14: every other record is the short one */

    if (t->failed) {
        return (enum hb_code)t->code;
    }
    if (!t->is_open) {
        return HB_E_INTERNAL;
    }
    if (t->closed) {
        return HB_E_TLS_CLOSED;
    }
    t->out = out;
    for (size_t i = 0; i < n; i++) {
        left += plain[i].len;
    }
    send_pending(t);
    if (t->update_due) {
        send_key_update(t, false);
    }
    while (left > 0) {
        if (t->wr.legacy == NULL && t->wr.seq >= t->wr.suite->aead->record_limit) { /* REC-15 */
            if (t->info.version != 0x0304) {
                return HB_E_TLS_KEY_LIMIT;
            }
            send_key_update(t, false);
        }
        size_t limit = data_limit(t);
        size_t len = left < limit ? left : limit;
        if (t->wr.legacy != NULL && hb_legacy_splits(t->wr.legacy) && !split) {
            len = 1;
        }
        split = !split;
        hb_rec_seal(&t->wr, &t->lane->write, HB_REC_DATA, t->info.version < 0x0303 ? t->info.version : 0x0303,
                    &src, len, out);
        left -= len;
        t->num_sent = t->num_sent < 255 ? (uint8_t)(t->num_sent + 1) : 255;
    }
    return HB_OK;
}

void hb_tls_close(struct hb_tls *t, struct hb_bld *out)
{
    if (t->failed || t->closed) {
        return;
    }
    t->out = out;
    if (t->is_open) {
        send_pending(t);
    }
    t->closed = true;
    hb_conn_alert(t, 1, HB_ALERT_CLOSE_NOTIFY);
}

enum hb_code hb_tls_eof(const struct hb_tls *t)
{
    if (t->peer_closed) {
        return HB_OK;
    }
    return t->failed ? (enum hb_code)t->code : HB_E_TLS_TRUNCATED;
}
