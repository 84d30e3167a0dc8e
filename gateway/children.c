/* children.c: the table of processes: started, brought what they need, started again.
 *
 * A process that dies is started again: at once if it had lived a while, else after a wait that doubles with
 * each death. Workers take only their own sessions with them. When a keeper is started again, its worker gets
 * a new socket to it. What could not be handed over, for want of descriptors or memory on either side, is
 * owed, and comes again a second later; a worker is never given a configuration whose keys its keeper has not
 * got. Owns the processes' sockets and the memory of their counters. */
#include "supervisor.h"

#include "log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define LONG_LIFE   10000u /* milliseconds */
#define FIRST_HOLD  250u
#define LAST_HOLD   30000u
#define FIRST_TRIES 3u

/* ---- who they are ---- */

static bool no_counters(void)
{
    GW_LOG(GW_EV_START_ERROR, GW_STR("what", "counters"), GW_STR("why", strerror(errno)));
    return false;
}

static bool share_stat(struct gw_proc *p)
{
    p->stat_fd = memfd_create("hauberk-stat", MFD_CLOEXEC);
    if (p->stat_fd < 0 || ftruncate(p->stat_fd, sizeof *p->stat) != 0) {
        return no_counters();
    }
    void *mem = mmap(NULL, sizeof *p->stat, PROT_READ, MAP_SHARED, p->stat_fd, 0);
    if (mem == MAP_FAILED) {
        return no_counters();
    }
    p->stat = mem;
    return true;
}

bool gw_children_make(struct gw_supervisor *sv)
{
    const struct gw_conf *conf = sv->snap->conf;
    bool good = true;

    for (unsigned i = 0; i < conf->workers && !conf->keys_in_workers; i++) {
        sv->procs[sv->num_procs++] = (struct gw_proc){.role = GW_ROLE_KEEPER, .id = i};
    }
    for (unsigned i = 0; i < conf->workers; i++) {
        sv->procs[sv->num_procs++] = (struct gw_proc){.role = GW_ROLE_WORKER, .id = i};
    }
    if (sv->control >= 0 || sv->metrics >= 0) {
        sv->procs[sv->num_procs++] = (struct gw_proc){.role = GW_ROLE_ADMIN};
    }
    for (unsigned i = 0; i < sv->num_procs; i++) {
        sv->procs[i].sock = -1;
        sv->procs[i].stat_fd = -1;
        good = good && (sv->procs[i].role != GW_ROLE_WORKER || share_stat(&sv->procs[i]));
    }
    return good;
}

/* One for each worker: an RSA signature takes as long as thirty handshakes without one. NULL: keys are in the
 * workers. */
static struct gw_proc *keeper_of(struct gw_supervisor *sv, const struct gw_proc *worker)
{
    struct gw_proc *p = &sv->procs[worker->id];

    return p->role == GW_ROLE_KEEPER ? p : NULL;
}

void gw_child_owe(struct gw_proc *p)
{
    p->owed = gw_now_ms() + 1000;
}

/* A new pair of sockets between the keeper and a worker. */
static bool join(struct gw_supervisor *sv, struct gw_proc *worker)
{
    struct gw_proc *keeper = keeper_of(sv, worker);
    uint8_t mem[2];
    struct hb_bld b = hb_bld(mem, sizeof mem);
    int ends[2];

    if (keeper == NULL || keeper->sock < 0 || worker->sock < 0) {
        return true; /* when it is started */
    }
    if (!gw_ipc_pair(ends)) {
        return false;
    }
    hb_bld_u16(&b, (uint16_t)worker->id);
    bool good = gw_ipc_send(keeper->sock, GW_MSG_PEER, hb_bld_span(&b), &ends[0], 1);
    good = gw_ipc_send(worker->sock, GW_MSG_KEEPER, hb_span(NULL, 0), &ends[1], 1) && good;
    (void)close(ends[0]);
    (void)close(ends[1]);
    return good;
}

bool gw_child_give_conf(struct gw_supervisor *sv, struct gw_proc *worker)
{
    const struct gw_proc *keeper = keeper_of(sv, worker);

    return (keeper == NULL || keeper->owed == 0) && gw_reload_give_conf(sv, worker);
}

static void bring(struct gw_supervisor *sv, struct gw_proc *p)
{
    bool good = true;

    p->owed = 0;
    if (p->role == GW_ROLE_WORKER) {
        good = join(sv, p);
        good = gw_child_give_conf(sv, p) && good;
    } else if (p->role == GW_ROLE_KEEPER) {
        good = gw_reload_give_keys(sv, p);
        for (unsigned i = 0; i < sv->num_procs; i++) {
            if (sv->procs[i].role == GW_ROLE_WORKER && sv->procs[i].id == p->id) {
                good = join(sv, &sv->procs[i]) && good;
            }
        }
    }
    if (!good) { /* out of descriptors or memory; or it is dead, and started again */
        gw_child_owe(p);
    }
}

static void start_proc(struct gw_supervisor *sv, struct gw_proc *p)
{
    int fd[2] = {p->role == GW_ROLE_WORKER  ? p->stat_fd
                 : p->role == GW_ROLE_ADMIN ? sv->control
                                            : -1,
                 p->role == GW_ROLE_ADMIN ? sv->metrics : -1};

    p->ready = false;
    p->due = 0;
    p->born = gw_now_ms();
    p->starts++;
    p->oldest = sv->snap->generation;
    p->sock = gw_child_start(p->role, p->id, &sv->settings, fd, &p->pid);
    if (p->pid < 0) {
        p->pid = 0;
        p->due = p->born + LAST_HOLD;
    }
    if (p->sock >= 0) {
        bring(sv, p);
    }
}

/* ---- their ends ---- */

static const char *name_of(const struct gw_proc *p)
{
    return p->role == GW_ROLE_WORKER ? "worker" : p->role == GW_ROLE_KEEPER ? "keeper" : "admin";
}

static void hold_back(struct gw_proc *p)
{
    uint64_t now = gw_now_ms();

    p->fails = now - p->born >= LONG_LIFE ? 0 : p->fails + 1;
    uint64_t wait = p->fails < 2 ? 0 : (uint64_t)FIRST_HOLD << (p->fails - 2 < 8 ? p->fails - 2 : 8);
    wait = wait < LAST_HOLD ? wait : LAST_HOLD;
    p->due = now + wait;
    if (wait > 0) {
        GW_LOG(GW_EV_CHILD_HELD, GW_STR("what", name_of(p)), GW_U64("id", p->id), GW_U64("times", p->fails),
               GW_U64("milliseconds", wait));
    }
}

static void child_ended(struct gw_supervisor *sv, struct gw_proc *p, int pid, int status)
{
    p->pid = 0;
    if (p->sock >= 0) {
        (void)close(p->sock);
        p->sock = -1;
    }
    p->oldest = UINT32_MAX;
    p->owed = 0;
    gw_query_lost(sv, p);
    if (sv->draining) {
        return;
    }
    bool at_start = !sv->was_ready && !p->ready;
    if (!at_start || WIFSIGNALED(status)) {
        GW_LOG(p->role == GW_ROLE_WORKER ? GW_EV_WORKER_DIED : GW_EV_CHILD_DIED, GW_STR("what", name_of(p)),
               GW_U64("worker", p->id), GW_U64("pid", (uint64_t)pid),
               GW_U64("status", (uint64_t)(unsigned)status));
    }
    hold_back(p);
    if (at_start && (!WIFSIGNALED(status) || p->fails >= FIRST_TRIES)) { /* it has said why */
        gw_supervisor_give_up(sv);
    }
    gw_reload_forget(sv);
    gw_order_reloaded(sv);
}

void gw_children_reap(struct gw_supervisor *sv)
{
    int status;
    int pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        sv->loader.pid = sv->loader.pid == pid ? 0 : sv->loader.pid;
        for (unsigned i = 0; i < sv->num_procs; i++) {
            if (sv->procs[i].pid == pid) {
                child_ended(sv, &sv->procs[i], pid, status);
            }
        }
    }
}

/* ---- all of them ---- */

void gw_children_tell_workers(struct gw_supervisor *sv, enum gw_msg type, struct hb_span body)
{
    for (unsigned i = 0; i < sv->num_procs; i++) {
        if (sv->procs[i].role == GW_ROLE_WORKER && sv->procs[i].sock >= 0) {
            (void)gw_ipc_send(sv->procs[i].sock, type, body, NULL, 0);
        }
    }
}

bool gw_children_left(const struct gw_supervisor *sv, bool workers_only)
{
    for (unsigned i = 0; i < sv->num_procs; i++) {
        if (sv->procs[i].pid > 0 && (!workers_only || sv->procs[i].role == GW_ROLE_WORKER)) {
            return true;
        }
    }
    return false;
}

void gw_children_end_helpers(struct gw_supervisor *sv)
{
    for (unsigned i = 0; i < sv->num_procs; i++) {
        if (sv->procs[i].pid > 0 && sv->procs[i].sock >= 0) {
            (void)gw_ipc_try(sv->procs[i].sock, GW_MSG_STOP, hb_span(NULL, 0), NULL, 0);
        }
    }
}

void gw_children_start_due(struct gw_supervisor *sv, uint64_t now)
{
    for (unsigned i = 0; i < sv->num_procs && !sv->draining; i++) {
        struct gw_proc *p = &sv->procs[i];
        if (p->pid == 0 && p->due <= now) {
            start_proc(sv, p);
        } else if (p->sock >= 0 && p->owed != 0 && p->owed <= now) {
            bring(sv, p);
        }
    }
}

uint64_t gw_children_due(const struct gw_supervisor *sv)
{
    uint64_t due = UINT64_MAX;

    for (unsigned i = 0; i < sv->num_procs && !sv->draining; i++) {
        const struct gw_proc *p = &sv->procs[i];
        due = p->pid == 0 && p->due < due ? p->due : due;
        due = p->sock >= 0 && p->owed != 0 && p->owed < due ? p->owed : due;
    }
    return due;
}

void gw_children_close(struct gw_supervisor *sv)
{
    for (unsigned i = 0; i < sv->num_procs; i++) {
        struct gw_proc *p = &sv->procs[i];
        if (p->sock >= 0) {
            (void)close(p->sock);
        }
        if (p->stat != NULL) {
            (void)munmap(p->stat, sizeof *p->stat);
        }
        if (p->stat_fd >= 0) {
            (void)close(p->stat_fd);
        }
    }
}
