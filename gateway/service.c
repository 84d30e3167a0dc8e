/* service.c: datagrams to $NOTIFY_SOCKET; descriptors from 3 on by the names in $LISTEN_FDNAMES. */
#include "service.h"

#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST_FD    3
#define MAX_SOCKETS 64

static struct {
    struct sockaddr_un notify; /* sun_path[0] 0 and len 0: nobody to tell */
    socklen_t notify_len;
    unsigned watchdog; /* milliseconds */
    char names[4096];  /* of the sockets, a NUL behind each */
    int num_sockets;
} service;

/* A number in the environment; 0: there is none, or it is no number. */
static uint64_t number(const char *name)
{
    const char *text = getenv(name);
    char *end;

    if (text == NULL || text[0] < '0' || text[0] > '9') {
        return 0;
    }
    unsigned long long n = strtoull(text, &end, 10);
    return *end == 0 ? n : 0;
}

static void find_manager(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    size_t len = path != NULL ? strlen(path) : 0;

    if (len < 2 || len >= sizeof service.notify.sun_path || (path[0] != '/' && path[0] != '@')) {
        return;
    }
    service.notify.sun_family = AF_UNIX;
    memcpy(service.notify.sun_path, path, len);
    if (path[0] == '@') {
        service.notify.sun_path[0] = 0; /* an abstract name has no NUL at its end */
    }
    service.notify_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

static void find_watchdog(void)
{
    uint64_t usec = number("WATCHDOG_USEC");
    const char *pid = getenv("WATCHDOG_PID");

    if (pid == NULL || number("WATCHDOG_PID") == (uint64_t)getpid()) {
        usec = usec / 2000 < UINT_MAX ? usec : 0;
        service.watchdog = usec > 0 && usec < 2000 ? 1 : (unsigned)(usec / 2000);
    }
}

static void find_sockets(void)
{
    uint64_t n = number("LISTEN_FDS");
    const char *names = getenv("LISTEN_FDNAMES");
    size_t len = names != NULL ? strlen(names) : 0;

    if (number("LISTEN_PID") != (uint64_t)getpid() || n > MAX_SOCKETS || len == 0 ||
        len >= sizeof service.names) {
        return; /* meant for somebody else, or not by name */
    }
    memcpy(service.names, names, len + 1);
    for (char *colon = strchr(service.names, ':'); colon != NULL; colon = strchr(colon + 1, ':')) {
        *colon = 0;
    }
    service.names[len + 1 < sizeof service.names ? len + 1 : len] = 0;
    service.num_sockets = (int)n;
    for (int i = 0; i < service.num_sockets; i++) {
        (void)fcntl(FIRST_FD + i, F_SETFD, FD_CLOEXEC);
        (void)fcntl(FIRST_FD + i, F_SETFL, O_NONBLOCK);
    }
}

void gw_service_begin(void)
{
    static const char *const names[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
                                        "LISTEN_FDS",    "LISTEN_PID",    "LISTEN_FDNAMES"};

    find_manager();
    find_watchdog();
    find_sockets();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)unsetenv(names[i]);
    }
}

void gw_service_tell(const char *state)
{
    if (service.notify_len == 0) {
        return;
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
                     (const struct sockaddr *)&service.notify, service.notify_len);
        (void)close(fd);
    }
}

unsigned gw_service_watchdog(void)
{
    return service.notify_len > 0 ? service.watchdog : 0;
}

int gw_service_socket(const char *name)
{
    const char *at = service.names;

    for (int i = 0; i < service.num_sockets; i++) {
        if (name != NULL && name[0] != 0 && strcmp(at, name) == 0) {
            return fcntl(FIRST_FD + i, F_DUPFD_CLOEXEC, FIRST_FD + MAX_SOCKETS);
        }
        size_t room = sizeof service.names - (size_t)(at - service.names);
        size_t len = strnlen(at, room);
        if (len + 1 >= room) {
            break;
        }
        at += len + 1;
    }
    return -1;
}
