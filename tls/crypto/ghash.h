/* ghash.h: GHASH (SP 800-38D 6.4) with carry-less multiplication, where the CPU has it. */
#ifndef HB_GHASH_H
#define HB_GHASH_H

#include <stddef.h>
#include <stdint.h>

#define HB_GHASH_POWERS 8u /* blocks that share one reduction */

/* Powers of the hash key, highest first, and the sum of each one's halves. A secret. */
struct hb_ghash {
    uint64_t power[HB_GHASH_POWERS][2];
    uint64_t halves[HB_GHASH_POWERS][2];
};

/* Only on a machine of which hb_cpu_has_clmul() is true. h: a block of zeros, encrypted. */
void hb_ghash_init(struct hb_ghash *g, const uint8_t h[16]);
/* Adds len bytes, the last block filled up with zeros, to the state x (all zero in the beginning). */
void hb_ghash_add(const struct hb_ghash *g, uint8_t x[16], const uint8_t *p, size_t len);

#endif
