/* ipc.c: packets, descriptors, memory that is sent. */
#include "ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

bool gw_ipc_pair(int ends[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0;
}

bool gw_ipc_try(int fd, enum gw_msg type, struct hb_span body, const int *fds, unsigned num_fds)
{
    union {
        char space[CMSG_SPACE(GW_IPC_FDS * sizeof(int))];
        struct cmsghdr align;
    } control;
    uint8_t first = (uint8_t)type;
    struct iovec iov[2] = {{&first, 1}, {(void *)(uintptr_t)body.p, body.len}};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
    ssize_t n;

    HB_INVARIANT(num_fds <= GW_IPC_FDS && body.len < GW_IPC_MAX);
    if (num_fds > 0) {
        memset(&control, 0, sizeof control);
        msg.msg_control = control.space;
        msg.msg_controllen = CMSG_SPACE(num_fds * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(num_fds * sizeof(int));
        memcpy(CMSG_DATA(c), fds, num_fds * sizeof(int));
    }
    do {
        n = sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    return n >= 0;
}

bool gw_ipc_send(int fd, enum gw_msg type, struct hb_span body, const int *fds, unsigned num_fds)
{
    for (unsigned tries = 0; tries < 10; tries++) {
        struct pollfd p = {fd, POLLOUT, 0};
        if (gw_ipc_try(fd, type, body, fds, num_fds)) {
            return true;
        }
        if (errno != EAGAIN) {
            return false;
        }
        (void)poll(&p, 1, 100);
    }
    errno = EAGAIN;
    return false;
}

static void take_fds(struct gw_ipc_in *m, struct msghdr *msg)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
            if (m->num_fds < GW_IPC_FDS) {
                m->fds[m->num_fds++] = fd;
            } else {
                (void)close(fd);
            }
        }
    }
}

enum gw_ipc_result gw_ipc_recv(int fd, struct gw_ipc_in *m)
{
    union {
        char space[CMSG_SPACE(GW_IPC_FDS * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec iov = {m->mem, sizeof m->mem};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.space,
                         .msg_controllen = sizeof control.space};
    ssize_t n;

    m->num_fds = 0;
    m->taken = 0;
    do {
        n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return errno == EAGAIN ? GW_IPC_NONE : GW_IPC_GONE;
    }
    take_fds(m, &msg);
    m->cut = (msg.msg_flags & MSG_CTRUNC) != 0;
    if (n == 0 || (msg.msg_flags & MSG_TRUNC) != 0 || m->mem[0] == 0 || m->mem[0] >= GW_NUM_MSGS) {
        gw_ipc_done(m);
        return GW_IPC_GONE;
    }
    m->type = (enum gw_msg)m->mem[0];
    m->body = hb_cur(hb_span(m->mem + 1, (size_t)n - 1));
    return GW_IPC_MESSAGE;
}

enum gw_ipc_result gw_ipc_wait(int fd, struct gw_ipc_in *m)
{
    enum gw_ipc_result r;

    while ((r = gw_ipc_recv(fd, m)) == GW_IPC_NONE) {
        struct pollfd p = {fd, POLLIN, 0};
        (void)poll(&p, 1, -1);
    }
    return r;
}

int gw_ipc_take_fd(struct gw_ipc_in *m)
{
    return m->taken < m->num_fds ? m->fds[m->taken++] : -1;
}

void gw_ipc_done(struct gw_ipc_in *m)
{
    while (m->taken < m->num_fds) {
        (void)close(m->fds[m->taken++]);
    }
}

int gw_ipc_memory(struct hb_span bytes)
{
    int fd = memfd_create("hauberk", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    size_t done = 0;

    while (fd >= 0 && done < bytes.len) {
        ssize_t n = write(fd, bytes.p + done, bytes.len - done);
        if (n <= 0) {
            (void)close(fd);
            return -1;
        }
        done += (size_t)n;
    }
    if (fd >= 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

uint8_t *gw_ipc_read_memory(int fd, size_t max, size_t *len)
{
    struct stat st;
    uint8_t *mem = NULL;
    size_t done = 0;

    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size >= 0 && (size_t)st.st_size <= max) {
        *len = (size_t)st.st_size;
        mem = malloc(*len > 0 ? *len : 1);
    }
    while (mem != NULL && done < *len) {
        ssize_t n = pread(fd, mem + done, *len - done, (off_t)done);
        if (n <= 0) {
            free(mem);
            mem = NULL;
        } else {
            done += (size_t)n;
        }
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return mem;
}
