/* health.h: health checks: now and then each server of a pool is asked for a greeting, for STARTTLS if that
 * is how sessions reach it, and told goodbye. Each worker checks for itself. */
#ifndef GW_HEALTH_H
#define GW_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

struct gw_worker;

/* Once a second: begins the checks that are due, ends those that take too long. */
void gw_health_tick(struct gw_worker *w);
/* A link to a unix socket that the supervisor made (a descriptor, the check's from here on), or could not
 * make (a status). False: no check waits for it. */
bool gw_health_dialed(struct gw_worker *w, uint32_t number, int result);
/* Ends all checks without a verdict, for the end of the process; their memory goes with their close
 * callbacks, which the loop must still run. */
void gw_health_stop(struct gw_worker *w);

#endif
