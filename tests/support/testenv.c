#include "testenv.h"

#include <hb/ct.h>
#include <stdlib.h>
#include <string.h>

static uint64_t next(struct testenv *t)
{
    uint64_t z = t->seed += 0x9e3779b97f4a7c15u; /* splitmix64 */
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static bool secret;

void testenv_secret(bool on)
{
    secret = on;
}

static void fill(void *ctx, size_t len, uint8_t *dst)
{
    struct testenv *t = ctx;

    for (size_t i = 0; i < len; i++) {
        if (t->script.len > 0) {
            dst[i] = t->script.p[0];
            t->script = hb_span_skip(t->script, 1);
        } else {
            dst[i] = (uint8_t)next(t);
        }
    }
    if (secret) {
        HB_CT_SECRET(dst, len);
    }
}

static uint64_t wall(void *ctx)
{
    return ((struct testenv *)ctx)->wall;
}

static uint64_t mono(void *ctx)
{
    return ((struct testenv *)ctx)->mono;
}

static void *alloc(void *ctx, size_t len)
{
    struct testenv *t = ctx;

    if (++t->num_allocs == t->fail_at) {
        return NULL;
    }
    void *p = calloc(1, len > 0 ? len : 1);
    if (p != NULL) {
        t->held++;
        t->held_bytes += len;
        t->peak_bytes = t->held_bytes > t->peak_bytes ? t->held_bytes : t->peak_bytes;
    }
    return p;
}

static void release(void *ctx, void *p, size_t len)
{
    struct testenv *t = ctx;

    if (p != NULL) {
        hb_wipe(p, len);
        free(p);
        t->held--;
        t->held_bytes -= len;
    }
}

void testenv_init(struct testenv *t, uint64_t seed)
{
    *t = (struct testenv){.seed = seed, .wall = 1780272000u, .mono = 1000};
    t->env = (struct hb_env){t, fill, wall, mono, alloc, release};
}

uint32_t testenv_below(struct testenv *t, uint32_t n)
{
    return (uint32_t)(next(t) % n);
}
