/* keylog.c: LABEL client_random secret, in hexadecimal, a line each.
 *
 * Makes the lines; where they go is the caller's (hb_tls_config_keylog). Compiled with -Dkeylog=true alone.
 * Keeps nothing: the line is wiped once it was told. */
#include "keylog.h"

#include <hb/builder.h>
#include <hb/ct.h>

static void put_hex(struct hb_bld *b, const uint8_t *p, size_t len)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        hb_bld_u8(b, (uint8_t)digits[p[i] >> 4]);
        hb_bld_u8(b, (uint8_t)digits[p[i] & 15]);
    }
}

static void tell(const struct hb_tls *t, const char *label, const uint8_t *secret, size_t len)
{
    char line[256];
    struct hb_bld b = hb_bld((uint8_t *)line, sizeof line - 1);

    if (t->config->keylog == NULL) {
        return;
    }
    hb_bld_str(&b, label);
    hb_bld_str(&b, " ");
    put_hex(&b, t->hs->client_random, sizeof t->hs->client_random);
    hb_bld_str(&b, " ");
    put_hex(&b, secret, len);
    HB_INVARIANT(hb_bld_ok(&b));
    line[b.len] = 0;
    t->config->keylog(t->config->keylog_ctx, line);
    hb_wipe(line, sizeof line);
}

void hb_keylog_handshake13(const struct hb_tls *t)
{
    size_t len = t->hs->ks.hash->len;

    tell(t, "CLIENT_HANDSHAKE_TRAFFIC_SECRET", t->hs->ks.client, len);
    tell(t, "SERVER_HANDSHAKE_TRAFFIC_SECRET", t->hs->ks.server, len);
}

void hb_keylog_application13(const struct hb_tls *t)
{
    size_t len = t->hs->ks.hash->len;

    tell(t, "CLIENT_TRAFFIC_SECRET_0", t->hs->app.client, len);
    tell(t, "SERVER_TRAFFIC_SECRET_0", t->hs->app.server, len);
    tell(t, "EXPORTER_SECRET", t->hs->app.exporter, len);
}

void hb_keylog_master12(const struct hb_tls *t)
{
    tell(t, "CLIENT_RANDOM", t->secrets.v12.master, HB_MASTER_LEN);
}

void hb_tls_config_keylog(struct hb_tls_config *config, void (*line)(void *ctx, const char *line), void *ctx)
{
    config->keylog = line;
    config->keylog_ctx = ctx;
}
