/* snapshot.h: one generation of the configuration, from words to what sessions use.
 *
 * The supervisor records: it reads files and asks the resolver, and what it was
 * told becomes a bundle.  A worker replays that bundle and gets the same.
 * Immutable; counted: a session holds the one it began with, so a new generation
 * changes nothing for sessions that are there.  One process, one thread. */
#ifndef GW_SNAPSHOT_H
#define GW_SNAPSHOT_H

#include "bundle.h"
#include "conf.h"

struct gw_snapshot {
    struct gw_conf *conf;     /* owned */
    struct gw_bundle *bundle; /* owned: what it was made from */
    struct gw_draft *draft;   /* owned: conf points to its words */
    char **words;             /* owned; the words themselves are the bundle's */
    uint32_t generation;
    unsigned refs;
};

/* Loads the configuration that these arguments of `hauberk run` mean; with its text as base (NULL: none) had
 * it, and everything else read anew. NULL if there were problems. */
struct gw_snapshot *gw_snapshot_record(int argc, char **argv, const struct gw_bundle *base,
                                       uint32_t generation, struct gw_problems *p);
/* The same as *bundle has it, which becomes the snapshot's (or is freed). */
struct gw_snapshot *gw_snapshot_replay(struct gw_bundle **bundle, struct gw_problems *p);
struct gw_snapshot *gw_snapshot_ref(struct gw_snapshot *snap);
/* Drops one reference; *snap becomes NULL. True: it was the last one. */
bool gw_snapshot_drop(struct gw_snapshot **snap);

#endif
