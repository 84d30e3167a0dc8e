/* conf_reading.h: what conf_file.c (files, libConfuse) and conf_words.c (blocks into the draft) share. */
#ifndef GW_CONF_READING_H
#define GW_CONF_READING_H

#include "conf_util.h"
#include <confuse.h>

#define GW_MAX_INCLUDES 64u /* in one file */

/* A word that stands in a block. */
struct gw_said {
    const cfg_t *block;
    const char *word; /* borrowed from the block's options */
    int line;
    unsigned times; /* a list is reported for each of its values, and at its end */
};

struct gw_include {
    const char *target, *where;
    unsigned certs_before, listeners_before; /* blocks of this file that stand before it */
};

/* One file being read. */
struct gw_reading {
    struct gw_draft *d;
    struct gw_problems *p;
    const char *path, *folder;
    const struct gw_reading *from; /* the file that includes this one */
    unsigned depth, *num_files;
    struct gw_said *said; /* owned */
    size_t num_said;
    struct gw_include includes[GW_MAX_INCLUDES];
    size_t num_includes;
};

struct gw_said *gw_find_said(const struct gw_reading *r, const cfg_t *block, const char *word);
/* "file:line", of the draft. */
const char *gw_place(const struct gw_reading *r, int line);
/* The same path, of the draft; a relative one belongs to the file's folder. */
const char *gw_keep_path(const struct gw_reading *r, const char *s);

/* The top of a file: words of the whole program, the blocks that stand once. */
void gw_read_top(const struct gw_reading *r, cfg_t *cfg);
void gw_read_cert(const struct gw_reading *r, cfg_t *block);
void gw_read_listener(const struct gw_reading *r, cfg_t *block);
void gw_read_backend(const struct gw_reading *r, cfg_t *block);
/* What a backend block says holds for the listeners that name it, what the defaults block says for every
 * listener; a listener may say otherwise. */
void gw_spread_defaults(struct gw_draft *d);

#endif
