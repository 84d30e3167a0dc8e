/* ipc.h: framed messages between the processes of one gateway.
 *
 *   supervisor, worker:  HELLO CONF KEEPER DRAIN STOP DIALED LIST KILL LOG; READY OLDEST DIAL DID LOG SHORT
 *   supervisor, keeper:  HELLO KEYS PEER FORGET LOG;                       READY SHORT
 *   supervisor, admin:   HELLO SAY PAGE LOG;                               READY ASK
 *   worker, keeper:      SIGN DECRYPT;                                     DONE
 *
 * A message is one packet of a SOCK_SEQPACKET pair: a byte that says which, a
 * body, perhaps descriptors; what is long (a configuration, keys) travels as a
 * descriptor of memory.  Bodies are made with hb_bld and parsed with hb_cur, as
 * if they came from a stranger: a worker may have become one.
 * Invariants: nothing longer than GW_IPC_MAX and no more than GW_IPC_FDS
 * descriptors are taken; a descriptor nobody took is closed. A receiver that is short
 * of descriptors gets fewer than were sent: it says so (SHORT), and the supervisor
 * brings everything again a second later. */
#ifndef GW_IPC_H
#define GW_IPC_H

#include <hb/builder.h>
#include <hb/cursor.h>
#include <hb/err.h>
#include <stdbool.h>

#define GW_IPC_MAX 8192u
#define GW_IPC_FDS 72u
#define GW_IPC_FD  3 /* where a child finds its socket to the supervisor */

enum gw_msg {
    GW_MSG_HELLO = 1, /* u16 id, u8 flags (GW_HELLO_*), u32 uid, u32 gid, u8 log format, u8 debug, u8 log
                       * place (its socket is the last descriptor); fds: one of struct gw_stat to write to
                       * (worker), the control socket (admin) */
    GW_MSG_CONF,      /* u32 generation; fds: the bundle, then a listening socket for each of its listeners */
    GW_MSG_KEEPER,    /* fd: socket to a keeper; the one before is dead */
    GW_MSG_DRAIN,     /* u32 seconds to spread the goodbyes over */
    GW_MSG_STOP,      /* at once */
    GW_MSG_READY,     /* u32 generation: it is in force here */
    GW_MSG_OLDEST,    /* u32 generation: the oldest one that a session still uses */
    GW_MSG_KEYS,      /* u32 generation; fd: its private keys (keyring.h) */
    GW_MSG_PEER,      /* u16 worker; fd: socket to it; the one before is dead */
    GW_MSG_FORGET,    /* u32 generation: older ones are not used any more */
    GW_MSG_SIGN,      /* u32 number, u64 key, u16 scheme, vec16 input */
    GW_MSG_DECRYPT,   /* u32 number, u64 key, u16 the client's version, vec16 ciphertext */
    GW_MSG_DONE,      /* u32 number, vec16 signature or premaster; empty: could not */
    GW_MSG_DIAL,      /* u32 number, u32 generation, u16 listener, u16 server: a link to it, a unix socket */
    GW_MSG_DIALED,    /* u32 number, u32 errno; fd: the link */
    GW_MSG_ASK,       /* u32 client, vec16 words of `hauberk ctl`, a NUL behind each */
    GW_MSG_SAY,       /* u32 client, u8 exit code, vec16 text: the answer */
    GW_MSG_PAGE,      /* u32 client, u32 bytes; fd: memory that begins with them, a part of the answer */
    GW_MSG_LIST,      /* u32 client; fd: memory for lines of sessions */
    GW_MSG_KILL,      /* u32 client, u64 session */
    GW_MSG_DID,       /* u32 client, u32 bytes written, or sessions ended, u32 sessions that did not fit */
    GW_MSG_LOG, /* u8 where the log goes; fd: the socket. From a worker, empty: nobody is behind its socket */
    GW_MSG_SHORT,  /* u32 0: a message came without its descriptors */
    GW_MSG_LOADED, /* loader.c: from the process that loads a configuration */
    GW_NUM_MSGS
};

#define GW_HELLO_SANDBOX 1u /* enter it */
#define GW_HELLO_ROOT    2u /* there are privileges to give up */

struct gw_ipc_in {
    enum gw_msg type;
    struct hb_cur body;
    bool cut; /* descriptors that came with it could not be had */
    unsigned num_fds, taken;
    int fds[GW_IPC_FDS];
    uint8_t mem[GW_IPC_MAX];
};

/* Two connected ends, non-blocking, closed on exec. False: errno. */
bool gw_ipc_pair(int ends[2]);
/* Sends a message now. False, errno EAGAIN: no room; else the other side is gone. */
bool gw_ipc_try(int fd, enum gw_msg type, struct hb_span body, const int *fds, unsigned num_fds);
/* The same, waiting for room up to a second: for messages that are few and must arrive. */
bool gw_ipc_send(int fd, enum gw_msg type, struct hb_span body, const int *fds, unsigned num_fds);
enum gw_ipc_result { GW_IPC_NONE, GW_IPC_MESSAGE, GW_IPC_GONE };
/* Takes the next message, if there is one. GONE: the other side has ended, or sent what is no message. m->cut
 * is nobody's fault: this process is at its limit. */
enum gw_ipc_result gw_ipc_recv(int fd, struct gw_ipc_in *m);
/* Waits for it first. */
enum gw_ipc_result gw_ipc_wait(int fd, struct gw_ipc_in *m);
/* The next descriptor that came with m: the caller's. -1: no more. */
int gw_ipc_take_fd(struct gw_ipc_in *m);
/* Closes those nobody took. Call it behind each message. */
void gw_ipc_done(struct gw_ipc_in *m);

/* Bytes as a descriptor of memory that can be read from its start, and nothing else; -1: errno. */
int gw_ipc_memory(struct hb_span bytes);
/* All of it (wipe and free() it), at most max bytes; NULL: it cannot be had. fd is closed. */
uint8_t *gw_ipc_read_memory(int fd, size_t max, size_t *len);

#endif
