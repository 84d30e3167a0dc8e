/* cred.c: the credential store: checked while it is filled, immutable afterwards.
 * Owns keys and encoded certificate messages. Never reads a file, never asks the network. */
#include "cred_store.h"

#include "crypto/legacy.h"
#include "x509/cert.h"
#include "x509/der.h"
#include "x509/key.h"
#include "x509/name.h"
#include "x509/pem.h"
#include <hb/builder.h>
#include <hb/ct.h>
#include <hb/cursor.h>

#define CHAIN_MAX   10u
#define MESSAGE_MAX 102400u
#define PROBE_LEN   32u
#define NAMES_MAX   1000u /* PKI-06 */

struct hb_cred_store *hb_cred_store_new(const struct hb_env *env)
{
    struct hb_cred_store *store = env->alloc(env->ctx, sizeof *store);

    if (store != NULL) {
        store->env = env;
        store->refs = 1;
    }
    return store;
}

struct hb_cred_store *hb_cred_store_ref(struct hb_cred_store *store)
{
    store->refs++;
    return store;
}

static void free_cred(const struct hb_env *env, struct hb_cred *cred)
{
    hb_privkey_free(env, &cred->key);
    env->release(env->ctx, cred->memory, cred->memory_len);
    env->release(env->ctx, (void *)(uintptr_t)cred->staple.p, cred->staple.len);
    env->release(env->ctx, cred, sizeof *cred);
}

void hb_cred_store_free(struct hb_cred_store **store)
{
    struct hb_cred_store *s = store != NULL ? *store : NULL;

    if (s == NULL) {
        return;
    }
    *store = NULL;
    if (--s->refs > 0) {
        return;
    }
    while (s->first != NULL) {
        struct hb_cred *cred = s->first;
        s->first = cred->next;
        free_cred(s->env, cred);
    }
    s->env->release(s->env->ctx, s, sizeof *s);
}

size_t hb_cred_store_count(const struct hb_cred_store *store)
{
    return store->num;
}

bool hb_cred_store_covers(const struct hb_cred_store *store, struct hb_span host)
{
    for (const struct hb_cred *cred = store->first; cred != NULL; cred = cred->next) {
        if (hb_cred_covers(cred, host) != HB_NAME_NONE) {
            return true;
        }
    }
    return false;
}

void hb_cred_store_sign_later(struct hb_cred_store *store, bool later)
{
    store->sign_later = later;
}

void hb_cred_store_any_time(struct hb_cred_store *store)
{
    store->any_time = true;
}

bool hb_cred_signs_later(const struct hb_cred *cred)
{
    return cred->store->sign_later || cred->key == NULL;
}

uint64_t hb_cred_handle(const struct hb_cred *cred)
{
    return cred->handle;
}

const struct hb_cred *hb_cred_at(const struct hb_cred_store *store, size_t i)
{
    const struct hb_cred *cred = store->first;

    while (cred != NULL && i-- > 0) {
        cred = cred->next;
    }
    return cred;
}

enum hb_name_match hb_cred_covers(const struct hb_cred *cred, struct hb_span host)
{
    struct hb_cert_names names = cred->names;
    enum hb_name_match best = HB_NAME_NONE;

    for (unsigned i = 0; i < NAMES_MAX; i++) {
        struct hb_span name = hb_cert_next_name(&names);
        bool wildcard;
        if (name.len == 0) {
            break;
        }
        if (hb_dns_name_covers(name, host, &wildcard)) {
            if (!wildcard) {
                return HB_NAME_EXACT;
            }
            best = HB_NAME_WILDCARD;
        }
    }
    return best;
}

struct hb_span hb_cred_first_name(const struct hb_cred *cred)
{
    struct hb_cert_names names = cred->names;

    return hb_cert_next_name(&names);
}

/* ---- adding ---- */

static void describe(const struct hb_cert *cert, struct hb_cred_facts *facts)
{
    static const char *const kinds[] = {"RSA",         "RSA-PSS", "ECDSA P-256", "ECDSA P-384",
                                        "ECDSA P-521", "Ed25519", "Ed448"};
    struct hb_bld key = hb_bld(facts->key, sizeof facts->key - 1);
    struct hb_bld names = hb_bld(facts->names, sizeof facts->names - 4);

    facts->not_before = cert->not_before;
    facts->not_after = cert->not_after;
    facts->must_staple = cert->must_staple;
    hb_bld_str(&key, kinds[cert->key_kind]);
    if (cert->key_kind == HB_KEY_RSA || cert->key_kind == HB_KEY_RSA_PSS) {
        size_t bits = cert->rsa_n.len * 8;
        char digits[8];
        size_t n = 0;
        for (; bits > 0; bits /= 10) {
            digits[n++] = (char)('0' + bits % 10);
        }
        hb_bld_str(&key, " ");
        while (n > 0) {
            hb_bld_u8(&key, (uint8_t)digits[--n]);
        }
    }
    facts->key[key.len] = 0;
    struct hb_cert_names walk = hb_cert_names(cert);
    for (; facts->num_names < NAMES_MAX; facts->num_names++) {
        struct hb_span name = hb_cert_next_name(&walk);
        bool wildcard;
        if (name.len == 0) {
            break;
        }
        struct hb_span shown =
            name.len > 2 && name.p[0] == '*' && name.p[1] == '.' ? hb_span_skip(name, 2) : name;
        if (hb_dns_name_covers(shown, shown, &wildcard) && hb_bld_ok(&names)) { /* harmless to print */
            hb_bld_str(&names, names.len > 0 ? "," : "");
            hb_bld_put(&names, name);
        }
    }
    memcpy(facts->names + names.len, hb_bld_ok(&names) ? "" : "...", hb_bld_ok(&names) ? 1 : 4);
}

/* Every CERTIFICATE block, or the one certificate of a file in DER, into out as the TLS 1.2 message: u24 list
 * of u24 certificates. */
static enum hb_code decode_chain(struct hb_span pem, struct hb_bld *out, struct hb_span *leaf, unsigned *num)
{
    struct hb_bld_mark list = hb_bld_open24(out);
    struct hb_pem_block block;
    enum hb_code code;

    *num = 0;
    if (hb_der_is_file(pem)) {
        struct hb_bld_mark one = hb_bld_open24(out);
        *leaf = hb_span(out->p + out->len, pem.len);
        *num = 1;
        hb_bld_put(out, pem);
        hb_bld_close(out, one);
        hb_bld_close(out, list);
        return hb_bld_ok(out) ? HB_OK : HB_E_CERT_TOO_LONG;
    }
    while ((code = hb_pem_next(&pem, &block)) == HB_OK) {
        size_t len;
        if (!hb_span_is(block.label, "CERTIFICATE")) {
            continue;
        }
        if (++*num > CHAIN_MAX) {
            return HB_E_CERT_TOO_LONG;
        }
        struct hb_bld_mark one = hb_bld_open24(out);
        if (hb_bld_room(out) == 0) {
            return HB_E_CERT_TOO_LONG;
        }
        code = hb_pem_decode(&block, out->p + out->len, hb_bld_room(out), &len);
        if (code != HB_OK) {
            return code == HB_E_OVERFLOW ? HB_E_CERT_TOO_LONG : code;
        }
        struct hb_span der = hb_span(hb_bld_claim(out, len), len);
        if (*num == 1) {
            *leaf = der;
        } else {
            struct hb_cert issuer;
            HB_TRY(hb_cert_parse(der, &issuer)); /* a peer would refuse it later: better said now */
        }
        hb_bld_close(out, one);
    }
    hb_bld_close(out, list);
    if (code != HB_E_PEM_NONE) {
        return code;
    }
    if (*num == 0) {
        return HB_E_PEM_NONE;
    }
    return hb_bld_ok(out) ? HB_OK : HB_E_CERT_TOO_LONG;
}

/* TLS 1.3: u8 context, then u24 list of { u24 certificate, u16 extensions }. */
static void encode13(struct hb_span msg12, struct hb_bld *out)
{
    struct hb_cur c = hb_cur(msg12);
    struct hb_cur list = hb_cur_vec24(&c);

    hb_bld_u8(out, 0);
    struct hb_bld_mark mark = hb_bld_open24(out);
    while (hb_cur_left(&list) > 0) {
        struct hb_cur one = hb_cur_vec24(&list);
        struct hb_bld_mark cert = hb_bld_open24(out);
        hb_bld_put(out, hb_cur_rest(&one));
        hb_bld_close(out, cert);
        hb_bld_u16(out, 0);
    }
    hb_bld_close(out, mark);
}

/* The scheme a key of this kind signs with by itself: for the test that it belongs to its certificate. */
static uint16_t own_scheme(enum hb_key_kind kind)
{
    for (size_t i = 0; i < hb_num_sigalgs; i++) {
        if (hb_sigalgs[i].kind == kind) {
            return hb_sigalgs[i].id;
        }
    }
    return 0;
}

static enum hb_code key_fits(const struct hb_env *env, const struct hb_cert *leaf,
                             const struct hb_privkey *key)
{
    const struct hb_sigalg *alg = hb_sigalg_find(own_scheme(hb_privkey_kind(key)));
    struct hb_pubkey *pub = NULL;
    uint8_t probe[PROBE_LEN];
    uint8_t sig[HB_SIG_MAX];
    size_t len;
    bool rsa = hb_privkey_kind(key) == HB_KEY_RSA && leaf->key_kind == HB_KEY_RSA_PSS;

    if (alg == NULL) {
        return HB_E_KEY_ALGORITHM;
    }
    if (hb_privkey_kind(key) != leaf->key_kind && !rsa) {
        return HB_E_KEY_MISMATCH;
    }
    if (rsa) { /* a plain RSA key file with a certificate that restricts it to PSS */
        return HB_E_KEY_ALGORITHM;
    }
    HB_TRY(hb_cert_pubkey(leaf, env, &pub));
    env->random(env->ctx, sizeof probe, probe);
    HB_CT_PUBLIC(probe, sizeof probe);
    enum hb_code code = hb_sign(key, env, alg, hb_span(probe, sizeof probe), sig, sizeof sig, &len);
    if (code == HB_OK && hb_verify(pub, alg, hb_span(probe, sizeof probe), hb_span(sig, len)) != HB_OK) {
        code = HB_E_KEY_MISMATCH;
    }
    hb_pubkey_free(env, &pub);
    /* a key that cannot sign is damaged: its numbers do not even fit each other */
    return code == HB_E_TLS_SIGN_FAILED ? HB_E_KEY_INVALID : code;
}

static enum hb_code fill(struct hb_cred_store *store, struct hb_cred *cred, struct hb_span chain_pem,
                         struct hb_span key_pem, struct hb_bld *work, struct hb_cred_facts *facts)
{
    const struct hb_env *env = store->env;
    struct hb_span leaf = hb_span(NULL, 0);
    struct hb_cert cert;
    unsigned num;

    HB_TRY(decode_chain(chain_pem, work, &leaf, &num));
    HB_TRY(hb_cert_parse(leaf, &cert));
    if (facts != NULL) {
        describe(&cert, facts);
    }
    if (!store->any_time && env->wall(env->ctx) > cert.not_after) {
        return HB_E_CERT_EXPIRED;
    }
    if (!store->any_time && env->wall(env->ctx) < cert.not_before) {
        return HB_E_CERT_NOT_YET;
    }
    if (cred->handle == 0) {
        HB_TRY(hb_key_from_file(env, key_pem, &cred->key));
        HB_TRY(key_fits(env, &cert, cred->key));
    }
    cred->kind = cert.key_kind;
    cred->not_before = cert.not_before;
    cred->not_after = cert.not_after;
    cred->memory_len = 2 * work->len + 1 + 2u * (size_t)num;
    cred->memory = env->alloc(env->ctx, cred->memory_len);
    if (cred->memory == NULL) {
        return HB_E_NO_MEMORY;
    }
    struct hb_bld msg = hb_bld(cred->memory, cred->memory_len);
    hb_bld_put(&msg, hb_bld_span(work));
    cred->msg12 = hb_bld_span(&msg);
    cred->leaf = hb_span(cred->memory + (leaf.p - work->p), leaf.len);
    HB_TRY(hb_cert_parse(cred->leaf, &cert)); /* once more, where it stays */
    cred->names = hb_cert_names(&cert);
    encode13(cred->msg12, &msg);
    cred->msg13 = hb_span_skip(hb_bld_span(&msg), cred->msg12.len);
    HB_INVARIANT(hb_bld_ok(&msg) && msg.len == cred->memory_len);
    return HB_OK;
}

static enum hb_code add(struct hb_cred_store *store, struct hb_span chain_pem, struct hb_span key_pem,
                        uint64_t handle, struct hb_cred_facts *facts)
{
    const struct hb_env *env = store->env;

    if (facts != NULL) {
        memset(facts, 0, sizeof *facts);
    }
    struct hb_cred *cred = env->alloc(env->ctx, sizeof *cred);
    if (cred == NULL) {
        return HB_E_NO_MEMORY;
    }
    uint8_t *mem = env->alloc(env->ctx, MESSAGE_MAX);
    if (mem == NULL) {
        env->release(env->ctx, cred, sizeof *cred);
        return HB_E_NO_MEMORY;
    }
    struct hb_bld work = hb_bld(mem, MESSAGE_MAX);
    cred->store = store;
    cred->handle = handle;
    enum hb_code code = fill(store, cred, chain_pem, key_pem, &work, facts);
    env->release(env->ctx, mem, MESSAGE_MAX);
    if (code != HB_OK) {
        free_cred(env, cred);
        return code;
    }
    if (store->last != NULL) {
        store->last->next = cred;
    } else {
        store->first = cred;
    }
    store->last = cred;
    store->num++;
    return HB_OK;
}

enum hb_code hb_cred_store_add(struct hb_cred_store *store, struct hb_span chain_pem, struct hb_span key_pem,
                               struct hb_cred_facts *facts)
{
    return add(store, chain_pem, key_pem, 0, facts);
}

enum hb_code hb_cred_store_add_remote(struct hb_cred_store *store, struct hb_span chain_pem, uint64_t handle,
                                      struct hb_cred_facts *facts)
{
    return handle != 0 ? add(store, chain_pem, hb_span(NULL, 0), handle, facts) : HB_E_KEY_INVALID;
}

enum hb_code hb_cred_sign(const struct hb_cred *cred, const struct hb_env *env, uint16_t scheme,
                          struct hb_span input, uint8_t *sig, size_t cap, size_t *len)
{
    *len = 0;
    return cred->key != NULL ? hb_key_sign(cred->key, env, scheme, input, sig, cap, len)
                             : HB_E_TLS_SIGN_FAILED;
}

enum hb_code hb_cred_decrypt(const struct hb_cred *cred, const struct hb_env *env, uint16_t client_version,
                             struct hb_span ciphertext, uint8_t premaster[48])
{
    return cred->key != NULL ? hb_key_decrypt(cred->key, env, client_version, ciphertext, premaster)
                             : HB_E_TLS_SIGN_FAILED;
}

/* ---- keys without certificates ---- */

enum hb_code hb_key_load(const struct hb_env *env, struct hb_span pem, struct hb_privkey **key)
{
    return hb_key_from_file(env, pem, key);
}

void hb_key_free(const struct hb_env *env, struct hb_privkey **key)
{
    hb_privkey_free(env, key);
}

enum hb_code hb_key_sign(const struct hb_privkey *key, const struct hb_env *env, uint16_t scheme,
                         struct hb_span input, uint8_t *sig, size_t cap, size_t *len)
{
    const struct hb_sigalg *alg = hb_sigalg_find(scheme);
    const struct hb_sigalg *old = hb_sigalg_before12(hb_privkey_kind(key));

    if (alg == NULL && old != NULL && old->id == scheme) {
        alg = old; /* before TLS 1.2, profile legacy */
    }
    *len = 0;
    return alg != NULL ? hb_sign(key, env, alg, input, sig, cap, len) : HB_E_TLS_SIGN_FAILED;
}

enum hb_code hb_key_decrypt(const struct hb_privkey *key, const struct hb_env *env, uint16_t client_version,
                            struct hb_span ciphertext, uint8_t premaster[48])
{
    return hb_rsa_decrypt_premaster(key, env, client_version, ciphertext, premaster);
}
