/* connect.h: a connection for a command that has nothing else to do meanwhile (simulate, probe). */
#ifndef GW_CONNECT_H
#define GW_CONNECT_H

#include <sys/socket.h>

/* A stream socket that is connected, and non-blocking from now on; -1: errno says why not. Waits for `ms`
 * milliseconds at most. */
int gw_connect(const struct sockaddr *to, unsigned ms);

#endif
