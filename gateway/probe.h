/* probe.h: `hauberk probe`: what a server's STARTTLS is like, seen from outside.
 *
 * One connection at a time, a small fixed script: greeting, list, STARTTLS, handshake, list, goodbye. No
 * login, no mail transaction, a time limit for the whole (ATK-48). The certificate is judged after the
 * handshake, so that a bad one is a finding and not the end of the report.
 *
 *   probe.c         the command: words, targets, exit code
 *   probe_link.c    the connection: fills a result, judges nothing
 *   probe_judge.c   results into findings; pure
 *   probe_report.c  findings as text or JSON */
#ifndef GW_PROBE_H
#define GW_PROBE_H

#include <hb/dane.h>
#include <hb/mta_sts.h>
#include <hb/peer.h>
#include <hb/tls.h>
#include <hb/tls_config.h>
#include <sys/socket.h>

#define GW_PROBE_CHAIN 65536u /* bytes of certificates that are looked at */
#define GW_PROBE_TEXT  4096u  /* of a list */

struct gw_probe_target {
    const char *url; /* borrowed */
    char host[256]; /* without a trailing dot: the name in server_name, and the reference (SNI-02, CERT-03) */
    const struct hb_peer_proto *peer; /* NULL: no protocol we know, TLS alone */
    enum hb_peer_tls link;
    struct sockaddr_storage addr;
};

/* What the operator says besides; all borrowed. */
struct gw_probe_policy {
    const char *name;     /* the name the certificate must have; NULL: the host's */
    const char *next_hop; /* the domain whose MX this is, if that was learnt securely; NULL: not */
    const struct hb_trust *trust;
    const struct hb_tlsa *tlsa; /* as if validated by DNSSEC */
    size_t num_tlsa;
    const struct hb_sts_policy *sts; /* NULL: none */
};

/* What happened. */
struct gw_probe_result {
    enum hb_code code;                  /* HB_OK: it went to the end */
    bool connected, handshake, secured; /* the link; TLS was begun; TLS is up */
    struct hb_peer_facts facts;
    struct hb_tls_info tls;
    enum hb_code tls_code; /* why the handshake failed */
    uint8_t alert;         /* it ended with; 255 none */
    char said[256];        /* the last line in clear: the greeting, or what the server said to STARTTLS */
    char greeting[256];
    char list[2][GW_PROBE_TEXT]; /* in clear; inside TLS */
    char alpn[32];
    uint8_t chain[GW_PROBE_CHAIN]; /* DER, u24 length before each */
    size_t chain_len;
    uint8_t staple[8192];
    size_t staple_len;
    uint64_t not_after; /* of the leaf, seconds since 1970; 0: unknown */
    unsigned ms;
};

/* Words for what is wrong; those of TLSRPT (RFC 8460 4.3) where it has one (RPT-01). */
enum gw_finding {
#define GW_F(id, word, sentence) GW_FINDING_##id,
#include "findings.def"
#undef GW_F
    GW_NUM_FINDINGS
};

enum gw_requiretls { GW_REQUIRETLS_NONE, GW_REQUIRETLS_NO, GW_REQUIRETLS_YES };

struct gw_probe_verdict {
    uint32_t findings; /* a bit for each */
    enum hb_code pkix; /* by public authorities */
    enum hb_dane_rule dane;
    enum hb_code dane_code;
    enum hb_sts_verdict sts;
    enum gw_requiretls requiretls; /* listed? may a message go there that asks for it? (RTLS-01) */
    const char *requiretls_why;
};

/* The command. Exit code: 0 nothing found, 1 findings, 2 not even tried. */
int gw_probe(int argc, char **argv);

/* probe_link.c: blocks for `seconds` at most. */
void gw_probe_link(const struct gw_probe_target *target, const char *name, const char *own_name,
                   struct hb_tls_config *config, unsigned seconds, struct gw_probe_result *r);

/* probe_judge.c */
void gw_probe_judge(const struct hb_env *env, const struct gw_probe_target *target,
                    const struct gw_probe_policy *policy, const struct gw_probe_result *r,
                    struct gw_probe_verdict *v);

/* probe_report.c */
const char *gw_finding_word(enum gw_finding f);
void gw_probe_print(const struct gw_probe_target *target, const struct gw_probe_policy *policy,
                    const struct gw_probe_result *r, const struct gw_probe_verdict *v);
void gw_probe_print_json(const struct gw_probe_target *target, const struct gw_probe_policy *policy,
                         const struct gw_probe_result *r, const struct gw_probe_verdict *v);

#endif
