/* legacy/record.h: records of CBC and stream suites, TLS 1.0 to 1.2 (REC-11 to REC-14). A direction is one
 * allocated object, made when its keys are installed: connections of the modern suites know nothing of it. */
#ifndef HB_LEGACY_RECORD_H
#define HB_LEGACY_RECORD_H

#include "../crypto/legacy.h"

struct hb_legacy_kind {
    const struct hb_block_cipher *cipher;
    const struct hb_hash *mac; /* HMAC with it */
};

extern const struct hb_legacy_kind hb_legacy_aes128_sha1, hb_legacy_aes256_sha1, hb_legacy_3des_sha1,
    hb_legacy_rc4_sha1, hb_legacy_rc4_md5, hb_legacy_aes128_sha256, hb_legacy_aes256_sha384;

struct hb_legacy_dir;

/* version: 0x0301 to 0x0303. etm: encrypt-then-MAC was negotiated. iv: of TLS 1.0. NULL: out of memory. */
struct hb_legacy_dir *hb_legacy_new(const struct hb_env *env, const struct hb_legacy_kind *kind,
                                    uint16_t version, bool etm, bool encrypts, const uint8_t *mac_key,
                                    const uint8_t *key, const uint8_t *iv);
/* Wipes and frees. */
void hb_legacy_free(struct hb_legacy_dir **d);
/* body: the fragment behind the record's header, decrypted in place; *plain lies in it. Every fault of
 * padding and MAC is HB_E_TLS_BAD_RECORD_MAC, after the same work (CT-04). */
HB_MUST_USE enum hb_code hb_legacy_open(struct hb_legacy_dir *d, uint64_t seq, uint8_t type, uint8_t *body,
                                        size_t len, struct hb_span *plain);
/* Bytes of fragment that plain_len bytes of content become; and where in it the content stands before
 * sealing. */
size_t hb_legacy_sealed_len(const struct hb_legacy_dir *d, size_t plain_len);
size_t hb_legacy_head(const struct hb_legacy_dir *d);
void hb_legacy_seal(struct hb_legacy_dir *d, uint64_t seq, uint8_t type, uint8_t *body, size_t plain_len);
/* TLS 1.0 with CBC: application data goes out as one byte, then the rest, so that nobody can choose what a
 * block is chained to (REC-14). */
bool hb_legacy_splits(const struct hb_legacy_dir *d);

#endif
