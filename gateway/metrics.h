/* metrics.h: the supervisor's view of everybody's figures, in Prometheus' text format. */
#ifndef GW_METRICS_H
#define GW_METRICS_H

#include "supervisor.h"

/* Calls emit with pieces of text, none longer than 4,000 bytes, each ending with a line. */
void gw_metrics(const struct gw_supervisor *sv, void (*emit)(void *ctx, const char *text), void *ctx);

#endif
