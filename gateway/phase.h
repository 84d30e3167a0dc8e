/* phase.h: the phases of a session and what is allowed in each, as one table.
 *
 *   HEADER ---> CLEAR or (implicit TLS) UPGRADING, if a proxy tells whom it speaks for
 *   CLEAR ---STARTTLS---> UPGRADING --flushed--> HANDSHAKE --finished--> SECURE --logged in--> RELAY
 *     |                                              ^ (implicit TLS starts here)                |
 *     +-----------------------------> DRAIN <--------+-------------------------------------------+
 *
 * UPGRADING and HANDSHAKE have no reader that could see a mail command: bytes
 * behind STARTTLS cannot reach the protocol, whoever forgets to check. */
#ifndef GW_PHASE_H
#define GW_PHASE_H

#include <stdbool.h>
#include <stdint.h>

enum gw_phase { PH_HEADER, PH_CLEAR, PH_UPGRADING, PH_HANDSHAKE, PH_SECURE, PH_RELAY, PH_DRAIN, PH_NUM };

/* Who gets a side's bytes. */
enum gw_reader {
    RD_HOLD,   /* nobody: reading is stopped */
    RD_PROTO,  /* the mail protocol */
    RD_HEADER, /* a PROXY header, and nothing else */
    RD_TLS,    /* the handshake: no plaintext may come out */
    RD_RAW,    /* the other side, untouched */
    RD_DISCARD /* read and thrown away until the peer closes */
};

struct gw_phase_row {
    const char *name;
    enum gw_reader client, backend;
    bool large; /* reads of GW_READ_LARGE pay */
};

extern const struct gw_phase_row gw_phases[PH_NUM];

#endif
