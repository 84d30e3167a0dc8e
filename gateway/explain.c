/* explain.c: the effective policy, a line a setting: its value, and where that comes from: "default", the
 * option, or file and line. Where the default is another setting's business (a profile's versions, a scheme's
 * ALPN) the value that comes of it is shown. */
#include "explain.h"

#include "conf_util.h"
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct {
    const char *name, *otherwise;
    size_t offset; /* in struct gw_draft_listener */
    enum gw_word word;
    bool flag;
} words[] = {
#define W(field, name, otherwise)                                                                            \
    {name, otherwise, offsetof(struct gw_draft_listener, field), GW_WORD_##field, false},
#define F(field, name) {name, NULL, offsetof(struct gw_draft_listener, field), GW_WORD_##field, true},
#include "words.def"
#undef W
#undef F
};

static void row(const char *name, const char *value, const char *where)
{
    (void)printf("  %-20s %-36s %s\n", name, value, where != NULL ? where : "default");
}

/* ---- which listener ---- */

int gw_find_listener(const struct gw_draft *d, const char *name)
{
    for (unsigned i = 0; i < d->num_listeners; i++) {
        const struct gw_draft_listener *dl = &d->listeners[i];
        if ((dl->name != NULL && strcmp(dl->name, name) == 0) ||
            (dl->listen != NULL && strcmp(dl->listen, name) == 0)) {
            return (int)i;
        }
    }
    (void)fprintf(stderr, "hauberk: no listener %s; there are:", name);
    for (unsigned i = 0; i < d->num_listeners; i++) {
        const struct gw_draft_listener *dl = &d->listeners[i];
        (void)fprintf(stderr, " %s", dl->name != NULL ? dl->name : dl->listen);
    }
    (void)fprintf(stderr, "\n");
    return -1;
}

/* ---- defaults that depend on something ---- */

/* Settings that mean something only where another one asks for them. */
static bool matters(enum gw_word word, const struct gw_draft_listener *dl, const struct gw_listener_conf *lc)
{
    bool toward_backend = word >= GW_WORD_backend_ca && word <= GW_WORD_backend_psk_file;

    if (dl->origin[word] != NULL) {
        return true; /* the operator said it, and wants to see it */
    }
    if (toward_backend) {
        return lc->backend_tls != NULL;
    }
    if (word == GW_WORD_client_verify || word == GW_WORD_client_ca) {
        return dl->client_auth != NULL && strcmp(dl->client_auth, "off") != 0;
    }
    if (word == GW_WORD_client_identity || word == GW_WORD_external_user ||
        word == GW_WORD_external_password) {
        return lc->proto_settings.external != HB_EXTERNAL_OFF;
    }
    if (word == GW_WORD_trusted_network || word == GW_WORD_plaintext_auth || word == GW_WORD_public_mx) {
        return true;
    }
    return !lc->plain;
}

static const char *lowest_version(const char *profile)
{
    if (profile != NULL && strcmp(profile, "modern") == 0) {
        return "1.3";
    }
    bool old = profile != NULL && (strcmp(profile, "legacy") == 0 || strcmp(profile, "antique") == 0);
    return old ? "1.0" : "1.2";
}

static const char *alpn_list(const struct hb_tls_config *tls, char *dst, size_t cap)
{
    const char *name;
    size_t len = 0;

    (void)snprintf(dst, cap, "none");
    for (unsigned i = 0; tls != NULL && (name = hb_tls_config_alpn(tls, i)) != NULL; i++) {
        int n = snprintf(dst + len, cap - len, "%s%s", i > 0 ? "," : "", name);
        len += n > 0 && (size_t)n < cap - len ? (size_t)n : 0;
    }
    return dst;
}

static const char *in_effect(enum gw_word word, const char *otherwise, const struct gw_draft_listener *dl,
                             const struct gw_listener_conf *lc, char *dst, size_t cap)
{
    if (word == GW_WORD_tls && (lc->implicit || lc->plain)) {
        return lc->plain ? "none: plaintext toward the client" : "from the first byte";
    }
    if (word == GW_WORD_idle_timeout) {
        (void)snprintf(dst, cap, "%u", hb_proto_idle_default(lc->proto));
        return dst;
    }
    if (word == GW_WORD_host) {
        return lc->host;
    }
    if (word == GW_WORD_backend_name) {
        return lc->backend_name;
    }
    if (word == GW_WORD_tls_min) {
        return lowest_version(dl->profile);
    }
    if (word == GW_WORD_backend_tls_min) {
        return lowest_version(dl->backend_profile);
    }
    if (word == GW_WORD_alpn_protocols) {
        return alpn_list(lc->tls, dst, cap);
    }
    if (word == GW_WORD_backend_alpn) {
        return alpn_list(lc->backend_tls, dst, cap);
    }
    return otherwise;
}

/* ---- certificates ---- */

static void day_of(uint64_t seconds, char *dst, size_t cap)
{
    time_t at = (time_t)seconds;
    struct tm tm;

    if (gmtime_r(&at, &tm) == NULL || strftime(dst, cap, "%Y-%m-%d", &tm) == 0) {
        dst[0] = 0;
    }
}

static void explain_certs(const struct gw_draft *d, const struct gw_draft_listener *dl,
                          const struct gw_listener_conf *lc)
{
    struct hb_cred_facts facts;
    uint64_t staple_until;
    char line[340];

    for (unsigned i = 0; !lc->plain && i < gw_num_certs_of(d, dl); i++) {
        const struct gw_draft_cert *dc = gw_cert_of(d, dl, i);
        if (!gw_cert_facts(dc, &facts, &staple_until)) {
            continue; /* left out, and said so when it was loaded */
        }
        char until[16];
        char staple_day[16];
        day_of(facts.not_after, until, sizeof until);
        day_of(staple_until, staple_day, sizeof staple_day);
        (void)snprintf(line, sizeof line, "%s until %s%s%s: %s", facts.key, until,
                       staple_until > 0 ? ", stapled until " : "", staple_until > 0 ? staple_day : "",
                       facts.names);
        row("certificate", line, dc->where);
    }
}

/* The words of a backend block that no listener has. */
static void explain_pool(const struct gw_draft_backend *b)
{
    for (unsigned i = 0; b != NULL && i < b->num_servers; i++) {
        row("server", b->servers[i], b->servers_where);
    }
    if (b != NULL) {
        row("balance", b->balance != NULL ? b->balance : "round-robin", b->balance_where);
        row("health-check", b->check != NULL ? b->check : "0", b->check_where);
    }
}

/* ---- the whole ---- */

void gw_explain_listener(const struct gw_draft *d, const struct gw_conf *conf, unsigned i)
{
    const struct gw_draft_listener *dl = &d->listeners[i];
    const struct gw_listener_conf *lc = &conf->listeners[i];
    char mem[300];

    (void)printf("listener %s\n", dl->name != NULL ? dl->name : dl->listen);
    row("listen", dl->listen, dl->where);
    row("backend", dl->backend, dl->where);
    explain_pool(dl->pool);
    explain_certs(d, dl, lc);
    for (size_t k = 0; k < sizeof words / sizeof words[0]; k++) {
        enum gw_word word = words[k].word;
        const char *value;
        bool yes;
        if (!matters(word, dl, lc)) {
            continue;
        }
        if (words[k].flag) {
            memcpy(&yes, (const char *)dl + words[k].offset, sizeof yes);
            value = yes ? "true" : "false";
        } else {
            memcpy(&value, (const char *)dl + words[k].offset, sizeof value);
        }
        bool own = value != NULL && !(word == GW_WORD_tls && (lc->implicit || lc->plain));
        row(words[k].name, own ? value : in_effect(word, words[k].otherwise, dl, lc, mem, sizeof mem),
            word == GW_WORD_tls && lc->implicit ? dl->where : dl->origin[word]);
    }
}

void gw_explain_program(const struct gw_draft *d, const struct gw_conf *conf)
{
    char number[16];

    (void)printf("program\n");
#define G(field, name, otherwise) row(name, d->field != NULL ? d->field : (otherwise), d->field##_where);
#include "globals.def"
#undef G
    (void)printf("timeouts, in seconds\n");
#define T(field, name, otherwise, least)                                                                     \
    (void)snprintf(number, sizeof number, "%u", conf->timeouts.field);                                       \
    row(name, number, d->field##_timeout_where);
#include "timeouts.def"
#undef T
}
