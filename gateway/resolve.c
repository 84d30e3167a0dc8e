/* resolve.c: one question at a time to c-ares, waited for with poll().
 * A channel lives for one question: the loader that asks ends soon, and a changed resolv.conf counts at once.
 */
#include "resolve.h"

#include "conf_util.h"
#include <ares.h>
#include <arpa/inet.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#define TRY_MS 2000 /* for the first try; c-ares waits longer for each further one */
#define TRIES  2

static char servers[256]; /* "": the system's */

struct question {
    struct hb_bld *addresses;
    unsigned shortest; /* lifetime, seconds; UINT_MAX: none has any */
    int code;          /* getaddrinfo's */
    bool over;
};

/* ---- which servers ---- */

static bool is_number(const char *host)
{
    uint8_t mem[16];

    return inet_pton(AF_INET, host, mem) == 1 || inet_pton(AF_INET6, host, mem) == 1;
}

/* "192.0.2.1", "192.0.2.1:53", "[2001:db8::1]:53". */
static bool is_server(const char *text, size_t len)
{
    char mem[64];
    char host[64];
    unsigned port;

    if (len >= sizeof mem) {
        return false;
    }
    memcpy(mem, text, len);
    mem[len] = 0;
    return gw_split_host_port(mem, host, sizeof host, &port) && is_number(host);
}

bool gw_resolver(const char *list)
{
    if (list == NULL) {
        servers[0] = 0;
        return true;
    }
    if (strlen(list) >= sizeof servers) {
        return false;
    }
    for (const char *at = list;; at++) {
        size_t len = strcspn(at, ",");
        if (!is_server(at, len)) {
            return false;
        }
        at += len;
        if (*at == 0) {
            break;
        }
    }
    (void)snprintf(servers, sizeof servers, "%s", list);
    return true;
}

/* ---- asking ---- */

static int code_of(int status)
{
    switch (status) {
    case ARES_SUCCESS:
        return 0;
    case ARES_ENOTFOUND:
    case ARES_ENODATA:
    case ARES_EBADNAME:
        return EAI_NONAME;
    case ARES_ETIMEOUT:
    case ARES_ECONNREFUSED:
    case ARES_ESERVFAIL:
        return EAI_AGAIN;
    case ARES_ENOMEM:
        return EAI_MEMORY;
    default:
        return EAI_FAIL;
    }
}

static bool put(struct hb_bld *addresses, unsigned *num, const struct sockaddr *a, size_t len)
{
    if (*num == GW_ADDRESS_MAX || len > sizeof(struct sockaddr_in6)) {
        return false;
    }
    hb_bld_u8(addresses, (uint8_t)len);
    hb_bld_put(addresses, hb_span(a, len));
    (*num)++;
    return true;
}

static void note_lifetime(struct question *q, int ttl)
{
    if (ttl > 0 && (unsigned)ttl < q->shortest) {
        q->shortest = (unsigned)ttl;
    }
}

static void answered(void *ctx, int status, int timeouts, struct ares_addrinfo *found)
{
    struct question *q = ctx;
    unsigned num = 0;

    (void)timeouts;
    q->over = true;
    q->code = code_of(status);
    for (const struct ares_addrinfo_node *n = found != NULL ? found->nodes : NULL; n != NULL;
         n = n->ai_next) {
        if (put(q->addresses, &num, n->ai_addr, n->ai_addrlen)) {
            note_lifetime(q, n->ai_ttl);
        }
    }
    for (const struct ares_addrinfo_cname *n = found != NULL ? found->cnames : NULL; n != NULL; n = n->next) {
        note_lifetime(q, n->ttl);
    }
    q->code = q->code == 0 && num == 0 ? EAI_NONAME : q->code;
    if (found != NULL) {
        ares_freeaddrinfo(found);
    }
}

static void wait_for(ares_channel channel, const struct question *q)
{
    while (!q->over) {
        ares_socket_t socks[ARES_GETSOCK_MAXNUM];
        struct pollfd fds[ARES_GETSOCK_MAXNUM];
        int bits = ares_getsock(channel, socks, ARES_GETSOCK_MAXNUM);
        struct timeval most = {1, 0};
        struct timeval mem;
        const struct timeval *due = ares_timeout(channel, &most, &mem);
        nfds_t num = 0;

        for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
            bool in = ((unsigned)bits >> i & 1) != 0; /* c-ares' own macros shift a signed 1 by 31 */
            bool out = ((unsigned)bits >> (i + ARES_GETSOCK_MAXNUM) & 1) != 0;
            if (in || out) {
                fds[num++] = (struct pollfd){socks[i], (short)((in ? POLLIN : 0) | (out ? POLLOUT : 0)), 0};
            }
        }
        (void)poll(fds, num, (int)(due->tv_sec * 1000 + due->tv_usec / 1000 + 1));
        for (nfds_t i = 0; i < num; i++) {
            bool in = (fds[i].revents & ~POLLOUT) != 0;
            bool out = (fds[i].revents & POLLOUT) != 0;
            ares_process_fd(channel, in ? fds[i].fd : ARES_SOCKET_BAD, out ? fds[i].fd : ARES_SOCKET_BAD);
        }
        ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* what has timed out */
    }
}

static int ask_dns(const char *host, const char *port, struct hb_bld *addresses, unsigned *lifetime)
{
    struct ares_options options = {.timeout = TRY_MS, .tries = TRIES};
    const struct ares_addrinfo_hints hints = {.ai_flags = ARES_AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct question q = {.addresses = addresses, .shortest = UINT_MAX};
    ares_channel channel;

    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) {
        return EAI_FAIL;
    }
    int status = ares_init_options(&channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
    if (status == ARES_SUCCESS) {
        status = servers[0] != 0 ? ares_set_servers_ports_csv(channel, servers) : ARES_SUCCESS;
        if (status == ARES_SUCCESS) {
            ares_getaddrinfo(channel, host, port, &hints, answered, &q);
            wait_for(channel, &q);
        }
        ares_destroy(channel);
    }
    ares_library_cleanup();
    *lifetime = q.shortest == UINT_MAX         ? GW_LIFETIME_NONE
                : q.shortest < GW_LIFETIME_MIN ? GW_LIFETIME_MIN
                : q.shortest > GW_LIFETIME_MAX ? GW_LIFETIME_MAX
                                               : q.shortest;
    return status != ARES_SUCCESS ? code_of(status) : q.code;
}

static int ask_system(const char *host, const char *port, struct hb_bld *addresses)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    unsigned num = 0;
    int code = getaddrinfo(host, port, &hints, &found);

    if (code != 0) {
        return code;
    }
    for (const struct addrinfo *a = found; a != NULL; a = a->ai_next) {
        (void)put(addresses, &num, a->ai_addr, a->ai_addrlen);
    }
    freeaddrinfo(found);
    return num > 0 ? 0 : EAI_NONAME;
}

int gw_resolve_host(const char *host, const char *port, struct hb_bld *addresses, unsigned *lifetime)
{
    *lifetime = 0;
    if (is_number(host)) {
        return ask_system(host, port, addresses);
    }
    int code = ask_dns(host, port, addresses, lifetime);
    if (code == 0 || servers[0] != 0) {
        return code;
    }
    hb_bld_reset(addresses);
    *lifetime = GW_LIFETIME_NONE;
    int second = ask_system(host, port, addresses);
    return second == EAI_NONAME ? code : second; /* "try again" says more than "unknown" does */
}
