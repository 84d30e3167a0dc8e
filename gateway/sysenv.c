/* sysenv.c: getrandom, clocks and slabs behind struct hb_env.
 * Invariants: no random byte is given out twice, not even across fork (the buffer is dropped in the child);
 * given-out bytes are wiped from the buffer at once. */
#include "sysenv.h"

#include "slab.h"
#include <errno.h>
#include <hb/ct.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static struct {
    uint8_t bytes[512];
    size_t left; /* unused bytes at the end of bytes */
} pool;

static void drop_pool(void)
{
    hb_wipe(&pool, sizeof pool);
}

static void from_kernel(uint8_t *dst, size_t len)
{
    while (len > 0) {
        ssize_t n = getrandom(dst, len, 0);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            (void)fprintf(stderr, "hauberk: getrandom failed: %s\n", strerror(errno));
            abort(); /* going on without randomness would be worse than stopping (CT-07) */
        }
        dst += n;
        len -= (size_t)n;
    }
}

static void fill(void *ctx, size_t len, uint8_t *dst)
{
    (void)ctx;
    if (len > sizeof pool.bytes / 2) {
        from_kernel(dst, len);
        return;
    }
    if (len > pool.left) {
        from_kernel(pool.bytes, sizeof pool.bytes);
        pool.left = sizeof pool.bytes;
    }
    uint8_t *at = pool.bytes + sizeof pool.bytes - pool.left;
    memcpy(dst, at, len);
    hb_wipe(at, len);
    pool.left -= len;
}

static uint64_t wall(void *ctx)
{
    struct timespec ts;
    (void)ctx;
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec;
}

static uint64_t mono(void *ctx)
{
    struct timespec ts;
    (void)ctx;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000u + (uint64_t)ts.tv_nsec / 1000000u;
}

static void *alloc(void *ctx, size_t len)
{
    (void)ctx;
    return gw_slab_alloc(len);
}

static void release(void *ctx, void *p, size_t len)
{
    (void)ctx;
    gw_slab_free(p, len);
}

const struct hb_env *gw_sysenv(void)
{
    static const struct hb_env env = {NULL, fill, wall, mono, alloc, release};
    static int armed;

    if (!armed) {
        armed = 1;
        if (pthread_atfork(NULL, NULL, drop_pool) != 0) {
            abort();
        }
    }
    return &env;
}
