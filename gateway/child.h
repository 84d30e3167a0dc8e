/* child.h: how each process below the supervisor begins.
 *
 * The supervisor forks and executes the program once more, under the name
 * "hauberk: worker 0": memory, stack and addresses are new, so nothing of the
 * supervisor's (private keys among it) is in a worker because of where it comes
 * from.  The child is told who it is, gives up what it does not need, and only
 * then is sent anything to work on. */
#ifndef GW_CHILD_H
#define GW_CHILD_H

#include "sandbox.h"
#include <stdbool.h>
#include <stdint.h>

struct gw_hello {
    unsigned id;
    int fd[2]; /* what came with it; -1: nothing */
};

/* True if argv[0] is the name of a child; runs it, *rc is its exit code. */
bool gw_child_main(int argc, char **argv, int *rc);

/* For the child: waits for HELLO, sets the log up, enters the sandbox. inside (may be NULL) is called just
 * before the doors close. False after logging why. */
bool gw_child_begin(int supervisor, enum gw_role role, struct gw_hello *hello, bool (*inside)(void));

struct gw_child_settings {
    bool sandbox, root, debug;
    unsigned uid, gid, log, log_to; /* with the log's socket, if it has one now */
};

/* For the supervisor: a child and the socket to it. -1 after logging why. fd: go with its HELLO, those that
 * are not -1. */
int gw_child_start(enum gw_role role, unsigned id, const struct gw_child_settings *set, const int fd[2],
                   int *pid);
/* Opens the program's own file, to execute it later even if it was replaced meanwhile. Before the first
 * start. */
bool gw_child_prepare(void);

#endif
