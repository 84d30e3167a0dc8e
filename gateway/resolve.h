/* resolve.h: names of hosts into addresses, and how long they may be believed.
 *
 * The hosts file and DNS through c-ares, which tells a record's lifetime; what it does not find, the system
 * is asked for (a name that only another service of nsswitch.conf knows), unless a resolver was named.
 * Blocks, for some seconds at most: called where a configuration is loaded, never in a worker. */
#ifndef GW_RESOLVE_H
#define GW_RESOLVE_H

#include <hb/builder.h>
#include <stdbool.h>

#define GW_ADDRESS_MAX   32u
#define GW_LIFETIME_NONE 60u   /* seconds, of an address that has none: the hosts file, the system, TTL 0 */
#define GW_LIFETIME_MIN  5u    /* a shorter one would be looked up all the time */
#define GW_LIFETIME_MAX  3600u /* so that a mistake in a zone does not stay for a week */

/* The servers to be asked instead of the system's, "address[:port],..."; NULL: the system's. Copied. False:
 * not such a list, and nothing has changed. */
bool gw_resolver(const char *servers);

/* Writes the addresses of host (a number or a name) with this port, each a socket address behind its length
 * in one byte. *lifetime: seconds; 0 for a number. Returns 0 or getaddrinfo's code. */
int gw_resolve_host(const char *host, const char *port, struct hb_bld *addresses, unsigned *lifetime);

#endif
