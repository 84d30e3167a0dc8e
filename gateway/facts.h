/* facts.h: what is remembered of a session for its log line, and for the backend: names, and when what
 * happened.
 *
 * Owned by the session, made when there is something to remember: a client that never
 * comes to its handshake costs nothing here.  Without memory facts are missing, and
 * nothing else. */
#ifndef GW_FACTS_H
#define GW_FACTS_H

#include <stdint.h>

enum gw_stage {
    GW_STAGE_SECURED, /* the client's handshake is complete */
    GW_STAGE_BACKEND, /* the link to the backend is ready, its TLS included */
    GW_STAGE_LOGIN,   /* the backend took a login */
    GW_NUM_STAGES
};

struct gw_session;

/* It is there now: the first time counts. */
void gw_facts_stage(struct gw_session *s, enum gw_stage stage);
/* Milliseconds from the client's coming to that stage, plus one; 0: it was not reached. */
uint32_t gw_facts_when(const struct gw_session *s, enum gw_stage stage);
/* The client asked for the server of this name; its certificate names this one. "": nobody. The first names
 * stay where they are until gw_facts_free(). */
void gw_facts_names(struct gw_session *s, const char *sni, const char *identity);
/* NULL: none. Borrowed from the session. */
const char *gw_facts_sni(const struct gw_session *s);
const char *gw_facts_identity(const struct gw_session *s);
void gw_facts_free(struct gw_session *s);

#endif
