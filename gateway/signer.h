/* signer.h: what a worker has the keeper do: signatures and decryptions, asked for and answered later.
 *
 * Handshakes that wait stand in one row, in the order they came; GW_KEEPER_PENDING
 * of them are with the keeper. If it dies, those it had are asked again of the
 * next one, and the others wait; how long a handshake may wait is the handshake's
 * own deadline.
 * Invariant: an ask belongs to one end of one session and goes with it; an answer
 * that comes for nobody is dropped.  Owns asks and the socket. */
#ifndef GW_SIGNER_H
#define GW_SIGNER_H

#include "end.h"
#include "ipc.h"
#include <hb/tls.h>
#include <uv.h>

struct gw_session;
struct gw_ask;

struct gw_signer {
    uv_poll_t *poll;              /* owned by the loop until its close callback; NULL: no keeper now */
    int fd;                       /* -1: no keeper now */
    struct gw_ask *first, **last; /* owned: those with the keeper, then those that wait */
    struct gw_ask *next_to_send;  /* borrowed from the row */
    unsigned num_sent;
    uint32_t number;
    struct gw_ipc_in *in; /* owned */
};

/* False: out of memory. */
bool gw_signer_init(struct gw_signer *g);
/* From now on this is the socket to the keeper; -1: there is none for now. It is the signer's. */
void gw_signer_keeper(struct gw_worker *w, int fd);
/* Once a second: asks again what the system had no room for. */
void gw_signer_tick(struct gw_worker *w);
/* Stops and frees, for the end of the process. */
void gw_signer_close(struct gw_worker *w);
/* Has e's TLS connection (s's end) what event ev (HB_TLS_SIGN or HB_TLS_DECRYPT) wants: at once if the key is
 * here, else later, through gw_session_answered(). */
void gw_signer_ask(struct gw_session *s, struct gw_end *e, enum hb_tls_ev ev, const struct hb_tls_sign *what);
/* e is going away. */
void gw_signer_forget(struct gw_worker *w, struct gw_end *e);

#endif
