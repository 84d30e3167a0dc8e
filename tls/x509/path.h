/* path.h: from a leaf to a trust anchor (RFC 5280 section 6, PKI-03 to PKI-05). No clock, no I/O, bounded
 * work. */
#ifndef HB_PATH_H
#define HB_PATH_H

#include "trust.h"

#define HB_PATH_MAX   8u   /* certificates, anchor excluded */
#define HB_CHAIN_MAX  10u  /* certificates a peer may send (PKI-01) */
#define HB_PATH_WORK  100u /* signatures checked at most */
#define HB_NAMES_WORK 200000u

enum hb_path_use { HB_USE_SERVER, HB_USE_CLIENT };

struct hb_path {
    struct hb_cert cert[HB_PATH_MAX]; /* leaf first; views into the chain */
    unsigned num;
    const struct hb_anchor *anchor;
};

/* chain: DER as the peer sent it, leaf first, the rest in any order, strangers among them. The code is that
 * of the leaf's own fault, else of the path that came furthest. */
HB_MUST_USE enum hb_code hb_path_check(const struct hb_env *env, const struct hb_trust *trust,
                                       const struct hb_span *chain, size_t num, enum hb_path_use use,
                                       uint64_t now, struct hb_path *path);
/* Checks der's signature with the key of issuer. */
HB_MUST_USE enum hb_code hb_path_signed_by(const struct hb_env *env, struct hb_span tbs,
                                           const struct hb_sigalg *sig, struct hb_span signature,
                                           const struct hb_cert *issuer);

#endif
