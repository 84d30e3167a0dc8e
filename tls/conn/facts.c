/* facts.c: what a caller may ask a connection for, exporters among it.
 *
 * What the handshake alone knows (names, chain, staple, identity) is gone with its scratch: empty spans and
 * strings then, never a pointer into freed memory. Exporters give nothing before READY and, in TLS 1.2,
 * nothing without the extended master secret (EMS-01). Changes nothing. */
#include "../hs/hs.h"
#include "../keys/prf12.h"
#include "conn.h"

const struct hb_tls_info *hb_tls_info(const struct hb_tls *t)
{
    return &t->info;
}

void hb_tls_server_name(const struct hb_tls *t, char *dst, size_t cap)
{
    size_t len = t->hs != NULL ? strlen(t->hs->server_name) : 0;

    if (cap == 0) {
        return;
    }
    len = len < cap ? len : cap - 1;
    if (len > 0) {
        memcpy(dst, t->hs->server_name, len);
    }
    dst[len] = 0;
}

void hb_tls_peer_identity(const struct hb_tls *t, char *dst, size_t cap)
{
    size_t len = t->hs != NULL ? strlen(t->hs->identity) : 0;

    if (cap == 0) {
        return;
    }
    len = len < cap ? len : cap - 1;
    if (len > 0) {
        memcpy(dst, t->hs->identity, len);
    }
    dst[len] = 0;
}

uint64_t hb_tls_peer_not_after(const struct hb_tls *t)
{
    return t->hs != NULL && t->hs->session.has_peer ? t->hs->session.peer_not_after : UINT64_MAX;
}

struct hb_span hb_tls_peer_chain(const struct hb_tls *t)
{
    return t->hs != NULL ? hb_buf_span(&t->hs->chain) : hb_span(NULL, 0);
}

struct hb_span hb_tls_peer_staple(const struct hb_tls *t)
{
    return t->hs != NULL ? hb_buf_span(&t->hs->staple) : hb_span(NULL, 0);
}

/* RFC 5705 4: randoms, then, if there is a context, its length and itself. */
static enum hb_code export12(struct hb_tls *t, const char *label, const struct hb_span *context, uint8_t *dst,
                             size_t len)
{
    uint8_t mem[64 + 2 + 1024];
    struct hb_bld seed = hb_bld(mem, sizeof mem);

    hb_bld_put(&seed, hb_span(t->secrets.v12.client_random, 32));
    hb_bld_put(&seed, hb_span(t->secrets.v12.server_random, 32));
    if (context != NULL) {
        hb_bld_u16(&seed, (uint16_t)context->len);
        hb_bld_put(&seed, *context);
    }
    if (!hb_bld_ok(&seed)) {
        return HB_E_OVERFLOW;
    }
    hb_prf12(t->wr.suite->hash, hb_span(t->secrets.v12.master, HB_MASTER_LEN), label, hb_bld_span(&seed),
             hb_span(NULL, 0), dst, len);
    return HB_OK;
}

enum hb_code hb_tls_export(struct hb_tls *t, const char *label, struct hb_span context, uint8_t *dst,
                           size_t len)
{
    if (!t->is_open || t->failed || context.len > 65535) {
        return HB_E_INTERNAL;
    }
    const struct hb_hash *hash = t->wr.suite->hash;
    if (t->info.version == 0x0304) {
        hb_ks13_export(hash, t->secrets.v13.exporter, label, context, dst, len);
        return HB_OK;
    }
    if (!t->info.ems) { /* EMS-01 */
        return HB_E_INTERNAL;
    }
    return export12(t, label, &context, dst, len);
}

enum hb_code hb_tls_export_plain(struct hb_tls *t, const char *label, uint8_t *dst, size_t len)
{
    if (!t->is_open || t->failed || !t->info.ems || t->info.version == 0x0304) {
        return HB_E_INTERNAL;
    }
    return export12(t, label, NULL, dst, len);
}
