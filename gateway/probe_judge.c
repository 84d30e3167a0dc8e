/* probe_judge.c: what a probe saw, as findings. Pure: the clock comes with env.
 * Nothing that was said in clear makes a finding go away (ATK-13): a server is good for what it did inside
 * TLS, or for what it did to get there. */
#include "probe.h"

#include <hb/judge.h>
#include <string.h>

#define SOON (21u * 86400u)

static void find(struct gw_probe_verdict *v, enum gw_finding f)
{
    v->findings |= UINT32_C(1) << f;
}

/* ---- how far it went ---- */

static void judge_end(const struct gw_probe_result *r, struct gw_probe_verdict *v)
{
    static const struct {
        enum hb_code code;
        enum gw_finding finding;
    } rows[] = {
        {HB_E_PEER_NO_STARTTLS, GW_FINDING_NO_STARTTLS},
        {HB_E_PEER_STARTTLS_REFUSED, GW_FINDING_NO_STARTTLS},
        {HB_E_PEER_STARTTLS_LATER, GW_FINDING_NO_STARTTLS},
        {HB_E_PEER_STARTTLS_ODD, GW_FINDING_NO_STARTTLS},
        {HB_E_PEER_PREAUTH, GW_FINDING_PREAUTH},
        {HB_E_PEER_INJECTION, GW_FINDING_INJECTION},
        {HB_E_PEER_SILENT, GW_FINDING_SILENT},
        {HB_E_PEER_GREETING, GW_FINDING_NOT_PROTOCOL},
        {HB_E_PEER_REPLY, GW_FINDING_NOT_PROTOCOL},
        {HB_E_PEER_TOO_LONG, GW_FINDING_NOT_PROTOCOL},
    };

    if (r->facts.behind) {
        find(v, GW_FINDING_INJECTION);
    }
    if (r->code == HB_OK) {
        return;
    }
    if (r->handshake && !r->secured) {
        find(v, r->code == HB_E_PEER_SILENT ? GW_FINDING_SILENT : GW_FINDING_VALIDATION);
        return;
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].code == r->code) {
            find(v, rows[i].finding);
            return;
        }
    }
    find(v, GW_FINDING_UNREACHABLE); /* refused, reset, a greeting that sends us away */
}

/* ---- the certificate ---- */

static void judge_pkix(const struct hb_env *env, const struct gw_probe_policy *policy, struct hb_span chain,
                       struct hb_span name, const struct gw_probe_result *r, struct gw_probe_verdict *v)
{
    v->pkix = hb_judge_server(env, policy->trust, chain, name, hb_span(r->staple, r->staple_len),
                              env->wall(env->ctx));
    switch ((unsigned)v->pkix) {
    case HB_OK:
        break;
    case HB_E_X509_NAME_MISMATCH:
        find(v, GW_FINDING_HOST_MISMATCH);
        break;
    case HB_E_CERT_EXPIRED:
        find(v, GW_FINDING_EXPIRED);
        break;
    default:
        find(v, GW_FINDING_NOT_TRUSTED);
        break;
    }
}

/* DANE-01, DANE-02: a matching record makes the public authorities' opinion irrelevant. */
static void judge_dane(const struct hb_env *env, const struct gw_probe_target *target,
                       const struct gw_probe_policy *policy, struct hb_span chain, struct gw_probe_verdict *v)
{
    struct hb_span names[2] = {hb_span_str(target->host), {NULL, 0}};
    size_t num = 1;

    if (policy->next_hop != NULL) { /* CERT-03: only what was learnt securely is a reference */
        names[num++] = hb_span_str(policy->next_hop);
    }
    v->dane_code = hb_dane_check(env, policy->tlsa, policy->num_tlsa, chain, names, num, env->wall(env->ctx));
    if (v->dane_code == HB_OK) {
        v->findings &= ~(UINT32_C(1) << GW_FINDING_HOST_MISMATCH | UINT32_C(1) << GW_FINDING_EXPIRED |
                         UINT32_C(1) << GW_FINDING_NOT_TRUSTED);
    } else {
        find(v, GW_FINDING_TLSA);
    }
}

static void judge_dates(const struct hb_env *env, struct hb_span chain, struct gw_probe_verdict *v)
{
    struct hb_chain_facts facts;
    uint64_t now = env->wall(env->ctx);

    if (hb_chain_facts(chain, &facts) == HB_OK && facts.not_after >= now && facts.not_after - now < SOON) {
        find(v, GW_FINDING_EXPIRES_SOON);
    }
}

/* ---- what others ask for ---- */

/* STS-03: the name is the MX host's, whatever --name says. */
static void judge_sts(const struct hb_env *env, const struct gw_probe_target *target,
                      const struct gw_probe_policy *policy, struct hb_span chain,
                      const struct gw_probe_result *r, struct gw_probe_verdict *v)
{
    struct hb_span host = hb_span_str(target->host);
    enum hb_code tls = r->code;

    if (tls == HB_OK) {
        tls = hb_judge_server(env, policy->trust, chain, host, hb_span(r->staple, r->staple_len),
                              env->wall(env->ctx));
    }
    v->sts = hb_sts_judge(policy->sts, host, tls);
    if (v->sts != HB_STS_DELIVER) {
        find(v, hb_sts_covers(policy->sts, host) ? GW_FINDING_STS_PKI : GW_FINDING_STS_POLICY);
    }
}

static bool lists(const char *list, const char *word)
{
    size_t len = strlen(word);

    for (const char *at = strcasestr(list, word); at != NULL; at = strcasestr(at + 1, word)) {
        bool begins = at == list || at[-1] == ' ' || at[-1] == '-' || at[-1] == '\n';
        if (begins && (at[len] == 0 || at[len] == '\r' || at[len] == '\n' || at[len] == ' ')) {
            return true;
        }
    }
    return false;
}

/* RTLS-01 (RFC 8689 4.2.1): what must hold before a message may say REQUIRETLS. */
static void judge_requiretls(const struct gw_probe_policy *policy, const struct gw_probe_result *r,
                             struct gw_probe_verdict *v)
{
    bool listed = r->secured && lists(r->list[1], "REQUIRETLS");
    bool by_dane = v->dane == HB_DANE_MATCH && v->dane_code == HB_OK;
    bool by_sts = policy->sts != NULL && v->sts == HB_STS_DELIVER && policy->sts->mode == HB_STS_ENFORCE;

    v->requiretls = !listed                                   ? GW_REQUIRETLS_NONE
                    : by_dane || (by_sts && v->pkix == HB_OK) ? GW_REQUIRETLS_YES
                                                              : GW_REQUIRETLS_NO;
    v->requiretls_why = v->requiretls != GW_REQUIRETLS_NO ? ""
                        : v->pkix != HB_OK && !by_dane
                            ? "the certificate is not verified"
                            : "neither DNSSEC nor MTA-STS says that this is the host";
}

void gw_probe_judge(const struct hb_env *env, const struct gw_probe_target *target,
                    const struct gw_probe_policy *policy, const struct gw_probe_result *r,
                    struct gw_probe_verdict *v)
{
    struct hb_span chain = hb_span(r->chain, r->chain_len);
    struct hb_span name = hb_span_str(policy->name != NULL ? policy->name : target->host);

    memset(v, 0, sizeof *v);
    v->dane = hb_dane_decide(policy->num_tlsa > 0 ? HB_DANE_SECURE : HB_DANE_INSECURE, policy->tlsa,
                             policy->num_tlsa);
    judge_end(r, v);
    if (chain.len > 0) {
        judge_pkix(env, policy, chain, name, r, v);
        judge_dates(env, chain, v);
    }
    if (chain.len > 0 && v->dane == HB_DANE_MATCH) {
        judge_dane(env, target, policy, chain, v);
    }
    if (policy->sts != NULL) {
        judge_sts(env, target, policy, chain, r, v);
    }
    if (r->secured) {
        judge_requiretls(policy, r, v);
    }
    if (r->facts.offered_in_tls) {
        find(v, GW_FINDING_STILL_OFFERED);
    }
    if (r->secured && hb_tls_is_legacy(&r->tls)) {
        find(v, GW_FINDING_LEGACY);
    }
}
