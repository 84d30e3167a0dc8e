/* sysenv.c: randomness (CT-07). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "sysenv.h"
#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/resource.h>

/* No byte twice: every piece drawn, of any size, is another one; so are parent's and child's behind a fork.
 */
static void never_twice(void **state)
{
    const struct hb_env *env = gw_sysenv();
    static uint8_t drawn[300][16];
    uint8_t parent[32];
    uint8_t child[32];
    int pipe_fds[2];

    (void)state;
    for (size_t i = 0; i < 300; i++) {
        uint8_t skip[300];
        env->random(env->ctx, i, skip); /* the buffer at every place, and past it */
        env->random(env->ctx, sizeof drawn[i], drawn[i]);
        for (size_t k = 0; k < i; k++) {
            assert_memory_not_equal(drawn[i], drawn[k], sizeof drawn[i]);
        }
    }
    assert_int_equal(pipe(pipe_fds), 0);
    env->random(env->ctx, 1, parent); /* there are bytes in the buffer now */
    pid_t pid = fork();
    if (pid == 0) {
        env->random(env->ctx, sizeof child, child);
        _exit(write(pipe_fds[1], child, sizeof child) == sizeof child ? 0 : 1);
    }
    env->random(env->ctx, sizeof parent, parent);
    assert_int_equal(read(pipe_fds[0], child, sizeof child), sizeof child);
    assert_memory_not_equal(parent, child, sizeof child);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    (void)close(pipe_fds[0]);
    (void)close(pipe_fds[1]);
}

/* A kernel that gives none ends the process: nothing goes on with bytes that are not random. */
static void without_randomness(void **state)
{
    const struct hb_env *env = gw_sysenv();
    int status;

    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit none = {0, 0};
        uint8_t bytes[32];
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)signal(SIGABRT, SIG_DFL);
        scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
        if (ctx == NULL || seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(getrandom), 0) != 0 ||
            seccomp_load(ctx) != 0) {
            _exit(3);
        }
        (void)close(STDERR_FILENO);
        env->random(env->ctx, sizeof bytes, bytes);
        _exit(4); /* it went on */
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(never_twice), cmocka_unit_test(without_randomness)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
