/* timing.h: tenth percentiles of several things measured in turn, so that what the machine does
 * meanwhile hits all of them. */
#ifndef TIMING_H
#define TIMING_H

#define TIMING_THINGS 8u

struct timing {
    const char *name;
    double (*once)(void *ctx); /* does it, and says how many microseconds that took */
    void *ctx;
    double us; /* result: the tenth percentile */
};

/* Microseconds, from some moment on. */
double timing_now(void);
/* Microseconds since then, less what looking at the clock takes: a handshake is five short intervals. */
double timing_since(double from);
/* Runs all things in turn, `rounds` times (at most 2001), each twice and timed the second time: what stands
 * in front of it in the caches is then its own work and not its neighbour's. */
void timing_run(struct timing *things, unsigned num, unsigned rounds);

#endif
