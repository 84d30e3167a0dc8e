/* places.h: whether the places where a configuration listens are to be had. */
#ifndef GW_PLACES_H
#define GW_PLACES_H

#include "conf.h"

/* A warning for each listener (and the metrics) whose port another program has, whose address is none of this
 * machine's, or whose port this user may not have. A port that a hauberk has, or the service manager, is
 * taken for our own. Takes no port, connects to nobody. */
void gw_look_at_places(const struct gw_draft *draft, const struct gw_conf *conf, struct gw_problems *p);

#endif
