/* config.c: flags into settings of the engine. */
#include "shim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { SWITCH, NUMBER, TEXT, LIST, NOTHING };

#include <stddef.h>
static const struct {
    const char *name;
    enum kind kind;
    size_t offset;
} known[] = {
#define B(field, name) {name, SWITCH, offsetof(struct shim_flags, field)},
#define I(field, name) {name, NUMBER, offsetof(struct shim_flags, field)},
#define S(field, name) {name, TEXT, offsetof(struct shim_flags, field)},
#define L(field, name) {name, LIST, offsetof(struct shim_flags, field)},
#define N(name)        {name, NOTHING, 0},
#include "flags.def"
#undef B
#undef I
#undef S
#undef L
#undef N
};

static const char *behind(const char *s, const char *prefix)
{
    size_t n = strlen(prefix);
    return strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

static void set(struct shim_flags *f, size_t which, const char *value)
{
    char *at = (char *)f + known[which].offset;

    switch (known[which].kind) {
    case SWITCH: {
        bool yes = true;
        memcpy(at, &yes, sizeof yes);
        break;
    }
    case NUMBER: {
        int n = atoi(value);
        memcpy(at, &n, sizeof n);
        break;
    }
    case TEXT:
        memcpy(at, &value, sizeof value);
        break;
    case LIST: {
        struct shim_list list;
        memcpy(&list, at, sizeof list);
        if (list.n < SHIM_LIST) {
            list.v[list.n++] = (uint16_t)atoi(value);
        }
        memcpy(at, &list, sizeof list);
        break;
    }
    case NOTHING:
        break;
    }
}

int shim_parse(int argc, char **argv, struct shim *shim)
{
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i][0] == '-' ? argv[i] + 1 : argv[i];
        bool first = true;
        bool later = true;
        const char *rest;
        if (behind(name, "on-handshaker-") != NULL) {
            return 89;
        }
        if ((rest = behind(name, "on-shim-")) != NULL) {
            name = rest;
        }
        if ((rest = behind(name, "on-initial-")) != NULL) {
            name = rest;
            later = false;
        } else if ((rest = behind(name, "on-resume-")) != NULL) {
            name = rest;
            first = false;
        } else if (behind(name, "on-retry-") != NULL) {
            return 89;
        }
        size_t k = 0;
        while (k < sizeof known / sizeof known[0] && strcmp(known[k].name, name) != 0) {
            k++;
        }
        if (k == sizeof known / sizeof known[0]) {
            (void)fprintf(stderr, "unknown flag %s\n", argv[i]);
            return 89;
        }
        bool takes = known[k].kind == NUMBER || known[k].kind == TEXT || known[k].kind == LIST;
        const char *value = "";
        if (takes) {
            if (i + 1 >= argc) {
                return 89;
            }
            value = argv[++i];
        }
        if (first) {
            set(&shim->flags[0], k, value);
        }
        if (later) {
            set(&shim->flags[1], k, value);
        }
    }
    return 0;
}

static char *read_all(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    char *text = malloc(1 << 20);

    if (f == NULL || text == NULL) {
        (void)fprintf(stderr, "cannot read %s\n", path);
        exit(1);
    }
    *len = fread(text, 1, 1 << 20, f);
    (void)fclose(f);
    return text;
}

static size_t decode64(const char *text, size_t len, uint8_t *dst)
{
    unsigned bits = 0;
    unsigned num = 0;
    size_t out = 0;

    for (size_t i = 0; i < len; i++) {
        static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        const char *at = text[i] != 0 ? strchr(alphabet, text[i]) : NULL;
        if (at == NULL) {
            continue;
        }
        bits = bits << 6 | (unsigned)(at - alphabet);
        num += 6;
        if (num >= 8) {
            num -= 8;
            dst[out++] = (uint8_t)(bits >> num);
        }
    }
    return out;
}

struct hb_span shim_base64(const char *text)
{
    uint8_t *bytes = malloc(strlen(text) + 4);
    return hb_span(bytes, decode64(text, strlen(text), bytes));
}

struct hb_span shim_first_certificate(const char *path)
{
    size_t len;
    char *text = read_all(path, &len);
    text[len < (1 << 20) ? len : len - 1] = 0;
    char *begin = strstr(text, "-----BEGIN CERTIFICATE-----");
    char *end = begin != NULL ? strstr(begin, "-----END") : NULL;

    if (end == NULL) {
        return hb_span(NULL, 0);
    }
    begin += strlen("-----BEGIN CERTIFICATE-----");
    uint8_t *der = malloc((size_t)(end - begin) + 4);
    size_t der_len = decode64(begin, (size_t)(end - begin), der);
    free(text);
    return hb_span(der, der_len);
}

static int add_pair(struct hb_cred_store *store, const struct shim_flags *f)
{
    size_t chain_len;
    size_t key_len;
    char *chain = read_all(f->cert_file, &chain_len);
    char *key = read_all(f->key_file != NULL ? f->key_file : f->cert_file, &key_len);
    struct hb_cred_facts facts;
    enum hb_code code = hb_cred_store_add(store, hb_span(chain, chain_len), hb_span(key, key_len), &facts);
    if (code == HB_E_CERT_EXPIRED || code == HB_E_CERT_NOT_YET) {
        shim_load_time = facts.not_before;
        code = hb_cred_store_add(store, hb_span(chain, chain_len), hb_span(key, key_len), NULL);
        shim_load_time = 0;
    }

    free(chain);
    free(key);
    if (code != HB_OK) {
        (void)fprintf(stderr, "%s: %s\n", f->cert_file, hb_err_sentence(code));
        return code == HB_E_KEY_WEAK ? 89 : 1; /* RSA 1024: refused on purpose */
    }
    if (f->ocsp_response != NULL && !f->decline_ocsp) {
        struct hb_span der = shim_base64(f->ocsp_response);
        hb_cred_store_any_staple(store); /* the runner's is no OCSP response */
        code = hb_cred_store_staple(store, der, NULL);
        free((void *)(uintptr_t)der.p);
        return code == HB_OK ? 0 : 1;
    }
    return 0;
}

static void add_alpn(struct hb_tls_config *config, const char *raw)
{
    for (size_t i = 0; raw[i] != 0;) { /* length-prefixed names */
        size_t len = (size_t)(unsigned char)raw[i];
        char name[256];
        if (strlen(raw + i + 1) < len) {
            break;
        }
        memcpy(name, raw + i + 1, len);
        name[len] = 0;
        (void)!hb_tls_config_add_alpn(config, name);
        i += 1 + len;
    }
}

static int configure_server(struct shim *shim, const struct shim_flags *f, struct hb_tls_config *config)
{
    if (f->require_client_cert || f->verify_peer || f->verify_fail) {
        hb_tls_config_client_auth(config, f->require_client_cert ? HB_AUTH_REQUIRE : HB_AUTH_REQUEST);
    }
    if (f->select_alpn != NULL) {
        (void)!hb_tls_config_add_alpn(config, f->select_alpn);
    }
    if (f->enable_grease) {
        return 89; /* a server of ours sends none */
    }
    hb_tls_config_alpn_lenient(config, !f->reject_alpn && f->select_alpn == NULL);
    hb_tls_config_tickets(config, f->no_ticket ? NULL : shim->tickets, hb_span_str("bogo"), 1, 86400);
    return 0;
}

static int configure_client(struct shim *shim, const struct shim_flags *f, struct hb_tls_config *config)
{
    if (f->advertise_alpn != NULL) {
        add_alpn(config, f->advertise_alpn);
    }
    hb_tls_config_staple(config, f->enable_ocsp);
    hb_tls_config_lax_renegotiation(config, true); /* the runner leaves it out without meaning it */
    hb_tls_config_ignore_hello_request(config, f->renegotiate_ignore);
    hb_tls_config_tickets(config, f->no_ticket ? NULL : shim->tickets, hb_span(NULL, 0), 0, 604800);
    if (f->no_key_shares) {
        return hb_tls_config_shares(config, NULL, 0) == HB_OK ? 0 : 1;
    }
    if (f->key_shares.n > 0 && hb_tls_config_shares(config, f->key_shares.v, f->key_shares.n) != HB_OK) {
        return 89;
    }
    return 0;
}

/* The runner names P-224 among others wherever it means all of its curves; nobody offers it in a test that is
 * about another one. */
static enum hb_code set_groups(struct hb_tls_config *config, const uint16_t *ids, size_t n)
{
    uint16_t ours[16];
    size_t num = 0;

    for (size_t i = 0; i < n && num < sizeof ours / sizeof ours[0]; i++) {
        if (ids[i] != 21) {
            ours[num++] = ids[i];
        }
    }
    return hb_tls_config_groups(config, ours, num);
}

int shim_configure(struct shim *shim, unsigned which)
{
    const struct shim_flags *f = &shim->flags[which];
    struct shim_side *side = &shim->side[which];

    if (shim->tickets == NULL && hb_ticket_keys_new(&shim_env, hb_span(NULL, 0), &shim->tickets) != HB_OK) {
        return 1;
    }
    side->creds = hb_cred_store_new(&shim_load_env);
    if (f->cert_file != NULL) {
        int rc = add_pair(side->creds, f);
        if (rc != 0) {
            return rc;
        }
    }
    if (f->async) {
        hb_cred_store_sign_later(side->creds, true);
    }
    side->config = hb_tls_config_new(&shim_env, HB_PROFILE_INTERMEDIATE, side->creds);
    uint16_t low = f->min_version > 0x0303 ? (uint16_t)f->min_version : 0x0303;
    uint16_t high = f->max_version > 0 ? (uint16_t)f->max_version : 0x0304;
    low = f->no_tls12 && low < 0x0304 ? 0x0304 : low;
    high = f->no_tls13 && high > 0x0303 ? 0x0303 : high;
    if (hb_tls_config_versions(side->config, low, high) != HB_OK) {
        return 89; /* only TLS 1.2 and 1.3 here */
    }
    if (f->curves.n > 0 && set_groups(side->config, f->curves.v, f->curves.n) != HB_OK) {
        return 89;
    }
    if (f->signing_prefs.n > 0 &&
        hb_tls_config_sign_schemes(side->config, f->signing_prefs.v, f->signing_prefs.n) != HB_OK) {
        return 89;
    }
    if (f->verify_prefs.n > 0 &&
        hb_tls_config_verify_schemes(side->config, f->verify_prefs.v, f->verify_prefs.n) != HB_OK) {
        return 89;
    }
    hb_tls_config_verify(side->config, HB_VERIFY_NONE, NULL);
    hb_tls_config_verify_later(side->config, f->verify_fail || f->async);
    return f->server ? configure_server(shim, f, side->config) : configure_client(shim, f, side->config);
}

void shim_free(struct shim *shim)
{
    for (unsigned i = 0; i < 2; i++) {
        hb_tls_config_free(&shim->side[i].config);
        hb_cred_store_free(&shim->side[i].creds);
    }
    hb_ticket_keys_free(&shim->tickets);
    hb_tls_lane_free(&shim->lane);
    free(shim->out_mem);
}
