/* supervisor.h: binds, forks, waits; parses nothing from the network. */
#ifndef GW_SUPERVISOR_H
#define GW_SUPERVISOR_H

#include "conf.h"

/* Runs the gateway on a checked configuration until it is told to stop. With one worker the process itself
 * is the worker; with more, each is a forked child with listening sockets of its own on the same ports, and a
 * worker that dies is started again. Returns the exit code: 0, or 2 after a start error it reported. */
int gw_run(struct gw_conf *conf);

#endif
