/* proxyhdr.h: the PROXY protocol's header, read and written (its specification by HAProxy,
 * sections 2.1, 2.2).
 *
 * Pure: bytes and addresses in, bytes and addresses out.  A header is at most GW_PROXY_MAX bytes; anything
 * that is not one, to the last byte, is BAD: there is no guessing on a port where somebody may say who he is.
 */
#ifndef GW_PROXYHDR_H
#define GW_PROXYHDR_H

#include <hb/builder.h>
#include <hb/span.h>
#include <sys/socket.h>

#define GW_PROXY_MAX 1024u /* of v2, TLVs included; v1 has at most 107 */

enum gw_proxy_status {
    GW_PROXY_MORE, /* not whole yet */
    GW_PROXY_OK,   /* src and dst are set */
    GW_PROXY_OWN,  /* LOCAL or UNKNOWN: the connection's own addresses hold */
    GW_PROXY_BAD
};

struct gw_proxy_addrs {
    struct sockaddr_storage src, dst; /* both AF_INET, or both AF_INET6 */
};

/* Reads a header at the beginning of in; *used is its length once it is whole. */
enum gw_proxy_status gw_proxy_parse(struct hb_span in, size_t *used, struct gw_proxy_addrs *addrs);

/* What v2 can tell besides; all borrowed, NULL or "" where there is nothing. */
struct gw_proxy_facts {
    const char *alpn, *sni, *id;
    bool tls;                             /* the client's connection is protected; with it: */
    const char *version, *cipher, *group; /* "TLSv1.3", ... */
    bool client_cert, verified;
    const char *client_name; /* from the certificate */
};

/* Writes a header. The builder fails if the addresses are not of one family, IPv4 or IPv6. */
void gw_proxy_v1(struct hb_bld *b, const struct gw_proxy_addrs *addrs);
/* addrs NULL: LOCAL, for connections of our own. */
void gw_proxy_v2(struct hb_bld *b, const struct gw_proxy_addrs *addrs, const struct gw_proxy_facts *facts);

#endif
