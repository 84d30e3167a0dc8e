/* loader.h: loads a configuration in a process of its own, for the supervisor.
 *
 * A name server that does not answer, a network file system that hangs: whatever
 * takes its time, children are watched and restarted meanwhile. The process is a
 * fork of the supervisor, sends what it recorded, and ends.
 * Invariant: at most one at a time. */
#ifndef GW_LOADER_H
#define GW_LOADER_H

#include "ipc.h"
#include "snapshot.h"

#define GW_LOADER_PATIENCE 60000u /* milliseconds */

struct gw_loader {
    int pid; /* 0: none */
    int fd;  /* -1: none */
    uint64_t due;
};

/* base as for gw_snapshot_record(). False: it could not be started. */
bool gw_loader_start(struct gw_loader *l, int argc, char **argv, const struct gw_bundle *base,
                     uint32_t generation);
/* fd is readable, or due is over: the snapshot, or NULL and why in problems. The loader is free again. */
struct gw_snapshot *gw_loader_take(struct gw_loader *l, uint32_t generation, struct gw_ipc_in *in,
                                   struct gw_problems *problems);
/* Ends it. */
void gw_loader_stop(struct gw_loader *l);

#endif
