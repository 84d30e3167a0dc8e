/* log_socket.h: the datagram sockets of journald and syslog: opened by the supervisor, which sees the file
 * system, and handed to every process.
 *
 * A syslog daemon that is started again makes a new socket. Whoever finds nobody behind
 * the old one writes to standard error from there on; the supervisor hears of it, opens
 * the new one as soon as it is there, and hands it to everybody. */
#ifndef GW_LOG_SOCKET_H
#define GW_LOG_SOCKET_H

#include "conf.h"
#include "ipc.h"

struct gw_supervisor;

/* For the supervisor, before its first line: the log goes where conf says. False: nobody is there (why[] says
 * why), lines go to standard error. */
bool gw_log_open(const struct gw_conf *conf, char *why, size_t cap);
/* The configuration is another one: the log's place, too, perhaps. */
void gw_logs_renew(struct gw_supervisor *sv, const struct gw_conf *old);
/* A child found nobody behind its socket. */
void gw_logs_lost(struct gw_supervisor *sv);
/* Now and then: looks whether somebody is there again. */
void gw_logs_tick(struct gw_supervisor *sv, uint64_t now);
/* When it has something to do: milliseconds; UINT64_MAX: never. */
uint64_t gw_logs_due(const struct gw_supervisor *sv);

/* For a child: a LOG is in m. */
void gw_log_take(struct gw_ipc_in *m);

#endif
