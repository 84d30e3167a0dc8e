/* service.h: what the service manager (systemd) is told, and gives: sd_notify(3)'s and sd_listen_fds(3)'s
 * protocols, spoken directly. Without a service manager none of it does anything.
 *
 * The environment is read once, by gw_service_begin(), and cleared: children do not speak for us. */
#ifndef GW_SERVICE_H
#define GW_SERVICE_H

#include <stdbool.h>

/* Once, before anything else of this. Sockets handed over are kept open, and closed on exec. */
void gw_service_begin(void);
/* "READY=1", "STOPPING=1", "RELOADING=1", "STATUS=...", "WATCHDOG=1"; several with newlines in between. A
 * datagram that cannot be sent is lost. */
void gw_service_tell(const char *state);
/* Milliseconds between two signs of life, half of what the manager waits; 0: it does not. */
unsigned gw_service_watchdog(void);
/* A descriptor of the socket of this name, a duplicate and the caller's; -1: none was handed over. It is
 * bound, and listens. */
int gw_service_socket(const char *name);

#endif
