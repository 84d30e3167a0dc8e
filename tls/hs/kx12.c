/* hs/kx12.c: premaster secrets (RFC 5246 8.1, RFC 8422 5.10, RFC 4279, RFC 5489) and what follows from them.
 *
 *   ECDHE, DHE      Z (DHE: without leading zeros)
 *   RSA             48 bytes under the server's key (legacy/rsa_kex.c)
 *   *_PSK           u16 length, other secret, u16 length, PSK;  other: zeros | Z | 48 bytes
 */
#include "kx12.h"

#include "../alert.h"
#include "../keys/keylog.h"
#include "../legacy/record.h"
#include <hb/ct.h>

static bool is_dhe(enum hb_suite_kx kx)
{
    return kx == HB_KX_DHE || kx == HB_KX_DHE_PSK;
}

static bool is_ecdhe(enum hb_suite_kx kx)
{
    return kx == HB_KX_ECDHE || kx == HB_KX_ECDHE_PSK;
}

static enum hb_suite_kx kx_of(const struct hb_tls *t)
{
    return t->hs->choice.suite->kx;
}

bool hb_kx12_has_params(const struct hb_tls *t)
{
    return hb_kx_is_ephemeral(kx_of(t)); /* no identity hint is ever sent, so PSK alone has none */
}

bool hb_kx12_is_signed(const struct hb_tls *t)
{
    return kx_of(t) == HB_KX_ECDHE || kx_of(t) == HB_KX_DHE;
}

/* ---- master secret and keys ---- */

/* Bytes of each kind that one direction takes from the key block. */
struct parts {
    size_t mac, key, iv;
};

static struct parts parts_of(const struct hb_suite *suite)
{
    if (suite->legacy != NULL) {
        return (struct parts){suite->legacy->mac->len, suite->legacy->cipher->key_len,
                              suite->legacy->cipher->block};
    }
    return (struct parts){0, suite->aead->key_len, suite->explicit_nonce ? 4 : HB_IV_LEN};
}

void hb_kx12_keys(struct hb_tls *t)
{
    struct hb_hs *hs = t->hs;
    const struct hb_suite *suite = hs->choice.suite;
    struct parts p = parts_of(suite);

    hb_keylog_master12(t);
    hb_prf12_begin(&hs->master12, hb_hs_prf(t), hb_span(t->secrets.v12.master, HB_MASTER_LEN));
    hb_prf12_of(&hs->master12, "key expansion", hb_span(hs->server_random, 32),
                hb_span(hs->client_random, 32), hs->keys12, 2 * (p.mac + p.key + p.iv));
}

/* message: the ClientKeyExchange, which the extended master secret covers (RFC 7627 4) and the transcript
 * does not hold yet; empty if it does. */
static void derive_master(struct hb_tls *t, struct hb_span message, struct hb_span premaster)
{
    struct hb_hs *hs = t->hs;
    const struct hb_hash *hash = hb_hs_prf(t);
    uint8_t *master = t->secrets.v12.master;

    if (t->info.ems) {
        struct hb_transcript copy = hs->transcript;
        uint8_t digest[HB_HASH_MAX];
        hb_transcript_add(&copy, message);
        hb_transcript_now(&copy, digest);
        hb_prf12(hash, premaster, "extended master secret", hb_span(digest, hash->len), hb_span(NULL, 0),
                 master, HB_MASTER_LEN);
    } else {
        hb_prf12(hash, premaster, "master secret", hb_span(hs->client_random, 32),
                 hb_span(hs->server_random, 32), master, HB_MASTER_LEN);
    }
    hb_kx12_keys(t);
}

/* key_block: client MAC key, server MAC key, client key, server key, client IV, server IV; AEAD suites have
 * no MAC keys. */
enum hb_code hb_kx12_install(struct hb_tls *t, struct hb_rec_dir *d, bool server)
{
    const struct hb_suite *suite = t->hs->choice.suite;
    struct parts p = parts_of(suite);
    const uint8_t *mac = t->hs->keys12 + (server ? p.mac : 0);
    const uint8_t *key = t->hs->keys12 + 2 * p.mac + (server ? p.key : 0);
    const uint8_t *iv = t->hs->keys12 + 2 * (p.mac + p.key) + (server ? p.iv : 0);

    if (suite->legacy == NULL) {
        hb_conn_install(t, d, suite, key, iv);
        return HB_OK;
    }
    struct hb_legacy_dir *legacy =
        hb_legacy_new(t->env, suite->legacy, t->info.version, t->info.etm, d == &t->wr, mac, key, iv);
    if (legacy == NULL) {
        return HB_E_NO_MEMORY;
    }
    hb_rec_install_legacy(d, suite, legacy);
    return HB_OK;
}

void hb_kx12_verify_data(struct hb_tls *t, bool server, uint8_t dst[HB_VERIFY12_LEN])
{
    uint8_t digest[HB_HASH_MAX];

    hb_transcript_now(&t->hs->transcript, digest);
    hb_prf12_of(&t->hs->master12, server ? "server finished" : "client finished",
                hb_span(digest, hb_hs_prf(t)->len), hb_span(NULL, 0), dst, HB_VERIFY12_LEN);
}

/* ---- premaster ---- */

/* The shared secret of our half and the peer's value; *len without DHE's leading zeros. */
static enum hb_code agree(const struct hb_kex *group, const uint8_t *priv, struct hb_span peer, uint8_t *z,
                          size_t *len)
{
    uint8_t padded[HB_SHARE_MAX];
    struct hb_span value = peer;

    if (group->class == HB_GROUP_FFDHE) { /* a public value may come without its leading zeros */
        if (peer.len == 0 || peer.len > group->shared_len) {
            return HB_E_TLS_DH_VALUE;
        }
        memset(padded, 0, sizeof padded);
        memcpy(padded + group->shared_len - peer.len, peer.p, peer.len);
        value = hb_span(padded, group->shared_len);
    }
    enum hb_code code = group->derive(priv, value, z);
    *len = group->shared_len;
    if (group->class != HB_GROUP_FFDHE) {
        return code;
    }
    size_t zeros = 0;
    while (zeros + 1 < *len && z[zeros] == 0) {
        zeros++;
    }
    memmove(z, z + zeros, *len - zeros);
    *len -= zeros;
    return code == HB_OK ? HB_OK : HB_E_TLS_DH_VALUE;
}

/* other secret and PSK, each with its length (RFC 4279 2); returns the whole length. dst: HB_SHARED_MAX + 70.
 */
static size_t with_psk(const struct hb_hs *hs, const uint8_t *other, size_t other_len, uint8_t *dst)
{
    struct hb_bld b = hb_bld(dst, HB_SHARED_MAX + 70);

    hb_bld_u16(&b, (uint16_t)other_len);
    hb_bld_put(&b, hb_span(other, other_len));
    hb_bld_u16(&b, hs->psk_len);
    hb_bld_put(&b, hb_span(hs->psk, hs->psk_len));
    HB_INVARIANT(hb_bld_ok(&b));
    return b.len;
}

static void finish(struct hb_tls *t, struct hb_span message, const uint8_t *secret, size_t len)
{
    uint8_t both[HB_SHARED_MAX + 70];

    if (hb_kx_is_psk(kx_of(t))) {
        len = with_psk(t->hs, secret, len, both);
        secret = both;
    }
    derive_master(t, message, hb_span(secret, len));
    hb_wipe(both, sizeof both);
    hb_wipe(t->hs->kex_priv, sizeof t->hs->kex_priv);
}

/* An unknown identity goes on with a random key and fails at Finished: which identities exist is nobody's
 * business (RFC 4279 2). */
static void find_psk(struct hb_tls *t, struct hb_span identity)
{
    struct hb_hs *hs = t->hs;

    hs->psk_len = 32;
    t->env->random(t->env->ctx, 32, hs->psk);
    for (unsigned i = 0; i < t->config->num_psks; i++) {
        const struct hb_psk *psk = &t->config->psks[i];
        if (hb_span_eq(psk->identity, identity)) {
            memcpy(hs->psk, psk->secret.p, psk->secret.len);
            hs->psk_len = (uint8_t)psk->secret.len;
            memcpy(hs->identity, psk->identity.p, psk->identity.len);
            hs->identity[psk->identity.len] = 0;
            t->info.psk = true;
        }
    }
}

/* ---- server ---- */

enum hb_code hb_kx12_put_params(struct hb_tls *t, struct hb_bld *b)
{
    struct hb_hs *hs = t->hs;
    const struct hb_kex *group = hs->choice.group;
    uint8_t share[HB_SHARE_MAX];

    if (hb_kx_is_psk(kx_of(t))) {
        hb_bld_u16(b, 0); /* no hint */
    }
    HB_INVARIANT(group->priv_len <= sizeof hs->kex_priv);
    group->generate(t->env, hs->kex_priv, share);
    if (is_ecdhe(kx_of(t))) {
        hb_bld_u8(b, 3);
        hb_bld_u16(b, group->id);
        struct hb_bld_mark point = hb_bld_open8(b);
        hb_bld_put(b, hb_span(share, group->server_share_len));
        hb_bld_close(b, point);
    } else {
        struct hb_span prime = hb_ffdhe_prime(group);
        hb_bld_u16(b, (uint16_t)prime.len);
        hb_bld_put(b, prime);
        hb_bld_u16(b, 1);
        hb_bld_u8(b, 2);
        hb_bld_u16(b, group->server_share_len);
        hb_bld_put(b, hb_span(share, group->server_share_len));
    }
    return hb_bld_ok(b) ? HB_OK : HB_E_OVERFLOW;
}

enum hb_code hb_kx12_take_client(struct hb_tls *t, struct hb_span body, bool *later)
{
    struct hb_hs *hs = t->hs;
    enum hb_suite_kx kx = kx_of(t);
    struct hb_cur c = hb_cur(body);
    uint8_t message_mem[4 + 16384];
    struct hb_bld message = hb_bld(message_mem, sizeof message_mem);
    uint8_t secret[HB_SHARED_MAX];
    size_t len = 0;
    enum hb_code code = HB_OK;

    *later = false;
    if (hb_kx_is_psk(kx)) {
        struct hb_cur identity = hb_cur_vec16(&c);
        struct hb_span id = hb_cur_rest(&identity);
        if (!hb_cur_ok(&c) || id.len > 255) {
            return HB_E_TLS_DECODE;
        }
        find_psk(t, id);
    }
    struct hb_cur value = is_ecdhe(kx)      ? hb_cur_vec8(&c)
                          : kx == HB_KX_PSK ? hb_cur(hb_span(NULL, 0))
                                            : hb_cur_vec16(&c);
    if (!hb_cur_end(&c)) {
        return HB_E_TLS_DECODE;
    }
    if (is_ecdhe(kx) || is_dhe(kx)) {
        code = agree(hs->choice.group, hs->kex_priv, hb_cur_rest(&value), secret, &len);
    } else if (kx == HB_KX_PSK) {
        len = hs->psk_len;
        memset(secret, 0, len);
    } else {
        *later = hb_cred_signs_later(hs->choice.cred);
        if (*later) { /* one that is too long for any key is cut, and decrypts to a random one all the same */
            return hb_buf_add(&hs->peer_share, t->env, hb_span_head(hb_cur_rest(&value), HB_SHARE_MAX));
        }
        len = HB_MASTER_LEN;
        code = hb_rsa_decrypt_premaster(hs->choice.cred->key, t->env, hs->client_version, hb_cur_rest(&value),
                                        secret);
    }
    if (code == HB_OK) {
        hb_bld_u8(&message, HB_MSG_CLIENT_KEY_EXCHANGE);
        hb_bld_u24(&message, (uint32_t)body.len);
        hb_bld_put(&message, body);
        finish(t, hb_bld_span(&message), secret, len);
    }
    hb_wipe(secret, sizeof secret);
    return code;
}

enum hb_code hb_kx12_take_premaster(struct hb_tls *t)
{
    struct hb_hs *hs = t->hs;

    if (hs->premaster_failed) {
        return HB_E_TLS_SIGN_FAILED;
    }
    finish(t, hb_span(NULL, 0), hs->premaster,
           sizeof hs->premaster); /* the message is in the transcript by now */
    hb_wipe(hs->premaster, sizeof hs->premaster);
    return HB_OK;
}

/* ---- client ---- */

static bool offered(const struct hb_tls *t, const struct hb_kex *group)
{
    for (unsigned i = 0; i < t->config->num_groups; i++) {
        if (t->config->groups[i] == group) {
            return true;
        }
    }
    return false;
}

static const struct hb_kex *ffdhe_of(struct hb_span prime, struct hb_span g)
{
    const struct hb_kex *all[] = {&hb_ffdhe2048, &hb_ffdhe3072};

    for (unsigned i = 0; i < 2; i++) {
        if (hb_span_eq(prime, hb_ffdhe_prime(all[i])) && g.len == 1 && g.p[0] == 2) {
            return all[i];
        }
    }
    return NULL;
}

enum hb_code hb_kx12_take_params(struct hb_tls *t, struct hb_cur *c)
{
    struct hb_hs *hs = t->hs;
    enum hb_suite_kx kx = kx_of(t);

    if (hb_kx_is_psk(kx)) {
        struct hb_cur hint = hb_cur_vec16(c); /* of no use to us: which PSK is known from the configuration */
        (void)hb_cur_rest(&hint);
    }
    if (is_ecdhe(kx)) {
        uint8_t form = hb_cur_u8(c);
        uint16_t id = hb_cur_u16(c);
        struct hb_cur point = hb_cur_vec8(c);
        if (!hb_cur_ok(c)) {
            return HB_E_TLS_DECODE;
        }
        const struct hb_kex *group = form == 3 ? hb_group_find(id) : NULL;
        if (group == NULL || group->class != HB_GROUP_EC || !offered(t, group)) {
            return HB_E_TLS_GROUP_CHANGED;
        }
        hs->choice.group = group;
        t->info.group = group->id;
        return hb_buf_add(&hs->peer_share, t->env, hb_cur_rest(&point));
    }
    if (is_dhe(kx)) {
        struct hb_cur p = hb_cur_vec16(c);
        struct hb_cur g = hb_cur_vec16(c);
        struct hb_cur y = hb_cur_vec16(c);
        if (!hb_cur_ok(c)) {
            return HB_E_TLS_DECODE;
        }
        hs->choice.group = ffdhe_of(hb_cur_rest(&p), hb_cur_rest(&g));
        if (hs->choice.group == NULL) {
            return HB_E_TLS_DH_GROUP; /* T12-04 */
        }
        t->info.group = hs->choice.group->id;
        return hb_buf_add(&hs->peer_share, t->env, hb_cur_rest(&y));
    }
    return hb_cur_ok(c) ? HB_OK : HB_E_TLS_DECODE;
}

/* Our value of an ephemeral exchange goes into the message, the secret into secret. */
static enum hb_code client_agree(struct hb_tls *t, struct hb_bld *b, uint8_t *secret, size_t *len)
{
    struct hb_hs *hs = t->hs;
    const struct hb_kex *group = hs->choice.group;
    uint8_t share[HB_SHARE_MAX];

    group->generate(t->env, hs->kex_priv, share);
    HB_TRY(agree(group, hs->kex_priv, hb_buf_span(&hs->peer_share), secret, len));
    struct hb_bld_mark mark = is_ecdhe(kx_of(t)) ? hb_bld_open8(b) : hb_bld_open16(b);
    hb_bld_put(b, hb_span(share, group->client_share_len));
    hb_bld_close(b, mark);
    return HB_OK;
}

static enum hb_code client_rsa(struct hb_tls *t, struct hb_bld *b, uint8_t *secret, size_t *len)
{
    uint8_t sealed[HB_SIG_MAX];
    size_t sealed_len;

    HB_TRY(hb_rsa_encrypt_premaster(t->hs->peer_key, t->env,
                                    t->config->highest > 0x0303 ? 0x0303 : t->config->highest, secret, sealed,
                                    sizeof sealed, &sealed_len));
    struct hb_bld_mark mark = hb_bld_open16(b);
    hb_bld_put(b, hb_span(sealed, sealed_len));
    hb_bld_close(b, mark);
    *len = HB_MASTER_LEN;
    return HB_OK;
}

enum hb_code hb_kx12_put_client(struct hb_tls *t)
{
    struct hb_hs *hs = t->hs;
    enum hb_suite_kx kx = kx_of(t);
    struct hb_bld *b = &t->lane->flight;
    uint8_t secret[HB_SHARED_MAX];
    size_t len = 0;
    enum hb_code code = HB_OK;
    struct hb_bld_mark message = hb_hs_message(t, HB_MSG_CLIENT_KEY_EXCHANGE);

    if (hb_kx_is_psk(kx)) {
        const struct hb_psk *psk = &t->config->psks[0];
        struct hb_bld_mark identity = hb_bld_open16(b);
        hb_bld_put(b, psk->identity);
        hb_bld_close(b, identity);
        memcpy(hs->psk, psk->secret.p, psk->secret.len);
        hs->psk_len = (uint8_t)psk->secret.len;
        t->info.psk = true;
    }
    if (hb_kx_is_ephemeral(kx)) {
        code = client_agree(t, b, secret, &len);
    } else if (kx == HB_KX_PSK) {
        len = hs->psk_len;
        memset(secret, 0, len);
    } else {
        code = client_rsa(t, b, secret, &len);
    }
    if (code == HB_OK) {
        code = hb_hs_message_end(t, message);
    }
    if (code == HB_OK) {
        finish(t, hb_span(NULL, 0), secret, len);
    }
    hb_wipe(secret, sizeof secret);
    return code;
}
