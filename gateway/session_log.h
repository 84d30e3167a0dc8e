/* session_log.h: the log lines of a session: one when it ends, and one for each thing that should not be. */
#ifndef GW_SESSION_LOG_H
#define GW_SESSION_LOG_H

#include <hb/err.h>
#include <hb/span.h>
#include <stddef.h>

struct gw_listener_conf;
struct gw_server;
struct gw_session;
struct hb_tls_event;
struct hb_proto_login;

#define GW_PEER_TEXT 48u
/* The client's address as the log has it, "192.0.2.7:4711", written to text. */
const char *gw_peer_text(const struct gw_session *s, char text[GW_PEER_TEXT]);
/* A session that goes on, as `hauberk ctl sessions` has it: one line with its newline. Returns its length. */
#define GW_SESSION_LINE 1024u
size_t gw_session_line(const struct gw_session *s, char *dst, size_t cap);
void gw_log_session_start(struct gw_session *s);
void gw_log_session_end(struct gw_session *s);
/* TLS toward the backend failed. */
void gw_log_backend_tls(struct gw_session *s, const struct hb_tls_event *event);
/* The dialogue before a backend's link could be used failed. said: its last line, which nobody vouches for
 * unless it came in TLS. */
void gw_log_backend_dialogue(struct gw_session *s, enum hb_code why, struct hb_span said, bool in_tls);
/* Somebody logged in without TLS, or tried to (tls = observe, warn). */
void gw_log_scram_hidden(struct gw_session *s);
void gw_log_clear_login(struct gw_session *s, const struct hb_proto_login *login);
/* The backend refused a login. */
void gw_log_failed_login(struct gw_session *s);
/* Bytes behind STARTTLS that are not TLS. discarded: how many were dropped; 0: the session ended for it. */
void gw_log_injection(struct gw_session *s, size_t discarded);
void gw_log_backend_unreachable(struct gw_session *s, int uv_status);
/* A server of a pool is down, for `why`, or (HB_OK) up again: said when it changes. */
void gw_log_server(const struct gw_listener_conf *lc, const struct gw_server *v, enum hb_code why);

#endif
