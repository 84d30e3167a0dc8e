/* timing.c: see timing.h. The clock is the monotonic one of the vDSO: a system call for each reading would
 * cost more than some of what is measured. What is told is the tenth percentile: the cost when nobody else
 * had the processor or its caches, which on a busy machine the median is not. */
#include "timing.h"

#include <stdlib.h>
#include <time.h>

#define ROUNDS_MAX 2001u

double timing_now(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

double timing_since(double from)
{
    static double reading; /* what it costs to look: part of every interval, and not of what is measured */

    if (reading == 0) {
        reading = 1;
        for (unsigned i = 0; i < 1000; i++) {
            double at = timing_now();
            double took = timing_now() - at;
            reading = took < reading ? took : reading;
        }
    }
    return timing_now() - from - reading;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return x < y ? -1 : x > y;
}

void timing_run(struct timing *things, unsigned num, unsigned rounds)
{
    static double took[TIMING_THINGS][ROUNDS_MAX];

    for (unsigned i = 0; i < num; i++) {
        (void)things[i].once(things[i].ctx); /* warms caches, makes what is made once */
    }
    for (unsigned r = 0; r < rounds; r++) {
        for (unsigned i = 0; i < num; i++) {
            (void)things[i].once(things[i].ctx);
            took[i][r] = things[i].once(things[i].ctx);
        }
    }
    for (unsigned i = 0; i < num; i++) {
        qsort(took[i], rounds, sizeof took[i][0], compare);
        things[i].us = took[i][rounds / 10];
    }
}
