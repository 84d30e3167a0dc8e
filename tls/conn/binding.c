/* binding.c: channel bindings: values that name this very connection, for SASL's -PLUS mechanisms (RFC 9266,
 * RFC 5929). The gateway ends TLS and uses none itself (SASL-06); who has the engine alone may.
 * tls-unique is left out: it is not defined for TLS 1.3, and unsafe in 1.2 without the extended master secret
 * (RFC 7627 5.4). */
#include "../hs/hs.h"
#include "conn.h"

enum hb_code hb_tls_exporter_binding(struct hb_tls *t, uint8_t dst[HB_TLS_EXPORTER_LEN])
{
    return hb_tls_export(t, "EXPORTER-Channel-Binding", hb_span(NULL, 0), dst, HB_TLS_EXPORTER_LEN);
}

/* The leaf the server showed in this handshake; empty: none. */
static struct hb_span server_leaf(const struct hb_tls *t)
{
    if (t->hs == NULL) {
        return hb_span(NULL, 0);
    }
    if (t->is_client) {
        struct hb_cur chain = hb_cur(hb_buf_span(&t->hs->chain));
        struct hb_cur leaf = hb_cur_vec24(&chain);
        return hb_cur_ok(&chain) ? hb_cur_rest(&leaf) : hb_span(NULL, 0);
    }
    const struct hb_cred *cred = t->info.resumed || t->info.psk ? NULL : t->hs->choice.cred;
    return cred != NULL ? cred->leaf : hb_span(NULL, 0);
}

static bool is_oid(struct hb_span oid, const char *der, size_t len)
{
    return oid.len == len && memcmp(oid.p, der, len) == 0;
}

/* RFC 5929 4.1: the hash of its signature, and SHA-256 where that is MD5 or SHA-1; none where the signature
 * has no hash of its own (EdDSA), or is one that nobody knows. */
static const struct hb_hash *hash_of(const struct hb_cert *cert)
{
    static const struct {
        const char *oid;
        size_t len;
    } old[] = {
        {"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04", 9}, /* md5WithRSAEncryption */
        {"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05", 9}, /* sha1WithRSAEncryption */
        {"\x2a\x86\x48\xce\x3d\x04\x01", 7},         /* ecdsa-with-SHA1 */
    };

    for (size_t i = 0; i < sizeof old / sizeof old[0]; i++) {
        if (is_oid(cert->sig_oid, old[i].oid, old[i].len)) {
            return &hb_sha256;
        }
    }
    return cert->sig != NULL ? cert->sig->hash : NULL;
}

enum hb_code hb_tls_server_end_point(const struct hb_tls *t, uint8_t dst[HB_TLS_END_POINT_MAX], size_t *len)
{
    struct hb_span leaf = server_leaf(t);
    struct hb_cert cert;

    *len = 0;
    if (leaf.len == 0) {
        return HB_E_INTERNAL;
    }
    HB_TRY(hb_cert_parse(leaf, &cert));
    const struct hb_hash *hash = hash_of(&cert);
    if (hash == NULL) {
        return HB_E_X509_ALGORITHM;
    }
    hb_hash_once(hash, leaf, dst);
    *len = hash->len;
    return HB_OK;
}
