/* dane.h: a server's certificate by TLSA records (RFC 6698, 7671; for SMTP RFC 7672), and by public
 * authorities, for callers that let the handshake go on whatever the certificate is, and judge it then.
 *
 * Pure: who asked DNS, and whether the answer was secure, the caller says. */
#ifndef HB_DANE_H
#define HB_DANE_H

#include <hb/env.h>
#include <hb/err.h>
#include <hb/span.h>
#include <stdbool.h>

#define HB_TLSA_MAX 32u /* records that are looked at */

struct hb_tlsa {
    uint8_t usage, selector, matching;
    struct hb_span data; /* borrowed */
};

/* What DNS said when it was asked for TLSA records. */
enum hb_dane_found {
    HB_DANE_INSECURE, /* no DNSSEC, or securely none */
    HB_DANE_SECURE,   /* records, validated */
    HB_DANE_ERROR     /* bogus, SERVFAIL, time out: neither this nor that */
};

/* What follows from it (RFC 7672 2.2). */
enum hb_dane_rule {
    HB_DANE_OPPORTUNISTIC, /* TLS if it is offered, with whatever certificate */
    HB_DANE_TLS,           /* TLS is a must, the certificate is not looked at: no record is usable */
    HB_DANE_MATCH,         /* TLS is a must, and a record must match */
    HB_DANE_AVOID          /* as if the host could not be reached */
};

/* Reads "3 1 1 HEX" (blanks within HEX are fine) with the data in mem; false: not a record, or longer than
 * cap. */
bool hb_tlsa_parse(const char *text, struct hb_tlsa *record, uint8_t *mem, size_t cap);
/* True for what SMTP can use: usages 2 and 3, selectors 0 and 1, matching 0 to 2 with data of its length
 * (RFC 7672 3.1). */
bool hb_tlsa_usable(const struct hb_tlsa *record);
enum hb_dane_rule hb_dane_decide(enum hb_dane_found found, const struct hb_tlsa *records, size_t num);

/* chain: what hb_tls_peer_chain() or HB_TLS_VERIFY give. names: the TLSA base domain, and the next-hop domain
 * if its MX records were secure: DANE-TA certificates must be for one of them. HB_OK, HB_E_X509_TLSA, or what
 * is wrong with the path to the authority that a record names. */
HB_MUST_USE enum hb_code hb_dane_check(const struct hb_env *env, const struct hb_tlsa *records, size_t num,
                                       struct hb_span chain, const struct hb_span *names, size_t num_names,
                                       uint64_t now);

#endif
