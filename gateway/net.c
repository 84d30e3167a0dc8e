/* net.c: networks, parsed once and compared bit by bit; one reading of a socket address for everybody. */
#include "net.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static bool parse_one(const char *text, struct gw_net *net)
{
    char addr[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
    unsigned long bits;
    char *end;

    if (len >= sizeof addr) {
        return false;
    }
    memcpy(addr, text, len);
    addr[len] = 0;
    memset(net, 0, sizeof *net);
    net->ipv6 = strchr(addr, ':') != NULL;
    if (inet_pton(net->ipv6 ? AF_INET6 : AF_INET, addr, net->addr) != 1) {
        return false;
    }
    net->bits = net->ipv6 ? 128 : 32;
    if (slash == NULL) {
        return true;
    }
    bits = strtoul(slash + 1, &end, 10);
    if (slash[1] < '0' || slash[1] > '9' || *end != 0 || bits > net->bits) {
        return false;
    }
    net->bits = (uint8_t)bits;
    return true;
}

bool gw_nets_parse(const char *text, struct gw_nets *nets, const char **bad)
{
    char word[64];

    nets->num = 0;
    while (*text != 0) {
        size_t len = strcspn(text, ",");
        *bad = text;
        if (len == 0 || len >= sizeof word || nets->num == GW_MAX_NETS) {
            return false;
        }
        memcpy(word, text, len);
        word[len] = 0;
        if (!parse_one(word, &nets->nets[nets->num])) {
            return false;
        }
        nets->num++;
        text += len + (text[len] == ',');
    }
    return true;
}

static bool holds(const struct gw_net *net, const uint8_t *addr)
{
    unsigned whole = net->bits / 8u;
    uint8_t mask = (uint8_t)(0xff00u >> net->bits % 8u);

    return memcmp(net->addr, addr, whole) == 0 &&
           (net->bits % 8u == 0 || ((net->addr[whole] ^ addr[whole]) & mask) == 0);
}

bool gw_nets_hold(const struct gw_nets *nets, const struct sockaddr *a)
{
    struct hb_span addr = gw_addr_bytes(a);

    for (unsigned i = 0; i < nets->num && addr.len > 0; i++) {
        if (nets->nets[i].ipv6 == (addr.len == 16) && holds(&nets->nets[i], addr.p)) {
            return true;
        }
    }
    return false;
}

struct hb_span gw_addr_bytes(const struct sockaddr *a)
{
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)a;

    if (a->sa_family == AF_INET) {
        return hb_span(&((const struct sockaddr_in *)a)->sin_addr, 4);
    }
    if (a->sa_family != AF_INET6) {
        return hb_span(NULL, 0);
    }
    struct hb_span bytes = hb_span(&in6->sin6_addr, 16);
    return IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr) ? hb_span_skip(bytes, 12) : bytes;
}

bool gw_addr_is_any(struct hb_span bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.p[i] != 0) {
            return false;
        }
    }
    return true;
}

uint16_t gw_addr_port(const struct sockaddr *a)
{
    return a->sa_family == AF_INET    ? ntohs(((const struct sockaddr_in *)a)->sin_port)
           : a->sa_family == AF_INET6 ? ntohs(((const struct sockaddr_in6 *)a)->sin6_port)
                                      : 0;
}

socklen_t gw_addr_len(const struct sockaddr *a)
{
    return a->sa_family == AF_INET    ? sizeof(struct sockaddr_in)
           : a->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                      : sizeof(struct sockaddr_un);
}

uint16_t gw_addr_text(const struct sockaddr *a, char text[GW_ADDR_TEXT])
{
    struct hb_span bytes = gw_addr_bytes(a);

    text[0] = 0;
    if (bytes.len > 0) {
        (void)inet_ntop(bytes.len == 4 ? AF_INET : AF_INET6, bytes.p, text, GW_ADDR_TEXT);
    }
    return gw_addr_port(a);
}

uint64_t gw_mix(uint64_t h)
{
    h ^= h >> 33;
    h *= UINT64_C(0xff51afd7ed558ccd);
    h ^= h >> 33;
    h *= UINT64_C(0xc4ceb9fe1a85ec53);
    return h ^ h >> 33;
}
