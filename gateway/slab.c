/* slab.c: size classes over 64 KiB pages.
 * Invariant: every block on a class's free list is zeroed behind its link. */
#include "slab.h"

#include <hb/ct.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define GRAIN 32u
#define PAGE  65536u

struct block {
    struct block *next;
};

static struct {
    struct block *free;      /* owned: blocks given back */
    unsigned char *at, *end; /* the rest of the newest page */
} classes[GW_SLAB_MAX / GRAIN];

/* Under a sanitizer every block is a malloc of its own, so that it sees each use after free. */
#ifndef GW_SLAB_LARGEST
#define GW_SLAB_LARGEST GW_SLAB_MAX
#endif
static const size_t largest = GW_SLAB_LARGEST;

static size_t in_use;

size_t gw_slab_in_use(void)
{
    return in_use;
}

static void *take(size_t len)
{
    if (len == 0 || len > largest) {
        return calloc(1, len > 0 ? len : 1);
    }
    size_t class = (len - 1) / GRAIN;
    size_t size = (class + 1) * GRAIN;
    struct block *b = classes[class].free;
    if (b != NULL) {
        classes[class].free = b->next;
        b->next = NULL;
        return b;
    }
    if ((size_t)(classes[class].end - classes[class].at) < size) {
        /* from the system: it comes zeroed, and malloc() would lose 4 KiB beside each */
        unsigned char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED) {
            return NULL;
        }
        classes[class].at = page;
        classes[class].end = page + PAGE / size * size;
    }
    void *p = classes[class].at;
    classes[class].at += size;
    return p;
}

void *gw_slab_alloc(size_t len)
{
    void *p = take(len);

    in_use += p != NULL ? len : 0;
    return p;
}

void gw_slab_free(void *p, size_t len)
{
    if (p == NULL) {
        return;
    }
    in_use -= len;
    hb_wipe(p, len);
    if (len == 0 || len > largest) {
        free(p);
        return;
    }
    struct block *b = p;
    size_t class = (len - 1) / GRAIN;
    b->next = classes[class].free;
    classes[class].free = b;
}
