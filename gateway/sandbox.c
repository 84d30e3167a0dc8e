/* sandbox.c: limits, chroot, user, seccomp.
 *
 * A system call without a row answers ENOSYS: a C library that tries a new one falls back. A few that only an
 * intruder makes end the process (FATAL rows). Which calls a role may make is in the rows and nowhere else.
 */
#include "sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define W (1u << GW_ROLE_WORKER)
#define K (1u << GW_ROLE_KEEPER)
#define A (1u << GW_ROLE_ADMIN)

/* clang-format off */
static const struct {
    unsigned roles;
    const char *calls;
} rows[] = {
    /* bytes on descriptors that are there */
    { W | K | A, "read write readv writev recvmsg sendmsg close lseek pread64 fstat fstat64" },
    { W | K | A, "poll ppoll fcntl fcntl64" },
    /* memory, never to be executed (see below) */
    { W | K | A, "munmap mremap madvise brk" },
    /* time, randomness, signals, the end */
    { W | K | A, "clock_gettime clock_gettime64 gettimeofday time clock_nanosleep nanosleep getrandom" },
    { W | K | A, "rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack restart_syscall" },
    { W | K | A, "getpid gettid futex futex_time64 sched_yield exit exit_group" },
    /* the event loop */
    { W | A,     "epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 eventfd2 pipe2 ioctl" },
    /* connections; listen() is for sockets that came bound: nothing else can be */
    { W | A,     "accept accept4 recvfrom sendto shutdown setsockopt getsockopt getsockname getpeername" },
    { W,         "connect listen" },
};
/* clang-format on */

static const char fatal[] =
    "execve execveat ptrace process_vm_readv process_vm_writev fork vfork mount umount2 "
    "pivot_root chroot bpf kexec_load init_module finit_module delete_module "
    "open_by_handle_at setuid setgid setresuid setresgid keyctl add_key userfaultfd";

static bool add_calls(scmp_filter_ctx ctx, uint32_t action, const char *calls)
{
    char copy[400];
    char *save = NULL;
    bool good = true;

    (void)snprintf(copy, sizeof copy, "%s", calls);
    for (char *name = strtok_r(copy, " ", &save); name != NULL; name = strtok_r(NULL, " ", &save)) {
        int nr = seccomp_syscall_resolve_name(name);
        if (nr != __NR_SCMP_ERROR) { /* not on this machine */
            int rc = seccomp_rule_add(ctx, action, nr, 0);
            good = good && (rc == 0 || rc == -EDOM);
        }
    }
    return good;
}

/* Calls of which only some arguments are allowed. */
static bool add_narrow(scmp_filter_ctx ctx, enum gw_role role)
{
    const uint64_t exec = 4; /* PROT_EXEC */
    bool good =
        seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, exec, 0)) == 0 &&
        seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, exec, 0)) ==
            0 &&
        /* its own limits, to be read */
        seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2, SCMP_A0(SCMP_CMP_EQ, 0, 0),
                         SCMP_A2(SCMP_CMP_EQ, 0, 0)) == 0 &&
        /* abort() and raise(); the others, of the same user, are out of reach */
        seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                         SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0)) == 0 &&
        /* fstat() as newer C libraries do it; with a path it would end in the empty folder */
        seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
                         SCMP_A3(SCMP_CMP_MASKED_EQ, 0x1000, 0x1000)) == 0; /* AT_EMPTY_PATH */
    static const int families[] = {AF_INET, AF_INET6};
    for (size_t i = 0; role == GW_ROLE_WORKER && i < 2; i++) {
        good = good && seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                                        SCMP_A0(SCMP_CMP_EQ, (uint64_t)families[i], 0)) == 0;
    }
    return good;
}

static bool filter_calls(enum gw_role role, char *why, size_t cap)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    bool good = ctx != NULL && add_calls(ctx, SCMP_ACT_KILL_PROCESS, fatal) && add_narrow(ctx, role);

    for (size_t i = 0; good && i < sizeof rows / sizeof rows[0]; i++) {
        good = (rows[i].roles & 1u << role) == 0 || add_calls(ctx, SCMP_ACT_ALLOW, rows[i].calls);
    }
    int rc = good ? seccomp_load(ctx) : -EINVAL;
    if (rc != 0) {
        (void)snprintf(why, cap, "no system call filter: %s", strerror(-rc));
    }
    seccomp_release(ctx);
    return rc == 0;
}

/* An empty folder nobody else can find: made, entered, and removed before anything could be put in it. */
static bool enter_empty_folder(char *why, size_t cap)
{
    static const char *const places[] = {"/run", "/tmp", "/var/tmp", "/dev/shm"};

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "%s/hauberk-XXXXXX", places[i]);
        if (mkdtemp(path) == NULL) {
            continue;
        }
        bool there = chdir(path) == 0;
        bool removed = rmdir(path) == 0;
        if (there && removed && chroot(".") == 0 && chdir("/") == 0) {
            return true;
        }
    }
    (void)snprintf(why, cap, "cannot enter an empty folder in /run or /tmp: %s", strerror(errno));
    return false;
}

static bool leave_root(uid_t uid, gid_t gid, char *why, size_t cap)
{
    if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0) {
        (void)snprintf(why, cap, "cannot become user %u: %s", (unsigned)uid, strerror(errno));
        return false;
    }
    if (uid != 0 && setuid(0) == 0) {
        (void)snprintf(why, cap, "the user was left and could be had back");
        return false;
    }
    return true;
}

/* What an ordinary user's program may have been given: to bind low ports, for instance. */
static bool drop_capabilities(char *why, size_t cap)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};

    if (syscall(SYS_capset, &head, none) != 0) {
        (void)snprintf(why, cap, "cannot drop capabilities: %s", strerror(errno));
        return false;
    }
    return true;
}

void gw_sandbox_no_dumps(void)
{
    struct rlimit none = {0, 0};

    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

bool gw_sandbox_enter(enum gw_role role, bool root, uid_t uid, gid_t gid, char *why, size_t cap)
{
    struct rlimit none = {0, 0};

    if (root && (!enter_empty_folder(why, cap) || !leave_root(uid, gid, why, cap))) {
        return false;
    }
    if (!drop_capabilities(why, cap)) {
        return false;
    }
    gw_sandbox_no_dumps(); /* behind setresuid(), which changes that */
    (void)setrlimit(RLIMIT_NPROC, &none);
    (void)setrlimit(RLIMIT_MEMLOCK, &none);
    if (role == GW_ROLE_KEEPER) {
        (void)setrlimit(RLIMIT_FSIZE, &none);
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        (void)snprintf(why, cap, "no_new_privs: %s", strerror(errno));
        return false;
    }
    return filter_calls(role, why, cap);
}
