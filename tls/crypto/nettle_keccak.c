/* nettle_keccak.c: FIPS 202 around nettle_sha3_permute().
 * The state's words are native integers whose bytes count from the least significant one, whatever the
 * machine. */
#include "nettle_keccak.h"

#include <hb/ct.h>
#include <string.h>

void hb_keccak_init(struct hb_keccak *k, uint8_t rate, uint8_t suffix)
{
    memset(&k->state, 0, sizeof k->state);
    k->rate = rate;
    k->pos = 0;
    k->suffix = suffix;
}

static void xor_byte(struct hb_keccak *k, unsigned at, uint8_t v)
{
    k->state.a[at / 8] ^= (uint64_t)v << (8 * (at % 8));
}

void hb_keccak_absorb(struct hb_keccak *k, const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        xor_byte(k, k->pos++, p[i]);
        if (k->pos == k->rate) {
            nettle_sha3_permute(&k->state);
            k->pos = 0;
        }
    }
}

void hb_keccak_end(struct hb_keccak *k)
{
    xor_byte(k, k->pos, k->suffix);
    xor_byte(k, k->rate - 1u, 0x80);
    k->pos = k->rate; /* the first squeeze permutes */
}

void hb_keccak_squeeze(struct hb_keccak *k, uint8_t *dst, size_t len)
{
    while (len > 0) {
        if (k->pos == k->rate) {
            nettle_sha3_permute(&k->state);
            k->pos = 0;
        }
        if (k->pos % 8 == 0 && len >= 8) {
            uint64_t w = k->state.a[k->pos / 8];
            for (unsigned i = 0; i < 8; i++) {
                dst[i] = (uint8_t)(w >> (8 * i));
            }
            k->pos = (uint8_t)(k->pos + 8);
            dst += 8;
            len -= 8;
        } else {
            *dst++ = (uint8_t)(k->state.a[k->pos / 8] >> (8 * (k->pos % 8)));
            k->pos++;
            len--;
        }
    }
}

void hb_keccak_once(uint8_t rate, uint8_t suffix, const uint8_t *a, size_t a_len, const uint8_t *b,
                    size_t b_len, uint8_t *dst, size_t len)
{
    struct hb_keccak k;

    hb_keccak_init(&k, rate, suffix);
    hb_keccak_absorb(&k, a, a_len);
    hb_keccak_absorb(&k, b, b_len);
    hb_keccak_end(&k);
    hb_keccak_squeeze(&k, dst, len);
    hb_wipe(&k, sizeof k);
}
