/* roster.h: who is here: a worker's part in `hauberk ctl sessions` and `hauberk ctl kill`. */
#ifndef GW_ROSTER_H
#define GW_ROSTER_H

#include "ipc.h"
#include <uv.h>

/* Bytes of a worker's list at most: some two hundred thousand lines; what does not fit is counted. */
#define GW_ROSTER_MAX (32u << 20)
/* A session's number: how many began in the worker before it, then two digits for the worker. */
#define GW_ID_WORKERS 100u

struct gw_session;
struct gw_worker;

struct gw_roster {
    uv_idle_t idle;                 /* data: the worker; started while a list is written */
    int memory;                     /* owned: where to; -1: nobody has asked */
    uint32_t client, len, short_of; /* whom it is for; bytes written; sessions that did not fit */
    const struct gw_session *at;    /* borrowed: the next one; gw_roster_gone() moves it on */
};

/* Once, before the loop runs. */
void gw_roster_init(struct gw_worker *w);
/* LIST, KILL: answered with DID, a list when all of it is written. */
void gw_roster_list(struct gw_worker *w, struct gw_ipc_in *m);
void gw_roster_kill(struct gw_worker *w, struct gw_ipc_in *m);
/* A session is about to be freed. */
void gw_roster_gone(struct gw_worker *w, const struct gw_session *s);
/* Nobody will be told any more. */
void gw_roster_close(struct gw_worker *w);

#endif
