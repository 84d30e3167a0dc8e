/* session.c: sessions as bytes, and tickets around them.
 *
 *   ticket = key name 16 | nonce 12 | AES-256-GCM(session) | tag 16        AAD: key name, context
 *
 * A key's name and the key itself come from HKDF over the secret and the number of the epoch: 12 hours each.
 */
#include "session.h"

#include <hb/ct.h>

#define FORMAT    1u
#define NAME_LEN  16u
#define NUM_CACHE 4u

struct epoch_key {
    uint64_t epoch; /* number + 1; 0: empty */
    uint8_t name[NAME_LEN], key[HB_KEY_MAX];
};

struct hb_ticket_keys {
    const struct hb_env *env; /* borrowed */
    unsigned refs;
    uint8_t secret[32];                /* HKDF-Extract of what was given */
    struct epoch_key cache[NUM_CACHE]; /* previous two, present, next: by number modulo 4 */
    union hb_aead_ctx cipher;          /* keyed with one of them: nearly all tickets are of one epoch */
    uint64_t keyed;                    /* its number + 1; 0: none */
};

enum hb_code hb_ticket_keys_new(const struct hb_env *env, struct hb_span secret, struct hb_ticket_keys **keys)
{
    uint8_t random[32];

    *keys = NULL;
    if (secret.len > 0 && secret.len < HB_TICKET_SECRET_MIN) {
        return HB_E_KEY_WEAK;
    }
    struct hb_ticket_keys *k = env->alloc(env->ctx, sizeof *k);
    if (k == NULL) {
        return HB_E_NO_MEMORY;
    }
    if (secret.len == 0) {
        env->random(env->ctx, sizeof random, random);
        secret = hb_span(random, sizeof random);
    }
    hb_hkdf_extract(&hb_sha256, hb_span_str("hauberk ticket secret"), secret, k->secret);
    HB_CT_SECRET(k->secret, sizeof k->secret);
    hb_wipe(random, sizeof random);
    k->env = env;
    k->refs = 1;
    *keys = k;
    return HB_OK;
}

struct hb_ticket_keys *hb_ticket_keys_ref(struct hb_ticket_keys *keys)
{
    if (keys != NULL) {
        keys->refs++;
    }
    return keys;
}

void hb_ticket_keys_free(struct hb_ticket_keys **keys)
{
    struct hb_ticket_keys *k = keys != NULL ? *keys : NULL;

    if (k == NULL) {
        return;
    }
    *keys = NULL;
    if (--k->refs == 0) {
        const struct hb_env *env = k->env;
        hb_wipe(k, sizeof *k);
        env->release(env->ctx, k, sizeof *k);
    }
}

/* The key of an epoch, derived when it is first wanted. Keys outside the window leave memory as their places
 * are taken by later ones. */
static const struct epoch_key *key_of(struct hb_ticket_keys *keys, uint64_t epoch)
{
    struct epoch_key *e = &keys->cache[epoch % NUM_CACHE];

    if (e->epoch != epoch + 1) {
        uint8_t mem[32];
        struct hb_bld info = hb_bld(mem, sizeof mem);
        uint8_t both[NAME_LEN + HB_KEY_MAX];
        hb_bld_str(&info, "ticket key ");
        hb_bld_u64(&info, epoch);
        hb_hkdf_expand(&hb_sha256, hb_span(keys->secret, sizeof keys->secret), hb_bld_span(&info), both,
                       sizeof both);
        HB_CT_PUBLIC(both, NAME_LEN);
        memcpy(e->name, both, NAME_LEN);
        memcpy(e->key, both + NAME_LEN, HB_KEY_MAX);
        e->epoch = epoch + 1;
        hb_wipe(both, sizeof both);
    }
    return e;
}

static const union hb_aead_ctx *cipher_of(struct hb_ticket_keys *keys, const struct epoch_key *key)
{
    if (keys->keyed != key->epoch) {
        hb_aes256_gcm.set_key(&keys->cipher, key->key);
        keys->keyed = key->epoch;
    }
    return &keys->cipher;
}

/* ---- sessions as bytes ---- */

static void put8(struct hb_bld *out, const void *p, size_t len)
{
    struct hb_bld_mark mark = hb_bld_open8(out);
    hb_bld_put(out, hb_span(p, len));
    hb_bld_close(out, mark);
}

void hb_session_write(const struct hb_session *s, struct hb_bld *out)
{
    hb_bld_u8(out, FORMAT);
    hb_bld_u16(out, s->version);
    hb_bld_u16(out, s->suite);
    hb_bld_u16(out, s->group);
    hb_bld_u8(out, (uint8_t)(s->ems | s->has_peer << 1));
    hb_bld_u64(out, s->first);
    hb_bld_u64(out, s->made);
    hb_bld_u64(out, s->peer_not_after);
    hb_bld_u32(out, s->lifetime);
    hb_bld_u32(out, s->age_add);
    hb_bld_put(out, hb_span(s->peer_digest, sizeof s->peer_digest));
    put8(out, s->secret, s->secret_len);
    put8(out, s->name, s->name_len);
    put8(out, s->alpn, s->alpn_len);
    put8(out, s->identity, s->identity_len);
}

static uint8_t get8(struct hb_cur *c, void *dst, size_t cap)
{
    struct hb_cur v = hb_cur_vec8(c);
    struct hb_span bytes = hb_cur_rest(&v);

    if (bytes.len > cap) {
        hb_cur_fail(c);
        return 0;
    }
    if (bytes.len > 0) {
        memcpy(dst, bytes.p, bytes.len);
    }
    return (uint8_t)bytes.len;
}

bool hb_session_read(struct hb_cur *c, struct hb_session *s)
{
    memset(s, 0, sizeof *s);
    uint8_t format = hb_cur_u8(c);
    s->version = hb_cur_u16(c);
    s->suite = hb_cur_u16(c);
    s->group = hb_cur_u16(c);
    uint8_t flags = hb_cur_u8(c);
    s->ems = (flags & 1) != 0;
    s->has_peer = (flags & 2) != 0;
    s->first = hb_cur_u64(c);
    s->made = hb_cur_u64(c);
    s->peer_not_after = hb_cur_u64(c);
    s->lifetime = hb_cur_u32(c);
    s->age_add = hb_cur_u32(c);
    struct hb_span digest = hb_cur_take(c, sizeof s->peer_digest);
    if (hb_cur_ok(c)) {
        memcpy(s->peer_digest, digest.p, sizeof s->peer_digest);
    }
    s->secret_len = get8(c, s->secret, sizeof s->secret);
    s->name_len = get8(c, s->name, sizeof s->name);
    s->alpn_len = get8(c, s->alpn, sizeof s->alpn);
    s->identity_len = get8(c, s->identity, sizeof s->identity);
    return hb_cur_ok(c) && format == FORMAT && s->secret_len > 0;
}

/* ---- tickets ---- */

static struct hb_span make_aad(const struct epoch_key *key, struct hb_span context,
                               uint8_t mem[NAME_LEN + 64])
{
    struct hb_bld aad = hb_bld(mem, NAME_LEN + 64);

    hb_bld_put(&aad, hb_span(key->name, NAME_LEN));
    hb_bld_put(&aad, context);
    HB_INVARIANT(hb_bld_ok(&aad));
    return hb_bld_span(&aad);
}

void hb_ticket_seal(struct hb_ticket_keys *keys, struct hb_span context, const struct hb_session *s,
                    struct hb_bld *out)
{
    const struct epoch_key *key = key_of(keys, keys->env->wall(keys->env->ctx) / HB_TICKET_EPOCH);
    uint8_t aad[NAME_LEN + 64];
    uint8_t plain_mem[1024];
    struct hb_bld plain = hb_bld(plain_mem, sizeof plain_mem);

    hb_session_write(s, &plain);
    HB_INVARIANT(hb_bld_ok(&plain));
    hb_bld_put(out, hb_span(key->name, NAME_LEN));
    uint8_t *nonce = hb_bld_claim(out, HB_IV_LEN);
    uint8_t *body = hb_bld_claim(out, plain.len + HB_TAG_LEN);
    if (nonce != NULL && body != NULL) {
        keys->env->random(keys->env->ctx, HB_IV_LEN, nonce);
        HB_CT_PUBLIC(nonce, HB_IV_LEN);
        hb_aes256_gcm.seal(cipher_of(keys, key), nonce, make_aad(key, context, aad), body, plain.p,
                           plain.len);
        HB_CT_PUBLIC(body, plain.len + HB_TAG_LEN);
    }
    hb_wipe(plain_mem, plain.len);
}

bool hb_ticket_open(struct hb_ticket_keys *keys, struct hb_span context, struct hb_span ticket,
                    struct hb_session *s)
{
    uint64_t now = keys->env->wall(keys->env->ctx) / HB_TICKET_EPOCH;
    const struct epoch_key *key = NULL;
    uint8_t aad[NAME_LEN + 64];
    uint8_t plain[1024 + HB_TAG_LEN];

    if (ticket.len < NAME_LEN + HB_IV_LEN + HB_TAG_LEN || ticket.len > sizeof plain + NAME_LEN + HB_IV_LEN) {
        return false;
    }
    for (unsigned back = 0; back < NUM_CACHE && key == NULL;
         back++) { /* the next one, this one, two before */
        uint64_t epoch = now + 1 - back;
        if (now + 1 < back) {
            break;
        }
        const struct epoch_key *e = key_of(keys, epoch);
        if (memcmp(e->name, ticket.p, NAME_LEN) == 0) { /* a name is no secret */
            key = e;
        }
    }
    if (key == NULL) {
        return false;
    }
    const uint8_t *nonce = ticket.p + NAME_LEN;
    size_t len = ticket.len - NAME_LEN - HB_IV_LEN - HB_TAG_LEN;
    bool ok = hb_aes256_gcm.open(cipher_of(keys, key), nonce, make_aad(key, context, aad), plain,
                                 nonce + HB_IV_LEN, len);
    if (ok) {
        struct hb_cur c = hb_cur(hb_span(plain, len));
        HB_CT_PUBLIC(plain, len); /* lengths and facts; the secret among them is one again below */
        ok = hb_session_read(&c, s) && hb_cur_end(&c);
        HB_CT_SECRET(s->secret, sizeof s->secret);
    }
    hb_wipe(plain, len);
    return ok;
}
