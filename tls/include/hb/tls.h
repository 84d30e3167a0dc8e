/* tls.h: one TLS connection, without I/O.
 *
 * The caller owns the sockets and two large buffers (a read buffer and an
 * output buffer, one each for a whole worker); the engine owns only what a
 * connection must remember.  Bytes from the peer are decrypted where they lie;
 * bytes for the peer are appended to the caller's output builder.
 *
 *     hb_tls_input(t, buf, n);
 *     while ((ev = hb_tls_next(t, &out, &e)) != HB_TLS_NONE) { ... }
 *     send everything in `out`                    -- even after HB_TLS_FAILED: that is how an alert leaves
 *
 * Before the next read the caller asks hb_tls_held(): bytes of an incomplete
 * record that the engine keeps; hb_tls_reclaim() moves them to the front of the
 * read buffer, and the socket's bytes go right behind them, so a record is
 * always contiguous and never copied twice.
 *
 * Invariants: nothing but HB_TLS_FAILED comes after HB_TLS_FAILED; no DATA
 * before READY; an idle connection holds no buffer, no cipher context and no
 * handshake state (the struct itself stays below 512 bytes).
 * Not thread-safe: a connection and its lane belong to one thread. */
#ifndef HB_TLS_H
#define HB_TLS_H

#include <hb/builder.h>
#include <hb/env.h>
#include <hb/err.h>
#include <hb/span.h>
#include <hb/tls_config.h>
#include <hb/tls_info.h>

struct hb_tls;
struct hb_tls_lane;

/* The largest record on the wire, header included: what the read buffer must hold beyond one read. */
#define HB_TLS_RECORD_MAX (5u + 16384u + 2048u)
/* Room the output builder must have at every call of hb_tls_next() and hb_tls_close(): the longest flight. */
#define HB_TLS_FLIGHT_MAX 131072u
/* The longest session HB_TLS_SESSION gives. */
#define HB_TLS_SESSION_MAX 8192u

enum hb_tls_ev {
    HB_TLS_NONE,    /* the input is used up: send `out`, read more */
    HB_TLS_READY,   /* handshake done; hb_tls_info() is complete; data may flow */
    HB_TLS_DATA,    /* event.data: plaintext, decrypted where it lay in the input; good until hb_tls_next()
                     * says NONE or FAILED, so that one write can take the plaintext of many records */
    HB_TLS_VERIFY,  /* event.data: the peer's certificates, DER, u24 length before each; they passed our
                     * judgement.  Answer with hb_tls_verified(). Only if the config asks for it. */
    HB_TLS_SESSION, /* client: event.data is a session worth keeping, for hb_tls_client_new() next time; a
                     * secret. Good until the next call */
    HB_TLS_SIGN,    /* event.sign: a signature is wanted from outside; answer with hb_tls_signed() */
    HB_TLS_DECRYPT, /* server, RSA key transport: event.sign.input is to be decrypted outside, scheme is the
                     * version the ClientHello had; answer with hb_tls_decrypted() */
    HB_TLS_CLOSED,  /* the peer said close_notify: a clean end of its side */
    HB_TLS_FAILED   /* event.code says why; an alert may be in `out`. Stays so. */
};

/* What a key holder needs to sign or decrypt for us. Borrowed; good until hb_tls_signed() or
 * hb_tls_decrypted(), or the connection's end. */
struct hb_tls_sign {
    const struct hb_cred *cred;
    uint16_t scheme;      /* TLS SignatureScheme; HB_TLS_DECRYPT: the client's version */
    struct hb_span input; /* the bytes to be signed, not yet hashed */
};

struct hb_tls_event {
    struct hb_span data;
    struct hb_tls_sign sign;
    enum hb_code code;
    uint8_t alert; /* HB_TLS_FAILED: the alert we sent or, with HB_E_TLS_PEER_ALERT, got; 255 none */
};

/* Scratch that all connections of one thread share: cipher contexts and message space, some 250 KiB.
 * NULL: out of memory. env is borrowed and must outlive the lane. */
struct hb_tls_lane *hb_tls_lane_new(const struct hb_env *env);
void hb_tls_lane_free(struct hb_tls_lane **lane);

/* A connection in the server role. Takes a reference to config; env and lane are borrowed. NULL: out of
 * memory. */
struct hb_tls *hb_tls_server_new(struct hb_tls_config *config, const struct hb_env *env,
                                 struct hb_tls_lane *lane);
/* A connection in the client role; hb_tls_next() makes it say hello. name: DNS name or IP address of the
 * server, at most 255 bytes, for server_name and for its certificate; NULL: neither is sent nor checked (only
 * with a verify mode that needs none). session: what HB_TLS_SESSION gave earlier, or empty; copied; use each
 * once. */
struct hb_tls *hb_tls_client_new(struct hb_tls_config *config, const struct hb_env *env,
                                 struct hb_tls_lane *lane, const char *name, struct hb_span session);
/* Wipes and frees; *t becomes NULL. NULL and pointers to NULL are fine. */
void hb_tls_free(struct hb_tls **t);

/* Bytes of an incomplete record that the engine holds from earlier input. */
size_t hb_tls_held(const struct hb_tls *t);
/* Moves them to dst (room for hb_tls_held() bytes); the engine then holds none. They must be the first bytes
 * of the next input. Returns their number. */
size_t hb_tls_reclaim(struct hb_tls *t, uint8_t *dst);
/* Hands len bytes of input over; changed in place, borrowed until hb_tls_next() returns NONE or FAILED. Bytes
 * held and not reclaimed come first (then the engine joins them itself, at the cost of a copy). */
void hb_tls_input(struct hb_tls *t, uint8_t *wire, size_t len);
/* The next thing that happened. See enum hb_tls_ev. */
enum hb_tls_ev hb_tls_next(struct hb_tls *t, struct hb_bld *out, struct hb_tls_event *event);
/* Answers HB_TLS_SIGN: the DER or raw signature as TLS carries it, or an empty span if signing failed. Call
 * hb_tls_next() afterwards. */
void hb_tls_signed(struct hb_tls *t, struct hb_span signature);
/* Answers HB_TLS_DECRYPT: the 48 bytes hb_key_decrypt() gave, or an empty span if nobody could be asked. Call
 * hb_tls_next() afterwards. */
void hb_tls_decrypted(struct hb_tls *t, struct hb_span premaster);

/* Answers HB_TLS_VERIFY: HB_OK, or the code to fail with. Call hb_tls_next() afterwards. */
void hb_tls_verified(struct hb_tls *t, enum hb_code verdict);

/* Upper bound of what sealing plain_len bytes adds to the output. */
size_t hb_tls_sealed_len(const struct hb_tls *t, size_t plain_len);
/* Seals the bytes of n spans, as few records as possible, into out (which must have room for
 * hb_tls_sealed_len() of their sum). HB_E_INTERNAL before READY, HB_E_TLS_CLOSED after hb_tls_close(); the
 * connection's first error once it failed. */
HB_MUST_USE enum hb_code hb_tls_write(struct hb_tls *t, const struct hb_span *plain, size_t n,
                                      struct hb_bld *out);
/* TLS 1.3: new keys for our direction; request: and for the other one. HB_E_INTERNAL if not open or not 1.3.
 */
HB_MUST_USE enum hb_code hb_tls_key_update(struct hb_tls *t, bool request, struct hb_bld *out);
/* Appends close_notify, once; nothing can be written afterwards. Input still works. */
void hb_tls_close(struct hb_tls *t, struct hb_bld *out);
/* What an end of the byte stream means now: HB_OK after close_notify, else HB_E_TLS_TRUNCATED or the first
 * error. */
enum hb_code hb_tls_eof(const struct hb_tls *t);

/* What was negotiated; complete from READY on, partly filled before. Borrowed. */
const struct hb_tls_info *hb_tls_info(const struct hb_tls *t);
/* The server_name the client sent, copied into dst (NUL-terminated, cap bytes); empty without one or once
 * the handshake state is gone: fetch it at READY or FAILED. */
void hb_tls_server_name(const struct hb_tls *t, char *dst, size_t cap);
/* Who the peer is by its certificate (rfc822Name, else CN) or external PSK's identity; empty: nobody in
 * particular. Its certificates (DER, u24 length before each) and stapled OCSP response: empty if there are
 * none. Until READY or FAILED has been told, like the server_name; the identity of a resumed session is that
 * of the first one. */
void hb_tls_peer_identity(const struct hb_tls *t, char *dst, size_t cap);
/* Seconds since 1970 at which the peer's certificate ends, likewise; UINT64_MAX: it has none, or nobody
 * looks. */
uint64_t hb_tls_peer_not_after(const struct hb_tls *t);
struct hb_span hb_tls_peer_chain(const struct hb_tls *t);
struct hb_span hb_tls_peer_staple(const struct hb_tls *t);
/* RFC 8446 7.5 / RFC 5705 exporter. HB_E_INTERNAL before READY or, in TLS 1.2, without EMS. */
HB_MUST_USE enum hb_code hb_tls_export(struct hb_tls *t, const char *label, struct hb_span context,
                                       uint8_t *dst, size_t len);

/* Channel bindings (SASL-07). tls-exporter (RFC 9266): HB_E_INTERNAL where hb_tls_export() says so.
 * tls-server-end-point (RFC 5929 4): the hash of the certificate that the server showed in this handshake,
 * until READY or FAILED has been told, like the server_name; HB_E_INTERNAL if it showed none (a session taken
 * up, a pre-shared key), HB_E_X509_ALGORITHM if none is defined for it (EdDSA). */
#define HB_TLS_EXPORTER_LEN  32u
#define HB_TLS_END_POINT_MAX 64u
HB_MUST_USE enum hb_code hb_tls_exporter_binding(struct hb_tls *t, uint8_t dst[HB_TLS_EXPORTER_LEN]);
HB_MUST_USE enum hb_code hb_tls_server_end_point(const struct hb_tls *t, uint8_t dst[HB_TLS_END_POINT_MAX],
                                                 size_t *len);

/* RFC 5705 without a context, which in TLS 1.2 differs from an empty one. HB_E_INTERNAL in TLS 1.3. */
HB_MUST_USE enum hb_code hb_tls_export_plain(struct hb_tls *t, const char *label, uint8_t *dst, size_t len);

#endif
