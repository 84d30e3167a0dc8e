/* timing.h: medians of several things measured in turn, so that what the machine does
 * meanwhile hits all of them. */
#ifndef TIMING_H
#define TIMING_H

#define TIMING_THINGS 8u

struct timing {
    const char *name;
    double (*once)(void *ctx); /* does it, and says how many microseconds that took */
    void *ctx;
    double us; /* result: the median */
};

double timing_now(void);
/* Runs all things in turn, `rounds` times (at most 2001). */
void timing_run(struct timing *things, unsigned num, unsigned rounds);

#endif
