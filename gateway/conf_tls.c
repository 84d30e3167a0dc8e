/* conf_tls.c: the TLS words of a draft become two configs of the engine: one toward clients, one toward the
 * backend. Every word that makes things less safe than the default is a notice. */
#include "conf_util.h"

#include "keylog.h"
#include "source.h"
#include "sysenv.h"
#include <hb/builder.h>
#include <hb/ct.h>
#include <hb/hex.h>
#include <hb/tls_info.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SYSTEM_CA "/etc/ssl/certs/ca-certificates.crt"

static const char *const profiles[] = {"intermediate", "modern", "legacy", "antique"};
static const enum hb_tls_profile profile_values[] = {HB_PROFILE_INTERMEDIATE, HB_PROFILE_MODERN,
                                                     HB_PROFILE_LEGACY, HB_PROFILE_ANTIQUE};

enum hb_tls_profile gw_client_profile(const char *word, const char *what, const char *where,
                                      struct gw_problems *p)
{
    return profile_values[gw_choose(word, profiles, 4, what, where, p)];
}

static uint16_t version_of(const char *word, uint16_t otherwise, const char *what, const char *where,
                           struct gw_problems *p)
{
    static const char *const words[] = {"1.0", "1.1", "1.2", "1.3"};

    return word == NULL ? otherwise : (uint16_t)(0x0301 + gw_choose(word, words, 4, what, where, p));
}

static void problem(struct gw_problems *p, const char *where, const char *what, enum hb_code code)
{
    if (code != HB_OK) {
        gw_problem(p, where, what, hb_err_sentence(code));
    }
}

/* Calls fn with each of the words between commas. */
static void each_word(const char *list, void (*fn)(void *ctx, const char *word), void *ctx)
{
    char word[256];

    while (list != NULL && *list != 0) {
        size_t len = strcspn(list, ",");
        if (len > 0 && len < sizeof word) {
            memcpy(word, list, len);
            word[len] = 0;
            fn(ctx, word);
        }
        list += len;
        list += *list == ',';
    }
}

struct loading {
    struct hb_tls_config *config;
    const char *where;
    struct gw_problems *p;
    uint16_t groups[12];
    size_t num_groups;
};

static void add_alpn(void *ctx, const char *word)
{
    struct loading *l = ctx;
    problem(l->p, l->where, "alpn-protocols", hb_tls_config_add_alpn(l->config, word));
}

static void add_group(void *ctx, const char *word)
{
    static const uint16_t ids[] = {0x11ec, 0x001d, 0x0017, 0x0018, 0x001e, 0x0019, 0x0101, 0x0100, 0x11eb};
    struct loading *l = ctx;

    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        if (hb_span_is(hb_span_str(word), hb_tls_group_name(ids[i])) && l->num_groups < 12) {
            l->groups[l->num_groups++] = ids[i];
            return;
        }
    }
    gw_problem(l->p, l->where, "groups: not a key exchange group we know; hauberk version -v lists them",
               word);
}

/* ---- files ---- */

struct hb_trust *gw_load_trust(const char *path, const char *where, struct gw_problems *p)
{
    const char *file = strcmp(path, "system") == 0 ? SYSTEM_CA : path;
    size_t len = 0;
    char *pem = gw_read_file(file, &len, where, p);
    unsigned added = 0;
    unsigned skipped = 0;

    if (pem == NULL) {
        return NULL;
    }
    struct hb_trust *trust = hb_trust_new(gw_sysenv());
    enum hb_code code =
        trust != NULL ? hb_trust_add_pem(trust, hb_span(pem, len), &added, &skipped) : HB_E_NO_MEMORY;
    free(pem);
    if (code != HB_OK) {
        char what[600];
        (void)snprintf(what, sizeof what, "no usable CA certificate in %s", file);
        gw_problem(p, where, what, hb_err_sentence(code));
        hb_trust_free(&trust);
    }
    return trust;
}

/* Lines of identity:hex, as psktool of GnuTLS writes them. */
static void load_psks(const char *path, struct hb_tls_config *config, const char *where,
                      struct gw_problems *p)
{
    size_t len = 0;
    char *text = gw_read_file(path, &len, where, p);
    unsigned number = 0;

    if (text == NULL) {
        return;
    }
    gw_warn_of_mode("the file of keys", path, where, p);
    char *save = NULL;
    for (char *line = strtok_r(text, "\r\n", &save); line != NULL; line = strtok_r(NULL, "\r\n", &save)) {
        char *colon = strrchr(line, ':');
        uint8_t key[64];
        size_t key_len = 0;
        number++;
        if (line[0] == '#') {
            continue;
        }
        enum hb_code code =
            colon != NULL ? hb_hex_decode(hb_span_str(colon + 1), key, sizeof key, &key_len) : HB_E_HEX;
        if (code == HB_OK) {
            code =
                hb_tls_config_add_psk(config, hb_span(line, (size_t)(colon - line)), hb_span(key, key_len));
        }
        hb_wipe(key, sizeof key);
        if (code != HB_OK) {
            char what[600];
            (void)snprintf(what, sizeof what, "%s line %u is not identity:hex with a key of 16 to 64 bytes",
                           path, number);
            gw_problem(p, where, what, hb_err_sentence(code));
        }
    }
    hb_wipe(text, len);
    free(text);
    problem(p, where, "psk-file", hb_tls_config_psk12(config));
}

/* ---- toward clients ---- */

/* The secret all workers share and that a reload does not change, followed by the listener: without a secret
 * of the operator's, each listener has its own. NULL: out of memory. */
static char *own_secret(const char *listen, size_t *len)
{
    char *random = NULL;
    size_t random_len = 0;

    if (gw_source_ask(GW_SRC_SECRET, "", &random, &random_len) != 0) {
        return NULL;
    }
    struct hb_bld b;
    *len = random_len + strlen(listen);
    char *both = malloc(*len);
    if (both != NULL) {
        b = hb_bld(both, *len);
        hb_bld_put(&b, hb_span(random, random_len));
        hb_bld_str(&b, listen);
    }
    hb_wipe(random, random_len);
    free(random);
    return both;
}

static void load_tickets(const struct gw_draft_listener *dl, struct gw_listener_conf *lc,
                         struct gw_problems *p)
{
    static const char *const words[] = {"on", "off"};
    struct hb_ticket_keys *keys = NULL;
    char *secret = NULL;
    size_t len = 0;
    unsigned num = gw_number(dl->tickets, 0, 4, 1, "tickets", GW_AT(dl, tickets), p);
    unsigned life =
        gw_number(dl->ticket_lifetime, 1, 604800, 86400, "ticket-lifetime", GW_AT(dl, ticket_lifetime), p);
    char context[700];

    if (gw_choose(dl->resumption, words, 2, "resumption", GW_AT(dl, resumption), p) == 1) {
        return;
    }
    if (dl->ticket_secret != NULL) {
        secret = gw_read_file(dl->ticket_secret, &len, GW_AT(dl, ticket_secret), p);
        if (secret == NULL) {
            return;
        }
        gw_warn_of_mode("ticket-secret", dl->ticket_secret, GW_AT(dl, ticket_secret), p);
    } else {
        secret = own_secret(dl->listen, &len);
    }
    enum hb_code code = hb_ticket_keys_new(gw_sysenv(), hb_span(secret, len), &keys);
    if (code == HB_E_KEY_WEAK || (dl->ticket_secret != NULL && len == 0)) { /* none would be a random one */
        gw_problem(p, GW_AT(dl, ticket_secret), "ticket-secret is shorter than 32 bytes", dl->ticket_secret);
    } else {
        problem(p, dl->where, "ticket-secret", code);
    }
    if (secret != NULL) {
        hb_wipe(secret, len);
    }
    free(secret);
    /* Machines with the same secret and the same words read each other's tickets: no address of this one in
     * it. */
    const char *port = strrchr(dl->listen, ':');
    (void)snprintf(
        context, sizeof context, "%s%s%s|%s|%s|%s|%s", hb_proto_name(lc->proto), lc->implicit ? "s" : "",
        port != NULL ? port : "", dl->client_auth != NULL ? dl->client_auth : "off",
        dl->client_verify != NULL ? dl->client_verify : "", dl->client_ca != NULL ? dl->client_ca : "",
        dl->client_identity != NULL ? dl->client_identity : "");
    if (keys != NULL) {
        hb_tls_config_tickets(lc->tls, keys, hb_span_str(context), num, life);
    }
    hb_ticket_keys_free(&keys);
}

static void load_client_auth(const struct gw_draft_listener *dl, struct gw_listener_conf *lc,
                             struct gw_problems *p)
{
    static const char *const modes[] = {"off", "request", "require"};
    static const char *const verify[] = {"chain", "none"};
    static const char *const names[] = {"email-or-cn", "email", "cn", "san-dns"};
    enum hb_tls_auth auth =
        (enum hb_tls_auth)gw_choose(dl->client_auth, modes, 3, "client-auth", GW_AT(dl, client_auth), p);
    bool none = gw_choose(dl->client_verify, verify, 2, "client-verify", GW_AT(dl, client_verify), p) == 1;
    enum hb_tls_identity identity = (enum hb_tls_identity)gw_choose(
        dl->client_identity, names, 4, "client-identity", GW_AT(dl, client_identity), p);
    struct hb_trust *trust = NULL;

    if (auth == HB_AUTH_OFF) {
        return;
    }
    if (none) {
        gw_notice(p, GW_AT(dl, client_verify), "client-verify none: any client certificate will do",
                  dl->listen);
    } else if (dl->client_ca == NULL) {
        gw_problem(p, GW_AT(dl, client_auth),
                   "client-auth needs a client-ca to check against, or client-verify none", dl->listen);
    } else {
        trust = gw_load_trust(dl->client_ca, GW_AT(dl, client_ca), p);
    }
    hb_tls_config_verify(lc->tls, none ? HB_VERIFY_NONE : HB_VERIFY_CHAIN, trust);
    hb_tls_config_client_auth(lc->tls, auth);
    hb_tls_config_identity(lc->tls, identity);
    lc->client_verified = !none;
    hb_trust_free(&trust);
}

static void load_alpn(const struct gw_draft_listener *dl, struct gw_listener_conf *lc, struct gw_problems *p)
{
    static const char *const alpn[] = {"strict", "lenient"};
    struct loading l = {.config = lc->tls, .where = dl->where, .p = p};
    const char *name;
    bool lenient = gw_choose(dl->alpn, alpn, 2, "alpn", GW_AT(dl, alpn), p) == 1;

    for (unsigned i = 0; dl->alpn_protocols == NULL && (name = hb_proto_alpn(lc->proto, i)) != NULL; i++) {
        add_alpn(&l, name);
    }
    each_word(dl->alpn_protocols, add_alpn, &l);
    hb_tls_config_alpn_lenient(lc->tls,
                               lenient || (!hb_proto_alpn_strict(lc->proto) && dl->alpn_protocols == NULL));
}

void gw_conf_tls(const struct gw_draft_listener *dl, struct gw_listener_conf *lc, struct gw_problems *p)
{
    static const char *const sni[] = {"default", "strict"};
    static const char *const switches[] = {"off", "on"};
    size_t profile = gw_choose(dl->profile, profiles, 3, "profile", GW_AT(dl, profile), p);
    uint16_t low = version_of(dl->tls_min, 0x0301, "tls-min", GW_AT(dl, tls_min), p);
    uint16_t high = version_of(dl->tls_max, 0x0304, "tls-max", GW_AT(dl, tls_max), p);
    bool strict_sni = gw_choose(dl->sni, sni, 2, "sni", GW_AT(dl, sni), p) == 1;
    struct loading l = {.where = GW_AT(dl, groups), .p = p};

    if (strict_sni && dl->public_mx) { /* SNI-01 */
        gw_problem(
            p, GW_AT(dl, sni),
            "a public MX shows a certificate whatever name is asked for (RFC 7672 8.1, RFC 8461 7.1); say "
            "sni = default",
            dl->listen);
    }

    if (profile == 2) { /* PRO-03 */
        gw_notice(p, GW_AT(dl, profile),
                  "profile legacy: ciphers and versions that RFC 8996, RFC 9325 and RFC 10015 advise against",
                  dl->listen);
    }
    if (lc->plain) {
        gw_notice(p, dl->where, "tcp: no TLS toward clients here", dl->listen);
    }
    if (lc->creds == NULL || lc->proto == NULL || lc->plain) {
        return;
    }
    lc->tls = hb_tls_config_new(gw_sysenv(), profile_values[profile], lc->creds);
    if (lc->tls == NULL) {
        problem(p, dl->where, "tls", HB_E_NO_MEMORY);
        return;
    }
    gw_keylog_attach(lc->tls);
    if (hb_tls_config_versions(lc->tls, low, high) != HB_OK) {
        gw_problem(p, dl->where, "profile, tls-min and tls-max leave no TLS version", NULL);
    }
    hb_tls_config_sni_strict(lc->tls, strict_sni);
    hb_tls_config_require_ems(
        lc->tls, gw_choose(dl->require_ems, switches, 2, "require-ems", GW_AT(dl, require_ems), p) == 1);
    load_alpn(dl, lc, p);
    load_client_auth(dl, lc, p);
    load_tickets(dl, lc, p);
    if (dl->psk_file != NULL) {
        load_psks(dl->psk_file, lc->tls, GW_AT(dl, psk_file), p);
    }
    unsigned limit =
        gw_number(dl->record_size, 64, 16384, 16384, "record-size-limit", GW_AT(dl, record_size), p);
    problem(p, dl->where, "record-size-limit", hb_tls_config_size_limit(lc->tls, limit));
    each_word(dl->groups, add_group, &l);
    if (l.num_groups > 0) {
        problem(p, dl->where, "groups", hb_tls_config_groups(lc->tls, l.groups, l.num_groups));
    }
}

/* ---- toward the backend ---- */

static struct hb_cred_store *load_own(const struct gw_draft_listener *dl, struct gw_problems *p)
{
    struct hb_cred_store *store = hb_cred_store_new(gw_sysenv());

    if (dl->backend_cert != NULL && store != NULL) {
        (void)gw_load_pair(store, dl->backend_cert, dl->backend_key, NULL, GW_AT(dl, backend_cert), p);
    }
    return store;
}

static void load_backend_verify(const struct gw_draft_listener *dl, struct gw_listener_conf *lc,
                                struct gw_problems *p)
{
    static const char *const modes[] = {"full", "chain", "pin", "none"};
    enum hb_tls_verify verify = (enum hb_tls_verify)gw_choose(dl->backend_verify, modes, 4, "backend-verify",
                                                              GW_AT(dl, backend_verify), p);
    struct hb_trust *trust = NULL;
    uint8_t pin[32];
    size_t len = 0;

    if (verify == HB_VERIFY_NONE) {
        gw_notice(p, GW_AT(dl, backend_verify), "backend-verify none: the backend may be anybody",
                  dl->backend);
    } else if (verify == HB_VERIFY_CHAIN) {
        gw_notice(p, GW_AT(dl, backend_verify),
                  "backend-verify chain: the backend may be anybody the CA knows", dl->backend);
    }
    if (verify == HB_VERIFY_PIN) {
        if (dl->backend_pin == NULL ||
            hb_hex_decode(hb_span_str(dl->backend_pin), pin, sizeof pin, &len) != HB_OK ||
            len != sizeof pin) {
            gw_problem(p, dl->where,
                       "backend-pin is the SHA-256 of the backend's public key, 64 hexadecimal digits, not",
                       dl->backend_pin != NULL ? dl->backend_pin : "(nothing)");
        } else {
            problem(p, dl->where, "backend-pin", hb_tls_config_add_pin(lc->backend_tls, pin));
        }
    } else if (verify != HB_VERIFY_NONE) {
        trust = gw_load_trust(dl->backend_ca != NULL ? dl->backend_ca : "system", dl->where, p);
    }
    hb_tls_config_verify(lc->backend_tls, verify, trust);
    hb_trust_free(&trust);
}

void gw_conf_backend_tls(const struct gw_draft_listener *dl, struct gw_listener_conf *lc,
                         struct gw_problems *p)
{
    size_t profile =
        gw_choose(dl->backend_profile, profiles, 4, "backend-profile", GW_AT(dl, backend_profile), p);
    uint16_t low = version_of(dl->backend_tls_min, 0x0301, "backend-tls-min", GW_AT(dl, backend_tls_min), p);
    uint16_t high = version_of(dl->backend_tls_max, 0x0304, "backend-tls-max", GW_AT(dl, backend_tls_max), p);
    struct loading l = {.where = dl->where, .p = p};
    struct hb_ticket_keys *keys = NULL;

    if (lc->backend_link == HB_PEER_CLEAR) {
        return;
    }
    if (profile >= 2) { /* PRO-03 */
        gw_notice(p, dl->where,
                  profile == 2
                      ? "backend-profile legacy: ciphers and versions that RFC 8996, RFC 9325 and RFC 10015 "
                        "advise against"
                      : "backend-profile antique: RC4 and 3DES, which RFC 7465, RFC 8996 and RFC 9325 forbid",
                  dl->backend);
    }
    struct hb_cred_store *own = load_own(dl, p);
    lc->backend_tls = hb_tls_config_new(gw_sysenv(), profile_values[profile], own);
    hb_cred_store_free(&own);
    if (lc->backend_tls == NULL) {
        problem(p, dl->where, "backend", HB_E_NO_MEMORY);
        return;
    }
    gw_keylog_attach(lc->backend_tls);
    if (hb_tls_config_versions(lc->backend_tls, low, high) != HB_OK) {
        gw_problem(p, dl->where, "backend-profile, backend-tls-min and backend-tls-max leave no TLS version",
                   NULL);
    }
    if (dl->backend_name != NULL && strlen(dl->backend_name) < sizeof lc->backend_name) {
        memcpy(lc->backend_name, dl->backend_name, strlen(dl->backend_name) + 1);
    }
    load_backend_verify(dl, lc, p);
    l.config = lc->backend_tls;
    if (dl->backend_alpn == NULL && lc->backend_peer != NULL && hb_peer_alpn(lc->backend_peer) != NULL) {
        add_alpn(&l, hb_peer_alpn(lc->backend_peer)); /* ALPN-03 */
    }
    each_word(dl->backend_alpn, add_alpn, &l);
    each_word(dl->backend_groups, add_group, &l);
    if (l.num_groups > 0) {
        problem(p, dl->where, "backend-groups",
                hb_tls_config_groups(lc->backend_tls, l.groups, l.num_groups));
    }
    if (dl->backend_psk_file != NULL) {
        load_psks(dl->backend_psk_file, lc->backend_tls, GW_AT(dl, backend_psk_file), p);
    }
    if (hb_ticket_keys_new(gw_sysenv(), hb_span(NULL, 0), &keys) == HB_OK) { /* switches resumption on */
        hb_tls_config_tickets(lc->backend_tls, keys, hb_span(NULL, 0), 0, 604800);
    }
    hb_ticket_keys_free(&keys);
}
