/* net.h: networks as "192.0.2.0/24", "2001:db8::/32" or a single address; IPv4 in IPv6 form is IPv4. */
#ifndef GW_NET_H
#define GW_NET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define GW_MAX_NETS 32u

struct gw_net {
    uint8_t addr[16]; /* network order; IPv4 in the first four */
    uint8_t bits;
    bool ipv6;
};

struct gw_nets {
    struct gw_net nets[GW_MAX_NETS];
    unsigned num;
};

/* Reads networks between commas; false: *bad is the word that is none (or one too many). */
bool gw_nets_parse(const char *text, struct gw_nets *nets, const char **bad);
bool gw_nets_hold(const struct gw_nets *nets, const struct sockaddr_storage *addr);

#endif
