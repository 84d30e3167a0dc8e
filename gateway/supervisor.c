/* supervisor.c: children, signals, messages.
 *
 * Sockets are bound before the first child, so "port taken" is one clear line and exit 2. A process that dies
 * is started again: at once if it had lived a while, else after a wait that doubles with each death. Workers
 * take only their own sessions with them. When the keeper is started again, every worker gets a new socket to
 * it. */
#include "supervisor.h"

#include "admin.h"
#include "listener.h"
#include "log.h"
#include "log_socket.h"
#include "service.h"
#include "source.h"
#include "sysenv.h"
#include <errno.h>
#include <hb/ct.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define LONG_LIFE   10000u /* milliseconds */
#define FIRST_HOLD  250u
#define LAST_HOLD   30000u
#define FIRST_TRIES 3u

static volatile sig_atomic_t stops, hangups; /* how often we were told */

static void on_stop(int signum)
{
    (void)signum;
    stops = stops < 2 ? stops + 1 : stops;
}

static void on_hangup(int signum)
{
    (void)signum;
    hangups = 1;
}

static void on_child(int signum)
{
    (void)signum; /* only to interrupt ppoll */
}

uint64_t gw_now_ms(void)
{
    const struct hb_env *env = gw_sysenv();

    return env->mono(env->ctx);
}

/* Every descriptor the system grants us: a session needs two. */
static void raise_descriptor_limit(void)
{
    struct rlimit lim;

    if (getrlimit(RLIMIT_NOFILE, &lim) == 0 && lim.rlim_cur < lim.rlim_max) {
        lim.rlim_cur = lim.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &lim);
    }
}

static bool fail(const char *what, const char *why)
{
    GW_LOG(GW_EV_START_ERROR, GW_STR("what", what), GW_STR("why", why));
    return false;
}

/* ---- who the children are ---- */

/* The user of the children: the configured one; "hauberk" if there is one, else "nobody". */
static bool choose_user(struct gw_supervisor *sv)
{
    const struct gw_conf *conf = sv->snap->conf;
    const struct passwd *pw = NULL;

    sv->settings.sandbox = conf->sandbox;
    sv->settings.root = geteuid() == 0;
    sv->settings.log = conf->log;
    sv->settings.log_to = conf->log_to;
    sv->settings.debug = conf->debug;
    if (!conf->sandbox) {
        GW_LOG(GW_EV_SANDBOX_OFF, GW_U64("uid", (uint64_t)geteuid()));
        return true;
    }
    if (!sv->settings.root) {
        GW_LOG(GW_EV_UNPRIVILEGED, GW_U64("uid", (uint64_t)geteuid()));
        return true;
    }
    pw = getpwnam(conf->user != NULL ? conf->user : "hauberk");
    if (pw == NULL && conf->user == NULL) {
        pw = getpwnam("nobody");
    }
    if (pw == NULL) {
        return fail("user", "there is no such user on this machine");
    }
    sv->settings.uid = pw->pw_uid;
    sv->settings.gid = pw->pw_gid;
    return true;
}

static bool share_stat(struct gw_proc *p)
{
    p->stat_fd = memfd_create("hauberk-stat", MFD_CLOEXEC);
    if (p->stat_fd < 0 || ftruncate(p->stat_fd, sizeof *p->stat) != 0) {
        return fail("counters", strerror(errno));
    }
    void *mem = mmap(NULL, sizeof *p->stat, PROT_READ, MAP_SHARED, p->stat_fd, 0);
    if (mem == MAP_FAILED) {
        return fail("counters", strerror(errno));
    }
    p->stat = mem;
    return true;
}

static bool make_procs(struct gw_supervisor *sv)
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

void gw_supervisor_owe(struct gw_proc *p)
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

static void bring(struct gw_supervisor *sv, struct gw_proc *p)
{
    bool good = true;

    p->owed = 0;
    if (p->role == GW_ROLE_WORKER) {
        const struct gw_proc *keeper = keeper_of(sv, p);
        good = join(sv, p);
        good = (keeper == NULL || keeper->owed == 0) && gw_reload_give_conf(sv, p) && good;
    } else if (p->role == GW_ROLE_KEEPER) {
        good = gw_reload_give_keys(sv, p);
        for (unsigned i = 0; i < sv->num_procs; i++) {
            if (sv->procs[i].role == GW_ROLE_WORKER && sv->procs[i].id == p->id) {
                good = join(sv, &sv->procs[i]) && good;
            }
        }
    }
    if (!good) { /* out of descriptors or memory; or it is dead, and started again */
        gw_supervisor_owe(p);
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

static void tell_workers(struct gw_supervisor *sv, enum gw_msg type, struct hb_span body)
{
    for (unsigned i = 0; i < sv->num_procs; i++) {
        if (sv->procs[i].role == GW_ROLE_WORKER && sv->procs[i].sock >= 0) {
            (void)gw_ipc_send(sv->procs[i].sock, type, body, NULL, 0);
        }
    }
}

void gw_supervisor_drain(struct gw_supervisor *sv, uint32_t seconds)
{
    uint8_t mem[4];
    struct hb_bld b = hb_bld(mem, sizeof mem);

    if (sv->draining) {
        return;
    }
    sv->draining = true;
    gw_loader_stop(&sv->loader);
    gw_service_tell("STOPPING=1");
    gw_ports_close(&sv->ports); /* ours would go on taking connections nobody serves */
    hb_bld_u32(&b, seconds);
    tell_workers(sv, GW_MSG_DRAIN, hb_bld_span(&b));
}

static void give_up(struct gw_supervisor *sv)
{
    sv->rc = 2;
    sv->draining = true;
    gw_loader_stop(&sv->loader);
    gw_ports_close(&sv->ports);
    tell_workers(sv, GW_MSG_STOP, hb_span(NULL, 0));
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
        give_up(sv);
    }
    gw_reload_forget(sv);
    gw_order_reloaded(sv);
}

static void reap(struct gw_supervisor *sv)
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

/* ---- the loop ---- */

static void take_message(struct gw_supervisor *sv, struct gw_proc *p)
{
    struct gw_ipc_in *m = &sv->in;

    if (m->type == GW_MSG_READY && p->role == GW_ROLE_WORKER) {
        p->generation = hb_cur_u32(&m->body);
        p->ready = true;
        if (!sv->was_ready) {
            gw_service_tell("READY=1");
        }
        sv->was_ready = true;
        gw_order_reloaded(sv);
    } else if (m->type == GW_MSG_OLDEST && p->role == GW_ROLE_WORKER) {
        p->oldest = hb_cur_u32(&m->body);
        gw_reload_forget(sv);
    } else if (m->type == GW_MSG_DIAL && p->role == GW_ROLE_WORKER) {
        dial(sv, p);
    } else if (m->type == GW_MSG_LOG && p->role == GW_ROLE_WORKER) {
        gw_logs_lost(sv);
    } else if (m->type == GW_MSG_DID && p->role == GW_ROLE_WORKER) {
        gw_query_did(sv, p);
    } else if (m->type == GW_MSG_SHORT && p->role != GW_ROLE_ADMIN) {
        gw_supervisor_owe(p);
    } else if (m->type == GW_MSG_ASK && p->role == GW_ROLE_ADMIN) {
        gw_order(sv, p);
    }
}

static void listen_to(struct gw_supervisor *sv, struct gw_proc *p)
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

static bool any_left(const struct gw_supervisor *sv, bool workers_only)
{
    for (unsigned i = 0; i < sv->num_procs; i++) {
        if (sv->procs[i].pid > 0 && (!workers_only || sv->procs[i].role == GW_ROLE_WORKER)) {
            return true;
        }
    }
    return false;
}

/* The workers are gone: the others have nobody to be there for. */
static void end_helpers(struct gw_supervisor *sv)
{
    for (unsigned i = 0; i < sv->num_procs; i++) {
        if (sv->procs[i].pid > 0 && sv->procs[i].sock >= 0) {
            (void)gw_ipc_try(sv->procs[i].sock, GW_MSG_STOP, hb_span(NULL, 0), NULL, 0);
        }
    }
}

static void start_due(struct gw_supervisor *sv, uint64_t now)
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

static int next_wait(const struct gw_supervisor *sv, uint64_t now)
{
    uint64_t due = now + 60000;

    for (unsigned i = 0; i < sv->num_procs && !sv->draining; i++) {
        const struct gw_proc *p = &sv->procs[i];
        due = p->pid == 0 && p->due < due ? p->due : due;
        due = p->sock >= 0 && p->owed != 0 && p->owed < due ? p->owed : due;
    }
    uint64_t watch = gw_watch_due(&sv->watch);
    due = watch < due && !sv->draining ? watch : due;
    due = sv->loader.fd >= 0 && sv->loader.due < due ? sv->loader.due : due;
    due = sv->names_due != 0 && sv->names_due < due && !sv->draining ? sv->names_due : due;
    uint64_t query = gw_query_due(sv);
    uint64_t logs = gw_logs_due(sv);
    due = query < due ? query : due;
    due = logs < due ? logs : due;
    if (gw_service_watchdog() > 0 && now + gw_service_watchdog() < due) {
        due = now + gw_service_watchdog();
    }
    return due > now ? (int)(due - now) : 0;
}

static void wait_for_something(struct gw_supervisor *sv, const sigset_t *mask)
{
    struct pollfd fds[GW_MAX_CHILDREN + 2];
    int wait = next_wait(sv, gw_now_ms());
    struct timespec ts = {wait / 1000, (long)(wait % 1000) * 1000000};

    for (unsigned i = 0; i < sv->num_procs; i++) {
        fds[i] = (struct pollfd){sv->procs[i].sock, POLLIN, 0};
    }
    fds[sv->num_procs] = (struct pollfd){sv->watch.fd, POLLIN, 0};
    fds[sv->num_procs + 1] = (struct pollfd){sv->loader.fd, POLLIN, 0};
    if (ppoll(fds, sv->num_procs + 2, &ts, mask) <= 0) {
        return;
    }
    for (unsigned i = 0; i < sv->num_procs; i++) {
        if (fds[i].revents != 0) {
            listen_to(sv, &sv->procs[i]);
        }
    }
    if (fds[sv->num_procs].revents != 0) {
        gw_watch_events(&sv->watch);
    }
}

/* Whatever is a reason to load the configuration, and what was loaded. */
static void reload_due(struct gw_supervisor *sv)
{
    uint64_t now = gw_now_ms();
    struct pollfd p = {sv->loader.fd, POLLIN, 0};

    if (sv->draining) {
        return;
    }
    if (sv->loader.fd >= 0 && (now >= sv->loader.due || poll(&p, 1, 0) == 1)) {
        gw_reload_loaded(sv);
    }
    if (hangups > 0) {
        hangups = 0;
        gw_reload(sv, true, "SIGHUP");
    }
    if (gw_watch_changed(&sv->watch)) {
        gw_reload(sv, false, "files changed");
    }
    if (sv->names_due != 0 && now >= sv->names_due) {
        gw_reload_plan(sv); /* again, should this come to nothing */
        gw_reload(sv, false, "names");
    }
}

static void watch_over(struct gw_supervisor *sv, const sigset_t *mask)
{
    int told = 0;

    while (any_left(sv, sv->draining) || !sv->draining) {
        start_due(sv, gw_now_ms());
        wait_for_something(sv, mask);
        if (gw_service_watchdog() > 0) {
            gw_service_tell("WATCHDOG=1");
        }
        for (; told < stops; told++) {
            if (!sv->draining) {
                gw_supervisor_drain(sv, 0);
            } else {
                tell_workers(sv, GW_MSG_STOP, hb_span(NULL, 0));
            }
        }
        reap(sv);
        reload_due(sv);
        gw_query_late(sv, gw_now_ms());
        gw_logs_tick(sv, gw_now_ms());
        gw_log_tick();
    }
    end_helpers(sv);
    while (any_left(sv, false)) {
        reap(sv);
        if (any_left(sv, false)) {
            wait_for_something(sv, mask);
        }
    }
}

static void take_signals(sigset_t *before)
{
    struct sigaction stop = {.sa_handler = on_stop};
    struct sigaction hangup = {.sa_handler = on_hangup};
    struct sigaction child = {.sa_handler = on_child};
    sigset_t block;

    (void)signal(SIGPIPE, SIG_IGN); /* a write to who is gone is a code, not the end */
    (void)signal(SIGXFSZ, SIG_IGN); /* and so is one to a log that may not grow */
    (void)sigemptyset(&block);
    (void)sigaddset(&block, SIGCHLD);
    (void)sigaddset(&block, SIGTERM);
    (void)sigaddset(&block, SIGINT);
    (void)sigaddset(&block, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &block, before);
    (void)sigaction(SIGTERM, &stop, NULL);
    (void)sigaction(SIGINT, &stop, NULL);
    (void)sigaction(SIGHUP, &hangup, NULL);
    (void)sigaction(SIGCHLD, &child, NULL);
}

static void end(struct gw_supervisor *sv)
{
    gw_ports_close(&sv->ports);
    gw_watch_close(&sv->watch);
    gw_loader_stop(&sv->loader);
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
    while (sv->num_old > 0) {
        (void)gw_snapshot_drop(&sv->old[--sv->num_old]);
    }
    (void)gw_snapshot_drop(&sv->snap);
}

/* Drawn here, it is the same one in every process that will load a configuration. */
static void keep_secret(void)
{
    char *secret = NULL;
    size_t len = 0;

    (void)gw_source_ask(GW_SRC_SECRET, "", &secret, &len);
    if (secret != NULL) {
        hb_wipe(secret, len);
    }
    free(secret);
}

int gw_run(int argc, char **argv, struct gw_snapshot *snap)
{
    struct gw_supervisor *sv = calloc(1, sizeof *sv);
    sigset_t before;
    char why[256];
    char *control;

    if (sv == NULL) {
        (void)gw_snapshot_drop(&snap);
        return 2;
    }
    control = snap->conf->control != NULL ? strdup(snap->conf->control) : NULL; /* a reload may forget it */
    sv->argc = argc;
    sv->argv = argv;
    sv->snap = snap;
    sv->generation = snap->generation;
    sv->ports.workers = snap->conf->workers;
    sv->num_workers = snap->conf->workers;
    sv->control = -1;
    sv->metrics = -1;
    sv->watch.fd = -1;
    sv->loader.fd = -1;
    sv->lifetime = gw_bundle_lifetime(snap->bundle);
    gw_reload_plan(sv);
    sv->born = gw_now_ms();
    gw_service_begin();
    if (snap->conf->log_to != GW_LOG_STDERR) {
        gw_log_to(snap->conf->log_to, -1);
        gw_logs_tick(sv, sv->born);
    }
    raise_descriptor_limit();
    bool good = gw_ports_open(&sv->ports, snap->conf, why, sizeof why);
    if (!good) {
        GW_LOG(GW_EV_START_ERROR, GW_STR("why", why));
    }
    unsigned added;
    unsigned removed;
    gw_ports_settle(&sv->ports, &added, &removed);
    take_signals(&before);
    keep_secret();
    if (good && snap->conf->control != NULL) {
        sv->control = gw_control_open(snap->conf->control, why, sizeof why);
        good = sv->control >= 0 || fail("control", why);
    }
    if (good && snap->conf->metrics.ss_family != AF_UNSPEC) {
        struct gw_listener_conf place = {.url = snap->conf->metrics_text, .addr = snap->conf->metrics};
        sv->metrics = gw_listener_bind(&place, false, why, sizeof why);
        good = sv->metrics >= 0 || fail("metrics", why);
    }
    if (good && gw_child_prepare() && choose_user(sv) && make_procs(sv)) {
        if (sv->settings.sandbox) {
            gw_sandbox_no_dumps();
        }
        gw_watch_begin(&sv->watch, snap->bundle);
        watch_over(sv, &before);
    } else {
        sv->rc = 2;
    }
    int rc = sv->rc;
    if (sv->metrics >= 0) {
        (void)close(sv->metrics);
    }
    if (sv->control >= 0) {
        (void)close(sv->control);
        (void)unlink(control != NULL ? control : "");
    }
    end(sv);
    free(control);
    free(sv);
    return rc;
}
