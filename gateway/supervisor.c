/* supervisor.c: set-up, signals, the loop.
 *
 * Sockets are bound before the first child, so "port taken" is one clear line and exit 2. The loop waits for
 * children, files that changed, what was loaded, and the next thing that is due; signals only count, and the
 * loop does what they ask for. */
#include "supervisor.h"

#include "admin.h"
#include "listener.h"
#include "log.h"
#include "log_socket.h"
#include "service.h"
#include "source.h"
#include "sysenv.h"
#include <hb/ct.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

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
    gw_children_tell_workers(sv, GW_MSG_DRAIN, hb_bld_span(&b));
}

void gw_supervisor_give_up(struct gw_supervisor *sv)
{
    sv->rc = 2;
    sv->draining = true;
    gw_loader_stop(&sv->loader);
    gw_ports_close(&sv->ports);
    gw_children_tell_workers(sv, GW_MSG_STOP, hb_span(NULL, 0));
}

/* ---- the loop ---- */

static int next_wait(const struct gw_supervisor *sv, uint64_t now)
{
    uint64_t due = now + 60000;

    uint64_t children = gw_children_due(sv);
    due = children < due ? children : due;
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
            gw_hear(sv, &sv->procs[i]);
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

    while (gw_children_left(sv, sv->draining) || !sv->draining) {
        gw_children_start_due(sv, gw_now_ms());
        wait_for_something(sv, mask);
        if (gw_service_watchdog() > 0) {
            gw_service_tell("WATCHDOG=1");
        }
        for (; told < stops; told++) {
            if (!sv->draining) {
                gw_supervisor_drain(sv, 0);
            } else if (told > 0) { /* the first may come behind `ctl drain`, as Kubernetes sends it */
                gw_children_tell_workers(sv, GW_MSG_STOP, hb_span(NULL, 0));
            }
        }
        gw_children_reap(sv);
        reload_due(sv);
        gw_query_late(sv, gw_now_ms());
        gw_logs_tick(sv, gw_now_ms());
        gw_log_tick();
    }
    gw_children_end_helpers(sv);
    while (gw_children_left(sv, false)) {
        gw_children_reap(sv);
        if (gw_children_left(sv, false)) {
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
    gw_children_close(sv);
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

int gw_run(int argc, char **argv, struct gw_snapshot *snap, const struct gw_problems *notices)
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
    gw_log_count(sv->events);
    if (snap->conf->log_to != GW_LOG_STDERR) {
        gw_log_to(snap->conf->log_to, -1);
        gw_logs_tick(sv, sv->born);
    }
    gw_log_notices(notices);
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
    if (good && gw_child_prepare() && choose_user(sv) && gw_children_make(sv)) {
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
    gw_log_count(NULL);
    free(control);
    free(sv);
    return rc;
}
