/* messages.c: handshake messages out of records.
 *
 * Until READY they go to the machine of hs/, whole and in order; on an open connection there are only
 * KeyUpdate and tickets (1.3) and renegotiations, which are refused and skipped (1.2).
 * Invariants: a type is judged by its first byte and a length by its header, before the body is waited for
 * (HS-01); nothing of a record is left where keys change behind a message (REC-05); while the machine waits
 * for its caller no message is delivered.
 * Owns the pieces of a message until it is whole. Decides nothing on a body. */
#include "../alert.h"
#include "../hs/client.h"
#include "../hs/hs.h"
#include "conn.h"
#include "parts.h"

#define MAX_HELLO_REQUESTS 4u /* REN-02 */

bool hb_conn_in_pieces(const struct hb_tls *t)
{
    return (t->hs != NULL && hb_buf_len(&t->hs->message) > 0) || t->head_len > 0 || t->skip > 0;
}

/* ---- until READY ---- */

static enum hb_code after_message(struct hb_tls *t, uint8_t type, size_t rest)
{
    /* Keys change behind these; handshake bytes of the same record would be read under the wrong ones
     * (REC-05). */
    bool hello = type == HB_MSG_CLIENT_HELLO || (type == HB_MSG_SERVER_HELLO && t->info.version == 0x0304);
    bool boundary =
        hello || type == HB_MSG_SERVER_HELLO_DONE || type == HB_MSG_FINISHED || t->hs->read_keys_changed;

    return boundary && rest > 0 ? HB_E_TLS_KEY_CHANGE_RESIDUE : HB_OK;
}

enum hb_code hb_conn_deliver(struct hb_tls *t, struct hb_span bytes, size_t *used)
{
    *used = 0;
    while (bytes.len >= 1) {
        uint8_t type = bytes.p[0];
        bool stray = t->is_client && type == HB_MSG_HELLO_REQUEST && t->info.version != 0x0304 &&
                     t->config->lowest != 0x0304;
        if (!stray && !hb_hs_expects(t, type) && hb_hs_expects(t, HB_MSG_NO_STATUS)) {
            HB_TRY(hb_hs_deliver(t, HB_MSG_NO_STATUS, hb_span(NULL, 0), hb_span(NULL, 0)));
            if (hb_hs_waits_for(t) != 0) {
                return HB_OK; /* the message itself waits for the caller's verdict */
            }
        }
        if (!stray && !hb_hs_expects(t, type)) { /* before its body is waited for */
            return HB_E_TLS_UNEXPECTED_MESSAGE;
        }
        if (bytes.len < 4) {
            return HB_OK;
        }
        size_t len = (size_t)bytes.p[1] << 16 | (size_t)bytes.p[2] << 8 | bytes.p[3];
        if (len > hb_hs_body_max(type)) {
            return HB_E_TLS_MESSAGE_TOO_LONG;
        }
        if (bytes.len < 4 + len) {
            return HB_OK;
        }
        if (stray) { /* RFC 5246 7.4.1.1: of no interest to a client that is negotiating, and not hashed */
            if (++t->num_renegotiations > MAX_HELLO_REQUESTS) {
                return HB_E_TLS_HELLO_REQUEST_FLOOD;
            }
            bytes = hb_span_skip(bytes, 4);
            *used += 4;
            continue;
        }
        t->hs->read_keys_changed = false;
        struct hb_span message = hb_span(bytes.p, 4 + len);
        HB_TRY(hb_hs_deliver(t, type, message, hb_span(bytes.p + 4, len)));
        bytes = hb_span_skip(bytes, 4 + len);
        *used += 4 + len;
        HB_TRY(after_message(t, type, bytes.len));
        HB_TRY(hb_hs_run(t));
        if (hb_hs_waits_for(t) != 0) {
            return HB_OK; /* what is behind it waits, too */
        }
        if (t->is_open && bytes.len > 0) {
            return HB_E_TLS_KEY_CHANGE_RESIDUE;
        }
    }
    return HB_OK;
}

enum hb_code hb_conn_on_handshake(struct hb_tls *t, struct hb_span bytes)
{
    struct hb_buf *pieces = &t->hs->message;
    size_t used;

    if (hb_buf_len(pieces) == 0) { /* the ordinary case: whole messages, no copy */
        HB_TRY(hb_conn_deliver(t, bytes, &used));
        return hb_buf_add(pieces, t->env, hb_span_skip(bytes, used));
    }
    HB_TRY(hb_buf_add(pieces, t->env, bytes));
    HB_TRY(hb_conn_deliver(t, hb_buf_span(pieces), &used));
    hb_buf_drop(pieces, t->env, used);
    return HB_OK;
}

/* ---- on an open connection ---- */

/* REN-02: a server refuses once and goes on; a client, four times. */
static enum hb_code refuse_renegotiation(struct hb_tls *t)
{
    if (t->is_client && t->config->ignore_hello_request) {
        return HB_OK;
    }
    if (++t->num_renegotiations > (t->is_client ? MAX_HELLO_REQUESTS : 1)) {
        return t->is_client ? HB_E_TLS_HELLO_REQUEST_FLOOD : HB_E_TLS_RENEGOTIATION;
    }
    hb_conn_alert(t, 1, HB_ALERT_NO_RENEGOTIATION);
    return HB_OK;
}

static bool post_allowed(const struct hb_tls *t, uint8_t type)
{
    if (t->info.version != 0x0304) {
        return type == (t->is_client ? HB_MSG_HELLO_REQUEST : HB_MSG_CLIENT_HELLO);
    }
    return type == HB_MSG_KEY_UPDATE || (t->is_client && type == HB_MSG_NEW_SESSION_TICKET);
}

static enum hb_code on_post_message(struct hb_tls *t, uint8_t type, struct hb_span body, size_t behind)
{
    if (type == HB_MSG_NEW_SESSION_TICKET) {
        return hb_client13_ticket(t, body);
    }
    if (body.len == 0) {
        return HB_E_TLS_DECODE;
    }
    HB_TRY(hb_hs_deliver(t, HB_MSG_KEY_UPDATE, hb_span(NULL, 0), body));
    return behind > 0 ? HB_E_TLS_KEY_CHANGE_RESIDUE : HB_OK;
}

/* The body of the message whose header is complete: as much of bytes as belongs to it. *used: so many. */
static enum hb_code take_post_body(struct hb_tls *t, struct hb_span bytes, uint32_t len, size_t *used)
{
    struct hb_buf *in = t->post != NULL ? &t->post->in : NULL;
    size_t have = in != NULL ? hb_buf_len(in) : 0;
    size_t n = bytes.len < len - have ? bytes.len : len - have;

    *used = n;
    if (have == 0 && n == len) { /* the ordinary case: whole, no copy */
        t->head_len = 0;
        return on_post_message(t, t->head[0], hb_span_head(bytes, len), bytes.len - n);
    }
    if (hb_conn_post(t) == NULL) {
        return HB_E_NO_MEMORY;
    }
    in = &t->post->in;
    HB_TRY(hb_buf_add(in, t->env, hb_span_head(bytes, n)));
    if (hb_buf_len(in) < len) {
        return HB_OK;
    }
    t->head_len = 0;
    enum hb_code code = on_post_message(t, t->head[0], hb_buf_span(in), bytes.len - n);
    hb_buf_clear(in, t->env);
    return code;
}

/* Handshake messages on an open connection: KeyUpdate and tickets in 1.3; in 1.2 a renegotiation, refused and
 * skipped. */
enum hb_code hb_conn_on_post_handshake(struct hb_tls *t, struct hb_span bytes)
{
    while (bytes.len > 0 || (t->head_len == 4 && t->skip == 0)) {
        size_t n = 1;
        if (t->skip > 0) {
            n = bytes.len < t->skip ? bytes.len : t->skip;
            t->skip -= (uint32_t)n;
            bytes = hb_span_skip(bytes, n);
            continue;
        }
        if (t->head_len < 4) {
            t->head[t->head_len++] = bytes.p[0];
            bytes = hb_span_skip(bytes, 1);
            if (!post_allowed(t, t->head[0])) {
                return HB_E_TLS_UNEXPECTED_MESSAGE;
            }
            if (t->head_len < 4) {
                continue;
            }
        }
        uint32_t len = (uint32_t)t->head[1] << 16 | (uint32_t)t->head[2] << 8 | t->head[3];
        if (len > hb_hs_body_max(t->head[0])) {
            return HB_E_TLS_MESSAGE_TOO_LONG;
        }
        if (t->info.version != 0x0304) {
            t->head_len = 0;
            t->skip = len;
            HB_TRY(refuse_renegotiation(t));
            continue;
        }
        if (bytes.len == 0 && len > 0) {
            break;
        }
        HB_TRY(take_post_body(t, bytes, len, &n));
        bytes = hb_span_skip(bytes, n);
    }
    return HB_OK;
}
