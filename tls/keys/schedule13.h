/* schedule13.h: the key schedule of TLS 1.3 (RFC 8446 7.1) as three steps that must come in order:
 *
 *     early (a constant without a PSK) -> hb_ks13_handshake -> hb_ks13_application
 *
 * Each step wipes the secret it came from. All secrets have the length of the suite's hash. */
#ifndef HB_SCHEDULE13_H
#define HB_SCHEDULE13_H

#include "../crypto/crypto.h"

/* HKDF-Expand-Label(secret, "tls13 " label, context, len). */
void hb_ks13_expand(const struct hb_hash *hash, const uint8_t *secret, const char *label,
                    struct hb_span context, uint8_t *dst, size_t len);

struct hb_ks13_handshake {
    const struct hb_hash *hash;
    uint8_t client[HB_HASH_MAX]; /* client_handshake_traffic_secret */
    uint8_t server[HB_HASH_MAX];
    uint8_t derived[HB_HASH_MAX]; /* what the Handshake Secret, itself not kept, leaves to the next step */
};

struct hb_ks13_application {
    uint8_t client[HB_HASH_MAX]; /* client_application_traffic_secret_0 */
    uint8_t server[HB_HASH_MAX];
    uint8_t exporter[HB_HASH_MAX];
    uint8_t master[HB_HASH_MAX]; /* until hb_ks13_resumption() */
};

/* Derive-Secret(Early Secret without PSK, "derived", ""): a constant of the hash, worth keeping. */
void hb_ks13_early_derived(const struct hb_hash *hash, uint8_t *dst);
/* The same with a PSK. Also its binder key: external PSKs and tickets have different labels (RES-02). */
void hb_ks13_early_psk(const struct hb_hash *hash, struct hb_span psk, bool external, uint8_t *derived,
                       uint8_t *binder_key);
/* Hash(client_hello..client finished): the resumption secret of a connection. Wipes app->master. */
void hb_ks13_resumption(const struct hb_hash *hash, struct hb_ks13_application *app,
                        const uint8_t *transcript, uint8_t *dst);
/* The PSK of a ticket. */
void hb_ks13_ticket_psk(const struct hb_hash *hash, const uint8_t *resumption, struct hb_span nonce,
                        uint8_t *dst);
/* early_derived from above, the shared secret of the key exchange, Hash(client_hello..server_hello). */
void hb_ks13_to_handshake(const struct hb_hash *hash, const uint8_t *early_derived, struct hb_span shared,
                          const uint8_t *transcript, struct hb_ks13_handshake *ks);
/* Hash(client_hello..server finished). Wipes ks->derived; the traffic secrets stay for Finished. */
void hb_ks13_to_application(struct hb_ks13_handshake *ks, const uint8_t *transcript,
                            struct hb_ks13_application *app);
/* The Finished MAC of the side with this traffic secret over the transcript hash. */
void hb_ks13_finished(const struct hb_hash *hash, const uint8_t *traffic, const uint8_t *transcript,
                      uint8_t *mac);
/* Record keys from a traffic secret. */
void hb_ks13_record_keys(const struct hb_hash *hash, const uint8_t *traffic, uint8_t *key, size_t key_len,
                         uint8_t iv[HB_IV_LEN]);
/* The next generation in place (key update). */
void hb_ks13_update(const struct hb_hash *hash, uint8_t *traffic);
/* RFC 8446 7.5. */
void hb_ks13_export(const struct hb_hash *hash, const uint8_t *exporter, const char *label,
                    struct hb_span context, uint8_t *dst, size_t len);

#endif
