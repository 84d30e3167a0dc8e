/* env.h: what a library may not reach for itself: randomness, time, memory.
 *
 * The gateway fills one from the system (gateway/sysenv.c); tests fill one with
 * a seeded generator or a script of exact bytes, a clock moved by hand, and an
 * allocator that fails on demand.  All calls come from the thread that owns the
 * objects made with this environment. */
#ifndef HB_ENV_H
#define HB_ENV_H

#include <stddef.h>
#include <stdint.h>

struct hb_env {
    void *ctx; /* borrowed, handed to each function */
    /* Fills dst with len random bytes; cannot fail (a broken source ends the process).
     * The signature is Nettle's nettle_random_func. */
    void (*random)(void *ctx, size_t len, uint8_t *dst);
    uint64_t (*wall)(void *ctx); /* seconds since 1970-01-01T00:00:00Z */
    uint64_t (*mono)(void *ctx); /* milliseconds, never goes back */
    /* len zeroed bytes, aligned as malloc's, or NULL. */
    void *(*alloc)(void *ctx, size_t len);
    /* Wipes and gives back what alloc gave; len is the same number. p may be NULL. */
    void (*release)(void *ctx, void *p, size_t len);
};

#endif
