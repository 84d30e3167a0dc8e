/* announce.c: PROXY headers of a session. Facts about TLS go along only where a link is opened behind the
 * client's handshake (ADDR-03); they are what the engine negotiated, never what a client said. */
#include "announce.h"

#include "worker.h"
#include <inttypes.h>
#include <stdio.h>

enum gw_proxy_status gw_announce_read(struct gw_session *s)
{
    const struct hb_env *env = s->w->env;
    struct gw_proxy_addrs addrs;
    size_t used;
    enum gw_proxy_status status = gw_proxy_parse(hb_buf_span(&s->client.held), &used, &addrs);

    if (status == GW_PROXY_OK) {
        s->announced = env->alloc(env->ctx, sizeof *s->announced);
        if (s->announced == NULL) {
            return GW_PROXY_BAD;
        }
        *s->announced = addrs;
        memcpy(&s->peer, &addrs.src, sizeof s->peer);
    }
    hb_buf_drop(&s->client.held, env, used);
    return status;
}

static void collect(const struct gw_session *s, struct gw_proxy_facts *f)
{
    const struct hb_tls_info *t = hb_tls_info(s->client.tls);

    f->alpn = t->alpn > 0 ? hb_tls_config_alpn(s->lc->tls, t->alpn - 1u) : NULL;
    f->sni = gw_facts_sni(s);
    f->tls = true;
    f->version = hb_tls_version_name(t->version);
    f->cipher = hb_tls_suite_name(t->suite);
    f->group = hb_tls_group_name(t->group);
    f->client_cert = t->peer_certificate;
    f->verified = t->peer_certificate && s->lc->client_verified;
    f->client_name = gw_facts_identity(s);
}

bool gw_announce_write(struct gw_session *s)
{
    uint8_t header[GW_PROXY_MAX];
    struct hb_bld b = hb_bld(header, sizeof header);
    struct gw_proxy_addrs addrs;
    struct gw_proxy_facts facts = {0};
    char id[24];

    if (s->lc->client_address != GW_TELL_PROXY1 && s->lc->client_address != GW_TELL_PROXY2) {
        return true;
    }
    gw_session_addresses(s, &addrs.src, &addrs.dst);
    if (s->lc->client_address == GW_TELL_PROXY1) {
        gw_proxy_v1(&b, &addrs);
    } else {
        (void)snprintf(id, sizeof id, "%" PRIu64, s->id);
        facts.id = id;
        if (s->client.tls != NULL && hb_tls_info(s->client.tls)->suite != 0) {
            collect(s, &facts);
        }
        gw_proxy_v2(&b, &addrs, &facts);
    }
    if (!hb_bld_ok(&b)) {
        return false;
    }
    gw_end_put(&s->backend, s->w, s->w->out_backend, hb_bld_span(&b));
    gw_end_flush(&s->backend, s->w, s->w->out_backend); /* one write, in clear, before TLS */
    return true;
}
