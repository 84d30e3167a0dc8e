/* unixlink.c: connect() on a unix socket is done or refused at once: nothing here waits. */
#include "unixlink.h"

#include "health.h"
#include "upstream.h"
#include "worker.h"
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int have_it_connected(struct gw_worker *w, const struct gw_snapshot *snap,
                             const struct gw_listener_conf *lc, unsigned server, uint32_t *number)
{
    uint8_t mem[12];
    struct hb_bld b = hb_bld(mem, sizeof mem);

    *number = ++w->num_dialed;
    hb_bld_u32(&b, *number);
    hb_bld_u32(&b, snap->generation);
    hb_bld_u16(&b, (uint16_t)lc->index);
    hb_bld_u16(&b, (uint16_t)server);
    return gw_ipc_try(w->supervisor, GW_MSG_DIAL, hb_bld_span(&b), NULL, 0) ? UV_EAGAIN : UV_ECONNREFUSED;
}

int gw_unixlink(struct gw_worker *w, const struct gw_snapshot *snap, const struct gw_listener_conf *lc,
                unsigned server, uint32_t *number)
{
    const struct sockaddr *addr = (const struct sockaddr *)&lc->pool->servers[server].addr;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return errno == ENOSYS ? have_it_connected(w, snap, lc, server, number) : -errno;
    }
    if (connect(fd, addr, sizeof(struct sockaddr_un)) != 0) {
        int error = errno;
        (void)close(fd);
        return error == EAGAIN ? UV_ECONNREFUSED : -error; /* EAGAIN: its queue is full */
    }
    return fd;
}

void gw_unixlink_dialed(struct gw_worker *w, struct gw_ipc_in *m)
{
    uint32_t number = hb_cur_u32(&m->body);
    uint32_t error = hb_cur_u32(&m->body);
    int fd = gw_ipc_take_fd(m);
    int result = error != 0 ? -(int)(error < 4096 ? error : EIO) : fd >= 0 ? fd : UV_EMFILE;

    if (!gw_upstream_dialed(w, number, result) && !gw_health_dialed(w, number, result) && fd >= 0) {
        (void)close(fd);
    }
}
