/* end.h: one side of a session: a socket, perhaps TLS on it, and what waits.
 *
 * Client and backend are the same struct.  An idle end owns no buffer: reads
 * land in the worker's read buffer, writes leave from the worker's gather
 * lists, and only what the socket refuses is kept, in a chunk of its own that
 * libuv's write queue holds until it is sent.
 * Invariants: reading is true exactly while libuv reads the socket; the handle's
 * memory is the session's again only after its close callback (libuv's rule). */
#ifndef GW_END_H
#define GW_END_H

#include "out.h"
#include <hb/buf.h>
#include <hb/tls.h>
#include <uv.h>

struct gw_worker;
struct gw_ask;

enum gw_end_state {
    END_NONE,       /* no handle */
    END_CONNECTING, /* backend: connect under way */
    END_OPEN,
    END_SHUT,    /* our side is shut down, or will be when the queue is empty */
    END_CLOSING, /* uv_close called */
};

struct gw_end {
    uv_tcp_t tcp;       /* tcp.data: the session */
    struct hb_tls *tls; /* owned, or NULL: plaintext */
    struct gw_ask *ask; /* owned by the worker's signer: what the handshake waits for; NULL: nothing */
    struct hb_buf held; /* bytes read but not yet taken by the protocol */
    uint64_t taken;     /* plaintext bytes received on this side */
    uint8_t state;      /* enum gw_end_state */
    bool upstream;      /* the backend's end */
    bool reading;
    bool eof;    /* the peer's stream has ended */
    bool broken; /* a write failed: nothing more can be sent, but there may be something to read */
    bool lost;   /* bytes meant for this side were lost for want of memory: the session cannot go on */
};

/* More than this refused by the socket: stop reading the other side. */
#define GW_HIGH_WATER 65536u

void gw_end_init(struct gw_end *e, bool upstream);
/* Gathers bytes for e in `out`, flushing it when it is full. */
void gw_end_put(struct gw_end *e, struct gw_worker *w, struct gw_out *out, struct hb_span bytes);
/* Seals (if TLS is up) and writes what `out` and, on a TLS end, the worker's sealed buffer hold; one system
 * call in the ordinary case. Keeps what the socket refuses. out and the sealed buffer are empty afterwards.
 */
void gw_end_flush(struct gw_end *e, struct gw_worker *w, struct gw_out *out);
/* Bytes the socket has refused so far. */
size_t gw_end_queued(const struct gw_end *e);
/* Starts or stops reading, if that is a change. */
void gw_end_read(struct gw_end *e, bool on, uv_alloc_cb alloc, uv_read_cb read);
/* Shuts our side down behind everything queued; done is called once, also on failure. */
void gw_end_shutdown(struct gw_end *e, uv_shutdown_cb done);
/* Closes; reset: the peer shall see an abort, not an end. */
void gw_end_close(struct gw_end *e, bool reset, uv_close_cb closed);

#endif
