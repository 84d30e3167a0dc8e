/* sandbox.h: what a process gives up before it meets what it is there for.
 *
 * In this order: core dumps and being traced; the file system (an empty folder
 * that nobody can name); privileges; the way back to them; new processes; every
 * system call that its role has no row for. */
#ifndef GW_SANDBOX_H
#define GW_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum gw_role { GW_ROLE_WORKER, GW_ROLE_KEEPER, GW_ROLE_ADMIN, GW_NUM_ROLES };

/* root: there is a file system and a user to leave for uid and gid. False: why[] says what did not work; the
 * process must end. */
bool gw_sandbox_enter(enum gw_role role, bool root, uid_t uid, gid_t gid, char *why, size_t cap);
/* No core dumps, no tracing: for the supervisor, too. */
void gw_sandbox_no_dumps(void);

#endif
