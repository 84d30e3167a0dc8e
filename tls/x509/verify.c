/* verify.c: which checks a verify mode asks for, in the order in which their failures are worth telling. */
#include "verify.h"

#include "der.h"
#include "name.h"
#include "ocsp.h"
#include "path.h"

#define NAMES_MAX 1000u /* PKI-06 */

static bool covers_ip(const struct hb_cert *cert, const uint8_t *address, size_t len)
{
    struct hb_cur san = hb_cur(cert->san);

    for (unsigned i = 0; i < NAMES_MAX && hb_cur_left(&san) > 0; i++) {
        uint8_t tag = hb_der_peek(&san);
        struct hb_cur value = hb_der_take(&san, tag);
        if (tag == (HB_DER_CONTEXT | 7) && hb_span_eq(hb_cur_rest(&value), hb_span(address, len))) {
            return true;
        }
    }
    return false;
}

/* Any SAN of a kind that names a host rules the CN out (CERT-03). */
static bool covers_dns(const struct hb_cert *cert, struct hb_span host)
{
    struct hb_cert_names names = hb_cert_names(cert);

    for (unsigned i = 0; i < NAMES_MAX; i++) {
        struct hb_span name = hb_cert_next_name(&names);
        bool wildcard;
        if (name.len == 0) {
            return false;
        }
        if (hb_dns_name_covers(name, host, &wildcard)) {
            return true;
        }
    }
    return false;
}

enum hb_code hb_verify_name(const struct hb_cert *leaf, struct hb_span name)
{
    uint8_t address[16];
    size_t len;
    bool ok = hb_name_ip(name, address, &len) ? covers_ip(leaf, address, len) : covers_dns(leaf, name);

    return ok ? HB_OK : HB_E_X509_NAME_MISMATCH;
}

static enum hb_code check_usage(const struct hb_verify_request *request, const struct hb_cert *leaf)
{
    uint8_t bit = request->signs ? HB_KU_DIGITAL_SIGNATURE : HB_KU_KEY_ENCIPHERMENT;

    return !leaf->has_key_usage || (leaf->key_usage & bit) != 0 ? HB_OK : HB_E_X509_USAGE; /* PKI-04 */
}

static enum hb_code check_pin(const struct hb_verify_request *request, const struct hb_cert *leaf)
{
    uint8_t digest[32];

    hb_hash_once(&hb_sha256, leaf->spki, digest);
    for (unsigned i = 0; i < request->num_pins; i++) {
        if (memcmp(request->pins[i], digest, sizeof digest) == 0) {
            return HB_OK;
        }
    }
    return HB_E_TLS_PIN;
}

static enum hb_code check_staple(const struct hb_env *env, const struct hb_verify_request *request,
                                 const struct hb_path *path)
{
    const struct hb_cert *leaf = &path->cert[0];

    if (!request->server) {
        return HB_OK;
    }
    if (request->staple.len == 0) {
        return leaf->must_staple ? HB_E_X509_STAPLE_MISSING : HB_OK;
    }
    return hb_ocsp_check(env, request->staple, leaf, path->num > 1 ? &path->cert[1] : &path->anchor->cert,
                         request->now);
}

enum hb_code hb_verify_chain(const struct hb_env *env, const struct hb_verify_request *request,
                             const struct hb_span *chain, size_t num)
{
    struct hb_path path;
    struct hb_cert leaf;

    HB_TRY(hb_cert_parse(chain[0], &leaf));
    HB_TRY(check_usage(request, &leaf)); /* whatever else is believed, a key is used for what it is for */
    if (request->verify == HB_VERIFY_NONE) {
        return HB_OK;
    }
    if (request->verify == HB_VERIFY_PIN) {
        return check_pin(request, &leaf);
    }
    HB_TRY(hb_path_check(env, request->trust, chain, num, request->server ? HB_USE_SERVER : HB_USE_CLIENT,
                         request->now, &path));
    if (request->server && request->verify == HB_VERIFY_FULL) {
        HB_TRY(hb_verify_name(&leaf, request->name));
    }
    return check_staple(env, request, &path);
}

size_t hb_chain_split(struct hb_span bytes, struct hb_span out[HB_CHAIN_MAX + 1])
{
    struct hb_cur c = hb_cur(bytes);
    size_t num = 0;

    while (hb_cur_left(&c) > 0 && num <= HB_CHAIN_MAX) {
        struct hb_cur one = hb_cur_vec24(&c);
        out[num++] = hb_cur_rest(&one);
    }
    return hb_cur_ok(&c) ? num : 0;
}
