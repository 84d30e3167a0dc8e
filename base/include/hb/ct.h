/* ct.h: the few constant-time operations we need ourselves, on secrets.
 *
 * A control word ("mask") is 0 or all ones.  Nothing here branches on or
 * indexes by a secret.  HB_CT_SECRET / HB_CT_PUBLIC mark memory for the
 * Valgrind suite: secret memory counts as undefined there, so that a branch on
 * it is a report; in ordinary builds they are nothing. */
#ifndef HB_CT_H
#define HB_CT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True if a and b hold the same len bytes. Time depends on len alone. */
bool hb_ct_eq(const void *a, const void *b, size_t len);
/* True if all len bytes are zero. Time depends on len alone. */
bool hb_ct_is_zero(const void *a, size_t len);
/* Erases memory in a way no optimiser removes. The only eraser of the house. */
void hb_wipe(void *p, size_t len);

#ifdef HB_CT_VALGRIND
#include <valgrind/memcheck.h>
#define HB_CT_SECRET(p, len) ((void)VALGRIND_MAKE_MEM_UNDEFINED((p), (len)))
#define HB_CT_PUBLIC(p, len) ((void)VALGRIND_MAKE_MEM_DEFINED((p), (len)))
#else
#define HB_CT_SECRET(p, len) ((void)(p), (void)(len))
#define HB_CT_PUBLIC(p, len) ((void)(p), (void)(len))
#endif

#endif
