/* supervisor.c: listening sockets first, then the workers.
 * Sockets are bound before the first fork, so "port taken" is one clear line and exit 2, whatever the number
 * of workers. A worker that dies takes only its own sessions; it is started again, at most once a second. */
#include "supervisor.h"

#include "listener.h"
#include "log.h"
#include "worker.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t stops; /* how often we were told to stop */

static void on_stop(int signum)
{
    (void)signum;
    stops = stops < 2 ? stops + 1 : stops;
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

static bool bind_all(struct gw_conf *conf, int *fds, bool shared)
{
    for (unsigned i = 0; i < conf->num_listeners; i++) {
        fds[i] = gw_listener_bind(&conf->listeners[i], shared);
        if (fds[i] < 0) {
            return false;
        }
    }
    return true;
}

static pid_t start_worker(struct gw_conf *conf, int *fds, unsigned id)
{
    unsigned num = conf->num_listeners;
    pid_t pid = fork();

    if (pid != 0) {
        return pid;
    }
    (void)signal(SIGTERM, SIG_DFL);
    (void)signal(SIGINT, SIG_DFL);
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    for (unsigned w = 0; w < conf->workers;
         w++) { /* the others' sockets would take connections nobody serves */
        for (unsigned i = 0; w != id && i < num; i++) {
            (void)close(fds[w * num + i]);
        }
    }
    int rc = gw_worker_run(conf, fds + (size_t)id * num, id);
    _exit(rc);
}

static void tell_all(const pid_t *pids, unsigned num, int signum)
{
    for (unsigned i = 0; i < num; i++) {
        if (pids[i] > 0) {
            (void)kill(pids[i], signum);
        }
    }
}

static void close_all(const struct gw_conf *conf, const int *fds)
{
    for (size_t i = 0; i < (size_t)conf->num_listeners * conf->workers; i++) {
        (void)close(fds[i]);
    }
}

/* Waits for children and signals; restarts what died, passes stops on, returns when all are gone. */
static int watch(struct gw_conf *conf, int *fds, pid_t *pids, const sigset_t *wait_mask)
{
    unsigned alive = conf->workers;
    int told = 0;
    int rc = 0;

    while (alive > 0) {
        if (told == 0 && stops > 0) {
            close_all(conf, fds); /* ours would go on taking connections nobody serves */
        }
        while (told < stops) {
            tell_all(pids, conf->workers, SIGTERM);
            told++;
        }
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid <= 0) {
            (void)sigsuspend(wait_mask); /* SIGCHLD, SIGTERM and SIGINT are blocked outside of here */
            continue;
        }
        for (unsigned i = 0; i < conf->workers; i++) {
            if (pids[i] != pid) {
                continue;
            }
            if (told > 0) {
                pids[i] = 0;
                alive--;
                break;
            }
            GW_LOG(GW_EV_WORKER_DIED, GW_U64("worker", i), GW_U64("pid", (uint64_t)pid),
                   GW_U64("status", (uint64_t)(unsigned)status));
            (void)sleep(1);
            pids[i] = start_worker(conf, fds, i);
            if (pids[i] < 0) { /* the others go on; without any of them there is nothing to watch */
                GW_LOG(GW_EV_START_ERROR, GW_STR("why", strerror(errno)));
                alive--;
                rc = 2;
            }
        }
    }
    return rc;
}

static void on_child(int signum)
{
    (void)signum; /* only to interrupt sigsuspend */
}

static int run_workers(struct gw_conf *conf, int *fds)
{
    pid_t *pids = calloc(conf->workers, sizeof *pids);
    sigset_t block;
    sigset_t before;

    if (pids == NULL) {
        return 2;
    }
    (void)sigemptyset(&block);
    (void)sigaddset(&block, SIGCHLD);
    (void)sigaddset(&block, SIGTERM);
    (void)sigaddset(&block, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &block, &before);
    struct sigaction stop = {.sa_handler = on_stop};
    struct sigaction child = {.sa_handler = on_child};
    (void)sigaction(SIGTERM, &stop, NULL);
    (void)sigaction(SIGINT, &stop, NULL);
    (void)sigaction(SIGCHLD, &child, NULL);
    int rc = 0;
    for (unsigned i = 0; i < conf->workers && rc == 0; i++) {
        pids[i] = start_worker(conf, fds, i);
        if (pids[i] < 0) {
            GW_LOG(GW_EV_START_ERROR, GW_STR("why", strerror(errno)));
            tell_all(pids, i, SIGTERM);
            rc = 2;
        }
    }
    if (rc == 0) {
        rc = watch(conf, fds, pids, &before);
    }
    free(pids);
    return rc;
}

int gw_run(struct gw_conf *conf)
{
    bool shared = conf->workers > 1;
    size_t num = (size_t)conf->num_listeners * conf->workers;
    int *fds = calloc(num, sizeof *fds);
    int rc = 0;

    if (fds == NULL) {
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN); /* a write to a peer that is gone is a code, not the end of everybody */
    raise_descriptor_limit();
    for (unsigned i = 0; i < conf->workers && rc == 0; i++) {
        rc = bind_all(conf, fds + (size_t)i * conf->num_listeners, shared) ? 0 : 2;
    }
    if (rc == 0) {
        rc = shared ? run_workers(conf, fds) : gw_worker_run(conf, fds, 0);
    }
    free(fds);
    return rc;
}
