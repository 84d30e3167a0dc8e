/* dane.c: TLSA records against a chain.
 * DANE-EE (3): the leaf's bytes alone count, neither its dates nor its names (RFC 7671 5.1). DANE-TA (2): a
 * certificate the server sent becomes the only anchor there is, and from then on this is an ordinary path. */
#include <hb/dane.h>

#include "path.h"
#include "verify.h"
#include <hb/hex.h>

enum { DANE_TA = 2, DANE_EE = 3 };

/* ---- records ---- */

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool small_number(const char **text, uint8_t *n)
{
    unsigned value = 0;
    const char *at = *text;

    while (blank(*at)) {
        at++;
    }
    const char *first = at;
    for (; *at >= '0' && *at <= '9' && at - first < 3; at++) {
        value = value * 10 + (unsigned)(*at - '0');
    }
    *text = at;
    *n = (uint8_t)value;
    return at > first && value <= 255 && blank(*at);
}

bool hb_tlsa_parse(const char *text, struct hb_tlsa *record, uint8_t *mem, size_t cap)
{
    size_t len = 0;

    if (!small_number(&text, &record->usage) || !small_number(&text, &record->selector) ||
        !small_number(&text, &record->matching) ||
        hb_hex_decode(hb_span_str(text), mem, cap, &len) != HB_OK) {
        return false;
    }
    record->data = hb_span(mem, len);
    return len > 0;
}

bool hb_tlsa_usable(const struct hb_tlsa *r)
{
    static const size_t lengths[] = {0, 32, 64};

    return (r->usage == DANE_TA || r->usage == DANE_EE) && r->selector <= 1 && r->matching <= 2 &&
           r->data.len > 0 && (r->matching == 0 || r->data.len == lengths[r->matching]);
}

enum hb_dane_rule hb_dane_decide(enum hb_dane_found found, const struct hb_tlsa *records, size_t num)
{
    if (found == HB_DANE_ERROR) {
        return HB_DANE_AVOID;
    }
    if (found == HB_DANE_INSECURE || num == 0) {
        return HB_DANE_OPPORTUNISTIC;
    }
    for (size_t i = 0; i < num && i < HB_TLSA_MAX; i++) {
        if (hb_tlsa_usable(&records[i])) {
            return HB_DANE_MATCH;
        }
    }
    return HB_DANE_TLS;
}

/* ---- the chain ---- */

static bool matches(const struct hb_tlsa *r, const struct hb_cert *cert)
{
    struct hb_span bytes = r->selector == 0 ? cert->der : cert->spki;
    uint8_t digest[64];

    if (r->matching == 0) {
        return hb_span_eq(bytes, r->data);
    }
    hb_hash_once(r->matching == 1 ? &hb_sha256 : &hb_sha512, bytes, digest);
    return hb_span_eq(hb_span(digest, r->matching == 1 ? 32 : 64), r->data);
}

static bool any_matches(const struct hb_tlsa *records, size_t num, uint8_t usage, const struct hb_cert *cert)
{
    for (size_t i = 0; i < num && i < HB_TLSA_MAX; i++) {
        if (records[i].usage == usage && hb_tlsa_usable(&records[i]) && matches(&records[i], cert)) {
            return true;
        }
    }
    return false;
}

static enum hb_code check_names(const struct hb_cert *leaf, const struct hb_span *names, size_t num)
{
    enum hb_code code = HB_E_X509_NAME_MISMATCH;

    for (size_t i = 0; i < num && code != HB_OK; i++) {
        code = hb_verify_name(leaf, names[i]);
    }
    return code;
}

/* Anchors: every certificate of the chain that a DANE-TA record matches (RFC 7672 3.1.2: it must be there).
 */
static enum hb_code add_anchors(struct hb_trust *trust, const struct hb_tlsa *records, size_t num,
                                const struct hb_span *chain, size_t num_chain)
{
    struct hb_cert cert;

    for (size_t i = 0; i < num_chain; i++) {
        if (hb_cert_parse(chain[i], &cert) == HB_OK && any_matches(records, num, DANE_TA, &cert)) {
            HB_TRY(hb_trust_add_der(trust, chain[i]));
        }
    }
    return hb_trust_count(trust) > 0 ? HB_OK : HB_E_X509_TLSA;
}

enum hb_code hb_dane_check(const struct hb_env *env, const struct hb_tlsa *records, size_t num,
                           struct hb_span bytes, const struct hb_span *names, size_t num_names, uint64_t now)
{
    struct hb_span chain[HB_CHAIN_MAX + 1];
    size_t num_chain = hb_chain_split(bytes, chain);
    struct hb_cert leaf;
    struct hb_path path;

    if (num_chain == 0 || num_chain > HB_CHAIN_MAX) {
        return HB_E_X509_CHAIN_TOO_LONG;
    }
    HB_TRY(hb_cert_parse(chain[0], &leaf));
    if (any_matches(records, num, DANE_EE, &leaf)) {
        return HB_OK;
    }
    struct hb_trust *trust = hb_trust_new(env);
    if (trust == NULL) {
        return HB_E_NO_MEMORY;
    }
    enum hb_code code = add_anchors(trust, records, num, chain, num_chain);
    if (code == HB_OK) {
        code = hb_path_check(env, trust, chain, num_chain, HB_USE_SERVER, now, &path);
    }
    hb_trust_free(&trust);
    return code == HB_OK ? check_names(&leaf, names, num_names) : code;
}
