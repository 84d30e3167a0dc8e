/* key.c: the three wrappings of a private key, and which keys we take.
 * The decoded DER lives in one block from the environment, wiped when it goes back. */
#include "key.h"

#include "algorithm.h"
#include "cert.h"
#include "der.h"
#include "pem.h"

#define KEY_DER_MAX 8192u /* RSA 8192 in PKCS#8 is below 5 KiB */

static enum hb_code pkcs1(const struct hb_env *env, struct hb_span der, enum hb_key_kind kind,
                          struct hb_privkey **key)
{
    struct hb_cur outer = hb_cur(der);
    struct hb_cur c = hb_der_take(&outer, HB_DER_SEQUENCE);
    struct hb_rsa_parts parts;
    struct hb_span version = hb_der_unsigned(&c);

    parts.n = hb_der_unsigned(&c);
    parts.e = hb_der_unsigned(&c);
    parts.d = hb_der_unsigned(&c);
    parts.p = hb_der_unsigned(&c);
    parts.q = hb_der_unsigned(&c);
    parts.dp = hb_der_unsigned(&c);
    parts.dq = hb_der_unsigned(&c);
    parts.qinv = hb_der_unsigned(&c);
    if (!hb_cur_end(&c) || !hb_cur_end(&outer) || version.len != 1 || version.p[0] != 0) {
        return HB_E_KEY_INVALID; /* version 1 would be a multi-prime key: nobody has one */
    }
    if (parts.n.len > 8192 / 8) {
        return HB_E_KEY_LARGE;
    }
    HB_TRY(hb_privkey_rsa(env, &parts, kind, key));
    if (hb_privkey_bits(*key) < 2048) {
        hb_privkey_free(env, key);
        return HB_E_KEY_WEAK;
    }
    return HB_OK;
}

/* ECPrivateKey; kind is known from outside (PKCS#8), or has_kind is false and the curve must be inside. */
static enum hb_code sec1(const struct hb_env *env, struct hb_span der, bool has_kind, enum hb_key_kind kind,
                         struct hb_privkey **key)
{
    static const struct {
        const char *oid;
        size_t len;
        enum hb_key_kind kind;
    } curves[] = {
        {"\x2a\x86\x48\xce\x3d\x03\x01\x07", 8, HB_KEY_P256},
        {"\x2b\x81\x04\x00\x22", 5, HB_KEY_P384},
        {"\x2b\x81\x04\x00\x23", 5, HB_KEY_P521},
    };
    struct hb_cur outer = hb_cur(der);
    struct hb_cur c = hb_der_take(&outer, HB_DER_SEQUENCE);
    struct hb_span version = hb_der_unsigned(&c);
    struct hb_cur octets = hb_der_take(&c, HB_DER_OCTET_STRING);
    struct hb_span scalar = hb_cur_rest(&octets);

    if (scalar.len > 1 && scalar.p[0] == 0) { /* certtool writes a sign byte that RFC 5915 does not have */
        scalar = hb_span_skip(scalar, 1);
    }
    if (hb_der_peek(&c) == (HB_DER_CONTEXT_CONSTRUCTED | 0)) {
        struct hb_cur params = hb_der_take(&c, HB_DER_CONTEXT_CONSTRUCTED | 0);
        struct hb_span oid = hb_der_oid(&params);
        for (size_t i = 0; !has_kind && i < sizeof curves / sizeof curves[0]; i++) {
            if (oid.len == curves[i].len && memcmp(oid.p, curves[i].oid, oid.len) == 0) {
                has_kind = true;
                kind = curves[i].kind;
            }
        }
    }
    if (hb_der_peek(&c) == (HB_DER_CONTEXT_CONSTRUCTED | 1)) {
        (void)hb_der_element(&c); /* the public point: the certificate has it too, and is checked */
    }
    if (!hb_cur_end(&c) || !hb_cur_end(&outer) || version.len != 1 || version.p[0] != 1) {
        return HB_E_KEY_INVALID;
    }
    return has_kind ? hb_privkey_ec(env, kind, scalar, key) : HB_E_KEY_ALGORITHM;
}

static enum hb_code pkcs8(const struct hb_env *env, struct hb_span der, struct hb_privkey **key)
{
    struct hb_cur outer = hb_cur(der);
    struct hb_cur c = hb_der_take(&outer, HB_DER_SEQUENCE);
    struct hb_span version = hb_der_unsigned(&c);
    enum hb_key_kind kind;

    if (!hb_cur_ok(&c) || !hb_cur_end(&outer) || version.len != 1 || version.p[0] > 1) {
        return HB_E_KEY_INVALID;
    }
    if (!hb_key_algorithm(&c, &kind)) {
        return HB_E_KEY_ALGORITHM;
    }
    struct hb_cur octets = hb_der_take(&c, HB_DER_OCTET_STRING);
    if (!hb_cur_ok(&c)) {
        return HB_E_KEY_INVALID;
    }
    (void)hb_cur_rest(&c); /* attributes and, in version 1, the public key */
    switch (kind) {
    case HB_KEY_RSA:
    case HB_KEY_RSA_PSS:
        return pkcs1(env, hb_cur_rest(&octets), kind, key);
    case HB_KEY_P256:
    case HB_KEY_P384:
    case HB_KEY_P521:
        return sec1(env, hb_cur_rest(&octets), true, kind, key);
    case HB_KEY_ED25519:
    case HB_KEY_ED448: {
        struct hb_cur seed = hb_der_take(&octets, HB_DER_OCTET_STRING);
        struct hb_span bytes = hb_cur_rest(&seed);
        if (!hb_cur_end(&octets)) {
            return HB_E_KEY_INVALID;
        }
        return kind == HB_KEY_ED25519 ? hb_privkey_ed25519(env, bytes, key)
                                      : hb_privkey_ed448(env, bytes, key);
    }
    }
    return HB_E_KEY_ALGORITHM;
}

/* DER does not say which of the wrappings it is; what stands behind the first element does. */
static enum hb_code from_der(const struct hb_env *env, struct hb_span der, struct hb_privkey **key)
{
    struct hb_cur outer = hb_cur(der);
    struct hb_cur c = hb_der_take(&outer, HB_DER_SEQUENCE);
    bool has_version = hb_der_peek(&c) == HB_DER_INTEGER;

    *key = NULL;
    if (der.len > KEY_DER_MAX) {
        return HB_E_KEY_LARGE;
    }
    (void)hb_der_element(&c);
    uint8_t next = hb_der_peek(&c);
    if (!has_version) { /* EncryptedPrivateKeyInfo (RFC 5958 3), or a certificate */
        return next == HB_DER_OCTET_STRING ? HB_E_PEM_ENCRYPTED : HB_E_PEM_NONE;
    }
    switch (next) {
    case HB_DER_SEQUENCE:
        return pkcs8(env, der, key);
    case HB_DER_OCTET_STRING:
        return sec1(env, der, false, HB_KEY_P256, key);
    case HB_DER_INTEGER:
        return pkcs1(env, der, HB_KEY_RSA, key);
    default:
        return HB_E_KEY_INVALID;
    }
}

enum hb_code hb_key_from_file(const struct hb_env *env, struct hb_span file, struct hb_privkey **key)
{
    return hb_der_is_file(file) ? from_der(env, file, key) : hb_key_from_pem(env, file, key);
}

enum hb_code hb_key_from_pem(const struct hb_env *env, struct hb_span pem, struct hb_privkey **key)
{
    struct hb_pem_block block;
    enum hb_code code;
    size_t len;

    *key = NULL;
    for (;;) {
        HB_TRY(hb_pem_next(&pem, &block));
        if (hb_span_is(block.label, "PRIVATE KEY") || hb_span_is(block.label, "EC PRIVATE KEY") ||
            hb_span_is(block.label, "RSA PRIVATE KEY") || hb_span_is(block.label, "ENCRYPTED PRIVATE KEY")) {
            break;
        }
    }
    if (block.encrypted) {
        return HB_E_PEM_ENCRYPTED;
    }
    uint8_t *der = env->alloc(env->ctx, KEY_DER_MAX);
    if (der == NULL) {
        return HB_E_NO_MEMORY;
    }
    code = hb_pem_decode(&block, der, KEY_DER_MAX, &len);
    if (code == HB_E_OVERFLOW) {
        code = HB_E_KEY_LARGE;
    } else if (code == HB_OK && hb_span_is(block.label, "PRIVATE KEY")) {
        code = pkcs8(env, hb_span(der, len), key);
    } else if (code == HB_OK && hb_span_is(block.label, "EC PRIVATE KEY")) {
        code = sec1(env, hb_span(der, len), false, HB_KEY_P256, key);
    } else if (code == HB_OK) {
        code = pkcs1(env, hb_span(der, len), HB_KEY_RSA, key);
    }
    env->release(env->ctx, der, KEY_DER_MAX);
    return code;
}
