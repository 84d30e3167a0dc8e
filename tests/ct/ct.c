/* ct.c: nothing in the engine branches on a secret, or uses one as an index (CT-01 to CT-04, MLK-06, KS-02).
 *
 *   valgrind ct [GROUP]
 *
 * Built with HB_CT_VALGRIND, the marks of base's ct.h make private keys, random bytes and shared secrets
 * undefined memory; what goes out, and verdicts, are defined again by name. memcheck follows undefined bits
 * through every computation and reports a branch or an address made of them: each is counted to the test it
 * came in. `control` is the proof that it does. What Nettle and GMP do by themselves and cannot be made
 * otherwise from outside is in known.supp, with a reason each. */
#include "ct_tests.h"

#include <stdio.h>
#include <string.h>
#include <valgrind/memcheck.h>

int main(int argc, char **argv)
{
    const char *group = argc > 1 ? argv[1] : "";
    unsigned run = 0;
    unsigned bad = 0;

    if (RUNNING_ON_VALGRIND == 0) {
        (void)fprintf(stderr, "ct: means something only under valgrind\n");
        return 2;
    }
    for (size_t g = 0; g < ct_num_groups; g++) {
        if (group[0] != 0 && strcmp(group, ct_groups[g].name) != 0) {
            continue;
        }
        for (size_t i = 0; i < ct_groups[g].num(); i++) {
            char name[128];
            unsigned before = VALGRIND_COUNT_ERRORS;
            ct_groups[g].run(i, name, sizeof name);
            unsigned reports = VALGRIND_COUNT_ERRORS - before;
            bool ok = ct_groups[g].reported ? reports > 0 : reports == 0;
            (void)printf("%s ct %s: %s (%u reports)\n", ok ? "ok  " : "FAIL", ct_groups[g].name, name,
                         reports);
            run++;
            bad += !ok;
        }
    }
    (void)printf("%u run, %u failed\n", run, bad);
    return run == 0 || bad > 0;
}
