/* log_socket.c: connect, hand out, and again. */
#include "log_socket.h"

#include "log.h"
#include "supervisor.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define EVERY 2000u /* milliseconds between two looks */

static const struct {
    const char *name, *path;
} places[] = {
    [GW_LOG_STDERR] = {"standard error", NULL},
    [GW_LOG_JOURNALD] = {"journald", "/run/systemd/journal/socket"},
    [GW_LOG_SYSLOG] = {"syslog", "/dev/log"},
};

static const char *path_of(const struct gw_conf *conf)
{
    return conf->log_path != NULL ? conf->log_path : places[conf->log_to].path;
}

static int connect_to(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    int size = 1 << 20; /* a burst of lines, while the reader is busy */

    if (len >= sizeof addr.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(addr.sun_path, path, len + 1);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&addr, sizeof addr) != 0) {
        int error = errno;
        (void)close(fd);
        errno = error;
        return -1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    return fd;
}

bool gw_log_open(const struct gw_conf *conf, char *why, size_t cap)
{
    const char *path = path_of(conf);
    int fd = path != NULL ? connect_to(path) : -1;

    if (path != NULL && fd < 0) {
        (void)snprintf(why, cap, "%s: %s", path, strerror(errno));
    }
    gw_log_to(conf->log_to, fd);
    return path == NULL || fd >= 0;
}

static void hand_out(struct gw_supervisor *sv)
{
    uint8_t to = (uint8_t)sv->snap->conf->log_to;
    int fd = gw_log_fd();

    sv->settings.log_to = to;
    for (unsigned i = 0; i < sv->num_procs; i++) {
        if (sv->procs[i].sock >= 0) {
            (void)gw_ipc_send(sv->procs[i].sock, GW_MSG_LOG, hb_span(&to, 1), &fd, fd >= 0 ? 1 : 0);
        }
    }
}

static void try_now(struct gw_supervisor *sv)
{
    const struct gw_conf *conf = sv->snap->conf;
    char why[160];

    sv->log_due = gw_now_ms() + EVERY;
    if (gw_log_open(conf, why, sizeof why)) {
        sv->log_told = false;
        hand_out(sv);
    } else if (!sv->log_told) {
        sv->log_told = true;
        GW_LOG(GW_EV_LOG_UNREACHABLE, GW_STR("what", places[conf->log_to].name), GW_STR("why", why));
    }
}

void gw_logs_renew(struct gw_supervisor *sv, const struct gw_conf *old)
{
    const struct gw_conf *conf = sv->snap->conf;
    const char *before = path_of(old);
    const char *now = path_of(conf);

    if (old->log_to != conf->log_to || (before != NULL && now != NULL && strcmp(before, now) != 0)) {
        sv->log_told = false;
        try_now(sv);
        if (gw_log_lost()) {
            hand_out(sv); /* not to the old place any more */
        }
    }
}

void gw_logs_lost(struct gw_supervisor *sv)
{
    if (gw_now_ms() >= sv->log_due) { /* else it may speak of a socket that has been replaced since */
        gw_log_to(sv->snap->conf->log_to, -1); /* gw_logs_tick() looks for another one */
    }
}

void gw_logs_tick(struct gw_supervisor *sv, uint64_t now)
{
    if (gw_log_lost() && now >= sv->log_due) {
        try_now(sv);
    }
}

uint64_t gw_logs_due(const struct gw_supervisor *sv)
{
    return gw_log_lost() ? sv->log_due : UINT64_MAX;
}

void gw_log_take(struct gw_ipc_in *m)
{
    unsigned to = hb_cur_u8(&m->body);
    int fd = gw_ipc_take_fd(m);

    if (hb_cur_end(&m->body) && to <= GW_LOG_SYSLOG) {
        gw_log_to((enum gw_log_to)to, fd);
    } else if (fd >= 0) {
        (void)close(fd);
    }
}
