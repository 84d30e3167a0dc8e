/* err.c: names and sentences of err.def, and the end of a broken invariant. */
#include <hb/err.h>

#include <stdio.h>
#include <stdlib.h>

static const struct {
    const char *name, *sentence;
} rows[HB_NUM_CODES] = {
    [HB_OK] = {"OK", "no error"},
#define HB_E(name, alert, sentence) [HB_E_##name] = {#name, sentence},
#include <hb/err.def>
#undef HB_E
};

const char *hb_err_name(enum hb_code code)
{
    return (unsigned)code < HB_NUM_CODES ? rows[code].name : "UNKNOWN";
}

const char *hb_err_sentence(enum hb_code code)
{
    return (unsigned)code < HB_NUM_CODES ? rows[code].sentence : "unknown error";
}

void hb_invariant_failed(const char *cond, const char *file, int line)
{
    (void)fprintf(stderr, "hauberk: invariant broken: %s (%s:%d)\n", cond, file, line);
    abort();
}
