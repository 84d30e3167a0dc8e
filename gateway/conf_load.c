/* conf_load.c: a draft checked word by word, certificates read, the snapshot built.
 * Goes on after an error to find the others; builds nothing when there was one. */
#include "conf.h"

#include "sysenv.h"
#include <arpa/inet.h>
#include <errno.h>
#include <hb/ct.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX_LEN (1u << 20)

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
    p->errors++;
    add_line(p, "", where, what, detail);
}

void gw_notice(struct gw_problems *p, const char *where, const char *what, const char *detail)
{
    p->notices++;
    add_line(p, "notice: ", where, what, detail);
}

/* ---- draft ---- */

#define ARENA_SIZE 262144u

struct gw_draft *gw_draft_new(void)
{
    struct gw_draft *d = calloc(1, sizeof *d);

    if (d == NULL || (d->arena = malloc(ARENA_SIZE)) == NULL) {
        (void)fprintf(stderr, "hauberk: out of memory\n");
        exit(2);
    }
    d->arena_cap = ARENA_SIZE;
    d->timeouts = (struct gw_timeouts){.greeting = 30,
                                       .handshake = 30,
                                       .connect = 10,
                                       .flush = 30,
                                       .linger = 2,
                                       .clear_total = 300,
                                       .drain = 30};
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
        (void)fprintf(stderr, "hauberk: the configuration is too long\n");
        exit(2);
    }
    char *at = d->arena + d->arena_len;
    memcpy(at, s, len);
    at[len] = 0;
    d->arena_len += len + 1;
    return at;
}

/* ---- addresses ---- */

/* Splits "host:port", "[v6]:port" or "host" (port stays 0 if absent). */
static bool split_host_port(const char *text, char *host, size_t cap, unsigned *port)
{
    const char *colon;
    size_t len;

    if (text[0] == '[') {
        const char *close = strchr(text, ']');
        if (close == NULL) {
            return false;
        }
        len = (size_t)(close - text - 1);
        text++;
        colon = close[1] == 0 ? NULL : close + 1;
        if (colon != NULL && *colon != ':') {
            return false;
        }
    } else {
        colon = strrchr(text, ':');
        len = colon != NULL ? (size_t)(colon - text) : strlen(text);
        if (memchr(text, ':', len) != NULL) {
            return false; /* a bare IPv6 address needs its brackets */
        }
    }
    if (len == 0 || len >= cap) {
        return false;
    }
    memcpy(host, text, len);
    host[len] = 0;
    *port = 0;
    if (colon == NULL) {
        return true;
    }
    char *end;
    unsigned long n = strtoul(colon + 1, &end, 10);
    if (colon[1] < '0' || colon[1] > '9' || *end != 0 || n == 0 || n > 65535) {
        return false;
    }
    *port = (unsigned)n;
    return true;
}

static bool resolve(const char *host, unsigned port, struct sockaddr_storage *dst, const char **why)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char service[8];

    (void)snprintf(service, sizeof service, "%u", port);
    int rc = getaddrinfo(host, service, &hints, &found);
    if (rc != 0) {
        *why = gai_strerror(rc);
        return false;
    }
    memcpy(dst, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return true;
}

static bool is_loopback(const struct sockaddr_storage *a)
{
    if (a->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)a;
        return ntohl(in->sin_addr.s_addr) >> 24 == 127;
    }
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)a;
    return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

static const char *known_schemes(char *dst, size_t cap)
{
    size_t len = 0;
    const char *scheme;

    dst[0] = 0;
    for (unsigned i = 0; (scheme = hb_proto_scheme(i)) != NULL; i++) {
        int n = snprintf(dst + len, cap - len, "%s%s", i > 0 ? " " : "", scheme);
        len += n > 0 && (size_t)n < cap - len ? (size_t)n : 0;
    }
    return dst;
}

static void load_listen(const struct gw_draft_listener *dl, struct gw_listener_conf *lc,
                        struct gw_problems *p)
{
    const char *sep = dl->listen != NULL ? strstr(dl->listen, "://") : NULL;
    char scheme[32];
    char host[256];
    char list[256];
    unsigned port;
    const char *why;

    if (sep == NULL || (size_t)(sep - dl->listen) >= sizeof scheme) {
        gw_problem(p, dl->where, "listen needs a URL such as imap://127.0.0.1:1143, not", dl->listen);
        return;
    }
    memcpy(scheme, dl->listen, (size_t)(sep - dl->listen));
    scheme[sep - dl->listen] = 0;
    lc->url = dl->listen;
    lc->proto = hb_proto_find(scheme, &lc->implicit);
    if (lc->proto == NULL) {
        char what[320];
        (void)snprintf(what, sizeof what, "unknown scheme \"%s\"; there are: %s", scheme,
                       known_schemes(list, sizeof list));
        gw_problem(p, dl->where, what, NULL);
        return;
    }
    if (!split_host_port(sep + 3, host, sizeof host, &port)) {
        gw_problem(p, dl->where, "not an address with a port from 1 to 65535", dl->listen);
        return;
    }
    port = port != 0 ? port : hb_proto_port(lc->proto, lc->implicit);
    if (port == 0) {
        gw_problem(p, dl->where, "a port is needed in", dl->listen);
    } else if (!resolve(host, port, &lc->addr, &why)) {
        gw_problem(p, dl->where, why, dl->listen);
    }
}

static void load_backend(const struct gw_draft_listener *dl, struct gw_listener_conf *lc,
                         struct gw_problems *p)
{
    char host[256];
    unsigned port;
    const char *why;

    lc->backend_text = dl->backend;
    if (dl->backend == NULL) {
        gw_problem(p, dl->where, "no backend given for", dl->listen);
        return;
    }
    if (strstr(dl->backend, "://") != NULL) {
        gw_problem(p, dl->where,
                   "a backend is HOST:PORT and speaks plaintext; TLS toward backends is not built yet",
                   dl->backend);
        return;
    }
    if (!split_host_port(dl->backend, host, sizeof host, &port)) {
        gw_problem(p, dl->where, "backend is not HOST:PORT with a port from 1 to 65535", dl->backend);
        return;
    }
    port = port != 0 || lc->proto == NULL ? port : hb_proto_port(lc->proto, false);
    if (port == 0) {
        gw_problem(p, dl->where, "a port is needed in backend", dl->backend);
        return;
    }
    if (!resolve(host, port, &lc->backend, &why)) {
        gw_problem(p, dl->where, why, dl->backend);
        return;
    }
    if (is_loopback(&lc->backend)) {
        return;
    }
    if (dl->trusted_network) { /* GEN-25 */
        gw_notice(p, dl->where, "trusted-network: mail and passwords travel in clear to", dl->backend);
    } else {
        gw_problem(
            p, dl->where,
            "backend is not on this machine and would get passwords in clear; say trusted-network if the "
            "network in between is yours",
            dl->backend);
    }
}

/* ---- words ---- */

static bool one_of(const char *word, const char *const *words, size_t n, size_t *i)
{
    for (*i = 0; *i < n; (*i)++) {
        if (strcmp(word, words[*i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The position of word among words; the first one if it is NULL. */
static size_t choose(const char *word, const char *const *words, size_t n, const char *what,
                     const char *where, struct gw_problems *p)
{
    size_t i = 0;
    char text[160];
    size_t len = 0;

    if (word == NULL || one_of(word, words, n, &i)) {
        return word == NULL ? 0 : i;
    }
    for (i = 0; i < n; i++) {
        int k = snprintf(text + len, sizeof text - len, "%s%s", i > 0 ? " or " : "", words[i]);
        len += k > 0 && (size_t)k < sizeof text - len ? (size_t)k : 0;
    }
    char message[256];
    (void)snprintf(message, sizeof message, "%s is %s, not", what, text);
    gw_problem(p, where, message, word);
    return 0;
}

static uint16_t version_of(const char *word, uint16_t otherwise, const char *what, const char *where,
                           struct gw_problems *p)
{
    static const char *const words[] = {"1.2", "1.3"};

    return word == NULL ? otherwise : (uint16_t)(0x0303 + choose(word, words, 2, what, where, p));
}

/* ---- certificates ---- */

/* A whole file as a NUL-terminated string; NULL after saying why. */
static char *read_file(const char *path, size_t *len, const char *where, struct gw_problems *p)
{
    char message[600];
    FILE *f = path != NULL ? fopen(path, "rb") : NULL;

    if (f == NULL) {
        (void)snprintf(message, sizeof message, "cannot read %s", path != NULL ? path : "(no file given)");
        gw_problem(p, where, message, path != NULL ? strerror(errno) : NULL);
        return NULL;
    }
    char *text = malloc(FILE_MAX_LEN);
    *len = text != NULL ? fread(text, 1, FILE_MAX_LEN, f) : 0;
    bool bad = text == NULL || ferror(f) || *len == FILE_MAX_LEN;
    if (bad) {
        (void)snprintf(message, sizeof message, "cannot read %s", path);
        gw_problem(p, where, message, *len == FILE_MAX_LEN ? "longer than 1 MiB" : strerror(errno));
        free(text);
        text = NULL;
    }
    (void)fclose(f);
    return text;
}

static void warn_of_mode(const char *path, const char *where, struct gw_problems *p)
{
    struct stat st;

    if (stat(path, &st) == 0 && (st.st_mode & 027) != 0) { /* PKI-08: wider than 0640 */
        gw_notice(p, where, "private key can be read or changed by others; chmod 640", path);
    }
}

static void add_cert(const struct gw_draft_cert *dc, struct hb_cred_store *store, struct gw_problems *p)
{
    size_t chain_len = 0;
    size_t key_len = 0;
    char *chain = read_file(dc->chain, &chain_len, dc->where, p);
    char *key = read_file(dc->key, &key_len, dc->where, p);
    struct hb_cred_facts facts;

    if (chain != NULL && key != NULL) {
        enum hb_code code =
            hb_cred_store_add(store, hb_span(chain, chain_len), hb_span(key, key_len), &facts);
        if (code != HB_OK) {
            char message[1300];
            (void)snprintf(message, sizeof message, "certificate %s with key %s", dc->chain, dc->key);
            gw_problem(p, dc->where, message, hb_err_sentence(code));
        } else {
            warn_of_mode(dc->key, dc->where, p);
        }
    }
    if (key != NULL) {
        hb_wipe(key, key_len);
    }
    free(key);
    free(chain);
}

static void load_certs(const struct gw_draft *d, const struct gw_draft_listener *dl,
                       struct gw_listener_conf *lc, struct gw_problems *p)
{
    lc->creds = hb_cred_store_new(gw_sysenv());
    if (lc->creds == NULL) {
        gw_problem(p, dl->where, hb_err_sentence(HB_E_NO_MEMORY), NULL);
        return;
    }
    for (unsigned i = 0; i < dl->num_certs; i++) {
        bool found = false;
        for (unsigned k = 0; k < d->num_certs; k++) {
            if (strcmp(d->certs[k].name, dl->certs[i]) == 0) {
                found = true;
                add_cert(&d->certs[k], lc->creds, p);
            }
        }
        if (!found) {
            gw_problem(p, dl->where, "no certificate block has the name", dl->certs[i]);
        }
    }
    for (unsigned k = 0; dl->num_certs == 0 && k < d->num_certs; k++) {
        add_cert(&d->certs[k], lc->creds, p);
    }
    if (d->num_certs == 0) {
        gw_problem(p, dl->where, "no certificate given; give --cert and --key, or a certificate block", NULL);
    }
}

/* ---- a listener ---- */

static void load_tls(const struct gw_draft_listener *dl, struct gw_listener_conf *lc, struct gw_problems *p)
{
    static const char *const profiles[] = {"intermediate", "modern", "legacy"};
    static const enum hb_tls_profile values[] = {HB_PROFILE_INTERMEDIATE, HB_PROFILE_MODERN,
                                                 HB_PROFILE_LEGACY};
    static const char *const sni[] = {"default", "strict"};
    static const char *const alpn[] = {"strict", "lenient"};
    size_t profile = choose(dl->profile, profiles, 3, "profile", dl->where, p);
    uint16_t low = version_of(dl->tls_min, 0x0303, "tls-min", dl->where, p);
    uint16_t high = version_of(dl->tls_max, 0x0304, "tls-max", dl->where, p);
    bool lenient = choose(dl->alpn, alpn, 2, "alpn", dl->where, p) == 1;
    bool strict_sni = choose(dl->sni, sni, 2, "sni", dl->where, p) == 1;

    if (profile == 2) {
        gw_notice(p, dl->where,
                  "profile legacy: meant for clients that RFC 8996 and RFC 9325 advise against; today it "
                  "offers what "
                  "intermediate does",
                  dl->listen);
    }
    if (lc->creds == NULL || lc->proto == NULL) {
        return;
    }
    lc->tls = hb_tls_config_new(gw_sysenv(), values[profile], lc->creds);
    if (lc->tls == NULL) {
        gw_problem(p, dl->where, hb_err_sentence(HB_E_NO_MEMORY), NULL);
        return;
    }
    if (hb_tls_config_versions(lc->tls, low, high) != HB_OK) {
        gw_problem(p, dl->where, "profile, tls-min and tls-max leave no TLS version", NULL);
    }
    const char *name;
    for (unsigned i = 0; (name = hb_proto_alpn(lc->proto, i)) != NULL; i++) {
        if (hb_tls_config_add_alpn(lc->tls, name) != HB_OK) {
            gw_problem(p, dl->where, "ALPN name does not fit", name);
        }
    }
    hb_tls_config_alpn_lenient(lc->tls, lenient || !hb_proto_alpn_strict(lc->proto));
    hb_tls_config_sni_strict(lc->tls, strict_sni);
}

/* It goes into greetings and replies as it is: letters, digits, and what addresses are written with. */
static bool host_fits(const char *host, size_t cap)
{
    size_t len = strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]");

    return len > 0 && len < cap && host[len] == 0;
}

static void load_policy(const struct gw_draft_listener *dl, struct gw_listener_conf *lc,
                        struct gw_problems *p)
{
    static const char *const modes[] = {"required", "optional"};
    bool optional = choose(dl->tls, modes, 2, "tls", dl->where, p) == 1;

    bool own_word = strncmp(dl->where, "--", 2) != 0; /* on the command line it is said for all listeners */
    if (optional && lc->implicit && own_word) {
        gw_problem(p, dl->where, "tls = optional has no meaning where TLS comes first", dl->listen);
    }
    if (optional && !lc->implicit) {
        gw_notice(p, dl->where, "tls = optional: clients may go on without TLS", dl->listen);
    }
    if (dl->plaintext_auth) {
        gw_notice(p, dl->where, "plaintext-auth: passwords may cross the network in clear", dl->listen);
    }
    if (dl->public_mx && !optional && !lc->implicit) { /* SMTP-15 */
        gw_problem(p, dl->where, "a public MX must take mail without TLS (RFC 3207 4); say tls = optional",
                   dl->listen);
    }
    if (dl->host != NULL && !host_fits(dl->host, sizeof lc->host)) {
        gw_problem(p, dl->where, "host is a name for greetings, such as mail.example.org, not", dl->host);
    } else if (dl->host != NULL) {
        memcpy(lc->host, dl->host, strlen(dl->host) + 1);
    } else if (gethostname(lc->host, sizeof lc->host - 1) != 0) {
        memcpy(lc->host, "localhost", 10);
    }
    lc->proto_settings = (struct hb_proto_settings){
        .host = lc->host,
        .implicit = lc->implicit,
        .tls_required = !optional || lc->implicit,
        .tls_usable = lc->creds != NULL && hb_cred_store_count(lc->creds) > 0,
        .starttls_offered = !lc->implicit,
        .plaintext_auth = dl->plaintext_auth,
        .needs_ehlo = true,
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

struct gw_conf *gw_conf_load(const struct gw_draft *d, struct gw_problems *p)
{
    static const char *const formats[] = {"text", "json"};
    struct gw_conf *conf = calloc(1, sizeof *conf);

    if (conf == NULL) {
        gw_problem(p, "hauberk", hb_err_sentence(HB_E_NO_MEMORY), NULL);
        return NULL;
    }
    conf->workers = load_workers(d, p);
    conf->log = choose(d->log, formats, 2, "log", d->log_where != NULL ? d->log_where : "log", p) == 1
                    ? GW_LOG_JSON
                    : GW_LOG_TEXT;
    conf->debug = d->debug;
    conf->timeouts = d->timeouts;
    conf->listeners = calloc(d->num_listeners > 0 ? d->num_listeners : 1, sizeof *conf->listeners);
    if (d->num_listeners == 0) {
        gw_problem(p, "hauberk", "nothing to listen on; give --listen and --backend, or a listener block",
                   NULL);
    }
    for (unsigned i = 0; conf->listeners != NULL && i < d->num_listeners; i++) {
        const struct gw_draft_listener *dl = &d->listeners[i];
        struct gw_listener_conf *lc = &conf->listeners[i];
        conf->num_listeners = i + 1;
        load_listen(dl, lc, p);
        load_backend(dl, lc, p);
        load_certs(d, dl, lc, p);
        load_tls(dl, lc, p);
        load_policy(dl, lc, p);
        if (p->errors > 0 && i == 0 && hb_cred_store_count(lc->creds) == 0) {
            break; /* a certificate that cannot be used would be reported for each listener */
        }
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
        hb_tls_config_free(&conf->listeners[i].tls);
        hb_cred_store_free(&conf->listeners[i].creds);
    }
    free(conf->listeners);
    free(conf);
}
