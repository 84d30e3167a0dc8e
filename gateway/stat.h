/* stat.h: what a worker counts, in memory that it shares with the supervisor and the admin process.
 * Pages of its own: a worker can write its own figures and nobody else's. Written by one process, read by
 * others while it is written: each figure is right by itself, never part of a sum. Figures live on when the
 * worker is started again, but for what is open now. */
#ifndef GW_STAT_H
#define GW_STAT_H

#include "log.h"
#include <stdatomic.h>
#include <stdint.h>

struct gw_session;

struct gw_stat {
    _Atomic uint64_t generation;
#define M(field, name, kind, help) _Atomic uint64_t field;
#include "metrics.def"
#undef M
    _Atomic uint64_t events[GW_NUM_EVENTS]; /* log lines, those of level debug, too */
    _Atomic uint64_t ended[HB_NUM_CODES];   /* sessions, by the reason for their end */
};

/* A client's handshake is complete, a session is over: into its worker's figures. */
void gw_stat_handshake(const struct gw_session *s);
void gw_stat_session(const struct gw_session *s);

#endif
