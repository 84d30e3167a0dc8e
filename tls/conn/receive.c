/* receive.c: one record: whether it may come now, and whose it is.
 *
 * A row of RFC 8446 5 and 5246 6.2 each: first byte, version, length before the body is waited for, what is
 * never protected (CCS), what cannot be read (early data, a client's alert about our ServerHello), floods.
 * Invariants: a record is looked at only when it is complete; its content leaves only when the cipher said
 * yes; data only on an open connection; nothing stands between the pieces of a handshake message.
 * Decrypts in place. Never sends anything: it returns a code. */
#include "../alert.h"
#include "../hs/hs.h"
#include "conn.h"
#include "parts.h"

#define MAX_EMPTY    32u /* REC-04 */
#define MAX_CCS      32u /* REC-07 */
#define MAX_WARNINGS 4u  /* ALR-02 */

/* ---- alerts ---- */

static enum hb_code on_alert(struct hb_tls *t, struct hb_span bytes)
{
    if (bytes.len != 2) {
        return HB_E_TLS_ALERT_FORMAT;
    }
    uint8_t level = bytes.p[0];
    uint8_t alert = bytes.p[1];
    if (level != 1 && level != 2) {
        return HB_E_TLS_ILLEGAL;
    }
    if (alert == HB_ALERT_CLOSE_NOTIFY) {
        t->peer_closed = true;
        t->info.got_close = true;
        return HB_OK;
    }
    bool harmless = alert == HB_ALERT_USER_CANCELED || (t->info.version != 0x0304 && level == 1);
    if (harmless) {
        return ++t->num_warnings > MAX_WARNINGS ? HB_E_TLS_ALERT_FLOOD : HB_OK;
    }
    t->info.alert_got = alert;
    return HB_E_TLS_PEER_ALERT;
}

/* ---- records ---- */
static enum hb_code on_plain_ccs(struct hb_tls *t, const uint8_t *p, const struct hb_rec_header *h)
{
    /* From its first hello on a client that offers TLS 1.3 passes over them, even before it knows the version
     * (RFC 8446 5). */
    bool early = t->info.version == 0 && t->is_client && t->config->highest == 0x0304;

    if ((t->info.version == 0 && !early) || h->len != 1 || p[HB_REC_HEADER] != 1) {
        return HB_E_TLS_CCS;
    }
    if (hb_conn_in_pieces(t)) {
        return HB_E_TLS_INTERLEAVED;
    }
    if (t->info.version != 0x0304 && !early) {
        return t->hs != NULL ? hb_hs_deliver(t, HB_MSG_CCS, hb_span(NULL, 0), hb_span(NULL, 0))
                             : HB_E_TLS_CCS;
    }
    if (t->is_open) { /* REC-07: only before the peer's Finished */
        return HB_E_TLS_CCS;
    }
    return ++t->num_ccs > MAX_CCS ? HB_E_TLS_RECORD_FLOOD : HB_OK;
}

/* Early data is never read (RES-09): a data record that cannot be ours is dropped, within a budget. */
static enum hb_code skip_early(struct hb_tls *t, size_t len)
{
    if (len >= t->early_budget) { /* it was one more than what is passed over */
        return HB_E_TLS_EARLY_DATA_FLOOD;
    }
    t->early_budget -= (uint32_t)len;
    return HB_OK;
}

static enum hb_code on_content(struct hb_tls *t, uint8_t type, struct hb_span plain, struct hb_span *data)
{
    if (type != HB_REC_HANDSHAKE && hb_conn_in_pieces(t)) {
        return HB_E_TLS_INTERLEAVED;
    }
    if (plain.len == 0) {
        if (type != HB_REC_DATA || !t->is_open) {
            return HB_E_TLS_RECORD_EMPTY;
        }
        return ++t->num_empty > MAX_EMPTY ? HB_E_TLS_RECORD_FLOOD : HB_OK;
    }
    t->num_empty = 0;
    switch (type) {
    case HB_REC_ALERT:
        return on_alert(t, plain);
    case HB_REC_HANDSHAKE:
        return t->is_open ? hb_conn_on_post_handshake(t, plain) : hb_conn_on_handshake(t, plain);
    case HB_REC_DATA:
        if (!t->is_open) {
            return HB_E_TLS_RECORD_TYPE;
        }
        t->num_updates = 0;
        t->num_warnings = 0;
        *data = plain;
        return HB_OK;
    default:
        return t->rd.suite != NULL ? HB_E_TLS_INNER_TYPE : HB_E_TLS_RECORD_TYPE;
    }
}

static enum hb_code on_record(struct hb_tls *t, uint8_t *p, const struct hb_rec_header *h,
                              struct hb_span *data)
{
    bool tls13_keys = t->rd.suite != NULL && t->info.version == 0x0304;
    uint8_t type = h->type;
    struct hb_span plain;

    if (h->type == HB_REC_CCS && (t->rd.suite == NULL || tls13_keys)) {
        return on_plain_ccs(t, p, h);
    }
    if (h->type == HB_REC_DATA && t->rd.suite == NULL && t->early_all) {
        return skip_early(t, h->len);
    }
    /* A client that could not read our ServerHello has no keys to tell us so. */
    bool plain_alert = tls13_keys && !t->is_open && t->rd.seq == 0 && h->type == HB_REC_ALERT && h->len == 2;
    if (plain_alert) {
        return on_alert(t, hb_span(p + HB_REC_HEADER, h->len));
    }
    if (tls13_keys && h->type != HB_REC_DATA) {
        return HB_E_TLS_RECORD_TYPE;
    }
    enum hb_code code = hb_rec_open(&t->rd, &t->lane->read, p, h, &type, &plain);
    if (code == HB_E_TLS_BAD_RECORD_MAC && t->early_budget > 0 && t->rd.seq == 0 && !t->is_open) {
        return skip_early(t, h->len);
    }
    HB_TRY(code);
    t->early_budget = 0;
    return on_content(t, type, plain, data);
}

static size_t record_limit(const struct hb_tls *t)
{
    if (t->rd.suite == NULL && !t->early_all) {
        return HB_REC_PLAIN_MAX;
    }
    return t->info.version == 0x0304 ? HB_REC_CIPHER13_MAX : HB_REC_CIPHER12_MAX;
}

/* Takes one record from the input. *more: one was there. */
enum hb_code hb_conn_take_record(struct hb_tls *t, struct hb_span *data, bool *more)
{
    struct hb_rec_header h;

    *more = false;
    if (t->peer_closed) { /* ALR-04: whatever comes behind close_notify is ignored, were it records or not */
        t->in_len = 0;
        return HB_OK;
    }
    if (!t->first_seen && t->in_len > 0) {
        bool to_client = t->is_client && (t->in[0] == HB_REC_ALERT || t->in[0] == HB_REC_CCS);
        if (t->in[0] != HB_REC_HANDSHAKE &&
            !to_client) { /* REC-03: plaintext, SSLv2: said at the first byte */
            return HB_E_TLS_NOT_TLS;
        }
        if (t->in_len > 1 && t->in[1] != 3) {
            return HB_E_TLS_RECORD_VERSION;
        }
        t->first_seen = t->in_len > 1;
    }
    if (t->in_len < HB_REC_HEADER) {
        return HB_OK;
    }
    HB_TRY(hb_rec_parse(t->in, record_limit(t), &h));
    size_t total = HB_REC_HEADER + (size_t)h.len;
    if (t->in_len < total) {
        return HB_OK;
    }
    uint8_t *p = t->in;
    t->in += total;
    t->in_len -= total;
    *more = true;
    return on_record(t, p, &h, data);
}
