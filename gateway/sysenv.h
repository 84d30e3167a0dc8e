/* sysenv.h: the one place where randomness, clocks and memory come from the system. */
#ifndef GW_SYSENV_H
#define GW_SYSENV_H

#include <hb/env.h>

/* The process's environment: getrandom(2) through a small buffer that a fork empties, the system's clocks,
 * and slabs for objects up to 2 KiB (gateway/slab.h). Never fails; a machine without random bytes ends the
 * process. Valid for ever. */
const struct hb_env *gw_sysenv(void);

#endif
