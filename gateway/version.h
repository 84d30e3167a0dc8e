/* version.h: what this program is. GW_VERSION comes from the build. */
#ifndef GW_VERSION_H
#define GW_VERSION_H

/* Suites, groups and signature schemes, a line each, on standard output. */
void gw_print_algorithms(void);

#endif
