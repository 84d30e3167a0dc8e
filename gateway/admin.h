/* admin.h: the process that operators talk to.
 *
 * It takes one line of words on the control socket, has the supervisor answer, and
 * passes the answer on. It holds no keys, no sessions and no privileges; what it
 * may ask for is in the supervisor's hands (orders.c).
 *
 *   client: words, blanks between them, "\n"
 *   answer: "ok\n" or "failed\n", then text up to the end of the stream */
#ifndef GW_ADMIN_H
#define GW_ADMIN_H

#define GW_CONTROL_PATH "/run/hauberk/control"
#define GW_ADMIN_LINE   512u
#define GW_ADMIN_MORE   255u /* exit code of a SAY that is followed by another */

/* The process, from its first message on. Returns its exit code. */
int gw_admin_run(int supervisor);

/* For the supervisor: the control socket, open to its own user alone; -1: why[] says why. */
int gw_control_open(const char *path, char *why, unsigned cap);

/* `hauberk ctl`: 0 done, 1 refused, 2 nobody there. */
int gw_ctl(int argc, char **argv);

#endif
