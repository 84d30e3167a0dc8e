/* tls_config.c: settings of a listener, put together once.
 * In this engine a profile is its range of versions: all suites, groups and schemes we have are in every
 * profile whose versions they belong to. */
#include "config.h"

#include <string.h>

struct hb_tls_config *hb_tls_config_new(const struct hb_env *env, enum hb_tls_profile profile,
                                        struct hb_cred_store *creds)
{
    struct hb_tls_config *c = env->alloc(env->ctx, sizeof *c);

    if (c != NULL) {
        c->env = env;
        c->creds = hb_cred_store_ref(creds);
        c->refs = 1;
        c->lowest = profile == HB_PROFILE_MODERN ? 0x0304 : 0x0303;
        c->highest = 0x0304;
        c->prefer_chacha = !hb_cpu_has_aes(); /* NET-02 */
    }
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
    if (--c->refs == 0) {
        hb_cred_store_free(&c->creds);
        c->env->release(c->env->ctx, c, sizeof *c);
    }
}

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

void hb_tls_config_prefer_chacha(struct hb_tls_config *config, bool prefer)
{
    config->prefer_chacha = prefer;
}

const char *hb_tls_config_alpn(const struct hb_tls_config *config, unsigned i)
{
    return i < config->num_alpn ? config->alpn[i].name : NULL;
}
