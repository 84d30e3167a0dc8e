/* negotiate.c: version, name, certificate, suite, group, signature scheme, ALPN: in this order, first fit.
 * Never chooses what the peer did not offer (PRO-04). */
#include "negotiate.h"

#include "crypto/legacy.h"

#define SCSV_FALLBACK 0x5600

/* ---- version ---- */

enum hb_code hb_negotiate_version(const struct hb_offer *offer, const struct hb_tls_config *config,
                                  uint16_t *version)
{
    uint16_t best = 0;
    uint16_t client_highest = 0;

    if (offer->has_versions) {
        for (uint16_t v = 0x0304; v >= 0x0301; v--) {
            if (hb_u16_list_has(offer->versions, v)) {
                client_highest = client_highest == 0 ? v : client_highest;
                if (best == 0 && v >= config->lowest && v <= config->highest) {
                    best = v;
                }
            }
        }
    } else {
        client_highest = offer->legacy_version < 0x0303 ? offer->legacy_version : 0x0303;
        best = client_highest < config->highest ? client_highest : config->highest;
        if (best < config->lowest || offer->legacy_version < 0x0300) {
            best = 0;
        }
    }
    if (best == 0) {
        return HB_E_TLS_VERSION;
    }
    if (hb_u16_list_has(offer->suites, SCSV_FALLBACK) && config->highest > client_highest) {
        return HB_E_TLS_FALLBACK;
    }
    *version = best;
    return HB_OK;
}

/* ---- suite ---- */

/* PRO-01: a client that puts ChaCha20 first has a reason. */
static bool client_prefers_chacha(const struct hb_offer *offer, uint16_t version)
{
    for (size_t i = 0; i + 1 < offer->suites.len; i += 2) {
        const struct hb_suite *s =
            hb_suite_find((uint16_t)(offer->suites.p[i] << 8 | offer->suites.p[i + 1]));
        if (s != NULL && s->aead != NULL && hb_suite_fits(s, version)) {
            return s->aead == &hb_chacha20_poly1305;
        }
    }
    return false;
}

/* hash: only suites with it; NULL: any. In TLS 1.2 a suite must fit the certificate, and its key exchange
 * must have a group. */
static const struct hb_suite *pick_suite(const struct hb_offer *offer, const struct hb_tls_config *config,
                                         uint16_t version, enum hb_suite_auth auth,
                                         const struct hb_hash *hash)
{
    bool chacha_first = config->prefer_chacha || client_prefers_chacha(offer, version);

    for (int pass = chacha_first ? 0 : 1; pass < 2; pass++) {
        for (size_t i = 0; i < config->num_suites; i++) {
            const struct hb_suite *s = config->suites[i];
            if (hb_suite_fits(s, version) && (s->auth == HB_AUTH_ANY || s->auth == auth) &&
                (hash == NULL || s->hash == hash) && (pass == 1 || s->aead == &hb_chacha20_poly1305) &&
                hb_u16_list_has(offer->suites, s->id) &&
                (version == 0x0304 || hb_negotiate_group12(offer, config, s) != NULL)) {
                return s;
            }
        }
    }
    return NULL;
}

/* ---- certificate and signature scheme ---- */

static bool is_ec(enum hb_key_kind kind)
{
    return kind == HB_KEY_P256 || kind == HB_KEY_P384 || kind == HB_KEY_P521;
}

static uint16_t curve_of(enum hb_key_kind kind)
{
    return kind == HB_KEY_P256 ? 0x0017 : kind == HB_KEY_P384 ? 0x0018 : 0x0019;
}

/* The first scheme of ours that fits the key and the client's list; TLS 1.3 binds ECDSA's curve to its hash.
 */
const struct hb_sigalg *hb_negotiate_sigalg(struct hb_span offered, const struct hb_tls_config *config,
                                            uint16_t version, enum hb_key_kind kind)
{
    const struct hb_sigalg *loose = NULL;

    if (version < 0x0303) {
        return hb_sigalg_before12(kind);
    }
    for (size_t i = 0; i < config->num_sign; i++) {
        const struct hb_sigalg *a = config->sign[i];
        if (!hb_u16_list_has(offered, a->id) || (version == 0x0304 && !a->tls13)) {
            continue;
        }
        if (a->kind == kind) {
            return a;
        }
        if (version == 0x0303 && is_ec(kind) && is_ec(a->kind) && loose == NULL) {
            loose = a;
        }
    }
    return loose;
}

static enum hb_suite_auth auth_of(enum hb_key_kind kind)
{
    return kind == HB_KEY_RSA || kind == HB_KEY_RSA_PSS ? HB_AUTH_RSA : HB_AUTH_ECDSA;
}

static bool usable(const struct hb_offer *offer, const struct hb_tls_config *config,
                   const struct hb_cred *cred, struct hb_choice *choice)
{
    if (choice->version <= 0x0303 && is_ec(cred->kind) && offer->has_groups &&
        !hb_u16_list_has(offer->groups, curve_of(cred->kind))) {
        return false; /* T12-09 */
    }
    const struct hb_sigalg *sigalg = hb_negotiate_sigalg(offer->sigalgs, config, choice->version, cred->kind);
    const struct hb_suite *suite = pick_suite(offer, config, choice->version, auth_of(cred->kind), NULL);
    if (sigalg == NULL || suite == NULL) {
        return false;
    }
    choice->cred = cred;
    choice->sigalg = sigalg;
    choice->suite = suite;
    return true;
}

/* The first usable credential that covers name at least as well as `match`, EC and EdDSA before RSA. */
static bool pick_cred(const struct hb_offer *offer, const struct hb_tls_config *config, struct hb_span name,
                      enum hb_name_match match, struct hb_choice *choice)
{
    const struct hb_cred *cred;

    for (int rsa = 0; rsa < 2; rsa++) {
        for (size_t i = 0; (cred = hb_cred_at(config->creds, i)) != NULL; i++) {
            if ((auth_of(cred->kind) == HB_AUTH_RSA) == (rsa == 1) &&
                (match == HB_NAME_NONE || hb_cred_covers(cred, name) == match) &&
                usable(offer, config, cred, choice)) {
                return true;
            }
        }
    }
    return false;
}

/* Why no credential fits: what the client lacks first. */
static enum hb_code why_none(const struct hb_offer *offer, const struct hb_tls_config *config,
                             uint16_t version)
{
    if (config->creds == NULL || hb_cred_store_count(config->creds) == 0) {
        return HB_E_TLS_NO_CREDENTIAL;
    }
    if (pick_suite(offer, config, version, HB_AUTH_ECDSA, NULL) == NULL &&
        pick_suite(offer, config, version, HB_AUTH_RSA, NULL) == NULL) {
        return HB_E_TLS_NO_SUITE;
    }
    for (size_t i = 0; i < hb_cred_store_count(config->creds); i++) {
        enum hb_key_kind kind = hb_cred_at(config->creds, i)->kind;
        if (hb_negotiate_sigalg(offer->sigalgs, config, version, kind) != NULL) {
            return HB_E_TLS_NO_SUITE;
        }
    }
    return HB_E_TLS_NO_SIGALG;
}

static bool name_known(const struct hb_tls_config *config, struct hb_span name)
{
    return config->creds != NULL && hb_cred_store_covers(config->creds, name);
}

static enum hb_code choose_cred(const struct hb_offer *offer, const struct hb_tls_config *config,
                                struct hb_choice *choice)
{
    struct hb_span name = offer->server_name;

    if (config->creds == NULL) {
        return why_none(offer, config, choice->version);
    }
    if (offer->has_server_name) {
        bool covered = name_known(config, name);
        choice->name_used = covered;
        if (covered && (pick_cred(offer, config, name, HB_NAME_EXACT, choice) ||
                        pick_cred(offer, config, name, HB_NAME_WILDCARD, choice))) {
            return HB_OK;
        }
        if (!covered && config->sni_strict) {
            return HB_E_TLS_UNKNOWN_NAME;
        }
    }
    /* The default: the names of the first certificate, then whatever the client can verify (SNI-T2). */
    const struct hb_cred *first = hb_cred_at(config->creds, 0);
    if (first != NULL && !choice->name_used) {
        struct hb_span first_name = hb_cred_first_name(first);
        if (first_name.len > 0 && pick_cred(offer, config, first_name, HB_NAME_EXACT, choice)) {
            return HB_OK;
        }
    }
    return pick_cred(offer, config, name, HB_NAME_NONE, choice) ? HB_OK
                                                                : why_none(offer, config, choice->version);
}

/* ---- group ---- */

/* T13-03: shares stand in the order of supported_groups, once each, and only for listed groups. */
static bool shares_in_order(const struct hb_offer *offer)
{
    struct hb_cur shares = hb_cur(offer->key_shares);
    size_t at = 0;

    while (hb_cur_left(&shares) > 0) {
        uint16_t id = hb_cur_u16(&shares);
        (void)hb_cur_vec16(&shares);
        while (at + 1 < offer->groups.len && (offer->groups.p[at] << 8 | offer->groups.p[at + 1]) != id) {
            at += 2;
        }
        if (at + 1 >= offer->groups.len) {
            return false;
        }
        at += 2;
    }
    return true;
}

/* T13-04: the first group of ours that the client supports, unless it sent a share for another of the same
 * class: a round trip is dearer than a preference between classical groups, but not dearer than post-quantum
 * security. */
static enum hb_code choose_group13(const struct hb_offer *offer, const struct hb_tls_config *config,
                                   struct hb_choice *choice)
{
    const struct hb_kex *best = NULL;

    if (!shares_in_order(offer)) {
        return HB_E_TLS_ILLEGAL;
    }
    for (size_t i = 0; i < config->num_groups; i++) {
        const struct hb_kex *k = config->groups[i];
        if (!hb_u16_list_has(offer->groups, k->id)) {
            continue;
        }
        best = best == NULL ? k : best;
        if (k->class == best->class && hb_offer_share(offer, k->id, &choice->share)) {
            choice->group = k;
            return HB_OK;
        }
    }
    choice->group = best;
    choice->retry = true;
    return best != NULL ? HB_OK : HB_E_TLS_NO_GROUP;
}

const struct hb_kex *hb_negotiate_group12(const struct hb_offer *offer, const struct hb_tls_config *config,
                                          const struct hb_suite *suite)
{
    static const struct hb_kex none = {.name = "none"};
    bool dhe = suite->kx == HB_KX_DHE || suite->kx == HB_KX_DHE_PSK;
    bool named = false; /* the client names finite field groups (RFC 7919 4) */

    if (!hb_kx_is_ephemeral(suite->kx)) {
        return &none;
    }
    for (size_t i = 0; dhe && i + 1 < offer->groups.len; i += 2) {
        named = named || offer->groups.p[i] == 1;
    }
    for (size_t i = 0; i < config->num_groups; i++) {
        const struct hb_kex *k = config->groups[i];
        bool offered = dhe                 ? !named || hb_u16_list_has(offer->groups, k->id)
                       : offer->has_groups ? hb_u16_list_has(offer->groups, k->id)
                                           : k->id == 0x0017;
        if (k->class == (dhe ? HB_GROUP_FFDHE : HB_GROUP_EC) && offered) {
            return k;
        }
    }
    return NULL;
}

static enum hb_code choose_group12(const struct hb_offer *offer, const struct hb_tls_config *config,
                                   struct hb_choice *choice)
{
    choice->group = hb_negotiate_group12(offer, config, choice->suite);
    return choice->group != NULL ? HB_OK : HB_E_TLS_NO_GROUP;
}

/* ---- ALPN ---- */

static enum hb_code choose_alpn(const struct hb_offer *offer, const struct hb_tls_config *config,
                                struct hb_choice *choice)
{
    if (!offer->has_alpn) {
        return HB_OK;
    }
    for (unsigned i = 0; i < config->num_alpn; i++) {
        struct hb_cur list = hb_cur(offer->alpn);
        while (hb_cur_left(&list) > 0) {
            struct hb_cur name = hb_cur_vec8(&list);
            if (hb_span_eq(hb_cur_rest(&name), hb_span(config->alpn[i].name, config->alpn[i].len))) {
                choice->alpn = (uint8_t)(i + 1);
                return HB_OK;
            }
        }
    }
    return config->alpn_lenient ? HB_OK : HB_E_TLS_NO_ALPN; /* ALPN-02 */
}

/* ---- all of it ---- */

static enum hb_code check13(const struct hb_offer *offer, const struct hb_tls_config *config,
                            const struct hb_choice *choice)
{
    if (offer->compression.len != 1 || offer->compression.p[0] != 0) {
        return HB_E_TLS_COMPRESSION;
    }
    if (!offer->has_groups || !offer->has_key_shares || (offer->has_psk && !offer->has_psk_modes) ||
        (!offer->has_sigalgs && choice->psk == HB_PSK_NONE)) {
        return HB_E_TLS_MISSING_EXTENSION; /* T13-01, RES-02; psk_ke is never enough for us */
    }
    if (config->sni_required && !offer->has_server_name) {
        return HB_E_TLS_NAME_MISSING;
    }
    return HB_OK;
}

static enum hb_code check12(const struct hb_offer *offer)
{
    if (memchr(offer->compression.p, 0, offer->compression.len) == NULL) {
        return HB_E_TLS_COMPRESSION; /* ATK-T7 */
    }
    if (offer->has_renegotiation && offer->renegotiation.len > 0) {
        return HB_E_TLS_RENEGOTIATION_INFO; /* REN-01: this is a first handshake */
    }
    return HB_OK;
}

/* With a PSK there is no certificate to choose, only the answer to server_name. */
static enum hb_code choose_psk13(const struct hb_offer *offer, const struct hb_tls_config *config,
                                 struct hb_choice *choice)
{
    choice->name_used = offer->has_server_name && name_known(config, offer->server_name);
    if (offer->has_server_name && !choice->name_used && config->sni_strict) {
        return HB_E_TLS_UNKNOWN_NAME;
    }
    choice->suite = pick_suite(offer, config, 0x0304, HB_AUTH_ANY, choice->psk_hash);
    return choice->suite != NULL ? HB_OK : HB_E_TLS_NO_SUITE;
}

/* TLS 1.2: suites with a PSK come first if there is one; RSA_PSK has a certificate and is found with those.
 */
static bool choose_psk12(const struct hb_offer *offer, const struct hb_tls_config *config,
                         struct hb_choice *choice)
{
    if (config->num_psks == 0) {
        return false;
    }
    choice->suite = pick_suite(offer, config, choice->version, HB_AUTH_PSK, NULL);
    return choice->suite != NULL;
}

enum hb_code hb_negotiate(const struct hb_offer *offer, const struct hb_tls_config *config,
                          struct hb_choice *choice)
{
    bool tls13 = choice->version == 0x0304;

    HB_TRY(tls13 ? check13(offer, config, choice) : check12(offer));
    if (tls13 && choice->psk != HB_PSK_NONE) {
        HB_TRY(choose_psk13(offer, config, choice));
    } else if (tls13 || !choose_psk12(offer, config, choice)) {
        if (!tls13 && !offer->has_sigalgs && choice->version == 0x0303) {
            return HB_E_TLS_NO_SIGALG; /* T12-06: absent means SHA-1 only */
        }
        HB_TRY(choose_cred(offer, config, choice));
    }
    HB_TRY(tls13 ? choose_group13(offer, config, choice) : choose_group12(offer, config, choice));
    return choose_alpn(offer, config, choice);
}
