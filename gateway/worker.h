/* worker.h: one loop, one thread, no locks: everything a worker shares among its sessions.
 *
 * The large buffers live here, once, and not in sessions: bytes are read into
 * rbuf, decrypted there, gathered in out[] and sealed into `sealed`; within one
 * turn they belong to the one session whose callback runs. */
#ifndef GW_WORKER_H
#define GW_WORKER_H

#include "conf.h"
#include "out.h"
#include "roster.h"
#include "signer.h"
#include "snapshot.h"
#include "stat.h"
#include "wheel.h"
#include <hb/builder.h>
#include <hb/env.h>
#include <hb/tls.h>
#include <uv.h>

/* One read takes at most this much of a busy socket; a quiet one (before login) at most GW_READ_SMALL. */
#define GW_READ_LARGE 262144u
#define GW_READ_SMALL 32768u
/* Most bytes read from one side that may wait for the other. */
#define GW_HELD_MAX (GW_READ_LARGE + 65536u)

struct gw_check;
struct gw_listener;
struct gw_upstream_cache;
struct gw_session;

struct gw_worker {
    uv_loop_t loop;
    const struct hb_env *env; /* borrowed */
    unsigned id;
    int supervisor;            /* the socket to it; -1: it has ended */
    uv_poll_t from_supervisor; /* data: the worker */
    struct gw_ipc_in *in;      /* owned */
    struct gw_stat *stat;      /* shared with the supervisor and admin processes; never NULL */
    struct gw_signer signer;
    struct gw_snapshot *snap; /* owned reference: for new sessions */
    struct gw_conf *conf;     /* borrowed from it */
    struct hb_tls_lane *lane; /* owned */
    uint64_t started;         /* milliseconds on the loop's clock */
    struct gw_wheel wheel;    /* seconds since then */
    uv_timer_t tick;          /* turns the wheel */
    uint8_t *rbuf;            /* owned, GW_READ_LARGE + HB_TLS_RECORD_MAX */
    size_t prefix;            /* bytes at rbuf's front that the last alloc callback put there */
    struct hb_bld sealed,
        sealed_backend;         /* owned memory: records ready for the two sockets of the turn's session */
    struct gw_limiter *limiter; /* owned */
    struct gw_upstream_cache *upstream_sessions; /* owned */
    struct gw_out *out_client, *out_backend;     /* owned */
    struct gw_listener *listeners;               /* owned list, by their close callbacks */
    struct gw_session *sessions;                 /* owned list */
    struct gw_roster roster;
    struct gw_check *checks; /* owned list, by their close callbacks */
    unsigned num_sessions;
    unsigned num_starved; /* sessions that wait for a descriptor */
    uint32_t num_dialed;
    uint64_t clear_logins, clear_logins_refused; /* seen by listeners that watch them */
    bool draining;
    unsigned cut;        /* sessions that were ended by force */
    uint32_t spread_end; /* second at which the last goodbye is said */
    uint32_t drain_end;  /* second at which draining ends by force */
};

/* The process, from its first message on, until it is told to stop and its sessions are gone. Returns its
 * exit code: 0, or 2 after a start error it reported. */
int gw_worker_run(int supervisor);
/* Seconds since the worker's start, as of this turn. */
uint32_t gw_worker_now(const struct gw_worker *w);
/* The second by which at least so many have passed from now: for deadlines. */
uint32_t gw_worker_in(const struct gw_worker *w, uint32_t seconds);
/* How many sessions the limit of descriptors allows: two each. It may change while we run. */
unsigned gw_worker_most_sessions(void);
/* Tells the supervisor a number. */
void gw_worker_tell(struct gw_worker *w, enum gw_msg type, uint32_t number);
/* ...and that of the oldest configuration that is used here. */
void gw_worker_tell_oldest(struct gw_worker *w);
/* worker_conf.c: a CONF. False: it could not be taken up, and the log says why. */
bool gw_worker_take_conf(struct gw_worker *w, struct gw_ipc_in *m);
/* Drops a reference to a configuration; the supervisor hears if it was the last. */
void gw_worker_let_go(struct gw_worker *w, struct gw_snapshot *snap);
/* A session is gone, and its reference to snap is ours: accept again if accepting was paused, stop if
 * draining is complete. */
void gw_worker_session_gone(struct gw_worker *w, struct gw_snapshot *snap);

#endif
