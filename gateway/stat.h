/* stat.h: what a worker counts, in memory that it shares with the supervisor and the admin process.
 * One of these is a page of its own: a worker can write its own figures and nobody else's. Written by one
 * process, read by others while it is written: each figure is right by itself, never part of a sum. */
#ifndef GW_STAT_H
#define GW_STAT_H

#include <stdatomic.h>
#include <stdint.h>

struct gw_stat {
    _Atomic uint64_t sessions_now, sessions, handshakes; /* sessions: since the process began */
    _Atomic uint64_t generation;
};

#endif
