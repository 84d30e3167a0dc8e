/* ghash.c: GHASH on the PCLMULQDQ instruction, eight blocks for one reduction.
 *
 * Bits of a block of GCM count from the wrong end. RFC 8452 (appendix A) says how to live with that: turn the
 * bytes of every block around, take x * H for H, and GHASH is POLYVAL, whose bits count the right way, modulo
 * x^128 + x^127 + x^126 + x^121 + 1. Its product a * b / x^128 needs two small multiplications for the
 * division. Sums of products are divided once: that, and not a table, is why this is fast.
 * Invariants: no branch and no address depends on key or data; nothing is kept but the powers. */
#include "ghash.h"

#include "crypto.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>

#define CLMUL __attribute__((target("pclmul,ssse3")))

/* A product of 256 bits on its way: low and high half, and what stands across their middle. */
struct product {
    __m128i low, middle, high;
};

static inline CLMUL __m128i halves_of(__m128i a)
{
    return _mm_xor_si128(a, _mm_shuffle_epi32(a, 0x4e));
}

/* sum += a * b, in three multiplications (Karatsuba). b_halves: both halves of b added. */
static inline CLMUL void add_product(struct product *sum, __m128i a, __m128i b, __m128i b_halves)
{
    sum->low = _mm_xor_si128(sum->low, _mm_clmulepi64_si128(a, b, 0x00));
    sum->high = _mm_xor_si128(sum->high, _mm_clmulepi64_si128(a, b, 0x11));
    sum->middle = _mm_xor_si128(sum->middle, _mm_clmulepi64_si128(halves_of(a), b_halves, 0x00));
}

/* sum / x^128: twice, the lowest 64 bits go away with the multiple of the polynomial that ends in them. */
static inline CLMUL __m128i reduce(const struct product *sum)
{
    const __m128i poly = _mm_set_epi64x(0, (long long)0xc200000000000000u);
    __m128i middle = _mm_xor_si128(sum->middle, _mm_xor_si128(sum->low, sum->high));
    __m128i low = _mm_xor_si128(sum->low, _mm_slli_si128(middle, 8));
    __m128i high = _mm_xor_si128(sum->high, _mm_srli_si128(middle, 8));

    for (unsigned i = 0; i < 2; i++) {
        low = _mm_xor_si128(_mm_shuffle_epi32(low, 0x4e), _mm_clmulepi64_si128(low, poly, 0x00));
    }
    return _mm_xor_si128(low, high);
}

static inline CLMUL __m128i load(const void *p)
{
    return _mm_loadu_si128((const __m128i *)p);
}

static inline CLMUL __m128i turned(__m128i block)
{
    return _mm_shuffle_epi8(block, _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
}

/* x * a in POLYVAL's field. */
static CLMUL __m128i times_x(__m128i a)
{
    __m128i carries = _mm_srai_epi32(_mm_shuffle_epi32(a, 0xff), 31); /* all ones if x^127 is in a */
    __m128i between = _mm_slli_si128(_mm_srli_epi64(a, 63), 8);       /* from the low half to the high one */
    __m128i poly = _mm_set_epi64x((long long)0xc200000000000000u, 1);

    a = _mm_or_si128(_mm_slli_epi64(a, 1), between);
    return _mm_xor_si128(a, _mm_and_si128(carries, poly));
}

CLMUL void hb_ghash_init(struct hb_ghash *g, const uint8_t h[16])
{
    __m128i first = times_x(turned(load(h)));
    __m128i power = first;

    for (unsigned i = HB_GHASH_POWERS; i-- > 0;) {
        _mm_storeu_si128((__m128i *)g->power[i], power);
        _mm_storeu_si128((__m128i *)g->halves[i], halves_of(power));
        struct product next = {_mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128()};
        add_product(&next, power, first, halves_of(first));
        power = reduce(&next);
    }
}

/* At most HB_GHASH_POWERS blocks: the first of them by the highest power, and so on. */
static inline CLMUL __m128i add_blocks(const struct hb_ghash *g, __m128i x, const uint8_t *p, unsigned num)
{
    struct product sum = {_mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128()};

    for (unsigned i = 0; i < num; i++) {
        unsigned at = HB_GHASH_POWERS - num + i;
        __m128i block = turned(load(p + 16 * (size_t)i));
        if (i == 0) {
            block = _mm_xor_si128(block, x);
        }
        add_product(&sum, block, load(g->power[at]), load(g->halves[at]));
    }
    return reduce(&sum);
}

CLMUL void hb_ghash_add(const struct hb_ghash *g, uint8_t x[16], const uint8_t *p, size_t len)
{
    __m128i state = turned(load(x));

    for (; len >= 16 * (size_t)HB_GHASH_POWERS; len -= 16 * (size_t)HB_GHASH_POWERS) {
        state = add_blocks(g, state, p, HB_GHASH_POWERS);
        p += 16 * (size_t)HB_GHASH_POWERS;
    }
    if (len >= 16) {
        unsigned num = (unsigned)(len / 16);
        state = add_blocks(g, state, p, num);
        p += 16 * (size_t)num;
        len %= 16;
    }
    if (len > 0) {
        uint8_t last[16] = {0};
        memcpy(last, p, len);
        state = add_blocks(g, state, last, 1);
    }
    _mm_storeu_si128((__m128i *)x, turned(state));
}

#else
void hb_ghash_init(struct hb_ghash *g, const uint8_t h[16])
{
    (void)g;
    (void)h;
    HB_INVARIANT(false);
}

void hb_ghash_add(const struct hb_ghash *g, uint8_t x[16], const uint8_t *p, size_t len)
{
    (void)g;
    (void)x;
    (void)p;
    (void)len;
    HB_INVARIANT(false);
}
#endif
