/* slab.h: memory for many small objects of few sizes, and plain malloc for the rest.
 *
 * Sizes are rounded up to 32 bytes; each class carves its objects out of 64 KiB
 * pages and keeps a free list, so that a session's objects lie side by side and
 * cost no header.  Pages are never given back: the peak of yesterday is the
 * reserve of today.  One thread. */
#ifndef GW_SLAB_H
#define GW_SLAB_H

#include <stddef.h>

#define GW_SLAB_MAX 2048u

/* len zeroed bytes, or NULL. */
void *gw_slab_alloc(size_t len);
/* Bytes that are allocated and not freed, as they were asked for. */
size_t gw_slab_in_use(void);
/* Wipes len bytes and keeps them for the next object of that size. p may be NULL. */
void gw_slab_free(void *p, size_t len);

#endif
