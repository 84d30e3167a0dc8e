/* nettle_keccak.h: SHA-3 and SHAKE as a sponge with incremental squeezing, on Nettle's permutation
 * (private to this folder; Nettle itself has neither SHAKE128 nor more than one squeeze). */
#ifndef HB_NETTLE_KECCAK_H
#define HB_NETTLE_KECCAK_H

#include <nettle/sha3.h>
#include <stddef.h>
#include <stdint.h>

enum { HB_SHAKE128_RATE = 168, HB_SHAKE256_RATE = 136, HB_SHA3_256_RATE = 136, HB_SHA3_512_RATE = 72 };
enum { HB_KECCAK_SHAKE = 0x1f, HB_KECCAK_SHA3 = 0x06 }; /* domain separation and first bit of padding */

struct hb_keccak {
    struct sha3_state state;
    uint8_t rate, pos, suffix;
};

void hb_keccak_init(struct hb_keccak *k, uint8_t rate, uint8_t suffix);
void hb_keccak_absorb(struct hb_keccak *k, const uint8_t *p, size_t len);
/* Ends absorbing: squeeze from here on. */
void hb_keccak_end(struct hb_keccak *k);
void hb_keccak_squeeze(struct hb_keccak *k, uint8_t *dst, size_t len);
/* All at once over one or two inputs; wipes its state. b may be NULL with length 0. */
void hb_keccak_once(uint8_t rate, uint8_t suffix, const uint8_t *a, size_t a_len, const uint8_t *b,
                    size_t b_len, uint8_t *dst, size_t len);

#endif
