/* upstream_tls.h: TLS on the link to a backend, and the sessions kept for the next one. */
#ifndef GW_UPSTREAM_TLS_H
#define GW_UPSTREAM_TLS_H

#include "session.h"

/* Sessions to be taken up again, one for each listener; used once each. */
struct gw_upstream_cache {
    struct hb_buf last[GW_MAX_LISTENERS];
    uint8_t server[GW_MAX_LISTENERS]; /* whose it is */
    bool had_starttls[GW_MAX_LISTENERS];
    bool told_scram[GW_MAX_LISTENERS]; /* that it is hidden (SASL-06) */
};

void gw_upstream_cache_init(struct gw_upstream_cache *cache);
/* Remembers, and tells, whether the listener's backend has ever spoken STARTTLS (ATK-20). */
void gw_upstream_had_starttls(struct gw_session *s, bool had);
bool gw_upstream_has_had(const struct gw_session *s);
/* True for the first session of a configuration whose backend has SCRAM with channel binding. */
bool gw_upstream_tell_scram(struct gw_session *s);
void gw_upstream_cache_clear(struct gw_upstream_cache *cache, const struct hb_env *env);
/* The link is open: begins the handshake. gw_session_backend_secured() or gw_session_backend_failed() follow.
 */
void gw_upstream_tls_begin(struct gw_session *s);
/* Bytes from the backend, changed in place; plaintext goes to gw_session_backend_data(). */
void gw_upstream_tls_input(struct gw_session *s, uint8_t *wire, size_t len);

/* What TLS has to tell, after something it waited for came from elsewhere. */
void gw_upstream_tls_events(struct gw_session *s);

#endif
