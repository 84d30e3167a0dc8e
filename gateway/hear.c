/* hear.c: what the children say.
 *
 * A worker may have become a stranger: what it says is parsed as a peer's, changes nothing but what is known
 * of that worker, and asks for nothing but links to backends of the configuration. One that babbles is ended.
 */
#include "supervisor.h"

#include "log_socket.h"
#include "service.h"
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- unix sockets of backends, which workers cannot reach ---- */

static const struct gw_listener_conf *find_listener(const struct gw_supervisor *sv, uint32_t generation,
                                                    unsigned index)
{
    const struct gw_snapshot *snap = sv->snap;

    for (unsigned i = 0; i < sv->num_old && snap->generation != generation; i++) {
        snap = sv->old[i];
    }
    return snap->generation == generation && index < snap->conf->num_listeners ? &snap->conf->listeners[index]
                                                                               : NULL;
}

static void dial(struct gw_supervisor *sv, const struct gw_proc *worker)
{
    struct hb_cur *c = &sv->in.body;
    uint32_t number = hb_cur_u32(c);
    uint32_t generation = hb_cur_u32(c);
    const struct gw_listener_conf *lc = find_listener(sv, generation, hb_cur_u16(c));
    unsigned server = hb_cur_u16(c);
    uint8_t mem[8];
    struct hb_bld b = hb_bld(mem, sizeof mem);

    if (!hb_cur_end(c) || lc == NULL || server >= lc->pool->num) {
        return;
    }
    const struct sockaddr *addr = (const struct sockaddr *)&lc->pool->servers[server].addr;
    if (addr->sa_family != AF_UNIX) {
        return;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool good = fd >= 0 && connect(fd, addr, sizeof(struct sockaddr_un)) == 0;
    hb_bld_u32(&b, number);
    hb_bld_u32(&b, good ? 0 : (uint32_t)errno);
    (void)gw_ipc_try(worker->sock, GW_MSG_DIALED, hb_bld_span(&b), &fd, good ? 1 : 0);
    if (fd >= 0) {
        (void)close(fd);
    }
}

/* ---- messages ---- */

static void take_message(struct gw_supervisor *sv, struct gw_proc *p)
{
    struct gw_ipc_in *m = &sv->in;

    if (m->type == GW_MSG_READY && p->role == GW_ROLE_WORKER) {
        p->generation = hb_cur_u32(&m->body);
        p->ready = hb_cur_end(&m->body);
        if (!sv->was_ready) {
            gw_service_tell("READY=1");
        }
        sv->was_ready = true;
        gw_order_reloaded(sv);
    } else if (m->type == GW_MSG_OLDEST && p->role == GW_ROLE_WORKER) {
        uint32_t oldest = hb_cur_u32(&m->body);
        p->oldest = hb_cur_end(&m->body) ? oldest : p->oldest;
        gw_reload_forget(sv);
    } else if (m->type == GW_MSG_DIAL && p->role == GW_ROLE_WORKER) {
        dial(sv, p);
    } else if (m->type == GW_MSG_LOG && p->role == GW_ROLE_WORKER) {
        gw_logs_lost(sv);
    } else if (m->type == GW_MSG_DID && p->role == GW_ROLE_WORKER) {
        gw_query_did(sv, p);
    } else if (m->type == GW_MSG_SHORT && p->role != GW_ROLE_ADMIN) {
        gw_child_owe(p);
    } else if (m->type == GW_MSG_ASK && p->role == GW_ROLE_ADMIN) {
        gw_order(sv, p);
    }
}

void gw_hear(struct gw_supervisor *sv, struct gw_proc *p)
{
    while (p->sock >= 0) {
        enum gw_ipc_result r = gw_ipc_recv(p->sock, &sv->in);
        if (r == GW_IPC_NONE) {
            return;
        }
        if (r == GW_IPC_GONE) { /* its end is waitpid's to tell; one that babbles is ended */
            (void)close(p->sock);
            p->sock = -1;
            (void)kill(p->pid, SIGKILL);
            return;
        }
        take_message(sv, p);
        gw_ipc_done(&sv->in);
    }
}
