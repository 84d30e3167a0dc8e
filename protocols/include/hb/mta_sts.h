/* mta_sts.h: SMTP MTA Strict Transport Security (RFC 8461): the TXT record, the policy, and what they ask
 * for.
 *
 * Pure: who asks DNS and who fetched the policy is the caller's business. Nothing is copied, nothing
 * allocated. */
#ifndef HB_MTA_STS_H
#define HB_MTA_STS_H

#include <hb/err.h>
#include <hb/span.h>
#include <stdbool.h>

#define HB_STS_POLICY_MAX 65536u    /* bytes of a policy */
#define HB_STS_AGE_MAX    31557600u /* seconds (RFC 8461 3.2) */

enum hb_sts_mode { HB_STS_NONE, HB_STS_TESTING, HB_STS_ENFORCE };

struct hb_sts_policy {
    enum hb_sts_mode mode;
    uint32_t max_age; /* seconds */
    unsigned num_mx;
    struct hb_span text; /* borrowed: the mx lines are looked up in it */
};

/* What a sender does with a host of the domain. */
enum hb_sts_verdict {
    HB_STS_DELIVER, /* nothing speaks against it */
    HB_STS_REPORT,  /* deliver, and tell the domain in its TLSRPT report (mode testing) */
    HB_STS_REFUSE   /* not to this host (mode enforce) */
};

/* The TXT records of _mta-sts.DOMAIN, each with its strings joined: *id is that of the one record which
 * begins with "v=STSv1;". False: there is none, more than one, or it is malformed: no policy (RFC 8461 3.1).
 */
bool hb_sts_record(const struct hb_span *records, size_t num, struct hb_span *id);

/* Reads a policy as it is served (RFC 8461 3.2); it keeps views of text. HB_E_STS_POLICY: not one; *line, if
 * not NULL, is the line (from 1) that is wrong, or 0 where something is missing. */
HB_MUST_USE enum hb_code hb_sts_parse(struct hb_span text, struct hb_sts_policy *policy, unsigned *line);

/* True if an mx line of the policy names this host; "*." stands for one label (RFC 8461 4.1). */
bool hb_sts_covers(const struct hb_sts_policy *policy, struct hb_span host);

/* host: the MX. tls: HB_OK, or why there is no TLS with a certificate that is good for this host. */
enum hb_sts_verdict hb_sts_judge(const struct hb_sts_policy *policy, struct hb_span host, enum hb_code tls);

#endif
