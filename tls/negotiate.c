/* negotiate.c: version, name, certificate, suite, group, signature scheme, ALPN: in this order, first fit.
 * Never chooses what the peer did not offer (PRO-04). */
#include "negotiate.h"

#define SCSV_FALLBACK      0x5600

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
        const struct hb_suite *s = hb_suite_find((uint16_t)(offer->suites.p[i] << 8 | offer->suites.p[i + 1]));
        if (s != NULL && s->version == version) {
            return s->aead == &hb_chacha20_poly1305;
        }
    }
    return false;
}

static const struct hb_suite *pick_suite(const struct hb_offer *offer, const struct hb_tls_config *config,
                                         uint16_t version, enum hb_suite_auth auth)
{
    bool chacha_first = config->prefer_chacha || client_prefers_chacha(offer, version);

    for (int pass = chacha_first ? 0 : 1; pass < 2; pass++) {
        for (size_t i = 0; i < hb_num_suites; i++) {
            const struct hb_suite *s = &hb_suites[i];
            if (s->version == version && (s->auth == HB_AUTH_ANY || s->auth == auth) &&
                (pass == 1 || s->aead == &hb_chacha20_poly1305) && hb_u16_list_has(offer->suites, s->id)) {
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

/* The first scheme of ours that fits the key and the client's list; TLS 1.3 binds ECDSA's curve to its hash. */
static const struct hb_sigalg *pick_sigalg(const struct hb_offer *offer, uint16_t version, enum hb_key_kind kind)
{
    const struct hb_sigalg *loose = NULL;

    for (size_t i = 0; i < hb_num_sigalgs; i++) {
        const struct hb_sigalg *a = &hb_sigalgs[i];
        if (!hb_u16_list_has(offer->sigalgs, a->id) || (version == 0x0304 && !a->tls13)) {
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

static bool usable(const struct hb_offer *offer, const struct hb_tls_config *config, const struct hb_cred *cred,
                   struct hb_choice *choice)
{
    if (choice->version == 0x0303 && is_ec(cred->kind) && offer->has_groups &&
        !hb_u16_list_has(offer->groups, curve_of(cred->kind))) {
        return false; /* T12-09 */
    }
    const struct hb_sigalg *sigalg = pick_sigalg(offer, choice->version, cred->kind);
    const struct hb_suite *suite = pick_suite(offer, config, choice->version, auth_of(cred->kind));
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
static enum hb_code why_none(const struct hb_offer *offer, const struct hb_tls_config *config, uint16_t version)
{
    if (hb_cred_store_count(config->creds) == 0) {
        return HB_E_TLS_NO_CREDENTIAL;
    }
    if (pick_suite(offer, config, version, HB_AUTH_ECDSA) == NULL &&
        pick_suite(offer, config, version, HB_AUTH_RSA) == NULL) {
        return HB_E_TLS_NO_SUITE;
    }
    for (size_t i = 0; i < hb_cred_store_count(config->creds); i++) {
        enum hb_key_kind kind = hb_cred_at(config->creds, i)->kind;
        if (pick_sigalg(offer, version, kind) != NULL) {
            return HB_E_TLS_NO_SUITE;
        }
    }
    return HB_E_TLS_NO_SIGALG;
}

static enum hb_code choose_cred(const struct hb_offer *offer, const struct hb_tls_config *config,
                                struct hb_choice *choice)
{
    struct hb_span name = offer->server_name;

    if (offer->has_server_name) {
        bool covered = false;
        const struct hb_cred *cred;
        for (size_t i = 0; !covered && (cred = hb_cred_at(config->creds, i)) != NULL; i++) {
            covered = hb_cred_covers(cred, name) != HB_NAME_NONE;
        }
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

/* T13-04. All groups we have today are of one class, so any share of ours is as good as the first. */
static enum hb_code choose_group13(const struct hb_offer *offer, struct hb_choice *choice)
{
    if (!shares_in_order(offer)) {
        return HB_E_TLS_ILLEGAL;
    }
    for (size_t i = 0; i < hb_num_groups; i++) {
        if (hb_u16_list_has(offer->groups, hb_groups[i]->id) &&
            hb_offer_share(offer, hb_groups[i]->id, &choice->share)) {
            choice->group = hb_groups[i];
            return HB_OK;
        }
    }
    for (size_t i = 0; i < hb_num_groups; i++) {
        if (hb_u16_list_has(offer->groups, hb_groups[i]->id)) {
            choice->group = hb_groups[i];
            choice->retry = true;
            return HB_OK;
        }
    }
    return HB_E_TLS_NO_GROUP;
}

static enum hb_code choose_group12(const struct hb_offer *offer, struct hb_choice *choice)
{
    for (size_t i = 0; i < hb_num_groups; i++) {
        if (offer->has_groups ? hb_u16_list_has(offer->groups, hb_groups[i]->id) : hb_groups[i]->id == 0x0017) {
            choice->group = hb_groups[i];
            return HB_OK;
        }
    }
    return HB_E_TLS_NO_GROUP;
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

static enum hb_code check13(const struct hb_offer *offer)
{
    if (offer->compression.len != 1 || offer->compression.p[0] != 0) {
        return HB_E_TLS_COMPRESSION;
    }
    if (offer->legacy_version != 0x0303) {
        return HB_E_TLS_VERSION;
    }
    if (!offer->has_sigalgs || !offer->has_groups || !offer->has_key_shares) {
        return HB_E_TLS_MISSING_EXTENSION; /* T13-01; PSK alone is never enough for us */
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
    return offer->has_sigalgs ? HB_OK : HB_E_TLS_NO_SIGALG; /* T12-06: absent means SHA-1 only */
}

enum hb_code hb_negotiate(const struct hb_offer *offer, const struct hb_tls_config *config,
                          struct hb_choice *choice)
{
    bool tls13 = choice->version == 0x0304;

    HB_TRY(tls13 ? check13(offer) : check12(offer));
    HB_TRY(choose_cred(offer, config, choice));
    HB_TRY(tls13 ? choose_group13(offer, choice) : choose_group12(offer, choice));
    return choose_alpn(offer, config, choice);
}
