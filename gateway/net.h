/* net.h: addresses, and networks as "192.0.2.0/24", "2001:db8::/32" or a single address.
 * IPv4 in IPv6 form (a client of a socket that listens for both) is IPv4 wherever an address is looked at. */
#ifndef GW_NET_H
#define GW_NET_H

#include <hb/span.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define GW_MAX_NETS  32u
#define GW_ADDR_TEXT 46u /* any address and its NUL */

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
bool gw_nets_hold(const struct gw_nets *nets, const struct sockaddr *addr);

/* The bare address: 4 or 16 bytes, borrowed from a; none for another family (a unix socket). */
struct hb_span gw_addr_bytes(const struct sockaddr *a);
/* Whether such bytes are 0.0.0.0 or ::, which stand for every address; also if there are none. */
bool gw_addr_is_any(struct hb_span bytes);
uint16_t gw_addr_port(const struct sockaddr *a); /* 0 for another family */
socklen_t gw_addr_len(const struct sockaddr *a); /* what bind(2) and connect(2) want; unix sockets, too */
/* Writes the address as text ("" for another family); returns its port. */
uint16_t gw_addr_text(const struct sockaddr *a, char text[GW_ADDR_TEXT]);
/* Spreads what was read of an address over 64 bits (MurmurHash3's last step). */
uint64_t gw_mix(uint64_t h);

#endif
