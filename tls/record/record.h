/* record.h: the record layer: headers, limits, protection.
 *
 *     type u8 | version u16 | length u16 | fragment           (tls.md section 2)
 *
 * A direction remembers key, IV and sequence number (some 70 bytes); the keyed
 * cipher it needs lives in the lane and is made anew when another connection
 * used it in between (NET-03).
 * Invariants: a sequence number never wraps; a nonce is used once; no plaintext
 * leaves before its tag matched. */
#ifndef HB_RECORD_H
#define HB_RECORD_H

#include "../crypto/suite.h"
#include <hb/builder.h>

enum hb_record_type { HB_REC_CCS = 20, HB_REC_ALERT = 21, HB_REC_HANDSHAKE = 22, HB_REC_DATA = 23 };

#define HB_REC_HEADER       5u
#define HB_REC_PLAIN_MAX    16384u
#define HB_REC_CIPHER13_MAX (16384u + 256u)
#define HB_REC_CIPHER12_MAX (16384u + 2048u)

struct hb_rec_dir {
    const struct hb_suite *suite; /* NULL: plaintext */
    uint64_t seq;
    uint64_t generation;          /* names this key within its lane */
    struct hb_legacy_dir *legacy; /* owned; NULL for AEAD */
    uint8_t key[HB_KEY_MAX];
    uint8_t iv[HB_IV_LEN];
};

/* The keyed cipher of whoever used it last; one for each direction. */
struct hb_rec_cache {
    union hb_aead_ctx ctx;
    const struct hb_aead *aead; /* whose ctx is; NULL: nothing is in it */
    uint64_t generation;        /* 0: nobody's */
};

/* Forgets the key. */
void hb_rec_cache_drop(struct hb_rec_cache *cache);

struct hb_rec_header {
    uint8_t type;
    uint16_t version, len;
};

/* Judges a header of 5 bytes before its body is waited for (REC-01): limit is the largest length allowed. */
HB_MUST_USE enum hb_code hb_rec_parse(const uint8_t *p, size_t limit, struct hb_rec_header *h);

/* Installs keys (copied) and starts at sequence number 0. */
void hb_rec_install(struct hb_rec_dir *d, const struct hb_suite *suite, uint64_t generation,
                    const uint8_t *key, const uint8_t *iv);
/* The same for a suite of legacy/: takes the object over. */
void hb_rec_install_legacy(struct hb_rec_dir *d, const struct hb_suite *suite, struct hb_legacy_dir *legacy);
void hb_rec_wipe(struct hb_rec_dir *d);

/* Decrypts a record in place. p: the whole record, header included. On success *type is the content's type
 * (in 1.3 the inner one) and *plain the content. HB_E_TLS_BAD_RECORD_MAC, _INNER_TYPE, _RECORD_OVERFLOW. */
HB_MUST_USE enum hb_code hb_rec_open(struct hb_rec_dir *d, struct hb_rec_cache *cache, uint8_t *p,
                                     const struct hb_rec_header *h, uint8_t *type, struct hb_span *plain);

/* Bytes a record of plain_len bytes of content has on the wire. */
size_t hb_rec_sealed_len(const struct hb_rec_dir *d, size_t plain_len);
/* Content to be sealed, taken from one span after the other. */
struct hb_rec_source {
    const struct hb_span *v; /* borrowed: the span being taken from */
    size_t off;              /* bytes of it already taken */
};

/* Gathers len bytes of content from src (which must hold them) and appends one record, protected if the
 * direction has keys, else plaintext with record_version. The caller has made sure of room and of the record
 * limit. */
void hb_rec_seal(struct hb_rec_dir *d, struct hb_rec_cache *cache, uint8_t type, uint16_t record_version,
                 struct hb_rec_source *src, size_t len, struct hb_bld *out);

#endif
