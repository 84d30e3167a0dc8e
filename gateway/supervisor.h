/* supervisor.h: the first process: binds, starts the others, watches over them, brings configurations.
 *
 * It parses nothing from the network, and has no loop but a poll. What it reads are
 * files of the operator's and short messages of its own children.
 *
 *   supervisor.c  set-up, signals, the loop
 *   children.c    the table of processes, and who is started again when
 *   hear.c        what they say
 *   loader.c      loads, in a process of its own
 *   reload.c      a new generation: built whole, then handed out, or refused whole
 *   watch.c       files that changed
 *   orders.c      what `hauberk ctl` asks
 *   query.c       what of that only workers know */
#ifndef GW_SUPERVISOR_H
#define GW_SUPERVISOR_H

#include "child.h"
#include "ipc.h"
#include "log.h"
#include "keyring.h"
#include "loader.h"
#include "ports.h"
#include "query.h"
#include "snapshot.h"
#include "stat.h"
#include "watch.h"

#define GW_MAX_CHILDREN (2u * GW_MAX_WORKERS + 1u) /* a keeper for each worker, and an admin process */

struct gw_proc {
    enum gw_role role;
    unsigned id;
    int pid;                /* 0: not running */
    int sock;               /* -1: none */
    uint64_t born, due;     /* milliseconds; due: when it is started (again) */
    uint64_t owed;          /* when it is brought again what it could not be given; 0: it has all */
    unsigned starts, fails; /* fails: deaths in a row, each soon after birth */
    bool ready;
    uint32_t generation, oldest; /* worker: in force there; the oldest a session of it uses */
    int stat_fd;                 /* worker: shared counters */
    struct gw_stat *stat;
};

struct gw_supervisor {
    int argc;
    char **argv;                                    /* of `hauberk run`: what a reload loads again */
    struct gw_snapshot *snap;                       /* owned: in force */
    struct gw_snapshot *old[GW_KEEPER_GENERATIONS]; /* owned: generations that sessions still use */
    unsigned num_old;
    uint32_t generation; /* the last number given out */
    struct gw_ports ports;
    struct gw_proc procs[GW_MAX_CHILDREN]; /* keepers, workers, admin */
    unsigned num_procs, num_workers;
    struct gw_child_settings settings;
    struct gw_watch watch;
    int control; /* the control socket; -1: none */
    int metrics; /* where /metrics is served; -1: nowhere */
    uint64_t born;
    bool was_ready; /* a worker has served: what fails from here on is not the start */
    bool draining;
    int rc;
    struct gw_loader loader;
    struct {
        const char *why; /* NULL: none */
        bool config;
    } loading, next;    /* what is being loaded, and what comes behind it */
    unsigned lifetime;  /* seconds for which the addresses of names hold; 0: there are no names */
    uint64_t names_due; /* when names of backends are looked up again; 0: there are none */
    char last_reload[1100], last_refusal[1024];
    struct {
        bool waiting, begun, loaded;
        uint32_t client;
    } reload_asked; /* who is told; begun: of the load under way; loaded: as soon as every worker has the new
                       generation */
    _Atomic uint64_t events[GW_NUM_EVENTS]; /* log lines of this process, for the metrics */
    uint64_t log_due;                       /* when the log's socket is looked for again */
    bool log_told;                          /* that nobody is there */
    struct gw_query queries[GW_MAX_QUERIES];
    struct gw_ipc_in in;
};

/* Runs the gateway until it is told to stop. snap becomes its own. argv: the arguments of run; notices: what
 * was said of them, to be logged. Returns the exit code: 0, or 2 after a start error it reported. */
int gw_run(int argc, char **argv, struct gw_snapshot *snap, const struct gw_problems *notices);

/* ---- between the files of the supervisor ---- */

uint64_t gw_now_ms(void);
/* Tells every worker to say goodbye, spread over so many seconds, and end. */
void gw_supervisor_drain(struct gw_supervisor *sv, uint32_t seconds);
/* The first children end again and again: the exit code is 2, and everybody ends. */
void gw_supervisor_give_up(struct gw_supervisor *sv);
/* children.c: the table, from the configuration; nobody is started yet. False after logging why. */
bool gw_children_make(struct gw_supervisor *sv);
/* Starts whose time has come, and brings what is owed. */
void gw_children_start_due(struct gw_supervisor *sv, uint64_t now);
/* When that has something to do: milliseconds; UINT64_MAX: never. */
uint64_t gw_children_due(const struct gw_supervisor *sv);
/* Takes note of those that have ended. */
void gw_children_reap(struct gw_supervisor *sv);
void gw_children_tell_workers(struct gw_supervisor *sv, enum gw_msg type, struct hb_span body);
bool gw_children_left(const struct gw_supervisor *sv, bool workers_only);
/* The workers are gone: the others have nobody to be there for. */
void gw_children_end_helpers(struct gw_supervisor *sv);
void gw_children_close(struct gw_supervisor *sv);
/* The configuration that is in force, unless its keeper has not got the keys yet; false: it is owed. */
bool gw_child_give_conf(struct gw_supervisor *sv, struct gw_proc *worker);
/* Something could not be sent to p, or taken there: everything comes again in a second. */
void gw_child_owe(struct gw_proc *p);
/* hear.c: takes what p has to say. */
void gw_hear(struct gw_supervisor *sv, struct gw_proc *p);
/* reload.c: begins to load everything anew (config: the text of the configuration, too), or does so behind
 * the load that is under way. */
void gw_reload(struct gw_supervisor *sv, bool config, const char *why);
/* The loader has something to say, or is late. */
void gw_reload_loaded(struct gw_supervisor *sv);
/* Names are looked up again when their lifetime is over. */
void gw_reload_plan(struct gw_supervisor *sv);
/* The warnings about a configuration that is in force now, an event each. */
void gw_log_notices(const struct gw_problems *p);
/* Brings a process that was just started what it needs. */
bool gw_reload_give_conf(struct gw_supervisor *sv, struct gw_proc *worker);
bool gw_reload_give_keys(struct gw_supervisor *sv, struct gw_proc *keeper);
/* Workers have said what they still use: forgets the rest. */
void gw_reload_forget(struct gw_supervisor *sv);
/* orders.c: an ASK that is in sv->in. */
void gw_order(struct gw_supervisor *sv, struct gw_proc *admin);
/* A part of the answer to an order (code GW_ADMIN_MORE), or its last and its exit code. */
void gw_say(struct gw_supervisor *sv, uint32_t client, uint8_t code, const char *text);
/* What `hauberk ctl reload` waits for has been loaded (or refused). */
void gw_order_loaded(struct gw_supervisor *sv, bool good);
/* Answers who waits for a reload, if every worker has it. */
void gw_order_reloaded(struct gw_supervisor *sv);

#endif
