/* version.c: the numbers we know, found by asking the engine for their names. */
#include "version.h"

#include <hb/tls_info.h>
#include <stdio.h>
#include <string.h>

static void print_known(const char *title, const char *(*name)(uint16_t))
{
    (void)printf("%s:", title);
    for (unsigned id = 0; id < 65536; id++) {
        const char *n = name((uint16_t)id);
        if (strcmp(n, "unknown") != 0) {
            (void)printf(" %s", n);
        }
    }
    (void)printf("\n");
}

void gw_print_algorithms(void)
{
    print_known("suites", hb_tls_suite_name);
    print_known("groups", hb_tls_group_name);
    print_known("signatures", hb_tls_sigalg_name);
}
