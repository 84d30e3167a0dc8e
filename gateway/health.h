/* health.h: health checks: now and then each server of a pool is asked for a greeting, for STARTTLS if that
 * is how sessions reach it, and told goodbye. Each worker checks for itself. */
#ifndef GW_HEALTH_H
#define GW_HEALTH_H

struct gw_worker;

/* Once a second: begins the checks that are due, ends those that take too long. */
void gw_health_tick(struct gw_worker *w);
/* Ends all checks without a verdict; their memory goes with their close callbacks, which the loop must still
 * run. Before the snapshot they belong to goes, and before the loop does. */
void gw_health_stop(struct gw_worker *w);

#endif
