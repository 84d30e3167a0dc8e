/* query.h: questions of an operator that only workers can answer: which sessions there are, and end this one.
 *
 * The supervisor passes a question on, and each worker's answer back as it comes. A
 * worker may have become a stranger: it answers what it was asked, once, and what it
 * writes goes to the operator as text and nowhere else.
 * Bounds: as many questions as the admin process has clients; each is over when every
 * worker has answered, has died, or has been silent for ten seconds. */
#ifndef GW_QUERY_H
#define GW_QUERY_H

#include "conf.h"
#include <stdbool.h>
#include <stdint.h>

#define GW_MAX_QUERIES 16u

struct gw_proc;
struct gw_supervisor;

struct gw_query {
    bool used;
    uint32_t client; /* the admin process' number for who asks */
    uint64_t id;     /* the session to end; 0: the list */
    uint64_t due;    /* milliseconds: not waited for any longer */
    bool waiting[GW_MAX_WORKERS];
    int memory[GW_MAX_WORKERS]; /* owned: a worker's list; -1: none */
    uint32_t found, short_of;
};

/* Asks every worker for its sessions; asks the one that must have session id to end it. False: there are too
 * many questions under way. */
bool gw_query_sessions(struct gw_supervisor *sv, uint32_t client);
bool gw_query_kill(struct gw_supervisor *sv, uint32_t client, uint64_t id);
/* A DID of worker p is in sv->in. */
void gw_query_did(struct gw_supervisor *sv, const struct gw_proc *p);
/* Worker p has ended. */
void gw_query_lost(struct gw_supervisor *sv, const struct gw_proc *p);
/* When gw_query_late() has something to do: milliseconds; UINT64_MAX: never. */
uint64_t gw_query_due(const struct gw_supervisor *sv);
/* Ends what has waited long enough. */
void gw_query_late(struct gw_supervisor *sv, uint64_t now);

#endif
