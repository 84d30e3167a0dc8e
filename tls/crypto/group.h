/* group.h: the key exchange groups as a table, in the server's order. */
#ifndef HB_GROUP_H
#define HB_GROUP_H

#include "crypto.h"

extern const struct hb_kex *const hb_groups[];
extern const size_t hb_num_groups;
const struct hb_kex *hb_group_find(uint16_t id);

#endif
