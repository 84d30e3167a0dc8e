/* keyring.c: keys by generation and number; what a worker asks of them. */
#include "keyring.h"

#include "source.h"
#include <hb/builder.h>
#include <hb/cred.h>
#include <hb/ct.h>
#include <hb/cursor.h>
#include <stdlib.h>

struct generation {
    struct generation *older; /* owned */
    uint32_t number, num_keys;
    struct hb_privkey **keys; /* owned; NULL where a file held none */
};

struct gw_keyring {
    const struct hb_env *env;  /* borrowed */
    struct generation *newest; /* owned */
};

uint8_t *gw_keyring_pack(const struct gw_bundle *b, size_t *len)
{
    size_t size = 2;
    size_t key_len;
    unsigned n = 0;

    while (gw_bundle_key(b, n, &key_len) != NULL) {
        size += 4 + key_len;
        n++;
    }
    uint8_t *mem = malloc(size);
    if (mem == NULL) {
        return NULL;
    }
    struct hb_bld out = hb_bld(mem, size);
    hb_bld_u16(&out, (uint16_t)n);
    for (unsigned i = 0; i < n; i++) {
        const char *pem = gw_bundle_key(b, i, &key_len);
        hb_bld_u32(&out, (uint32_t)key_len);
        hb_bld_put(&out, hb_span(pem, key_len));
    }
    HB_INVARIANT(hb_bld_ok(&out));
    *len = out.len;
    return mem;
}

static void free_generation(const struct hb_env *env, struct generation *g)
{
    for (uint32_t i = 0; g->keys != NULL && i < g->num_keys; i++) {
        hb_key_free(env, &g->keys[i]);
    }
    free(g->keys);
    free(g);
}

/* Frees every generation behind the one that *at points to. */
static void forget_from(const struct hb_env *env, struct generation **at)
{
    while (*at != NULL) {
        struct generation *g = *at;
        *at = g->older;
        free_generation(env, g);
    }
}

void gw_keyring_forget(struct gw_keyring *k, uint32_t number)
{
    struct generation **at = &k->newest;
    unsigned kept = 0;

    while (*at != NULL && (*at)->number >= number && kept++ <= GW_KEEPER_GENERATIONS) {
        at = &(*at)->older;
    }
    forget_from(k->env, at);
}

static struct generation *parse_keys(const struct hb_env *env, struct hb_span bytes)
{
    struct hb_cur c = hb_cur(bytes);
    struct generation *g = calloc(1, sizeof *g);

    if (g == NULL) {
        return NULL;
    }
    g->num_keys = hb_cur_u16(&c);
    g->keys = calloc(g->num_keys + 1u, sizeof(struct hb_privkey *));
    for (uint32_t i = 0; g->keys != NULL && i < g->num_keys; i++) {
        struct hb_span pem = hb_cur_take(&c, hb_cur_u32(&c));
        if (hb_key_load(env, pem, &g->keys[i]) != HB_OK) {
            g->keys[i] = NULL; /* one that its certificate's check has refused already */
        }
    }
    if (g->keys == NULL || !hb_cur_end(&c)) {
        free_generation(env, g);
        return NULL;
    }
    return g;
}

struct gw_keyring *gw_keyring_new(const struct hb_env *env)
{
    struct gw_keyring *k = calloc(1, sizeof *k);

    if (k != NULL) {
        k->env = env;
    }
    return k;
}

void gw_keyring_free(struct gw_keyring **pk)
{
    if (*pk != NULL) {
        forget_from((*pk)->env, &(*pk)->newest);
    }
    free(*pk);
    *pk = NULL;
}

bool gw_keyring_take(struct gw_keyring *k, uint32_t number, struct hb_span bytes)
{
    struct generation *g = parse_keys(k->env, bytes);

    if (g == NULL) {
        return false;
    }
    for (struct generation **at = &k->newest; *at != NULL; at = &(*at)->older) {
        if ((*at)->number == number) { /* brought once more */
            struct generation *again = *at;
            *at = again->older;
            free_generation(k->env, again);
            break;
        }
    }
    g->number = number;
    g->older = k->newest;
    k->newest = g;
    gw_keyring_forget(k, 0);
    return true;
}

static const struct hb_privkey *find_key(const struct gw_keyring *k, uint64_t handle)
{
    for (const struct generation *g = k->newest; g != NULL; g = g->older) {
        for (uint32_t i = 0; i < g->num_keys; i++) {
            if (gw_key_handle(g->number, i + 1) == handle) {
                return g->keys[i];
            }
        }
    }
    return NULL;
}

bool gw_keyring_has(const struct gw_keyring *k, uint64_t handle)
{
    return find_key(k, handle) != NULL;
}

bool gw_keyring_parse(enum gw_msg type, struct hb_span body, struct gw_key_request *r)
{
    struct hb_cur c = hb_cur(body);

    r->type = type;
    r->number = hb_cur_u32(&c);
    r->handle = hb_cur_u64(&c);
    r->scheme = hb_cur_u16(&c);
    struct hb_cur input = hb_cur_vec16(&c);
    r->input = hb_cur_rest(&input);
    return hb_cur_end(&c) && (type == GW_MSG_SIGN || type == GW_MSG_DECRYPT);
}

void gw_keyring_answer(const struct gw_keyring *k, const struct gw_key_request *r, struct hb_bld *out)
{
    const struct hb_privkey *key = find_key(k, r->handle);
    uint8_t result[GW_KEY_RESULT_MAX];
    size_t len = 0;
    enum hb_code code = HB_E_TLS_SIGN_FAILED;

    if (r->type == GW_MSG_DECRYPT) {
        len = 48;
        code = key != NULL ? hb_key_decrypt(key, k->env, r->scheme, r->input, result) : code;
        if (code != HB_OK) { /* the handshake will fail at its Finished, and nowhere earlier */
            k->env->random(k->env->ctx, len, result);
        }
    } else if (key != NULL) {
        code = hb_key_sign(key, k->env, r->scheme, r->input, result, sizeof result, &len);
        len = code == HB_OK ? len : 0;
    }
    hb_bld_u32(out, r->number);
    struct hb_bld_mark mark = hb_bld_open16(out);
    hb_bld_put(out, hb_span(result, len));
    hb_bld_close(out, mark);
    hb_wipe(result, sizeof result);
}
