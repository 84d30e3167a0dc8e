/* group.c: the groups in the server's order. A new group is one row. */
#include "group.h"

const struct hb_kex *const hb_groups[] = {&hb_x25519mlkem768, &hb_x25519,    &hb_secp256r1,
                                          &hb_secp384r1,      &hb_x448,      &hb_secp521r1,
                                          &hb_ffdhe3072,      &hb_ffdhe2048, &hb_secp256r1mlkem768};
const size_t hb_num_groups = sizeof hb_groups / sizeof hb_groups[0];

const struct hb_kex *hb_group_find(uint16_t id)
{
    for (size_t i = 0; i < hb_num_groups; i++) {
        if (hb_groups[i]->id == id) {
            return hb_groups[i];
        }
    }
    return NULL;
}
