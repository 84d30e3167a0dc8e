/* conf_addr.c: addresses as people write them. */
#include "conf_util.h"

#include "source.h"
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

bool gw_split_host_port(const char *text, char *host, size_t cap, unsigned *port)
{
    const char *colon;
    size_t len;

    if (text[0] == '[') {
        const char *close = strchr(text, ']');
        if (close == NULL) {
            return false;
        }
        len = (size_t)(close - text - 1);
        text++;
        colon = close[1] == 0 ? NULL : close + 1;
        if (colon != NULL && *colon != ':') {
            return false;
        }
    } else {
        colon = strrchr(text, ':');
        len = colon != NULL ? (size_t)(colon - text) : strlen(text);
        if (memchr(text, ':', len) != NULL) {
            return false; /* a bare IPv6 address needs its brackets */
        }
    }
    if (len == 0 || len >= cap) {
        return false;
    }
    memcpy(host, text, len);
    host[len] = 0;
    *port = 0;
    if (colon == NULL) {
        return true;
    }
    char *end;
    unsigned long n = strtoul(colon + 1, &end, 10);
    if (colon[1] < '0' || colon[1] > '9' || *end != 0 || n == 0 || n > 65535) {
        return false;
    }
    *port = (unsigned)n;
    return true;
}

bool gw_resolve(const char *host, unsigned port, struct sockaddr_storage *dst, const char **why)
{
    int rc = gw_source_address(host, port, dst);

    *why = rc != 0 ? gai_strerror(rc) : NULL;
    return rc == 0;
}

bool gw_is_loopback(const struct sockaddr_storage *a)
{
    if (a->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)a;
        return ntohl(in->sin_addr.s_addr) >> 24 == 127;
    }
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)a;
    return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}
