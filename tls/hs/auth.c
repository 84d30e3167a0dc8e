/* hs/auth.c: certificates on both sides of a handshake.
 * Order (tls.md section 8): form, then judgement (path, name, pin), then the signature; each failure has its
 * own code. Nothing here trusts a name from the network: what must be in the certificate is what the caller
 * asked for. */
#include "auth.h"

#include "../crypto/legacy.h"
#include "../x509/cert.h"
#include "../x509/verify.h"

#define CHAIN_MAX 10u /* PKI-01 */

/* TLS 1.3: extensions of one entry. Only a staple for what we asked. */
static enum hb_code entry_extensions(struct hb_tls *t, struct hb_cur list, bool leaf)
{
    struct hb_hs *hs = t->hs;
    bool seen = false;

    while (hb_cur_left(&list) > 0) {
        uint16_t type = hb_cur_u16(&list);
        struct hb_cur ext = hb_cur_vec16(&list);
        if (!hb_cur_ok(&list)) {
            return HB_E_TLS_DECODE;
        }
        if (type != HB_EXT_STATUS_REQUEST || hs->client == NULL || !t->config->staple) {
            return HB_E_TLS_UNSUPPORTED_EXTENSION; /* T13-13 */
        }
        if (seen) {
            return HB_E_TLS_DUPLICATE_EXTENSION;
        }
        seen = true;
        uint8_t kind = hb_cur_u8(&ext);
        struct hb_cur response = hb_cur_vec24(&ext);
        if (!hb_cur_end(&ext) || kind != 1 || hb_cur_left(&response) == 0) {
            return HB_E_TLS_DECODE;
        }
        if (leaf) {
            HB_TRY(hb_buf_add(&hs->staple, t->env, hb_cur_rest(&response)));
        }
    }
    return HB_OK;
}

enum hb_code hb_auth_take_chain(struct hb_tls *t, struct hb_span body, bool *empty)
{
    struct hb_hs *hs = t->hs;
    bool tls13 = t->info.version == 0x0304;
    struct hb_cur c = hb_cur(body);
    unsigned num = 0;

    if (tls13) {
        struct hb_cur context = hb_cur_vec8(&c);
        if (hb_cur_left(&context) > 0) {
            return HB_E_TLS_DECODE; /* none is asked with one during a handshake */
        }
    }
    struct hb_cur list = hb_cur_vec24(&c);
    if (!hb_cur_end(&c)) {
        return HB_E_TLS_DECODE;
    }
    while (hb_cur_left(&list) > 0) {
        struct hb_cur cert = hb_cur_vec24(&list);
        struct hb_cur extensions = tls13 ? hb_cur_vec16(&list) : hb_cur(hb_span(NULL, 0));
        if (!hb_cur_ok(&list) || hb_cur_left(&cert) == 0) {
            return HB_E_TLS_DECODE;
        }
        HB_TRY(entry_extensions(t, extensions, num == 0));
        if (++num > CHAIN_MAX) {
            return HB_E_X509_CHAIN_TOO_LONG;
        }
        struct hb_span der = hb_cur_rest(&cert);
        uint8_t len[3] = {(uint8_t)(der.len >> 16), (uint8_t)(der.len >> 8), (uint8_t)der.len};
        HB_TRY(hb_buf_add(&hs->chain, t->env, hb_span(len, sizeof len)));
        HB_TRY(hb_buf_add(&hs->chain, t->env, der));
    }
    *empty = num == 0;
    return HB_OK;
}

/* The suite of TLS 1.2 says what kind of key the server has. */
static bool kind_fits(const struct hb_tls *t, enum hb_key_kind kind)
{
    bool rsa = kind == HB_KEY_RSA || kind == HB_KEY_RSA_PSS;

    if (t->hs->client == NULL || t->info.version == 0x0304) {
        return true;
    }
    const struct hb_kex *curve = kind == HB_KEY_P256   ? &hb_secp256r1
                                 : kind == HB_KEY_P384 ? &hb_secp384r1
                                 : kind == HB_KEY_P521 ? &hb_secp521r1
                                                       : NULL;
    bool offered = curve == NULL; /* RFC 8422 5.1: the curve of a certificate is one of those offered */
    for (unsigned i = 0; i < t->config->num_groups; i++) {
        offered = offered || t->config->groups[i] == curve;
    }
    return offered && t->hs->choice.suite->auth == (rsa ? HB_AUTH_RSA : HB_AUTH_ECDSA);
}

static void keep_peer(struct hb_tls *t, const struct hb_cert *leaf)
{
    struct hb_session *s = &t->hs->session;

    s->has_peer = true;
    hb_hash_once(&hb_sha256, leaf->der, s->peer_digest);
    bool timeless = t->config->verify == HB_VERIFY_NONE || t->config->verify == HB_VERIFY_PIN;
    s->peer_not_after = timeless ? UINT64_MAX : leaf->not_after;
    size_t len = hb_cert_identity(leaf, t->config->identity, t->hs->identity, sizeof t->hs->identity);
    s->identity_len = (uint8_t)len;
    memcpy(s->identity, t->hs->identity, len);
}

enum hb_code hb_auth_judge(struct hb_tls *t, uint8_t done, uint8_t wait, uint8_t *next)
{
    struct hb_hs *hs = t->hs;
    const struct hb_tls_config *config = t->config;
    struct hb_span chain[CHAIN_MAX] = {{NULL, 0}};
    struct hb_cur c = hb_cur(hb_buf_span(&hs->chain));
    struct hb_cert leaf;
    size_t num = 0;

    while (hb_cur_left(&c) > 0 && num < CHAIN_MAX) {
        struct hb_cur one = hb_cur_vec24(&c);
        chain[num++] = hb_cur_rest(&one);
    }
    HB_TRY(hb_cert_parse(chain[0], &leaf));
    if (!kind_fits(t, leaf.key_kind)) {
        return HB_E_TLS_CERTIFICATE_KIND;
    }
    const struct hb_verify_request request = {
        .verify = config->verify,
        .server = hs->client != NULL,
        .signs = hs->client == NULL || hs->choice.suite->kx != HB_KX_RSA,
        .trust = config->trust,
        .pins = config->pins,
        .num_pins = config->num_pins,
        .name = hs->client != NULL ? hb_span_str(hs->server_name) : hb_span(NULL, 0),
        .staple = hb_buf_span(&hs->staple),
        .now = t->env->wall(t->env->ctx),
    };
    HB_TRY(hb_verify_chain(t->env, &request, chain, num));
    HB_TRY(hb_cert_pubkey(&leaf, t->env, &hs->peer_key));
    hs->got_certificate = true;
    t->info.peer_certificate = true;
    t->info.stapled = hb_buf_len(&hs->staple) > 0;
    keep_peer(t, &leaf);
    *next = config->verify_later ? wait : done;
    return HB_OK;
}

enum hb_code hb_auth_verdict(struct hb_tls *t)
{
    return t->hs->verdict;
}

enum hb_code hb_auth_check_signature(struct hb_tls *t, struct hb_cur *c, struct hb_span input)
{
    struct hb_hs *hs = t->hs;
    bool tls13 = t->info.version == 0x0304;
    bool old = t->info.version < 0x0303; /* no scheme in the message: the key says it */
    uint16_t id = old ? 0 : hb_cur_u16(c);
    struct hb_cur sig = hb_cur_vec16(c);
    const struct hb_sigalg *alg = old ? hb_sigalg_before12(hb_pubkey_kind(hs->peer_key)) : NULL;

    if (!hb_cur_end(c)) {
        return HB_E_TLS_DECODE;
    }
    for (unsigned i = 0; i < t->config->num_accept && !old; i++) {
        if (t->config->accept[i]->id == id) {
            alg = t->config->accept[i];
        }
    }
    if (alg == NULL || (tls13 && !alg->tls13) || !hb_sigalg_fits(alg, hb_pubkey_kind(hs->peer_key), tls13)) {
        return HB_E_TLS_SIGALG_CHANGED;
    }
    t->info.peer_sigalg = id;
    return hb_verify(hs->peer_key, alg, input, hb_cur_rest(&sig));
}

void hb_auth_input13(struct hb_tls *t, bool server)
{
    struct hb_hs *hs = t->hs;
    struct hb_bld b = hb_bld(hs->sign_input, sizeof hs->sign_input);
    uint8_t digest[HB_HASH_MAX];

    for (unsigned i = 0; i < 8; i++) {
        hb_bld_u64(&b, UINT64_C(0x2020202020202020));
    }
    hb_bld_str(&b, server ? "TLS 1.3, server CertificateVerify" : "TLS 1.3, client CertificateVerify");
    hb_bld_u8(&b, 0);
    hb_transcript_now(&hs->transcript, digest);
    hb_bld_put(&b, hb_span(digest, hs->transcript.hash->len));
    HB_INVARIANT(hb_bld_ok(&b));
    hs->sign_span = hb_bld_span(&b);
}

/* TLS 1.3 with a staple: the leaf's entry gets an extension, so the stored message cannot be used as it
 * stands. */
static void put_stapled(struct hb_bld *b, const struct hb_cred *cred)
{
    struct hb_cur list = hb_cur(hb_span_skip(cred->msg12, 3));

    hb_bld_u8(b, 0);
    struct hb_bld_mark all = hb_bld_open24(b);
    for (bool first = true; hb_cur_left(&list) > 0; first = false) {
        struct hb_cur one = hb_cur_vec24(&list);
        struct hb_bld_mark cert = hb_bld_open24(b);
        hb_bld_put(b, hb_cur_rest(&one));
        hb_bld_close(b, cert);
        struct hb_bld_mark extensions = hb_bld_open16(b);
        if (first) {
            hb_bld_u16(b, HB_EXT_STATUS_REQUEST);
            struct hb_bld_mark ext = hb_bld_open16(b);
            hb_bld_u8(b, 1);
            struct hb_bld_mark response = hb_bld_open24(b);
            hb_bld_put(b, hb_cred_staple(cred));
            hb_bld_close(b, response);
            hb_bld_close(b, ext);
        }
        hb_bld_close(b, extensions);
    }
    hb_bld_close(b, all);
}

enum hb_code hb_auth_put_chain(struct hb_tls *t)
{
    const struct hb_cred *cred = t->hs->choice.cred;
    struct hb_bld *b = &t->lane->flight;
    bool tls13 = t->info.version == 0x0304;
    struct hb_bld_mark message = hb_hs_message(t, HB_MSG_CERTIFICATE);

    if (cred == NULL) {
        if (tls13) {
            hb_bld_u8(b, 0);
        }
        hb_bld_u24(b, 0);
    } else if (tls13 && t->hs->answer_status) {
        put_stapled(b, cred);
    } else {
        hb_bld_put(b, tls13 ? cred->msg13 : cred->msg12);
    }
    return hb_hs_message_end(t, message);
}

enum hb_code hb_auth_put_signature(struct hb_tls *t)
{
    struct hb_hs *hs = t->hs;
    struct hb_bld *b = &t->lane->flight;
    struct hb_bld_mark message = hb_hs_message(t, HB_MSG_CERTIFICATE_VERIFY);

    if (t->info.version >= 0x0303) {
        hb_bld_u16(b, hs->choice.sigalg->id);
    }
    struct hb_bld_mark sig = hb_bld_open16(b);
    hb_bld_put(b, hb_span(hs->signature, hs->signature_len));
    hb_bld_close(b, sig);
    return hb_hs_message_end(t, message);
}

void hb_auth_put_schemes(const struct hb_tls_config *config, struct hb_bld *b)
{
    struct hb_bld_mark list = hb_bld_open16(b);

    for (unsigned i = 0; i < config->num_accept; i++) {
        hb_bld_u16(b, config->accept[i]->id);
    }
    hb_bld_close(b, list);
}

void hb_auth_choose(struct hb_tls *t, struct hb_span offered)
{
    struct hb_choice *choice = &t->hs->choice;
    const struct hb_cred *cred;

    for (size_t i = 0; t->config->creds != NULL && (cred = hb_cred_at(t->config->creds, i)) != NULL; i++) {
        const struct hb_sigalg *alg = hb_negotiate_sigalg(offered, t->config, t->info.version, cred->kind);
        if (alg != NULL) {
            choice->cred = cred;
            choice->sigalg = alg;
            return;
        }
    }
}
