/* probe_report.c: a verdict for people, a line a subject; and for programs, one JSON object.
 * What the server said is escaped, always. */
#include "probe.h"

#include "log.h"
#include "net.h"
#include <hb/judge.h>
#include <hb/utf8.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define TEXT_MAX 600u

static const struct {
    const char *word, *sentence;
} findings[GW_NUM_FINDINGS] = {
#define GW_F(id, word, sentence) {word, sentence},
#include "findings.def"
#undef GW_F
};

static const char *const sts_modes[] = {"none", "testing", "enforce"};
static const char *const sts_verdicts[] = {"this host may be used", "would be reported, and used",
                                           "this host must not be used"};
static const char *const dane_rules[] = {"", "TLS is a must, no record is usable", "", "the host is avoided"};
static const char *const requiretls_words[] = {"no", "offered, not usable", "usable"};

const char *gw_finding_word(enum gw_finding f)
{
    return findings[f].word;
}

static bool has(const struct gw_probe_verdict *v, unsigned f)
{
    return (v->findings >> f & 1) != 0;
}

/* ---- texts ---- */

static const char *printable(const char *said, char text[TEXT_MAX])
{
    size_t len = strcspn(said, "\r\n");

    (void)hb_log_escape(hb_span(said, len), 140, text, TEXT_MAX);
    return text;
}

static const char *day(uint64_t when, char text[16])
{
    time_t t = (time_t)when;
    struct tm tm;

    if (gmtime_r(&t, &tm) == NULL || strftime(text, 16, "%Y-%m-%d", &tm) == 0) {
        return "?";
    }
    return text;
}

/* What became of STARTTLS, apart from each other (ATK-48). */
static const char *starttls_text(const struct gw_probe_target *target, const struct gw_probe_result *r)
{
    if (target->link == HB_PEER_IMPLICIT) {
        return "TLS from the first byte";
    }
    switch ((unsigned)r->code) {
    case HB_E_PEER_NO_STARTTLS:
        return "not offered";
    case HB_E_PEER_STARTTLS_REFUSED:
    case HB_E_PEER_STARTTLS_LATER:
        return r->facts.offered ? "offered, then refused" : "not offered, and refused";
    case HB_E_PEER_PREAUTH:
        return "not tried: somebody is logged in already";
    case HB_E_PEER_INJECTION:
        return "the go-ahead, and bytes behind it";
    default:
        return r->handshake     ? r->facts.offered ? "offered, taken" : "not listed, and works"
               : r->facts.tried ? "no answer that the protocol knows"
                                : "not reached";
    }
}

/* ---- for people ---- */

static void row(const char *name, const char *text)
{
    (void)printf("  %-12s %s\n", name, text);
}

static void print_tls(const struct gw_probe_result *r)
{
    if (r->secured) {
        (void)printf("  %-12s %s, %s, %s, %s%s%s\n", "tls", hb_tls_version_name(r->tls.version),
                     hb_tls_suite_name(r->tls.suite), hb_tls_group_name(r->tls.group),
                     hb_tls_sigalg_name(r->tls.peer_sigalg), r->alpn[0] != 0 ? ", ALPN " : "", r->alpn);
    } else if (r->handshake) {
        (void)printf("  %-12s failed: %s%s%s\n", "tls",
                     hb_err_sentence(r->tls_code != HB_OK ? r->tls_code : r->code),
                     r->alert != 255 ? ", alert " : "", r->alert != 255 ? hb_tls_alert_name(r->alert) : "");
    }
}

static void print_certificate(const struct gw_probe_result *r, const struct gw_probe_verdict *v)
{
    struct hb_chain_facts facts;
    char text[16];

    if (r->chain_len == 0 || hb_chain_facts(hb_span(r->chain, r->chain_len), &facts) != HB_OK) {
        return;
    }
    (void)printf("  %-12s for %s, until %s, %u in the chain%s; %s\n", "certificate",
                 facts.name[0] != 0 ? facts.name : "nobody", day(facts.not_after, text), facts.num,
                 r->staple_len > 0 ? ", OCSP response" : "",
                 v->pkix == HB_OK ? "good by public authorities" : hb_err_sentence(v->pkix));
}

static void print_list(const struct gw_probe_result *r)
{
    const char *list = r->list[r->secured];
    char text[TEXT_MAX];

    for (const char *at = list; *at != 0; at += strcspn(at, "\n"), at += *at == '\n') {
        row(at == list ? r->secured ? "inside" : "in clear" : "", printable(at, text));
    }
}

static void print_policies(const struct gw_probe_policy *policy, const struct gw_probe_result *r,
                           const struct gw_probe_verdict *v)
{
    if (policy->num_tlsa > 0) {
        row("dane", v->dane != HB_DANE_MATCH ? dane_rules[v->dane]
                    : r->chain_len == 0      ? "no certificate was shown"
                    : v->dane_code == HB_OK  ? "a record matches"
                                             : hb_err_sentence(v->dane_code));
    }
    if (policy->sts != NULL) {
        (void)printf("  %-12s %s: %s\n", "mta-sts", sts_modes[policy->sts->mode], sts_verdicts[v->sts]);
    }
    if (v->requiretls != GW_REQUIRETLS_NONE) {
        (void)printf("  %-12s %s%s%s\n", "requiretls", requiretls_words[v->requiretls],
                     v->requiretls_why[0] != 0 ? ": " : "", v->requiretls_why);
    }
}

void gw_probe_print(const struct gw_probe_target *target, const struct gw_probe_policy *policy,
                    const struct gw_probe_result *r, const struct gw_probe_verdict *v)
{
    char address[GW_ADDR_TEXT];
    char text[TEXT_MAX];

    (void)gw_addr_text((const struct sockaddr *)&target->addr, address);
    (void)printf("%s (%s)\n", target->url, address);
    if (r->greeting[0] != 0) {
        row("greeting", printable(r->greeting, text));
    }
    if (r->connected && target->peer != NULL) {
        row("starttls", starttls_text(target, r));
    }
    if (r->code != HB_OK && !r->handshake && r->said[0] != 0 && strcmp(r->said, r->greeting) != 0) {
        row("said", printable(r->said, text));
    }
    print_tls(r);
    print_certificate(r, v);
    print_list(r);
    print_policies(policy, r, v);
    if (r->code != HB_OK) {
        row("ended", hb_err_sentence(r->code));
    }
    if (v->findings == 0) {
        row("result", "good");
    }
    for (unsigned f = 0; f < GW_NUM_FINDINGS; f++) {
        if (has(v, f)) {
            (void)printf("  %-12s %s: %s\n", "finding", findings[f].word, findings[f].sentence);
        }
    }
}

/* ---- for programs ---- */

void gw_probe_print_json(const struct gw_probe_target *target, const struct gw_probe_policy *policy,
                         const struct gw_probe_result *r, const struct gw_probe_verdict *v)
{
    char address[GW_ADDR_TEXT];
    char words[600] = "";
    char line[4096];
    struct hb_chain_facts facts = {0};
    const char *dane = policy->num_tlsa == 0      ? ""
                       : v->dane != HB_DANE_MATCH ? dane_rules[v->dane]
                       : r->chain_len == 0        ? "unknown"
                       : v->dane_code == HB_OK    ? "match"
                                                  : hb_err_name(v->dane_code);

    (void)gw_addr_text((const struct sockaddr *)&target->addr, address);
    for (unsigned f = 0; f < GW_NUM_FINDINGS; f++) {
        size_t len = strlen(words);
        if (has(v, f)) {
            (void)snprintf(words + len, sizeof words - len, "%s%s", len > 0 ? " " : "", findings[f].word);
        }
    }
    if (r->chain_len > 0) {
        enum hb_code code = hb_chain_facts(hb_span(r->chain, r->chain_len), &facts);
        facts.num = code == HB_OK ? facts.num : 0;
    }
    const struct gw_field fields[] = {
        GW_STR("url", target->url),
        GW_STR("address", address),
        GW_STR("result", v->findings == 0 ? "good" : "findings"),
        GW_STR("findings", words),
        GW_STR("code", hb_err_name(r->code)),
        GW_SPAN("greeting", hb_span(r->greeting, strcspn(r->greeting, "\r\n"))),
        GW_STR("starttls", target->peer != NULL ? starttls_text(target, r) : ""),
        GW_STR("version", r->secured ? hb_tls_version_name(r->tls.version) : ""),
        GW_STR("suite", r->secured ? hb_tls_suite_name(r->tls.suite) : ""),
        GW_STR("group", r->secured ? hb_tls_group_name(r->tls.group) : ""),
        GW_STR("signature", r->secured ? hb_tls_sigalg_name(r->tls.peer_sigalg) : ""),
        GW_STR("alpn", r->alpn),
        GW_STR("tls_error", r->tls_code != HB_OK ? hb_err_name(r->tls_code) : ""),
        GW_STR("alert", r->alert != 255 ? hb_tls_alert_name(r->alert) : ""),
        GW_STR("certificate", facts.name),
        GW_U64("certificates", facts.num),
        GW_U64("not_after", facts.not_after),
        GW_STR("pkix", r->chain_len > 0 ? hb_err_name(v->pkix) : ""),
        GW_STR("stapled", r->staple_len > 0 ? "yes" : ""),
        GW_STR("list", r->list[r->secured]),
        GW_STR("dane", dane),
        GW_STR("mta_sts", policy->sts != NULL ? sts_verdicts[v->sts] : ""),
        GW_STR("requiretls", requiretls_words[v->requiretls]),
        GW_U64("ms", r->ms),
    };
    size_t len =
        gw_log_format_fields(GW_LOG_JSON, fields, sizeof fields / sizeof fields[0], line, sizeof line);
    (void)fwrite(line, 1, len, stdout);
}
