/* explain.h: commands that look at a configuration and run nothing: `hauberk explain`, `hauberk simulate`. */
#ifndef GW_EXPLAIN_H
#define GW_EXPLAIN_H

#include "conf.h"

/* The number of the listener with this name or URL; -1 after saying on standard error which there are. */
int gw_find_listener(const struct gw_draft *d, const char *name);
/* Every setting of listener i with its value and who said it, on standard output. */
void gw_explain_listener(const struct gw_draft *d, const struct gw_conf *conf, unsigned i);
/* The same for what holds for the whole program. */
void gw_explain_program(const struct gw_draft *d, const struct gw_conf *conf);

/* simulate.c: what a client of listener i would read, before TLS and inside it. 0; 2: the conversation did
 * not come to its end. */
int gw_simulate(const struct gw_draft *d, const struct gw_conf *conf, unsigned i);

#endif
