/* sandbox.c: what a process of each role can still do, tried from inside: rows of system calls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "sandbox.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define W (1u << GW_ROLE_WORKER)
#define K (1u << GW_ROLE_KEEPER)
#define A (1u << GW_ROLE_ADMIN)

/* What becomes of a call: done, an error, or the end of the process. */
enum { DONE = 0, ENDED = -1 };

struct row {
    const char *what;
    unsigned roles;
    int want; /* DONE, ENDED, or the error */
    long call, a, b, c;
};

static int try_in_child(enum gw_role role, const struct row *r)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        char why[128];
        long self = (long)getpid();
        long a = r->a == -2 ? (long)parent : r->a == -3 ? self : r->a;
        long b = r->b == -2 ? (long)parent : r->b == -3 ? self : r->b;
        if (!gw_sandbox_enter(role, false, 0, 0, why, sizeof why)) {
            _exit(255);
        }
        _exit(syscall(r->call, a, b, r->c, -1L, 0L, 0L) < 0 ? errno : 0);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS ? ENDED : WEXITSTATUS(status);
}

/* -2: the parent's process id, -3: its own */
static void what_is_left(void **state)
{
    static char path[] = "/etc/hostname";
    static const struct row rows[] = {
        /* files */
        {"open", W | K | A, ENOSYS, SYS_openat, AT_FDCWD, (long)(intptr_t)path, O_RDONLY},
        {"unlink", W | K | A, ENOSYS, SYS_unlinkat, AT_FDCWD, (long)(intptr_t)path, 0},
        {"mkdir", W | K | A, ENOSYS, SYS_mkdirat, AT_FDCWD, (long)(intptr_t)path, 0},
        /* other processes */
        {"exec", W | K | A, ENDED, SYS_execve, (long)(intptr_t)path, 0, 0},
        {"ptrace", W | K | A, ENDED, SYS_ptrace, PTRACE_ATTACH, -2, 0},
        {"read another's memory", W | K | A, ENDED, SYS_process_vm_readv, -2, 0, 0},
        {"clone", W | K | A, ENOSYS, SYS_clone, SIGCHLD, 0, 0},
        {"signal to another", W | K | A, ENOSYS, SYS_kill, -2, 0, 0},
        {"signal to another's thread", W | K | A, ENOSYS, SYS_tgkill, -2, -2, 0},
        {"signal to itself, as abort() does", W | K | A, DONE, SYS_tgkill, -3, -3, 0},
        /* privileges, namespaces, limits */
        {"setuid", W | K | A, ENDED, SYS_setuid, 0, 0, 0},
        {"chroot", W | K | A, ENDED, SYS_chroot, (long)(intptr_t)path, 0, 0},
        {"unshare", W | K | A, ENOSYS, SYS_unshare, 0x10000000, 0, 0},
        {"bpf", W | K | A, ENDED, SYS_bpf, 0, 0, 0},
        {"prctl", W | K | A, ENOSYS, SYS_prctl, 4, 1, 0},
        {"set another's limits", W | K | A, ENOSYS, SYS_prlimit64, -2, RLIMIT_NOFILE, 0},
        /* memory to be executed */
        {"mmap, executable", W | K | A, ENOSYS, SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC},
        {"mprotect, executable", W | K | A, ENOSYS, SYS_mprotect, 0, 4096, PROT_READ | PROT_EXEC},
        /* the network */
        {"socket, IPv4", W, DONE, SYS_socket, AF_INET, SOCK_STREAM, 0},
        {"socket, IPv4", K | A, ENOSYS, SYS_socket, AF_INET, SOCK_STREAM, 0},
        {"socket, unix", W | K | A, ENOSYS, SYS_socket, AF_UNIX, SOCK_STREAM, 0},
        {"socket, packet", W | K | A, ENOSYS, SYS_socket, AF_PACKET, SOCK_RAW, 0},
        {"bind", W | K | A, ENOSYS, SYS_bind, 0, 0, 0},
        {"connect", K | A, ENOSYS, SYS_connect, 0, 0, 0},
        {"accept", K, ENOSYS, SYS_accept4, 0, 0, 0},
        /* what everybody needs */
        {"getpid", W | K | A, DONE, SYS_getpid, 0, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (enum gw_role role = GW_ROLE_WORKER; role < GW_NUM_ROLES; role++) {
            if ((rows[i].roles & 1u << role) == 0) {
                continue;
            }
            int got = try_in_child(role, &rows[i]);
            if (got != rows[i].want) {
                fail_msg("%s in role %d: %d (%s), not %d", rows[i].what, (int)role, got,
                         got > 0 ? strerror(got) : "", rows[i].want);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_left)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
