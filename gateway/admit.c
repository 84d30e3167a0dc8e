/* admit.c: the limiter (limit.h) asked for sessions.
 * A refusal costs no handshake, no backend and no memory; it is logged once for each address and minute. */
#include "admit.h"

#include "log.h"
#include "session_log.h"
#include "worker.h"

static const enum hb_code codes[GW_NUM_LIMITS] = {
    [GW_LIMIT_PASS] = HB_OK,
    [GW_LIMIT_ADDRESS] = HB_E_GW_LIMIT_ADDRESS,
    [GW_LIMIT_NETWORK] = HB_E_GW_LIMIT_NETWORK,
    [GW_LIMIT_RATE] = HB_E_GW_LIMIT_RATE,
    [GW_LIMIT_HANDSHAKES] = HB_E_GW_LIMIT_HANDSHAKES,
    [GW_LIMIT_LOGINS] = HB_E_GW_LIMIT_LOGINS,
};

static enum hb_code refused(struct gw_session *s, enum hb_code why)
{
    if (why != HB_OK && gw_limit_tell(s->w->limiter, &s->peer.sa, gw_worker_now(s->w))) {
        GW_LOG(GW_EV_REFUSED, GW_U64("id", s->id), GW_STR("peer", gw_peer_text(s, (char[GW_PEER_TEXT]){0})),
               GW_STR("listener", s->lc->url), GW_STR("code", hb_err_name(why)),
               GW_STR("why", hb_err_sentence(why)));
    }
    return why;
}

enum hb_code gw_admit(struct gw_session *s)
{
    const struct gw_listener_conf *lc = s->lc;

    if (gw_nets_hold(&lc->deny, &s->peer.sa) ||
        (lc->allow.num > 0 && !gw_nets_hold(&lc->allow, &s->peer.sa))) {
        return refused(s, HB_E_GW_DENIED);
    }
    if (gw_nets_hold(&s->w->conf->limit_exempt, &s->peer.sa)) {
        return HB_OK;
    }
    enum gw_limit_verdict v =
        gw_limit_enter(s->w->limiter, &s->w->conf->limits, &s->peer.sa, gw_worker_now(s->w));
    s->counted = v == GW_LIMIT_PASS;
    return refused(s, codes[v]);
}

enum hb_code gw_admit_handshake(struct gw_session *s)
{
    if (!s->counted) {
        return HB_OK;
    }
    enum gw_limit_verdict v =
        gw_limit_handshake(s->w->limiter, &s->w->conf->limits, &s->peer.sa, gw_worker_now(s->w));
    s->shaking = v == GW_LIMIT_PASS;
    return refused(s, codes[v]);
}

void gw_admit_handshake_over(struct gw_session *s)
{
    if (s->shaking) {
        s->shaking = false;
        gw_limit_handshake_over(s->w->limiter);
    }
}

void gw_admit_failed_logins(struct gw_session *s, unsigned num)
{
    gw_log_failed_login(s);
    if (s->counted) {
        gw_limit_failed_logins(s->w->limiter, &s->peer.sa, num, gw_worker_now(s->w));
    }
}

unsigned gw_admit_tarpit(const struct gw_session *s)
{
    return s->counted ? gw_limit_tarpit(s->w->limiter, &s->w->conf->limits, &s->peer.sa, gw_worker_now(s->w))
                      : 0;
}

void gw_admit_leave(struct gw_session *s)
{
    gw_admit_handshake_over(s);
    if (s->counted) {
        s->counted = false;
        gw_limit_leave(s->w->limiter, &s->peer.sa);
    }
}
