/* wire.c: the attacks on TLS itself, from both ends and behind every STARTTLS: floods, giants, the wrong
 * protocol, records that are none. With CUT_WIRE the stream is cut before each of its bytes, TLS and all, so
 * the honest rows say that a handshake may come in any pieces. What needs records under the peer's own keys
 * is in tests/tls (test_conn.c). */
#include "attack.h"

#define MAIL      "imap pop3 smtp submission lmtp acap sieve nntp"
#define DIALS     MAIL " http"
#define ASKS      "imap pop3 sieve nntp http" /* the client face offers a protocol (ALPN-03) */
#define GO        "%g%h%1"
#define INJECT    HB_E_PROTO_INJECTION
#define CCS       "\x14\x03\x03%0\x01\x01"
#define ALERT     "\x15\x03\x03%0\x02\x01\x5a" /* user_canceled, which ends nothing */
#define TEN(what) what what what what what what what what what what

/* clang-format off */
const struct row wire_rows[] = {
    {"ATK-04 GEN-02", "an honest client, cut inside its TLS", "", CUT_WIRE, "%H%S", "", "%I", 0, HB_OK, 0, GO, "%w%i", NULL},
    {"ATK-04 CLI-02", "an honest backend, cut inside its TLS", DIALS, B_STARTTLS | CUT_WIRE, "%H%S", NULL, "%I", 0, HB_OK, 0, GO, NULL, NULL},
    {"ATK-04 CLI-12", "an honest backend with TLS first, cut inside it", DIALS, B_IMPLICIT | CUT_WIRE, "%H%S", NULL, "%I", 0, HB_OK, 0, GO, "%w%i", NULL},
    {"ATK-03 ATK-30", "a hello that has to be said again", "", HELLO_BEHIND | CUT_WIRE, "%H%S", "", "%I", TRICK_RETRY, HB_OK, 0, GO, "%w%i", NULL},
    /* ---- the wrong protocol ---- */
    {"ATK-26 SEC-07 ALPN-02", "a client that wants another protocol", "", CUT_WIRE, "%H%S", "", "%I", TRICK_STRANGER, HB_E_TLS_NO_ALPN, 0, GO, "", NULL},
    {"ATK-26 SEC-07 ALPN-02", "... its hello in STARTTLS's segment", "", HELLO_BEHIND, "%H%S", "", "%I", TRICK_STRANGER, HB_E_TLS_NO_ALPN, 0, GO, "", NULL},
    {"ATK-26 ALPN-03", "a backend of another protocol", ASKS, B_STARTTLS | CUT_WIRE, "%H%S", NULL, "%I", TRICK_STRANGER, HB_E_TLS_PEER_ALERT, 0, GO, NULL, NULL},
    {"ATK-26 ALPN-03", "a backend of another protocol, TLS first", ASKS, B_IMPLICIT | CUT_WIRE, "%H%S", NULL, "%I", TRICK_STRANGER, HB_E_TLS_PEER_ALERT, 0, GO, NULL, NULL},
    /* ---- floods ---- */
    {"ATK-28 ATK-40", "keys changed again and again", MAIL, CUT_WIRE, "%H%S", "", "%I", TRICK_FLOOD, HB_E_TLS_KEY_UPDATE_FLOOD, 0, GO, "%w%i", "%I"},
    {"ATK-28 ATK-40", "keys changed again and again", "http", CUT_WIRE, "%H%S", "", "%I", TRICK_FLOOD, HB_E_TLS_KEY_UPDATE_FLOOD, 0, GO, "%w%i", "OPTIONS * HTTP/1.1\r\nHost: mail.test\r\n\r\n%I"},
    {"ATK-28 ATK-40", "keys changed again and again by the backend", DIALS, B_STARTTLS | CUT_WIRE, "%H%S", NULL, "%I", TRICK_FLOOD, HB_E_TLS_KEY_UPDATE_FLOOD, 0, GO, NULL, NULL},
    {"ATK-28 ATK-40", "keys changed again and again by a backend with TLS first", MAIL, B_IMPLICIT | CUT_WIRE, "%H%S", NULL, "%I", TRICK_FLOOD, HB_E_TLS_KEY_UPDATE_FLOOD, 0, GO, NULL, NULL},
    {"ATK-28 ATK-40", "keys changed again and again by a backend with TLS first", "http", B_IMPLICIT | CUT_WIRE, "%H%S", NULL, "%I", TRICK_FLOOD, HB_E_TLS_KEY_UPDATE_FLOOD, 0, GO, NULL, "OPTIONS * HTTP/1.1\r\nHost: mail.test\r\n\r\n%I"},
    {"ATK-28", "change_cipher_spec without end", "", HELLO_BEHIND, "%H%S", TEN(TEN(CCS)), NULL, 0, HB_E_TLS_RECORD_FLOOD, 0, GO, "", NULL},
    {"ATK-28", "change_cipher_spec without end, and no hello", "", NO_HANDSHAKE, "%H%S", TEN(TEN(CCS)), NULL, 0, INJECT, 0, GO, "", NULL},
    {"ATK-28", "warnings without end", "", HELLO_BEHIND, "%H%S", TEN(ALERT), NULL, 0, HB_E_TLS_ALERT_FLOOD, 0, GO, "", NULL},
    {"ATK-28", "warnings without end, and no hello", "", NO_HANDSHAKE, "%H%S", TEN(ALERT), NULL, 0, INJECT, 0, GO, "", NULL},
    {"ATK-28", "records without content", "", NO_HANDSHAKE, "%H%S", TEN("\x16\x03\x01%0%0"), NULL, 0, HB_E_TLS_RECORD_EMPTY, 0, GO, "", NULL},
    {"ATK-28", "change_cipher_spec without end from the backend", DIALS, B_STARTTLS, "%H%S", TEN(TEN(CCS)), "%I", TRICK_NO_TLS, HB_E_TLS_RECORD_FLOOD, 0, GO, NULL, NULL},
    {"ATK-28", "warnings without end from the backend", DIALS, B_STARTTLS, "%H%S", TEN(ALERT), "%I", TRICK_NO_TLS, HB_E_TLS_ALERT_FLOOD, 0, GO, NULL, NULL},
    {"ATK-28", "HelloRequest", DIALS, B_STARTTLS, "%H%S", TEN("\x16\x03\x03%0\x04%0%0%0%0"), "%I", TRICK_NO_TLS, HB_E_TLS_UNEXPECTED_MESSAGE, 0, GO, NULL, NULL},
    /* ---- giants ---- */
    {"ATK-30 ATK-40", "a hello of 16 MiB", "", NO_HANDSHAKE, "%H%S", "\x16\x03\x01%0\x04\x01\xff\xff\xff", NULL, 0, HB_E_TLS_MESSAGE_TOO_LONG, 0, GO, "", NULL},
    {"ATK-30", "a record over the limit", "", NO_HANDSHAKE, "%H%S", "\x16\x03\x01\xff\xff", NULL, 0, HB_E_TLS_RECORD_OVERFLOW, 0, GO, "", NULL},
    {"ATK-30", "hello after hello: the first one where the second is due", "", HELLO_BEHIND, "%H%S", "", "%I", TRICK_TWICE, HB_E_TLS_BAD_BINDER, 0, GO, "", NULL},
    {"ATK-30 ATK-40", "a ServerHello of 16 MiB", DIALS, B_STARTTLS, "%H%S", "\x16\x03\x03%0\x04\x02\xff\xff\xff", "%I", TRICK_NO_TLS, HB_E_TLS_MESSAGE_TOO_LONG, 0, GO, NULL, NULL},
    {"ATK-30", "a record over the limit from the backend", DIALS, B_STARTTLS, "%H%S", "\x16\x03\x03\xff\xff", "%I", TRICK_NO_TLS, HB_E_TLS_RECORD_OVERFLOW, 0, GO, NULL, NULL},
    /* ---- records that are none ---- */
    {"ATK-41", "a heartbeat (Heartbleed)", "", NO_HANDSHAKE, "%H%S", "\x18\x03\x02%0\x03\x01\x40%0", NULL, 0, INJECT, 0, GO, "", NULL},
    {"ATK-41", "a heartbeat from the backend", DIALS, B_STARTTLS, "%H%S", "\x18\x03\x02%0\x03\x01\x40%0", "%I", TRICK_NO_TLS, HB_E_PEER_INJECTION, 0, GO, NULL, NULL},
    {"ATK-41", "Finished before anything else (SKIP)", "", NO_HANDSHAKE, "%H%S", "\x16\x03\x01%0\x10\x14%0%0\x0c............", NULL, 0, HB_E_TLS_UNEXPECTED_MESSAGE, 0, GO, "", NULL},
    {"ATK-41", "Finished before anything else from the backend", DIALS, B_STARTTLS, "%H%S", "\x16\x03\x03%0\x10\x14%0%0\x0c............", "%I", TRICK_NO_TLS, HB_E_TLS_UNEXPECTED_MESSAGE, 0, GO, NULL, NULL},
};
/* clang-format on */
const size_t num_wire_rows = sizeof wire_rows / sizeof wire_rows[0];
