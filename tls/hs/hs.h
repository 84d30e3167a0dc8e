/* hs/hs.h: handshake scratch, states, and rows (private to tls/).
 *
 * A state machine is a table: in this state, on this message, run this, and
 * leave to one of these states. The interpreter (machine.c) does the rest. */
#ifndef HB_HS_H
#define HB_HS_H

#include "../conn.h"
#include "../keys/prf12.h"
#include "../keys/schedule13.h"
#include "../keys/transcript.h"
#include "../negotiate.h"

enum hb_hs_state {
    HB_S_HELLO, /* a server waiting for the first ClientHello; the version is not known */
    HB_S13_SEND_RETRY,
    HB_S13_HELLO_AGAIN,
    HB_S13_SEND_FLIGHT,
    HB_S13_SIGNING,
    HB_S13_SEND_FINISHED,
    HB_S13_FINISHED,
    HB_S13_OPEN,
    HB_S12_SEND_FLIGHT,
    HB_S12_SIGNING,
    HB_S12_SEND_DONE,
    HB_S12_KEY_EXCHANGE,
    HB_S12_CCS,
    HB_S12_FINISHED,
    HB_S12_OPEN,
    HB_NUM_STATES
};

/* Handshake message types, and three happenings that move a machine like messages do. */
enum hb_hs_msg {
    HB_MSG_HELLO_REQUEST = 0,
    HB_MSG_CLIENT_HELLO = 1,
    HB_MSG_SERVER_HELLO = 2,
    HB_MSG_NEW_SESSION_TICKET = 4,
    HB_MSG_END_OF_EARLY_DATA = 5,
    HB_MSG_ENCRYPTED_EXTENSIONS = 8,
    HB_MSG_CERTIFICATE = 11,
    HB_MSG_SERVER_KEY_EXCHANGE = 12,
    HB_MSG_CERTIFICATE_REQUEST = 13,
    HB_MSG_SERVER_HELLO_DONE = 14,
    HB_MSG_CERTIFICATE_VERIFY = 15,
    HB_MSG_CLIENT_KEY_EXCHANGE = 16,
    HB_MSG_FINISHED = 20,
    HB_MSG_CERTIFICATE_STATUS = 22,
    HB_MSG_KEY_UPDATE = 24,
    HB_MSG_NONE = 256, /* runs by itself when the state is entered */
    HB_MSG_SIGNED,     /* the signature that was asked for is here */
    HB_MSG_CCS         /* TLS 1.2: a change_cipher_spec record */
};

struct hb_hs {
    struct hb_transcript transcript;
    struct hb_offer offer; /* borrows from the ClientHello: good only while that message is handled */
    struct hb_choice choice;
    uint8_t client_random[32], server_random[32];
    uint8_t session_id[32], session_id_len;
    bool retried, read_keys_changed;
    bool answer_size_limit, answer_point_formats, answer_ems, answer_renegotiation;
    uint8_t answer_max_fragment;
    uint8_t hello_digest[32]; /* of what must not change between two ClientHellos (T13-05) */
    struct hb_ks13_handshake ks;
    struct hb_ks13_application app;
    uint8_t kex_priv[66]; /* TLS 1.2: our half until the client's comes */
    uint8_t keys12[2 * (HB_KEY_MAX + HB_IV_LEN)]; /* TLS 1.2: key block, until both sides switched */
    struct hb_buf message; /* a handshake message that came in pieces */
    uint8_t sign_input[256];
    size_t sign_input_len;
    uint8_t signature[HB_SIG_MAX];
    size_t signature_len;
    bool signature_here; /* the answer to HB_TLS_SIGN came (perhaps empty: signing failed) */
    char server_name[256];
};

struct hb_hs_row {
    uint8_t in;  /* enum hb_hs_state */
    uint16_t on; /* enum hb_hs_msg */
    /* Handles the message's body and says where to go. */
    enum hb_code (*run)(struct hb_tls *t, struct hb_span body, uint8_t *next);
    uint32_t may; /* states it may leave to, one bit each */
};

#define HB_TO(state) (1u << (state))

extern const struct hb_hs_row hb_server_rows[], hb_server13_rows[], hb_server12_rows[];
extern const size_t hb_num_server_rows, hb_num_server13_rows, hb_num_server12_rows;

/* Delivers one message or happening: message is the whole message (header included) for the transcript, body
 * what is behind its header. Runs on through states that act by themselves. */
HB_MUST_USE enum hb_code hb_hs_deliver(struct hb_tls *t, unsigned msg, struct hb_span message,
                                       struct hb_span body);
/* True if a message of this type has a row in the present state. */
bool hb_hs_expects(const struct hb_tls *t, unsigned msg);
/* True if the machine waits for a signature from outside. */
bool hb_hs_wants_signature(const struct hb_tls *t);
/* The largest body of a message of this type (HS-01). */
uint32_t hb_hs_body_max(uint8_t type);

struct hb_hs *hb_hs_new(const struct hb_env *env);
/* Wipes and frees. */
void hb_hs_free(const struct hb_env *env, struct hb_hs **hs);

/* ---- for the roles ---- */

/* Opens a message in the lane's flight; close it with hb_hs_message_end(), which also hashes it. */
struct hb_bld_mark hb_hs_message(struct hb_tls *t, uint8_t type);
HB_MUST_USE enum hb_code hb_hs_message_end(struct hb_tls *t, struct hb_bld_mark mark);
/* Signs hs->sign_input now, or leaves it to the caller of the engine: *next becomes done or wait. */
HB_MUST_USE enum hb_code hb_hs_sign(struct hb_tls *t, uint8_t done, uint8_t wait, uint8_t *next);
/* The handshake is complete: keeps what the open connection needs and says READY. */
void hb_hs_done(struct hb_tls *t);

#endif
