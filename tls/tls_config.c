/* tls_config.c: the settings of one side, put together once.
 * A profile is a range of versions and three lists (tls.md section 1); everything below narrows or replaces
 * them. */
#include "config.h"

#include <hb/ct.h>
#include <string.h>

/* ---- profiles ---- */

static bool is_pq(const struct hb_kex *k)
{
    return k->class == HB_GROUP_HYBRID;
}

static void fill_suites(struct hb_tls_config *c)
{
    enum hb_suite_tier tier = (enum hb_suite_tier)c->profile;

    for (size_t i = 0; i < hb_num_suites; i++) {
        if (hb_suites[i].tier <= tier && !hb_kx_is_psk(hb_suites[i].kx)) {
            HB_INVARIANT(c->num_suites < HB_SUITES_MAX);
            c->suites[c->num_suites++] = &hb_suites[i];
        }
    }
}

static void fill_groups(struct hb_tls_config *c)
{
    for (size_t i = 0; i < hb_num_groups; i++) {
        const struct hb_kex *k = hb_groups[i];
        bool extra = k == &hb_x448 || k == &hb_secp521r1; /* not in `modern` */
        bool named = k == &hb_secp256r1mlkem768;          /* in no profile: for who asks for it (MLK-02) */
        if (named || (k->class == HB_GROUP_FFDHE && c->profile < HB_PROFILE_LEGACY) ||
            (extra && c->profile == HB_PROFILE_MODERN)) {
            continue;
        }
        c->groups[c->num_groups++] = k;
    }
}

/* The first group, and the first classical one: what a server without post-quantum groups can use at once. */
static void fill_shares(struct hb_tls_config *c)
{
    c->num_shares = 0;
    for (unsigned i = 0; i < c->num_groups && c->num_shares < 2; i++) {
        if (c->num_shares == 0 || (is_pq(c->shares[0]) && !is_pq(c->groups[i]))) {
            c->shares[c->num_shares++] = c->groups[i];
        }
    }
}

static void fill_schemes(struct hb_tls_config *c)
{
    for (size_t i = 0; i < hb_num_sigalgs; i++) {
        c->sign[c->num_sign++] = &hb_sigalgs[i];
        c->accept[c->num_accept++] = &hb_sigalgs[i];
    }
}

struct hb_tls_config *hb_tls_config_new(const struct hb_env *env, enum hb_tls_profile profile,
                                        struct hb_cred_store *creds)
{
    static const uint16_t lowest[] = {0x0304, 0x0303, 0x0301, 0x0301};
    struct hb_tls_config *c = env->alloc(env->ctx, sizeof *c);

    if (c == NULL) {
        return NULL;
    }
    c->env = env;
    c->creds = creds != NULL ? hb_cred_store_ref(creds) : NULL;
    c->refs = 1;
    c->profile = profile;
    c->lowest = lowest[profile];
    c->highest = 0x0304;
    c->prefer_chacha = !hb_cpu_has_aes(); /* NET-02 */
    c->size_limit = 16384;
    c->staple = true;
    c->ticket_life = 86400;
    fill_suites(c);
    fill_groups(c);
    fill_shares(c);
    fill_schemes(c);
    return c;
}

struct hb_tls_config *hb_tls_config_ref(struct hb_tls_config *config)
{
    config->refs++;
    return config;
}

void hb_tls_config_free(struct hb_tls_config **config)
{
    struct hb_tls_config *c = config != NULL ? *config : NULL;

    if (c == NULL) {
        return;
    }
    *config = NULL;
    if (--c->refs > 0) {
        return;
    }
    const struct hb_env *env = c->env;
    for (unsigned i = 0; i < c->num_psks; i++) {
        env->release(env->ctx, c->psks[i].memory, c->psks[i].memory_len);
    }
    env->release(env->ctx, (void *)(uintptr_t)c->ca_names.p, c->ca_names.len);
    hb_cred_store_free(&c->creds);
    hb_trust_free(&c->trust);
    hb_ticket_keys_free(&c->tickets);
    env->release(env->ctx, c, sizeof *c);
}

/* ---- what may be said about it ---- */

enum hb_code hb_tls_config_versions(struct hb_tls_config *config, uint16_t lowest, uint16_t highest)
{
    uint16_t low = lowest > config->lowest ? lowest : config->lowest;
    uint16_t high = highest < config->highest ? highest : config->highest;

    if (low > high) {
        return HB_E_TLS_VERSION;
    }
    config->lowest = low;
    config->highest = high;
    return HB_OK;
}

enum hb_code hb_tls_config_add_alpn(struct hb_tls_config *config, const char *name)
{
    size_t len = strlen(name);

    if (len == 0 || len > 255 || config->num_alpn == HB_ALPN_MAX) {
        return HB_E_OVERFLOW;
    }
    config->alpn[config->num_alpn].len = (uint8_t)len;
    memcpy(config->alpn[config->num_alpn].name, name, len + 1);
    config->num_alpn++;
    return HB_OK;
}

void hb_tls_config_alpn_lenient(struct hb_tls_config *config, bool lenient)
{
    config->alpn_lenient = lenient;
}

void hb_tls_config_sni_strict(struct hb_tls_config *config, bool strict)
{
    config->sni_strict = strict;
}

void hb_tls_config_sni_required(struct hb_tls_config *config, bool required)
{
    config->sni_required = required;
}

void hb_tls_config_require_ems(struct hb_tls_config *config, bool required)
{
    config->require_ems = required;
}

void hb_tls_config_prefer_chacha(struct hb_tls_config *config, bool prefer)
{
    config->prefer_chacha = prefer;
}

const char *hb_tls_config_alpn(const struct hb_tls_config *config, unsigned i)
{
    return i < config->num_alpn ? config->alpn[i].name : NULL;
}

enum hb_code hb_tls_config_groups(struct hb_tls_config *config, const uint16_t *ids, size_t n)
{
    if (n == 0 || n > HB_GROUPS_MAX) {
        return HB_E_TLS_NO_GROUP;
    }
    for (size_t i = 0; i < n; i++) {
        config->groups[i] = hb_group_find(ids[i]);
        if (config->groups[i] == NULL) {
            return HB_E_TLS_NO_GROUP;
        }
    }
    config->num_groups = (uint8_t)n;
    fill_shares(config);
    return HB_OK;
}

enum hb_code hb_tls_config_shares(struct hb_tls_config *config, const uint16_t *ids, size_t n)
{
    if (n > HB_TLS_SHARES_MAX) {
        return HB_E_TLS_NO_GROUP;
    }
    for (size_t i = 0; i < n; i++) {
        config->shares[i] = hb_group_find(ids[i]);
        if (config->shares[i] == NULL) {
            return HB_E_TLS_NO_GROUP;
        }
    }
    config->num_shares = (uint8_t)n;
    return HB_OK;
}

static enum hb_code schemes(const struct hb_sigalg **list, uint8_t *num, const uint16_t *ids, size_t n)
{
    if (n == 0 || n > HB_SIGALGS_MAX) {
        return HB_E_TLS_NO_SIGALG;
    }
    for (size_t i = 0; i < n; i++) {
        list[i] = hb_sigalg_find(ids[i]);
        if (list[i] == NULL) {
            return HB_E_TLS_NO_SIGALG;
        }
    }
    *num = (uint8_t)n;
    return HB_OK;
}

enum hb_code hb_tls_config_sign_schemes(struct hb_tls_config *config, const uint16_t *ids, size_t n)
{
    return schemes(config->sign, &config->num_sign, ids, n);
}

enum hb_code hb_tls_config_verify_schemes(struct hb_tls_config *config, const uint16_t *ids, size_t n)
{
    return schemes(config->accept, &config->num_accept, ids, n);
}

enum hb_code hb_tls_config_size_limit(struct hb_tls_config *config, unsigned limit)
{
    if (limit < 64 || limit > 16384) {
        return HB_E_TLS_ILLEGAL;
    }
    config->size_limit = (uint16_t)limit;
    return HB_OK;
}

void hb_tls_config_verify(struct hb_tls_config *config, enum hb_tls_verify verify, struct hb_trust *trust)
{
    config->verify = verify;
    hb_trust_free(&config->trust);
    config->trust = trust != NULL ? hb_trust_ref(trust) : NULL;
}

void hb_tls_config_client_auth(struct hb_tls_config *config, enum hb_tls_auth auth)
{
    config->auth = auth;
}

void hb_tls_config_identity(struct hb_tls_config *config, enum hb_tls_identity identity)
{
    config->identity = identity;
}

enum hb_code hb_tls_config_add_pin(struct hb_tls_config *config, const uint8_t pin[32])
{
    if (config->num_pins == HB_PINS_MAX) {
        return HB_E_OVERFLOW;
    }
    memcpy(config->pins[config->num_pins++], pin, 32);
    return HB_OK;
}

/* A copy in memory of the config's environment; empty if there is none to be had. */
static struct hb_span keep(struct hb_tls_config *config, struct hb_span bytes)
{
    uint8_t *p = config->env->alloc(config->env->ctx, bytes.len);

    if (p == NULL) {
        return hb_span(NULL, 0);
    }
    memcpy(p, bytes.p, bytes.len);
    return hb_span(p, bytes.len);
}

enum hb_code hb_tls_config_ca_names(struct hb_tls_config *config, struct hb_span names)
{
    config->env->release(config->env->ctx, (void *)(uintptr_t)config->ca_names.p, config->ca_names.len);
    config->ca_names = hb_span(NULL, 0);
    if (names.len == 0) {
        return HB_OK;
    }
    if (names.len > 16000) {
        return HB_E_OVERFLOW;
    }
    config->ca_names = keep(config, names);
    return config->ca_names.len > 0 ? HB_OK : HB_E_NO_MEMORY;
}

void hb_tls_config_verify_later(struct hb_tls_config *config, bool later)
{
    config->verify_later = later;
}

void hb_tls_config_staple(struct hb_tls_config *config, bool staple)
{
    config->staple = staple;
}

void hb_tls_config_tickets(struct hb_tls_config *config, struct hb_ticket_keys *keys, struct hb_span context,
                           unsigned num, uint32_t life)
{
    hb_ticket_keys_free(&config->tickets);
    config->tickets = hb_ticket_keys_ref(keys);
    hb_hash_once(&hb_sha256, context, config->context);
    config->num_tickets = (uint8_t)(num < 4 ? num : 4);
    config->ticket_life = life < 604800 ? life : 604800;
}

enum hb_code hb_tls_config_add_psk(struct hb_tls_config *config, struct hb_span identity,
                                   struct hb_span secret)
{
    struct hb_psk *psk = &config->psks[config->num_psks];

    if (config->num_psks == HB_PSKS_MAX || identity.len == 0 || identity.len > 255) {
        return HB_E_OVERFLOW;
    }
    if (secret.len < 16 || secret.len > 64) {
        return HB_E_KEY_WEAK;
    }
    psk->memory_len = identity.len + secret.len;
    psk->memory = config->env->alloc(config->env->ctx, psk->memory_len);
    if (psk->memory == NULL) {
        return HB_E_NO_MEMORY;
    }
    memcpy(psk->memory, identity.p, identity.len);
    memcpy(psk->memory + identity.len, secret.p, secret.len);
    psk->identity = hb_span(psk->memory, identity.len);
    psk->secret = hb_span(psk->memory + identity.len, secret.len);
    psk->hash = &hb_sha256;
    config->num_psks++;
    return HB_OK;
}

enum hb_code hb_tls_config_psk12(struct hb_tls_config *config)
{
    enum hb_suite_tier tier = (enum hb_suite_tier)config->profile;

    for (size_t i = 0; i < hb_num_suites; i++) {
        if (hb_suites[i].tier <= tier && hb_kx_is_psk(hb_suites[i].kx)) {
            if (config->num_suites == HB_SUITES_MAX) {
                return HB_E_OVERFLOW;
            }
            config->suites[config->num_suites++] = &hb_suites[i];
        }
    }
    return HB_OK;
}

void hb_tls_config_lax_renegotiation(struct hb_tls_config *config, bool lax)
{
    config->lax_renegotiation = lax;
}

void hb_tls_config_ignore_hello_request(struct hb_tls_config *config, bool ignore)
{
    config->ignore_hello_request = ignore;
}
