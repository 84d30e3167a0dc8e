/* hs/hs.h: handshake scratch, states, and rows (private to tls/).
 *
 * A state machine is a table: in this state, on this message, run this, and
 * leave to one of these states. The interpreter (machine.c) does the rest. */
#ifndef HB_HS_H
#define HB_HS_H

#include "../conn/conn.h"
#include "../keys/prf12.h"
#include "../keys/schedule13.h"
#include "../keys/transcript.h"
#include "../negotiate.h"
#include "../session.h"

#define HB_KEYS12_MAX 208u /* two each of: 48 bytes of MAC key, 32 of key, 16 of IV; AEAD needs less */

enum hb_hs_state {
    /* server */
    HB_S_HELLO, /* waiting for the first ClientHello; the version is not known */
    HB_S13_SEND_RETRY,
    HB_S13_HELLO_AGAIN,
    HB_S13_SEND_FLIGHT,
    HB_S13_SIGNING,
    HB_S13_SEND_FINISHED,
    HB_S13_CERTIFICATE,
    HB_S13_VERIFYING,
    HB_S13_CERTIFICATE_VERIFY,
    HB_S13_FINISHED,
    HB_S13_OPEN,
    HB_S12_SEND_FLIGHT,
    HB_S12_SIGNING,
    HB_S12_SEND_DONE,
    HB_S12_CERTIFICATE,
    HB_S12_VERIFYING,
    HB_S12_KEY_EXCHANGE,
    HB_S12_DECRYPTING,
    HB_S12_CERTIFICATE_VERIFY,
    HB_S12_CCS,
    HB_S12_FINISHED,
    HB_S12_SEND_RESUMED,
    HB_S12_OPEN,
    /* client */
    HB_C_SEND_HELLO,
    HB_C_HELLO, /* waiting for ServerHello or HelloRetryRequest; the version is not known */
    HB_C13_SEND_HELLO_AGAIN,
    HB_C13_HELLO_AGAIN,
    HB_C13_EXTENSIONS,
    HB_C13_REQUEST_OR_CERTIFICATE,
    HB_C13_CERTIFICATE,
    HB_C13_VERIFYING,
    HB_C13_CERTIFICATE_VERIFY,
    HB_C13_FINISHED,
    HB_C13_SEND_CERTIFICATE,
    HB_C13_SIGNING,
    HB_C13_SEND_FINISHED,
    HB_C13_OPEN,
    HB_C12_CERTIFICATE,
    HB_C12_STATUS,
    HB_C12_VERIFYING,
    HB_C12_KEY_EXCHANGE,
    HB_C12_REQUEST_OR_DONE,
    HB_C12_DONE,
    HB_C12_SEND_FLIGHT,
    HB_C12_SIGNING,
    HB_C12_SEND_FINISHED,
    HB_C12_TICKET,
    HB_C12_CCS,
    HB_C12_FINISHED,
    HB_C12_OPEN,
    HB_NUM_STATES
};

/* Handshake message types, and happenings that move a machine like messages do. */
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
    HB_MSG_VERIFIED,   /* the caller judged the peer's certificate */
    HB_MSG_DECRYPTED,  /* the premaster secret that was asked for is here */
    HB_MSG_NO_STATUS,  /* TLS 1.2 client: another message came where a CertificateStatus may be left out */
    HB_MSG_CCS         /* TLS 1.2: a change_cipher_spec record */
};

/* What only a client needs. */
struct hb_hs_client {
    const struct hb_kex *share_groups[HB_TLS_SHARES_MAX];
    unsigned num_shares;
    uint8_t priv[HB_TLS_SHARES_MAX][HB_KEX_PRIV_MAX];
    uint8_t share[HB_TLS_SHARES_MAX][HB_SHARE_MAX];
    bool made_shares;     /* they stand above: a HelloRetryRequest that asks for no other group gets the same
                             again */
    struct hb_buf hello;  /* the first ClientHello, until the hash is known */
    struct hb_buf cookie; /* of a HelloRetryRequest */
    struct hb_buf ticket; /* offered */
    struct hb_session session; /* offered, or (version 0) none */
    const struct hb_psk *psk;  /* offered in TLS 1.3: external */
    uint16_t retry_group;
    uint8_t grease[4];
    bool offered_ticket12, asked, expects_ticket, expects_status;
    struct hb_buf request; /* CertificateRequest's list of schemes */
    uint8_t context[256], context_len;
};

struct hb_hs {
    struct hb_transcript transcript;
    struct hb_offer offer; /* borrows from the ClientHello: good only while that message is handled */
    struct hb_choice choice;
    uint8_t client_random[32], server_random[32];
    uint8_t session_id[32], session_id_len;
    bool retried, read_keys_changed;
    bool first_had_psk; /* server: so must the second hello */
    bool answer_size_limit, answer_point_formats, answer_ems, answer_etm, answer_renegotiation, answer_ticket,
        answer_status;
    bool resumed, asked_certificate, got_certificate;
    bool sent_ccs; /* TLS 1.3 client: once */
    bool
        derive_after; /* TLS 1.3 client: the message just handled must be hashed before keys follow from it */
    uint8_t early[HB_HASH_MAX];    /* TLS 1.3: "derived" of the Early Secret, from a PSK's binder on */
    uint8_t shared[HB_SHARED_MAX]; /* TLS 1.3 client: until then */
    uint16_t shared_len;
    uint8_t answer_max_fragment;
    uint8_t hello_digest[32]; /* of what must not change between two ClientHellos (T13-05) */
    struct hb_ks13_handshake ks;
    struct hb_ks13_application app;
    uint8_t psk[64], psk_len; /* TLS 1.3: secret in use; 1.2: external PSK in use */
    uint16_t psk_index;
    bool psk_client_modes;       /* the client can use tickets: psk_dhe_ke */
    struct hb_session session;   /* being resumed, or on its way into a ticket */
    struct hb_hs_client *client; /* owned; NULL in the server role */
    uint8_t kex_priv[66];        /* TLS 1.2: our half until the peer's comes */
    struct hb_buf peer_share;    /* TLS 1.2 client: the server's public value; server, RSA with a key that is
                                    elsewhere:    the encrypted premaster secret */
    uint8_t peer_kex_random[48]; /* TLS 1.2 client, RSA: the premaster secret */
    struct hb_prf12 master12;    /* TLS 1.2: the master secret, for key block and Finished */
    uint8_t keys12[HB_KEYS12_MAX]; /* TLS 1.2: key block, until both sides switched */
    uint16_t client_version;       /* as the ClientHello had it (CT-03) */
    struct hb_buf message;         /* a handshake message that came in pieces */
    struct hb_buf chain;           /* the peer's certificates, u24 length before each */
    struct hb_buf staple;          /* the peer's OCSP response */
    struct hb_pubkey *peer_key;    /* owned */
    uint8_t sign_input[1024];      /* TLS 1.2 with ffdhe3072: randoms and parameters */
    struct hb_buf signed_messages; /* TLS 1.2 with client certificates: all messages so far (T12-07) */
    bool keep_messages;
    struct hb_span sign_span; /* what is being signed: sign_input or signed_messages */
    uint8_t signature[HB_SIG_MAX];
    size_t signature_len;
    bool signature_here; /* the answer to HB_TLS_SIGN came (perhaps empty: signing failed) */
    bool verdict_here;
    bool told_decrypt, premaster_here; /* HB_TLS_DECRYPT was told; its answer came */
    bool premaster_failed;
    uint8_t premaster[48];
    enum hb_code verdict;
    char server_name[256];
    char identity[256]; /* of the peer's certificate */
};

struct hb_hs_row {
    uint8_t in;  /* enum hb_hs_state */
    uint16_t on; /* enum hb_hs_msg */
    /* Handles the message's body and says where to go. */
    enum hb_code (*run)(struct hb_tls *t, struct hb_span body, uint8_t *next);
    uint64_t may; /* states it may leave to, one bit each */
};

#define HB_TO(state) (UINT64_C(1) << (state))
_Static_assert(HB_NUM_STATES <= 64, "a row has a bit for each state");
/* Those whose row is on a happening from outside. */
#define HB_WAITING_STATES                                                                                    \
    (HB_TO(HB_S13_SIGNING) | HB_TO(HB_S13_VERIFYING) | HB_TO(HB_S12_SIGNING) | HB_TO(HB_S12_VERIFYING) |     \
     HB_TO(HB_S12_DECRYPTING) | HB_TO(HB_C13_VERIFYING) | HB_TO(HB_C13_SIGNING) | HB_TO(HB_C12_VERIFYING) |  \
     HB_TO(HB_C12_SIGNING))

extern const struct hb_hs_row hb_server_rows[], hb_server13_rows[], hb_server12_rows[];
extern const size_t hb_num_server_rows, hb_num_server13_rows, hb_num_server12_rows;
extern const struct hb_hs_row hb_client_rows[], hb_client13_rows[], hb_client12_rows[];
extern const size_t hb_num_client_rows, hb_num_client13_rows, hb_num_client12_rows;

/* Delivers one message or happening: message is the whole message (header included) for the transcript, body
 * what is behind its header. Call hb_hs_run() behind it: nothing leaves before what came
 * with the message has been judged. */
HB_MUST_USE enum hb_code hb_hs_deliver(struct hb_tls *t, unsigned msg, struct hb_span message,
                                       struct hb_span body);
/* Runs states that act by themselves: how a client begins. */
HB_MUST_USE enum hb_code hb_hs_run(struct hb_tls *t);
/* True if a message of this type has a row in the present state. */
bool hb_hs_expects(const struct hb_tls *t, unsigned msg);
/* What the machine waits for from outside: HB_MSG_SIGNED, HB_MSG_VERIFIED, HB_MSG_DECRYPTED; 0: nothing, or
 * the handshake is over. */
unsigned hb_hs_waits_for(const struct hb_tls *t);
/* The largest body of a message of this type (HS-01). */
uint32_t hb_hs_body_max(uint8_t type);

struct hb_hs *hb_hs_new(const struct hb_env *env, bool client);
/* Adds a message to the transcript. */
HB_MUST_USE enum hb_code hb_hs_hash(struct hb_tls *t, struct hb_span message);
/* Wipes and frees. */
void hb_hs_free(const struct hb_env *env, struct hb_hs **hs);

/* ---- for the roles ---- */

/* Opens a message in the lane's flight; close it with hb_hs_message_end(), which also hashes it. */
struct hb_bld_mark hb_hs_message(struct hb_tls *t, uint8_t type);
HB_MUST_USE enum hb_code hb_hs_message_end(struct hb_tls *t, struct hb_bld_mark mark);
/* Signs hs->sign_span now, or leaves it to the caller of the engine: *next becomes done or wait. */
HB_MUST_USE enum hb_code hb_hs_sign(struct hb_tls *t, uint8_t done, uint8_t wait, uint8_t *next);
/* The handshake is complete: keeps what the open connection needs and says READY. */
void hb_hs_done(struct hb_tls *t);
/* The change_cipher_spec of TLS 1.3's middlebox compatibility (D.4), or TLS 1.2's own. */
void hb_hs_emit_ccs(struct hb_tls *t);
HB_MUST_USE enum hb_code hb_hs_key_update(struct hb_tls *t, struct hb_span body, uint8_t *next);
/* client13.c: keys from a ServerHello that is in the transcript. */
void hb_client13_keys(struct hb_tls *t);
/* Record keys of TLS 1.3 from a traffic secret. */
void hb_hs_install13(struct hb_tls *t, struct hb_rec_dir *d, const uint8_t *traffic);
/* The hash a suite means with this version: MD5 and SHA-1 before TLS 1.2. */
const struct hb_hash *hb_hs_hash_of(const struct hb_suite *suite, uint16_t version);
/* The hash of the handshake's transcript and PRF. */
const struct hb_hash *hb_hs_prf(const struct hb_tls *t);
/* Finished of TLS 1.3 under a side's handshake traffic secret. */
HB_MUST_USE enum hb_code hb_hs_put_finished13(struct hb_tls *t, const uint8_t *traffic);
HB_MUST_USE enum hb_code hb_hs_check_finished13(struct hb_tls *t, const uint8_t *traffic,
                                                struct hb_span body);

#endif
