/* phase.c: the table. */
#include "phase.h"

/* clang-format off */
const struct gw_phase_row gw_phases[PH_NUM] = {
    /*                 name         client      backend    large reads */
    [PH_HEADER]    = { "header",    RD_HEADER,  RD_HOLD,   false },
    [PH_CLEAR]     = { "clear",     RD_PROTO,   RD_PROTO,  false },
    [PH_UPGRADING] = { "upgrading", RD_HOLD,    RD_HOLD,   false },
    [PH_HANDSHAKE] = { "handshake", RD_TLS,     RD_HOLD,   false },
    [PH_SECURE]    = { "secure",    RD_PROTO,   RD_PROTO,  false },
    [PH_RELAY]     = { "relay",     RD_RAW,     RD_RAW,    true  },
    [PH_DRAIN]     = { "drain",     RD_DISCARD, RD_DISCARD, false },
};
/* clang-format on */
