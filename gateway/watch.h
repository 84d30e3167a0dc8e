/* watch.h: tells when files that a configuration was made from have changed.
 *
 * The kernel says when something happens in their folders; what counts is whether
 * size, time or identity of one of the files is another one. Some file systems say
 * nothing: every GW_WATCH_POLL milliseconds they are looked at anyway. */
#ifndef GW_WATCH_H
#define GW_WATCH_H

#include "bundle.h"

#define GW_WATCH_POLL  30000u
#define GW_WATCH_QUIET 500u  /* milliseconds without an event, before it is looked at */
#define GW_WATCH_LAST  5000u /* but not later than this behind the first */

struct gw_watch {
    int fd;                         /* inotify; -1: none, polling alone */
    const struct gw_bundle *bundle; /* borrowed */
    uint64_t seen;                  /* what the files looked like, as one number */
    uint64_t first, quiet, poll;    /* milliseconds: first event, and when to look */
};

/* From now on b's files. */
void gw_watch_begin(struct gw_watch *w, const struct gw_bundle *b);
void gw_watch_close(struct gw_watch *w);
/* fd is readable. */
void gw_watch_events(struct gw_watch *w);
/* When gw_watch_changed() is to be asked. */
uint64_t gw_watch_due(const struct gw_watch *w);
/* True once for each change. */
bool gw_watch_changed(struct gw_watch *w);

#endif
