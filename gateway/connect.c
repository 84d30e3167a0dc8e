/* connect.c: connect(2) with a limit. */
#include "connect.h"

#include "net.h"
#include <errno.h>
#include <poll.h>
#include <unistd.h>

/* 0, or an errno. */
static int finish(int fd, unsigned ms)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int error = 0;
    socklen_t len = sizeof error;

    if (poll(&p, 1, (int)ms) != 1) {
        return ETIMEDOUT;
    }
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 ? error : errno;
}

int gw_connect(const struct sockaddr *to, unsigned ms)
{
    int fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -1;
    }
    int error = connect(fd, to, gw_addr_len(to)) == 0 ? 0 : errno;
    error = error == EINPROGRESS ? finish(fd, ms) : error;
    if (error != 0) {
        (void)close(fd);
        errno = error;
        return -1;
    }
    return fd;
}
