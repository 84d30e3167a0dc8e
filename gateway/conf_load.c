/* conf_load.c: a draft checked word by word, certificates read, the snapshot built.
 * Goes on after an error to find the others; builds nothing when there was one. */
#include "conf_util.h"

#include "resolve.h"
#include "source.h"
#include <arpa/inet.h>
#include <hb/ct.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

/* True if line is there already: a certificate two listeners share is told of once. */
static bool has_line(struct gw_problems *p, const char *line)
{
    for (const char *at = p->text; at < p->text + p->len; at = strchr(at, '\n') + 1) {
        if (strncmp(at, line, strlen(line)) == 0) {
            return true;
        }
    }
    return false;
}

static void add_line(struct gw_problems *p, const char *kind, const char *where, const char *what,
                     const char *detail)
{
    int n = snprintf(p->text + p->len, sizeof p->text - p->len, "%s%s: %s%s%s\n", kind, where, what,
                     detail != NULL ? ": " : "", detail != NULL ? detail : "");

    bool fits = n > 0 && (size_t)n < sizeof p->text - p->len;
    bool fresh = fits && !has_line(p, p->text + p->len);
    p->len += fresh ? (size_t)n : 0;
    p->text[p->len] = 0; /* a line that does not fit is left out whole */
}

void gw_problem(struct gw_problems *p, const char *where, const char *what, const char *detail)
{
    if (p->lenient) {
        gw_notice(p, where, what, detail);
        return;
    }
    p->errors++;
    add_line(p, "", where, what, detail);
}

void gw_notice(struct gw_problems *p, const char *where, const char *what, const char *detail)
{
    p->notices++;
    add_line(p, "warning: ", where, what, detail);
}

/* ---- draft ---- */

#define ARENA_SIZE (1u << 20)

struct gw_draft *gw_draft_new(void)
{
    struct gw_draft *d = calloc(1, sizeof *d);

    if (d == NULL || (d->arena = malloc(ARENA_SIZE)) == NULL) {
        (void)fprintf(stderr, "hauberk: out of memory\n");
        exit(2);
    }
    d->arena_cap = ARENA_SIZE;
#define T(field, name, otherwise, least) d->timeouts.field = (otherwise);
#include "timeouts.def"
#undef T
    return d;
}

void gw_draft_free(struct gw_draft **d)
{
    if (*d != NULL) {
        free((*d)->arena);
        free(*d);
        *d = NULL;
    }
}

const char *gw_draft_keep(struct gw_draft *d, const char *s, size_t len)
{
    if (d->arena_cap - d->arena_len < len + 1) {
        d->too_long = true;
        return "";
    }
    char *at = d->arena + d->arena_len;
    memcpy(at, s, len);
    at[len] = 0;
    d->arena_len += len + 1;
    return at;
}

/* ---- listening ---- */

static const char *known_schemes(char *dst, size_t cap)
{
    size_t len = 0;
    const char *scheme;

    dst[0] = 0;
    for (unsigned i = 0; (scheme = hb_proto_scheme(i)) != NULL; i++) {
        int n = snprintf(dst + len, cap - len, "%s%s", i > 0 ? " " : "", scheme);
        len += n > 0 && (size_t)n < cap - len ? (size_t)n : 0;
    }
    (void)snprintf(dst + len, cap - len, " tcp"); /* which is no protocol of the library's */
    return dst;
}

static void load_listen(const struct gw_draft_listener *dl, struct gw_listener_conf *lc,
                        struct gw_problems *p)
{
    const char *sep = dl->listen != NULL ? strstr(dl->listen, "://") : NULL;
    char scheme[32];
    char host[256];
    char list[512];
    unsigned port;
    const char *why;

    if (sep == NULL || (size_t)(sep - dl->listen) >= sizeof scheme) {
        gw_problem(p, dl->where, "listen needs a URL such as imap://127.0.0.1:1143, not", dl->listen);
        return;
    }
    memcpy(scheme, dl->listen, (size_t)(sep - dl->listen));
    scheme[sep - dl->listen] = 0;
    lc->url = dl->listen;
    lc->plain = strcmp(scheme, "tcp") == 0; /* any TCP service, as it is: for plain in, TLS out */
    lc->proto = hb_proto_find(lc->plain ? "tls" : scheme, &lc->implicit);
    if (lc->proto == NULL) {
        char what[320];
        (void)snprintf(what, sizeof what, "unknown scheme \"%s\"; there are: %s", scheme,
                       known_schemes(list, sizeof list));
        gw_problem(p, dl->where, what, NULL);
        return;
    }
    if (!gw_split_host_port(sep + 3, host, sizeof host, &port)) {
        gw_problem(p, dl->where, "not an address with a port from 1 to 65535", dl->listen);
        return;
    }
    port = port != 0 ? port : hb_proto_port(lc->proto, lc->implicit);
    if (port == 0) {
        gw_problem(p, dl->where, "a port is needed in", dl->listen);
    } else if (hb_proto_port_forbidden(lc->proto, port)) {
        gw_problem(p, dl->where, "the protocol's RFC forbids this port", dl->listen);
    } else if (!gw_resolve(host, port, &lc->addr, &why)) {
        gw_problem(p, dl->where, why, dl->listen);
    }
}

/* ---- a listener ---- */

/* It goes into greetings and replies as it is: letters, digits, and what addresses are written with. */
static bool host_fits(const char *host, size_t cap)
{
    size_t len = strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]");

    return len > 0 && len < cap && host[len] == 0;
}

static void own_host(struct gw_listener_conf *lc)
{
    char *name = NULL;
    size_t len = 0;
    bool good = gw_source_ask(GW_SRC_HOST, "", &name, &len) == 0 && len < sizeof lc->host;

    memcpy(lc->host, good ? name : "localhost", good ? len + 1 : 10);
    free(name);
}

static void load_policy(const struct gw_draft *d, const struct gw_draft_listener *dl,
                        struct gw_listener_conf *lc, struct gw_problems *p)
{
    static const char *const residues[] = {"handshake", "discard"};
    static const char *const modes[] = {"required", "optional", "observe", "warn"};
    size_t mode = gw_choose(dl->tls, modes, 4, "tls", GW_AT(dl, tls), p);
    bool optional = mode > 0;
    char what[120];

    /* What is said for all listeners, on the command line or in defaults, may not fit each of them. */
    bool own_word = dl->origin[GW_WORD_tls] != NULL &&
                    dl->origin[GW_WORD_tls] != d->defaults.origin[GW_WORD_tls] &&
                    strncmp(dl->where, "--", 2) != 0;
    if (optional && lc->implicit && own_word) {
        (void)snprintf(what, sizeof what, "tls = %s has no meaning where TLS comes first", modes[mode]);
        gw_problem(p, GW_AT(dl, tls), what, dl->listen);
    }
    if (optional && !lc->implicit && !dl->public_mx) { /* an MX has no other choice */
        (void)snprintf(what, sizeof what, "tls = %s: clients may go on without TLS", modes[mode]);
        gw_notice(p, GW_AT(dl, tls), what, dl->listen);
    }
    if (mode >= 2 && !lc->implicit && !dl->plaintext_auth) {
        gw_notice(
            p, GW_AT(dl, tls),
            "passwords in clear are still refused, and only counted; say plaintext-auth to let them pass",
            dl->listen);
    }
    lc->discard_residue = gw_choose(dl->starttls_residue, residues, 2, "starttls-residue",
                                    GW_AT(dl, starttls_residue), p) == 1; /* GEN-04 */
    lc->watch_logins = mode >= 2 && !lc->implicit;
    if (dl->plaintext_auth) {
        gw_notice(p, GW_AT(dl, plaintext_auth), "plaintext-auth: passwords may cross the network in clear",
                  dl->listen);
    }
    if (dl->public_mx && !optional && !lc->implicit) { /* SMTP-15 */
        gw_problem(p, GW_AT(dl, public_mx),
                   "a public MX must take mail without TLS (RFC 3207 4); say tls = optional", dl->listen);
    }
    if (dl->host != NULL && !host_fits(dl->host, sizeof lc->host)) {
        gw_problem(p, GW_AT(dl, host), "host is a name for greetings, such as mail.example.org, not",
                   dl->host);
    } else if (dl->host != NULL) {
        memcpy(lc->host, dl->host, strlen(dl->host) + 1);
    } else {
        own_host(lc);
    }
    unsigned least = lc->proto != NULL ? hb_proto_idle_least(lc->proto) : 1; /* GEN-19 */
    lc->proto_settings = (struct hb_proto_settings){
        .host = lc->host,
        .implicit = lc->implicit,
        .tls_required = !optional || lc->implicit,
        .tls_usable = lc->creds != NULL && hb_cred_store_count(lc->creds) > 0,
        .starttls_offered = !lc->implicit,
        .plaintext_auth = dl->plaintext_auth,
        .needs_ehlo = true,
        .max_bad = gw_number(dl->bad_commands, 1, 255, 0, "bad-commands", GW_AT(dl, bad_commands), p),
        .idle = gw_number(dl->idle_timeout, least, 604800, 0, "idle-timeout, in seconds and as the RFC asks,",
                          GW_AT(dl, idle_timeout), p),
        .preauth =
            gw_number(dl->preauth_timeout, 10, 3600, 0, "preauth-timeout", GW_AT(dl, preauth_timeout), p),
        .warn_clear = mode == 3 && !lc->implicit,
        .link_credential = dl->backend_cert != NULL || dl->backend_psk_file != NULL,
    };
}

static unsigned load_workers(const struct gw_draft *d, struct gw_problems *p)
{
    char *end;

    if (d->workers == NULL) {
        return 1;
    }
    unsigned long n = strtoul(d->workers, &end, 10);
    if (d->workers[0] < '0' || d->workers[0] > '9' || *end != 0 || n == 0 || n > GW_MAX_WORKERS) {
        gw_problem(p, d->workers_where, "workers is a number from 1 to 64, not", d->workers);
        return 1;
    }
    return (unsigned)n;
}

static void load_processes(const struct gw_draft *d, struct gw_conf *conf, struct gw_problems *p)
{
    static const char *const holders[] = {"keeper", "worker"};
    static const char *const switches[] = {"on", "off"};
    const char *keys_where = d->keys_where != NULL ? d->keys_where : "keys";
    const char *sandbox_where = d->sandbox_where != NULL ? d->sandbox_where : "sandbox";

    conf->keys_in_workers = gw_choose(d->keys, holders, 2, "keys", keys_where, p) == 1;
    conf->sandbox = gw_choose(d->sandbox, switches, 2, "sandbox", sandbox_where, p) == 0;
    if (!gw_resolver(d->resolver)) {
        gw_problem(p, d->resolver_where != NULL ? d->resolver_where : "resolver",
                   "addresses of name servers with commas between, such as 192.0.2.1,[2001:db8::1]:53, not",
                   d->resolver);
    }
    conf->user = d->user;
    conf->control = d->control;
    if (d->metrics != NULL) {
        char host[256];
        unsigned port;
        const char *why = "an address with a port, such as 127.0.0.1:9109";
        conf->metrics_text = d->metrics;
        if (!gw_split_host_port(d->metrics, host, sizeof host, &port) || port == 0 ||
            !gw_resolve(host, port, &conf->metrics, &why)) {
            gw_problem(p, d->metrics_where != NULL ? d->metrics_where : "metrics", why, d->metrics);
        } else if (!gw_is_loopback(&conf->metrics)) {
            gw_notice(p, d->metrics_where, "metrics can be read by whoever reaches this address", d->metrics);
        }
    }
    if (conf->keys_in_workers) {
        gw_notice(p, keys_where, "keys = worker: private keys are in the processes that talk to the network",
                  NULL);
    }
    if (!conf->sandbox) {
        gw_notice(p, sandbox_where,
                  "sandbox = off: processes keep their user, the file system and every system call", NULL);
    }
}

/* stderr | journald[:PATH] | syslog[:PATH] */
static void load_log(const struct gw_draft *d, struct gw_conf *conf, struct gw_problems *p)
{
    static const char *const formats[] = {"text", "json"};
    static const char *const places[] = {"stderr", "journald", "syslog"};
    const char *to = d->log_to != NULL ? d->log_to : "stderr";
    size_t len = strcspn(to, ":");
    bool path = to[len] == ':';

    conf->log = gw_choose(d->log, formats, 2, "log", d->log_where != NULL ? d->log_where : "log", p) == 1
                    ? GW_LOG_JSON
                    : GW_LOG_TEXT;
    conf->debug = d->debug;
    for (unsigned i = 0; i < 3; i++) {
        if (strlen(places[i]) == len && strncmp(places[i], to, len) == 0 &&
            (!path || (i > 0 && to[len + 1] == '/'))) {
            conf->log_to = (enum gw_log_to)i;
            conf->log_path = path ? to + len + 1 : NULL;
            return;
        }
    }
    gw_problem(p, d->log_to_where,
               "log-to takes stderr, journald, syslog, or one of these with a path such as "
               "syslog:/dev/log; not",
               to);
}

struct gw_conf *gw_conf_load(const struct gw_draft *d, struct gw_problems *p)
{
    struct gw_conf *conf = calloc(1, sizeof *conf);

    if (conf == NULL) {
        gw_problem(p, "hauberk", hb_err_sentence(HB_E_NO_MEMORY), NULL);
        return NULL;
    }
    if (d->too_long) {
        gw_problem(p, "hauberk", "the configuration is too long: more than 1 MiB of words and paths", NULL);
    }
    conf->workers = load_workers(d, p);
    load_log(d, conf, p);
    load_processes(d, conf, p);
    gw_conf_limits(d, conf, p);
    conf->timeouts = d->timeouts;
    conf->listeners = calloc(d->num_listeners > 0 ? d->num_listeners : 1, sizeof *conf->listeners);
    if (d->num_listeners == 0) {
        gw_problem(p, "hauberk",
                   "nothing to listen on; give --config FILE, or --listen and --backend, or a listener block",
                   NULL);
    }
    for (unsigned i = 0; conf->listeners != NULL && i < d->num_listeners; i++) {
        const struct gw_draft_listener *dl = &d->listeners[i];
        struct gw_listener_conf *lc = &conf->listeners[i];
        conf->num_listeners = i + 1;
        lc->index = i;
        lc->name = dl->name;
        load_listen(dl, lc, p);
        gw_conf_lists(dl, lc, p);
        gw_conf_backend(dl, lc, p);
        gw_conf_certs(d, dl, lc, p);
        gw_conf_tls(dl, lc, p);
        gw_conf_backend_tls(dl, lc, p);
        load_policy(d, dl, lc, p);
        gw_conf_external(dl, lc, p);
        if (p->errors > 0 && i == 0 && lc->creds != NULL && hb_cred_store_count(lc->creds) == 0) {
            break; /* a certificate that cannot be used would be reported for each listener */
        }
    }
    if (p->errors == 0 && conf->listeners != NULL) {
        gw_conf_whole(d, conf, p);
    }
    if (p->errors > 0) {
        gw_conf_free(&conf);
    }
    return conf;
}

void gw_conf_free(struct gw_conf **pc)
{
    struct gw_conf *conf = *pc;

    if (conf == NULL) {
        return;
    }
    *pc = NULL;
    for (unsigned i = 0; i < conf->num_listeners; i++) {
        hb_wipe(conf->listeners[i].master_password, sizeof conf->listeners[i].master_password);
        hb_tls_config_free(&conf->listeners[i].tls);
        hb_tls_config_free(&conf->listeners[i].backend_tls);
        hb_cred_store_free(&conf->listeners[i].creds);
        gw_pool_free(&conf->listeners[i].pool);
    }
    free(conf->listeners);
    free(conf);
}
