/* testenv.h: an environment that a test owns: seeded randomness (or scripted bytes), a clock moved by hand,
 * an allocator that counts, can fail on demand, and tells what is still held. */
#ifndef TESTENV_H
#define TESTENV_H

#include <hb/env.h>
#include <hb/span.h>
#include <stdbool.h>

struct testenv {
    struct hb_env env;
    uint64_t seed, wall, mono;
    struct hb_span script;   /* given out first by random(), then the seeded generator */
    size_t num_allocs;       /* calls of alloc so far */
    size_t fail_at;          /* the n-th call of alloc (from 1) fails; 0 never */
    size_t held, held_bytes; /* blocks and bytes not yet released */
    size_t peak_bytes;
};

/* wall starts at 2026-06-01T00:00:00Z, mono at 1000 ms. env.ctx points at t, so t must not move. */
void testenv_init(struct testenv *t, uint64_t seed);

/* For the Valgrind suite: random bytes count as secret from now on (base's ct.h), or no longer. */
void testenv_secret(bool on);

/* A small deterministic generator for tests that cut streams: next number below n. */
uint32_t testenv_below(struct testenv *t, uint32_t n);

#endif
