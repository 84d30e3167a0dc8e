/* judge.h: certificates for callers that let the handshake go on whatever they are, and judge them then
 * (hb_tls_config_verify_later(), a probe). A chain is what hb_tls_peer_chain() or HB_TLS_VERIFY gives. */
#ifndef HB_JUDGE_H
#define HB_JUDGE_H

#include <hb/env.h>
#include <hb/err.h>
#include <hb/span.h>
#include <hb/trust.h>

struct hb_chain_facts {
    unsigned num;                   /* certificates */
    uint64_t not_before, not_after; /* of the leaf, seconds since 1970 */
    char name[256];                 /* its first DNS name, printable, or "" */
};

/* By public authorities: path, name and staple (empty: none came), as HB_VERIFY_FULL does. HB_OK, or why not.
 */
HB_MUST_USE enum hb_code hb_judge_server(const struct hb_env *env, const struct hb_trust *trust,
                                         struct hb_span chain, struct hb_span name, struct hb_span staple,
                                         uint64_t now);
/* What a report tells of a chain, whatever it is worth. HB_E_DER and its kin: the leaf cannot be read. */
HB_MUST_USE enum hb_code hb_chain_facts(struct hb_span chain, struct hb_chain_facts *facts);

#endif
