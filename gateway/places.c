/* places.c: would `run` get the ports?  What `check` sees of them, without taking one.
 *
 * Nothing here listens or holds a port, so a look is harmless where hauberk, or whatever else, serves: who
 * listens where is read from /proc. Only where that shows somebody is a bind tried, which must fail then. All
 * of it is warnings: it may be otherwise when `run` comes. */
#include "places.h"

#include "net.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LISTENING     0x0a /* TCP_LISTEN, in /proc/net/tcp's words */
#define CAP_BIND      10   /* CAP_NET_BIND_SERVICE, linux/capability.h */
#define OUR_NAME      "hauberk"
#define FIRST_PROCESS 1

struct holder {
    unsigned long inode; /* of the socket; 0: nobody */
    long pid;            /* 0: we may not know */
    char name[32];
    bool ours; /* it is a hauberk's, or one may be: then nothing is wrong */
};

/* A line of /proc/net/tcp: number, local address:port, remote, state, queues, timer, retransmits, uid,
 * timeout, inode (proc(5)). Addresses are words of 32 bits as they stand in memory. */
enum { LOCAL = 1, STATE = 3, INODE = 9, NUM_COLUMNS };

/* The socket of this line, if it listens at this port, at the address or at all of them; 0: it does not. */
static unsigned long listens_in(char *line, const struct sockaddr *want)
{
    struct hb_span mine = gw_addr_bytes(want);
    const char *column[NUM_COLUMNS];
    uint32_t word[4] = {0};
    char *rest = NULL;
    char *port = NULL;

    for (unsigned i = 0; i < NUM_COLUMNS; i++) {
        column[i] = strtok_r(i == 0 ? line : NULL, " \n", &rest);
        if (column[i] == NULL) {
            return 0;
        }
    }
    size_t digits = strcspn(column[LOCAL], ":");
    if ((digits != 8 && digits != 32) || strtoul(column[STATE], NULL, 16) != LISTENING ||
        strtoul(column[LOCAL] + digits + 1, &port, 16) != gw_addr_port(want) || *port != 0) {
        return 0;
    }
    for (size_t i = 0; i < digits / 8; i++) {
        char part[9] = {0};
        memcpy(part, column[LOCAL] + 8 * i, 8);
        word[i] = (uint32_t)strtoul(part, NULL, 16);
    }
    struct hb_span other = hb_span(word, digits / 2);
    bool kin = mine.len == other.len;
    bool meets =
        gw_addr_is_any(other) || (kin && (gw_addr_is_any(mine) || memcmp(mine.p, word, mine.len) == 0));
    return meets ? strtoul(column[INODE], NULL, 10) : 0;
}

static unsigned long listens(const struct sockaddr *want, const char *file)
{
    unsigned long found = 0;
    char line[512];
    FILE *f = fopen(file, "re");

    while (f != NULL && found == 0 && fgets(line, sizeof line, f) != NULL) {
        found = listens_in(line, want);
    }
    if (f != NULL) {
        (void)fclose(f);
    }
    return found;
}

/* Does this process hold the socket?  Without rights to look: no. */
static bool holds(long pid, unsigned long inode)
{
    char path[64];
    char want[40];
    char got[40];
    bool found = false;

    (void)snprintf(path, sizeof path, "/proc/%ld/fd", pid);
    int len = snprintf(want, sizeof want, "socket:[%lu]", inode);
    DIR *d = opendir(path);
    if (d == NULL) {
        return false;
    }
    for (const struct dirent *e; !found && (e = readdir(d)) != NULL;) {
        ssize_t n = readlinkat(dirfd(d), e->d_name, got, sizeof got);
        found = n == len && memcmp(got, want, (size_t)n) == 0;
    }
    (void)closedir(d);
    return found;
}

static void name_of(long pid, char *name, size_t cap)
{
    char path[64];
    FILE *f;

    (void)snprintf(path, sizeof path, "/proc/%ld/comm", pid);
    name[0] = 0;
    if ((f = fopen(path, "re")) != NULL) {
        if (fgets(name, (int)cap, f) == NULL) {
            name[0] = 0;
        }
        name[strcspn(name, "\n")] = 0;
        (void)fclose(f);
    }
}

/* Whose socket it is. Ours is held by several processes, of which the first has our name. */
static void find_holder(struct holder *h)
{
    DIR *d = opendir("/proc");
    bool hauberk = false;

    for (const struct dirent *e; d != NULL && !h->ours && (e = readdir(d)) != NULL;) {
        long pid = isdigit((unsigned char)e->d_name[0]) ? strtol(e->d_name, NULL, 10) : 0;
        char name[sizeof h->name];
        if (pid == 0 || pid == (long)getpid()) {
            continue;
        }
        name_of(pid, name, sizeof name);
        hauberk = hauberk || strcmp(name, OUR_NAME) == 0;
        if (holds(pid, h->inode)) {
            /* the first process holds sockets that it hands over to us (systemd.socket(5)) */
            h->ours = strcmp(name, OUR_NAME) == 0 || pid == FIRST_PROCESS;
            h->pid = pid;
            memcpy(h->name, name, sizeof name);
        }
    }
    if (d != NULL) {
        (void)closedir(d);
    }
    h->ours = h->ours || (h->pid == 0 && hauberk);
}

/* The error of a bind: 0 if it could be done. Nobody is kept from the port by one that does not listen. */
static int try_bind(const struct sockaddr_storage *addr, bool its_port)
{
    struct sockaddr_storage at = *addr;
    int on = 1;
    int fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int error = fd < 0 ? errno : 0;

    if (fd >= 0) {
        if (!its_port && at.ss_family == AF_INET6) {
            ((struct sockaddr_in6 *)&at)->sin6_port = 0;
        } else if (!its_port) {
            ((struct sockaddr_in *)&at)->sin_port = 0;
        }
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (at.ss_family == AF_INET6) {
            (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
        }
        error = bind(fd, (const struct sockaddr *)&at, gw_addr_len((const struct sockaddr *)&at)) != 0 ? errno
                                                                                                       : 0;
        (void)close(fd);
    }
    return error;
}

/* The number behind `key` in a file of /proc; `otherwise` if there is none. */
static unsigned long long number_in(const char *file, const char *key, int base, unsigned long long otherwise)
{
    unsigned long long n = otherwise;
    size_t len = strlen(key);
    char line[128];
    FILE *f = fopen(file, "re");

    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, key, len) == 0) {
            n = strtoull(line + len, NULL, base);
            break;
        }
    }
    if (f != NULL) {
        (void)fclose(f);
    }
    return n;
}

/* May we have ports that not everybody may have? */
static bool may_bind(unsigned port)
{
    return port >= number_in("/proc/sys/net/ipv4/ip_unprivileged_port_start", "", 10, 1024) ||
           (number_in("/proc/self/status", "CapEff:", 16, UINT64_MAX) >> CAP_BIND & 1) != 0;
}

static void look(const char *where, const char *url, const struct sockaddr_storage *addr,
                 struct gw_problems *p)
{
    const struct sockaddr *a = (const struct sockaddr *)addr;
    struct holder h = {0};
    char what[160];
    int error = try_bind(addr, false);

    if (error != 0) {
        gw_notice(p, where,
                  error == EADDRNOTAVAIL ? "this machine does not have that address" : strerror(error), url);
        return;
    }
    if (!may_bind(gw_addr_port(a))) {
        gw_notice(p, where, "this port is for root, or needs CAP_NET_BIND_SERVICE", url);
        return;
    }
    h.inode = listens(a, "/proc/net/tcp6");
    if (a->sa_family == AF_INET && (h.inode == 0 || try_bind(addr, true) == 0)) { /* "::" may be IPv6 alone */
        h.inode = listens(a, "/proc/net/tcp");
    }
    if (h.inode == 0 || try_bind(addr, true) != EADDRINUSE) {
        return;
    }
    find_holder(&h);
    if (h.ours) {
        return;
    }
    if (h.pid > 0) {
        (void)snprintf(what, sizeof what, "the port is taken by %s (process %ld)", h.name, h.pid);
    } else {
        (void)snprintf(what, sizeof what, "the port is taken; root sees by whom");
    }
    gw_notice(p, where, what, url);
}

void gw_look_at_places(const struct gw_draft *draft, const struct gw_conf *conf, struct gw_problems *p)
{
    for (unsigned i = 0; i < conf->num_listeners; i++) {
        look(draft->listeners[i].where, conf->listeners[i].url, &conf->listeners[i].addr, p);
    }
    if (conf->metrics.ss_family != AF_UNSPEC) {
        look(draft->metrics_where, conf->metrics_text, &conf->metrics, p);
    }
}
