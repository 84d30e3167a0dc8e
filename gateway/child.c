/* child.c: fork, execute ourselves under another name, say hello. */
#include "child.h"

#include "admin.h"
#include "ipc.h"
#include "keeper.h"
#include "log.h"
#include "worker.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static const struct {
    const char *name;
    int (*run)(int supervisor);
} roles[GW_NUM_ROLES] = {
    [GW_ROLE_WORKER] = {"worker", gw_worker_run},
    [GW_ROLE_KEEPER] = {"keeper", gw_keeper_run},
    [GW_ROLE_ADMIN] = {"admin", gw_admin_run},
};

static int program = -1;
static bool in_sandbox;

bool gw_child_prepare(void)
{
    program = open("/proc/self/exe", O_PATH | O_CLOEXEC);
    if (program < 0) {
        GW_LOG(GW_EV_START_ERROR, GW_STR("what", "/proc/self/exe"), GW_STR("why", strerror(errno)));
    }
    return program >= 0;
}

/* In the child, between fork and exec: nothing but system calls. */
static void become(enum gw_role role, unsigned id, int sock)
{
    /* what is said to the whole group (the supervisor passes on what counts), and what a write may cause */
    static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGXFSZ};
    char name[64];
    char *argv[] = {name, NULL};
    sigset_t none;

    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++) {
        (void)signal(ignored[i], SIG_IGN);
    }
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)snprintf(name, sizeof name, "hauberk: %s %u", roles[role].name, id);
    if (sock == GW_IPC_FD) {
        (void)fcntl(sock, F_SETFD, 0);
    } else if (dup2(sock, GW_IPC_FD) < 0) {
        _exit(2);
    }
    (void)execveat(program, "", argv, environ, AT_EMPTY_PATH);
    _exit(2);
}

int gw_child_start(enum gw_role role, unsigned id, const struct gw_child_settings *set, const int fd[2],
                   int *pid)
{
    int ends[2];
    int sent[3];
    unsigned num_sent = 0;
    uint8_t mem[32];
    struct hb_bld b = hb_bld(mem, sizeof mem);

    if (!gw_ipc_pair(ends)) {
        GW_LOG(GW_EV_START_ERROR, GW_STR("what", roles[role].name), GW_STR("why", strerror(errno)));
        return -1;
    }
    *pid = fork();
    if (*pid == 0) {
        become(role, id, ends[1]);
    }
    (void)close(ends[1]);
    hb_bld_u16(&b, (uint16_t)id);
    hb_bld_u8(&b, (uint8_t)((set->sandbox ? GW_HELLO_SANDBOX : 0) | (set->root ? GW_HELLO_ROOT : 0)));
    hb_bld_u32(&b, set->uid);
    hb_bld_u32(&b, set->gid);
    hb_bld_u8(&b, (uint8_t)set->log);
    hb_bld_u8(&b, set->debug);
    hb_bld_u8(&b, (uint8_t)set->log_to);
    for (unsigned i = 0; i < 2; i++) {
        hb_bld_u8(&b, fd[i] >= 0);
        if (fd[i] >= 0) {
            sent[num_sent++] = fd[i];
        }
    }
    if (gw_log_fd() >= 0) {
        sent[num_sent++] = gw_log_fd();
    }
    HB_INVARIANT(hb_bld_ok(&b));
    if (*pid < 0 || !gw_ipc_send(ends[0], GW_MSG_HELLO, hb_bld_span(&b), sent, num_sent)) {
        GW_LOG(GW_EV_START_ERROR, GW_STR("what", roles[role].name), GW_STR("why", strerror(errno)));
        (void)close(ends[0]);
        return -1;
    }
    return ends[0];
}

bool gw_child_main(int argc, char **argv, int *rc)
{
    for (unsigned i = 0; argc == 1 && i < GW_NUM_ROLES; i++) {
        char name[40];
        int n = snprintf(name, sizeof name, "hauberk: %s ", roles[i].name);
        if (strncmp(argv[0], name, (size_t)n) == 0) {
            (void)fcntl(GW_IPC_FD, F_SETFD, FD_CLOEXEC);
            (void)snprintf(name, sizeof name, "hauberk-%s", roles[i].name);
            (void)prctl(PR_SET_NAME, name, 0, 0, 0);
            *rc = roles[i].run(GW_IPC_FD);
            if (in_sandbox) {
                _exit(*rc); /* what runs behind main() may want what we have given up */
            }
            return true;
        }
    }
    return false;
}

bool gw_child_begin(int supervisor, enum gw_role role, struct gw_hello *hello, bool (*inside)(void))
{
    struct gw_ipc_in *m = malloc(sizeof *m);
    char why[160] = "the supervisor said nothing";
    bool good = m != NULL && gw_ipc_wait(supervisor, m) == GW_IPC_MESSAGE;

    if (good) {
        hello->id = hb_cur_u16(&m->body);
        unsigned flags = hb_cur_u8(&m->body);
        uid_t uid = hb_cur_u32(&m->body);
        gid_t gid = hb_cur_u32(&m->body);
        unsigned format = hb_cur_u8(&m->body);
        bool debug = hb_cur_u8(&m->body) != 0;
        unsigned log_to = hb_cur_u8(&m->body);
        for (unsigned i = 0; i < 2; i++) {
            hello->fd[i] = hb_cur_u8(&m->body) != 0 ? gw_ipc_take_fd(m) : -1;
        }
        good = m->type == GW_MSG_HELLO && hb_cur_end(&m->body) && log_to <= GW_LOG_SYSLOG;
        gw_log_to(good ? (enum gw_log_to)log_to : GW_LOG_STDERR, good ? gw_ipc_take_fd(m) : -1);
        gw_ipc_done(m);
        gw_log_setup(format == GW_LOG_JSON ? GW_LOG_JSON : GW_LOG_TEXT, debug);
        gw_log_prepare();
        good = good && (inside == NULL || inside());
        if (good && (flags & GW_HELLO_SANDBOX) != 0) {
            in_sandbox = true;
            good = gw_sandbox_enter(role, (flags & GW_HELLO_ROOT) != 0, uid, gid, why, sizeof why);
        }
    }
    free(m);
    if (!good) {
        GW_LOG(GW_EV_START_ERROR, GW_STR("what", roles[role].name), GW_STR("why", why));
    }
    return good;
}
