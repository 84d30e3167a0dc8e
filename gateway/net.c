/* net.c: networks, parsed once and compared bit by bit. */
#include "net.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

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

bool gw_nets_hold(const struct gw_nets *nets, const struct sockaddr_storage *a)
{
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)a;
    bool mapped = a->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr);
    bool ipv6 = a->ss_family == AF_INET6 && !mapped;
    const uint8_t *addr = a->ss_family == AF_INET
                              ? (const uint8_t *)&((const struct sockaddr_in *)a)->sin_addr
                              : (const uint8_t *)&in6->sin6_addr + (mapped ? 12 : 0);

    if (a->ss_family != AF_INET && a->ss_family != AF_INET6) {
        return false;
    }
    for (unsigned i = 0; i < nets->num; i++) {
        if (nets->nets[i].ipv6 == ipv6 && holds(&nets->nets[i], addr)) {
            return true;
        }
    }
    return false;
}
