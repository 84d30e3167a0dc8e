/* probe.c: `hauberk probe`: words and targets; one target behind another. */
#include "probe.h"

#include "conf_util.h"
#include "resolve.h"
#include "sysenv.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TARGETS_MAX 64u
#define TLSA_BYTES  4096u /* of one record's data */

static const char help[] =
    "hauberk probe [options] URL...: what a server's STARTTLS is like, seen from outside\n"
    "\n"
    "  URL                 imap://HOST[:PORT] and pop3 smtp submission lmtp sieve nntp acap http: STARTTLS;\n"
    "                      imaps://HOST[:PORT] and so on, tls://HOST:PORT: TLS from the first byte\n"
    "  --ca F|system       the authorities that are believed (default: system)\n"
    "  --name N            the name the certificate must have (default: HOST)\n"
    "  --tlsa \"3 1 1 HEX\"  a TLSA record of the host, taken as validated by DNSSEC; may repeat\n"
    "  --next-hop DOMAIN   the domain whose MX it is, if DNSSEC says so: a name DANE-TA accepts, too\n"
    "  --sts-policy F      the domain's MTA-STS policy, as it is served\n"
    "  --profile P         intermediate (default), modern, legacy, antique\n"
    "  --resolver A,...    name servers to ask instead of the system's\n"
    "  --host NAME         our name in EHLO (default: this machine's)\n"
    "  --timeout SECONDS   for each server (default 30)\n"
    "  --json              one object a line\n"
    "\n"
    "No login, no mail: greeting, capabilities, STARTTLS, handshake, capabilities, goodbye.\n"
    "Exit code: 0 nothing found, 1 findings, 2 not tried\n";

struct probe {
    struct gw_probe_policy policy;
    const char *urls[TARGETS_MAX]; /* borrowed */
    unsigned num_urls;
    struct hb_tlsa tlsa[HB_TLSA_MAX];
    uint8_t tlsa_bytes[HB_TLSA_MAX][TLSA_BYTES];
    struct hb_sts_policy sts;
    char *sts_text;                                                                       /* owned */
    struct hb_trust *trust;                                                               /* owned */
    const char *ca, *profile_word, *own_name, *timeout, *resolver, *sts_file, *tlsa_text; /* borrowed */
    enum hb_tls_profile profile;
    char machine[256];
    unsigned seconds;
    bool json;
    struct gw_problems problems;
};

/* ---- words ---- */

static void take_tlsa(struct probe *p, const char *text)
{
    size_t n = p->policy.num_tlsa;

    if (n == HB_TLSA_MAX || !hb_tlsa_parse(text, &p->tlsa[n], p->tlsa_bytes[n], TLSA_BYTES)) {
        gw_problem(&p->problems, "--tlsa", "not \"USAGE SELECTOR MATCHING HEX\", such as \"3 1 1 0123...\"",
                   text);
        return;
    }
    p->policy.num_tlsa++;
}

static const char **value_of(struct probe *p, const char *word)
{
    const struct {
        const char *name;
        const char **value;
    } words[] = {
        {"--ca", &p->ca},
        {"--name", &p->policy.name},
        {"--next-hop", &p->policy.next_hop},
        {"--sts-policy", &p->sts_file},
        {"--profile", &p->profile_word},
        {"--resolver", &p->resolver},
        {"--host", &p->own_name},
        {"--timeout", &p->timeout},
        {"--tlsa", &p->tlsa_text},
    };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(word, words[i].name) == 0) {
            return words[i].value;
        }
    }
    return NULL;
}

static void take_words(struct probe *p, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        const char **value = value_of(p, argv[i]);
        if (strcmp(argv[i], "--json") == 0) {
            p->json = true;
        } else if (value != NULL && i + 1 < argc) {
            *value = argv[++i];
            if (value == &p->tlsa_text) {
                take_tlsa(p, *value);
            }
        } else if (strncmp(argv[i], "--", 2) == 0) {
            gw_problem(&p->problems, argv[i],
                       value != NULL ? "a value follows" : "unknown option; hauberk probe --help lists them",
                       NULL);
        } else if (p->num_urls == TARGETS_MAX) {
            gw_problem(&p->problems, argv[i], "too many servers at once", NULL);
        } else {
            p->urls[p->num_urls++] = argv[i];
        }
    }
    if (p->num_urls == 0) {
        gw_problem(&p->problems, "hauberk probe", "which server? hauberk probe --help", NULL);
    }
}

/* ---- targets ---- */

/* False after saying why. */
static bool find_target(struct probe *p, const char *url, struct gw_probe_target *t)
{
    const char *sep = strstr(url, "://");
    size_t len = sep != NULL ? (size_t)(sep - url) : 0;
    char scheme[32] = "";
    unsigned usual = 0;
    unsigned port = 0;
    const char *why = "";

    *t = (struct gw_probe_target){.url = url};
    if (sep != NULL && len < sizeof scheme) {
        memcpy(scheme, url, len);
    }
    if (!gw_peer_scheme(scheme, &t->link, &t->peer, &usual) ||
        (t->link == HB_PEER_CLEAR && t->peer == NULL)) {
        gw_problem(&p->problems, url, "not a URL such as imap://HOST, smtp://HOST:PORT or imaps://HOST",
                   NULL);
        return false;
    }
    t->link = t->link == HB_PEER_CLEAR ? HB_PEER_STARTTLS : t->link;
    if (!gw_split_host_port(sep + 3, t->host, sizeof t->host, &port) || (port == 0 && usual == 0)) {
        gw_problem(&p->problems, url, "not HOST:PORT with a port from 1 to 65535", NULL);
        return false;
    }
    len = strlen(t->host);
    if (len > 1 && t->host[len - 1] == '.') {
        t->host[len - 1] = 0; /* the root is not part of the name that a certificate has */
    }
    if (!gw_resolve(t->host, port != 0 ? port : usual, &t->addr, &why)) {
        gw_problem(&p->problems, url, why, NULL);
        return false;
    }
    return true;
}

/* ---- what belongs to all ---- */

static void load_sts(struct probe *p)
{
    size_t len = 0;
    unsigned line = 0;

    if (p->sts_file == NULL) {
        return;
    }
    p->sts_text = gw_read_file(p->sts_file, &len, "--sts-policy", &p->problems);
    if (p->sts_text == NULL) {
        return;
    }
    enum hb_code code = hb_sts_parse(hb_span(p->sts_text, len), &p->sts, &line);
    if (code != HB_OK) {
        char where[300];
        (void)snprintf(where, sizeof where, "%.250s:%u", p->sts_file, line);
        gw_problem(&p->problems, line > 0 ? where : p->sts_file, hb_err_sentence(code),
                   line > 0 ? NULL : "version, mode, max_age or mx is missing");
        return;
    }
    p->policy.sts = &p->sts;
}

static struct hb_tls_config *make_config(struct probe *p, const struct gw_probe_target *target)
{
    struct hb_tls_config *c = hb_tls_config_new(gw_sysenv(), p->profile, NULL);
    const char *alpn = target->peer != NULL ? hb_peer_alpn(target->peer) : NULL;

    if (c == NULL) {
        return NULL;
    }
    hb_tls_config_verify(c, HB_VERIFY_NONE, NULL); /* judged afterwards */
    hb_tls_config_verify_later(c, true);
    hb_tls_config_lax_renegotiation(c, true);
    if (alpn != NULL && hb_tls_config_add_alpn(c, alpn) != HB_OK) {
        hb_tls_config_free(&c);
    }
    return c;
}

static void prepare(struct probe *p, int argc, char **argv)
{
    take_words(p, argc, argv);
    if (!gw_resolver(p->resolver)) {
        gw_problem(&p->problems, "--resolver", "addresses of name servers with commas between, not",
                   p->resolver);
    }
    p->seconds = gw_number(p->timeout, 1, 3600, 30, "timeout", "--timeout", &p->problems);
    p->profile = gw_client_profile(p->profile_word, "profile", "--profile", &p->problems);
    p->trust = gw_load_trust(p->ca != NULL ? p->ca : "system", "--ca", &p->problems);
    p->policy.trust = p->trust;
    p->policy.tlsa = p->tlsa;
    load_sts(p);
    if (p->own_name == NULL) {
        bool named = gethostname(p->machine, sizeof p->machine - 1) == 0 && p->machine[0] != 0;
        p->own_name = named ? p->machine : "localhost";
    }
}

/* ---- one behind another ---- */

/* 0 good, 1 findings, 2 not tried. */
static int probe_one(struct probe *p, const char *url)
{
    static struct gw_probe_result result; /* large */
    struct gw_probe_target target;
    struct gw_probe_verdict verdict;
    struct hb_tls_config *config = NULL;

    if (!find_target(p, url, &target) || (config = make_config(p, &target)) == NULL) {
        return 2;
    }
    bool by_dane = hb_dane_decide(HB_DANE_SECURE, p->tlsa, p->policy.num_tlsa) == HB_DANE_MATCH;
    bool named =
        p->policy.name != NULL && !by_dane; /* DANE-03: else the TLSA base domain, which is the host */
    gw_probe_link(&target, named ? p->policy.name : target.host, p->own_name, config, p->seconds, &result);
    hb_tls_config_free(&config);
    gw_probe_judge(gw_sysenv(), &target, &p->policy, &result, &verdict);
    (p->json ? gw_probe_print_json : gw_probe_print)(&target, &p->policy, &result, &verdict);
    return verdict.findings != 0;
}

int gw_probe(int argc, char **argv)
{
    struct probe *p = calloc(1, sizeof *p);
    int rc = 0;

    if (argc > 0 && strcmp(argv[0], "--help") == 0) {
        (void)fputs(help, stdout);
        free(p);
        return 0;
    }
    if (p == NULL) {
        (void)fprintf(stderr, "hauberk probe: %s\n", hb_err_sentence(HB_E_NO_MEMORY));
        return 2;
    }
    prepare(p, argc, argv);
    rc = p->problems.errors > 0 ? 2 : 0;
    for (unsigned i = 0; i < p->num_urls && rc != 2; i++) {
        int one = probe_one(p, p->urls[i]);
        (void)fflush(stdout);
        rc = one > rc ? one : rc;
    }
    (void)fputs(p->problems.text, stderr);
    hb_trust_free(&p->trust);
    free(p->sts_text);
    free(p);
    return rc;
}
