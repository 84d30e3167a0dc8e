/* session_log.c: what is told of a session, and nothing a mail user said in it (GEN-26). */
#include "session_log.h"

#include "session.h"
#include "upstream.h"
#include "upstream_tls.h"
#include "worker.h"
#include <stdio.h>
#include <string.h>

const char *gw_peer_text(const struct gw_session *s, char text[GW_PEER_TEXT])
{
    char ip[GW_ADDR_TEXT];
    unsigned port = gw_addr_text(&s->peer.sa, ip);

    if (ip[0] == 0) {
        (void)snprintf(text, GW_PEER_TEXT, "unknown"); /* it was gone before we looked */
    } else {
        (void)snprintf(text, GW_PEER_TEXT, strchr(ip, ':') != NULL ? "[%.39s]:%u" : "%.39s:%u", ip, port);
    }
    return text;
}

void gw_log_session_start(struct gw_session *s)
{
    GW_LOG(GW_EV_SESSION_START, GW_U64("id", s->id), GW_STR("peer", gw_peer_text(s, (char[GW_PEER_TEXT]){0})),
           GW_STR("listener", s->lc->url));
}

static const char *or_none(const char *text)
{
    return text != NULL ? text : "";
}

static const char *client_cert(const struct gw_session *s)
{
    const char *name = gw_facts_identity(s);
    const struct hb_tls_info *t = s->client.tls != NULL ? hb_tls_info(s->client.tls) : NULL;

    return name != NULL ? name : t != NULL && t->suite != 0 && t->peer_certificate ? "unnamed" : "";
}

/* When a stage was reached: milliseconds behind the client's coming. Left out if it was not. */
static struct gw_field stage(const struct gw_session *s, const char *key, enum gw_stage stage)
{
    uint32_t when = gw_facts_when(s, stage);

    return when > 0 ? GW_U64(key, when - 1) : GW_STR(key, "");
}

/* Who ended it, as far as the reason tells: faults of somebody's are that one's doing. */
static const char *closed_by(enum hb_code code)
{
    switch ((int)code) {
    case HB_E_GW_CLIENT_GONE:
    case HB_E_GW_CLIENT_RESET:
    case HB_E_TLS_TRUNCATED:
    case HB_E_TLS_PEER_ALERT:
    case HB_E_PROTO_QUIT:
        return "client";
    case HB_E_GW_BACKEND_CLOSED:
    case HB_E_GW_BACKEND_RESET:
    case HB_E_PROTO_BACKEND_LOST:
        return "backend";
    default:
        return "hauberk";
    }
}

void gw_log_session_end(struct gw_session *s)
{
    const struct hb_tls_info *t = s->client.tls != NULL ? hb_tls_info(s->client.tls) : NULL;
    bool version = t != NULL && t->version != 0;
    bool suite = t != NULL && t->suite != 0;
    const char *alpn = t != NULL && t->alpn > 0 ? hb_tls_config_alpn(s->lc->tls, t->alpn - 1u) : "";
    const char *alert = "";
    const struct hb_tls_info *b =
        s->backend_secured && s->backend.tls != NULL ? hb_tls_info(s->backend.tls) : NULL;
    bool secured = b != NULL;
    const char *signature = secured && b->peer_sigalg != 0 ? hb_tls_sigalg_name(b->peer_sigalg) : "";
    enum hb_code code = (enum hb_code)s->code;

    if (t != NULL && t->alert_got != 255) {
        alert = hb_tls_alert_name(t->alert_got);
    } else if (t != NULL && t->alert_sent != 255) {
        alert = hb_tls_alert_name(t->alert_sent);
    }
    GW_LOG(GW_EV_SESSION_END, GW_U64("id", s->id), GW_STR("peer", gw_peer_text(s, (char[GW_PEER_TEXT]){0})),
           GW_STR("listener", s->lc->url), GW_STR("proto", hb_proto_name(s->lc->proto)),
           GW_STR("sni", or_none(gw_facts_sni(s))), GW_STR("alpn", alpn != NULL ? alpn : ""),
           GW_STR("version", version ? hb_tls_version_name(t->version) : "none"),
           GW_STR("suite", suite ? hb_tls_suite_name(t->suite) : ""),
           GW_STR("group", suite ? hb_tls_group_name(t->group) : ""),
           GW_STR("signature", suite && t->sigalg != 0 ? hb_tls_sigalg_name(t->sigalg) : ""),
           GW_STR("legacy", suite && hb_tls_is_legacy(t) ? "yes" : ""), /* PRO-03 */
           GW_STR("resumed", suite ? (t->resumed ? "yes" : "no") : ""),
           GW_STR("retried", suite && t->retried ? "yes" : ""), GW_STR("client_cert", client_cert(s)),
           GW_STR("backend", gw_upstream_server(s)->text),
           GW_STR("backend_tls", s->lc->backend_tls == NULL ? ""
                                 : secured                  ? hb_tls_version_name(b->version)
                                                            : "none"),
           GW_STR("backend_alpn",
                  secured && b->alpn > 0 ? hb_tls_config_alpn(s->lc->backend_tls, b->alpn - 1u) : ""),
           GW_STR("backend_suite", secured ? hb_tls_suite_name(b->suite) : ""),
           GW_STR("backend_group", secured ? hb_tls_group_name(b->group) : ""),
           GW_STR("backend_signature", signature),
           GW_STR("backend_legacy", secured && hb_tls_is_legacy(b) ? "yes" : ""),
           GW_STR("backend_resumed", secured ? (b->resumed ? "yes" : "no") : ""),
           GW_U64("failed_logins", s->ps != NULL ? hb_proto_failed_logins(s->ps) : 0),
           GW_U64("bytes_in", s->client.taken), GW_U64("bytes_out", s->backend.taken),
           stage(s, "tls_ms", GW_STAGE_SECURED), stage(s, "backend_ms", GW_STAGE_BACKEND),
           stage(s, "login_ms", GW_STAGE_LOGIN), GW_U64("ms", gw_session_age(s)),
           GW_STR("closed_by", closed_by(code)), GW_STR("phase", gw_phases[s->last_phase].name),
           GW_STR("alert", alert), GW_STR("code", hb_err_name(code)), GW_STR("why", hb_err_sentence(code)));
}

size_t gw_session_line(const struct gw_session *s, char *dst, size_t cap)
{
    const struct hb_tls_info *t = s->client.tls != NULL ? hb_tls_info(s->client.tls) : NULL;
    bool suite = t != NULL && t->suite != 0;
    bool backend = s->backend.state != END_NONE;
    struct gw_field fields[] = {
        GW_U64("id", s->id),
        GW_STR("peer", gw_peer_text(s, (char[GW_PEER_TEXT]){0})),
        GW_STR("listener", s->lc->url),
        GW_STR("phase", gw_phases[s->phase].name),
        GW_STR("login", s->ps != NULL && hb_proto_authenticated(s->ps) ? "yes" : "no"),
        GW_U64("seconds", gw_session_age(s) / 1000),
        GW_STR("version", suite ? hb_tls_version_name(t->version) : "none"),
        GW_STR("suite", suite ? hb_tls_suite_name(t->suite) : ""),
        GW_STR("sni", or_none(gw_facts_sni(s))),
        GW_STR("client_cert", or_none(gw_facts_identity(s))),
        GW_STR("backend", backend ? gw_upstream_server(s)->text : "none"),
        GW_U64("bytes_in", s->client.taken),
        GW_U64("bytes_out", s->backend.taken),
        GW_U64("generation", s->snap->generation),
    };

    return gw_log_format_fields(GW_LOG_TEXT, fields, sizeof fields / sizeof fields[0], dst, cap);
}

void gw_log_clear_login(struct gw_session *s, const struct hb_proto_login *login)
{
    s->w->clear_logins += !login->refused;
    s->w->clear_logins_refused += login->refused;
    GW_LOG(GW_EV_CLEAR_LOGIN, GW_U64("id", s->id), GW_STR("peer", gw_peer_text(s, (char[GW_PEER_TEXT]){0})),
           GW_STR("listener", s->lc->url), GW_STR("proto", hb_proto_name(s->lc->proto)),
           GW_STR("mechanism", login->mechanism),
           GW_SPAN("software", login->software.len > 0 ? login->software : hb_span_str("")),
           GW_STR("refused", login->refused ? "yes" : "no"),
           GW_U64("count", login->refused ? s->w->clear_logins_refused : s->w->clear_logins));
}

void gw_log_failed_login(struct gw_session *s)
{
    GW_LOG(GW_EV_LOGIN_FAILED, GW_U64("id", s->id), GW_STR("peer", gw_peer_text(s, (char[GW_PEER_TEXT]){0})),
           GW_STR("listener", s->lc->url), GW_STR("proto", hb_proto_name(s->lc->proto)),
           GW_STR("mechanism", hb_proto_login_mechanism(s->ps)),
           GW_STR("backend", gw_upstream_server(s)->text), GW_U64("count", hb_proto_failed_logins(s->ps)));
}

void gw_log_scram_hidden(struct gw_session *s)
{
    GW_LOG(GW_EV_BACKEND_SCRAM, GW_U64("id", s->id), GW_STR("listener", s->lc->url),
           GW_STR("backend", gw_upstream_server(s)->text));
}

void gw_log_injection(struct gw_session *s, size_t discarded)
{
    GW_LOG(GW_EV_STARTTLS_INJECTED, GW_U64("id", s->id),
           GW_STR("peer", gw_peer_text(s, (char[GW_PEER_TEXT]){0})), GW_STR("listener", s->lc->url),
           GW_STR("action", discarded > 0 ? "discarded" : "ended"), GW_U64("bytes", discarded));
}

void gw_log_backend_unreachable(struct gw_session *s, int uv_status)
{
    GW_LOG(GW_EV_BACKEND_DOWN, GW_U64("id", s->id), GW_STR("peer", gw_peer_text(s, (char[GW_PEER_TEXT]){0})),
           GW_STR("listener", s->lc->url), GW_STR("backend", gw_upstream_server(s)->text),
           GW_STR("why", uv_strerror(uv_status)));
}

/* What an attacker on the backend's network would do has an event of its own (ATK rows, side C). */
static enum gw_event event_of(enum hb_code why)
{
    return why == HB_E_PEER_INJECTION     ? GW_EV_BACKEND_INJECTED
           : why == HB_E_PEER_PREAUTH     ? GW_EV_BACKEND_PREAUTH
           : why == HB_E_PEER_NO_STARTTLS ? GW_EV_BACKEND_STRIPPED
                                          : GW_EV_BACKEND_DIALOGUE;
}

void gw_log_backend_dialogue(struct gw_session *s, enum hb_code why, struct hb_span said, bool in_tls)
{
    char text[161];
    struct hb_span head = hb_span_head(said, sizeof text - 1);

    memcpy(text, head.len > 0 ? head.p : (const uint8_t *)"", head.len);
    text[head.len] = 0;
    GW_LOG(event_of(why), GW_U64("id", s->id), GW_STR("peer", gw_peer_text(s, (char[GW_PEER_TEXT]){0})),
           GW_STR("listener", s->lc->url), GW_STR("backend", gw_upstream_server(s)->text),
           GW_STR("had_starttls", gw_upstream_has_had(s) ? "yes" : "no"), GW_STR("said", text),
           GW_STR("said_in", in_tls ? "TLS" : "clear"), GW_STR("code", hb_err_name(why)),
           GW_STR("why", hb_err_sentence(why)));
}

void gw_log_backend_tls(struct gw_session *s, const struct hb_tls_event *event)
{
    bool got = event->code == HB_E_TLS_PEER_ALERT;

    GW_LOG(GW_EV_BACKEND_TLS, GW_U64("id", s->id), GW_STR("peer", gw_peer_text(s, (char[GW_PEER_TEXT]){0})),
           GW_STR("listener", s->lc->url), GW_STR("backend", gw_upstream_server(s)->text),
           GW_STR("name", gw_upstream_server(s)->name),
           GW_STR("alert", event->alert != 255 ? hb_tls_alert_name(event->alert) : ""),
           GW_STR("from", event->alert == 255 ? ""
                          : got               ? "backend"
                                              : "hauberk"),
           GW_STR("code", hb_err_name(event->code)), GW_STR("why", hb_err_sentence(event->code)));
}

void gw_log_server(const struct gw_listener_conf *lc, const struct gw_server *v, enum hb_code why)
{
    if (why == HB_OK) {
        GW_LOG(GW_EV_SERVER_UP, GW_STR("listener", lc->url), GW_STR("backend", lc->backend_text),
               GW_STR("server", v->text));
        return;
    }
    GW_LOG(GW_EV_SERVER_DOWN, GW_STR("listener", lc->url), GW_STR("backend", lc->backend_text),
           GW_STR("server", v->text), GW_STR("code", hb_err_name(why)), GW_STR("why", hb_err_sentence(why)));
}
