/* conf_words.c: what stands in the blocks of a configuration file, into the draft.
 *
 * Which words there are is in words.def, globals.def and timeouts.def; a word is read only if it was said, so
 * the draft knows what was said and where. What may stand once and stands twice, in one file or in two, is an
 * error: nobody knows which one was meant. */
#include "conf_reading.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    size_t offset; /* in struct gw_draft_listener */
    enum gw_word word;
    bool path, flag;
} words[] = {
#define W(field, name, otherwise)                                                                            \
    {name, offsetof(struct gw_draft_listener, field), GW_WORD_##field, false, false},
#define P(field, name, otherwise)                                                                            \
    {name, offsetof(struct gw_draft_listener, field), GW_WORD_##field, true, false},
#define F(field, name) {name, offsetof(struct gw_draft_listener, field), GW_WORD_##field, false, true},
#include "words.def"
#undef W
#undef F
};
#define NUM_WORDS (sizeof words / sizeof words[0])

static const struct {
    const char *name;
    size_t offset, where_offset; /* in struct gw_draft */
    bool path;
} globals[] = {
#define G(field, name, otherwise)                                                                            \
    {name, offsetof(struct gw_draft, field), offsetof(struct gw_draft, field##_where), false},
#define GP(field, name, otherwise)                                                                           \
    {name, offsetof(struct gw_draft, field), offsetof(struct gw_draft, field##_where), true},
#include "globals.def"
#undef G
};
#define NUM_GLOBALS (sizeof globals / sizeof globals[0])

static const struct {
    const char *name;
    size_t offset, where_offset; /* in struct gw_timeouts; in struct gw_draft */
    long least;
} timeouts[] = {
#define T(field, name, otherwise, least)                                                                     \
    {name, offsetof(struct gw_timeouts, field), offsetof(struct gw_draft, field##_timeout_where), least},
#include "timeouts.def"
#undef T
};
#define NUM_TIMEOUTS (sizeof timeouts / sizeof timeouts[0])

/* ---- what the operator said, and where ---- */

const char *gw_place(const struct gw_reading *r, int line)
{
    char where[600];
    int n = snprintf(where, sizeof where, "%s:%d", r->path, line);

    return gw_draft_keep(r->d, where, n > 0 && (size_t)n < sizeof where ? (size_t)n : sizeof where - 1);
}

static const char *keep(const struct gw_reading *r, const char *s)
{
    return s != NULL ? gw_draft_keep(r->d, s, strlen(s)) : NULL;
}

const char *gw_keep_path(const struct gw_reading *r, const char *s)
{
    char path[2048];

    if (s == NULL || s[0] == '/' || strcmp(s, "system") == 0) {
        return keep(r, s);
    }
    if (strcmp(r->folder, ".") == 0) {
        return keep(r, s);
    }
    int n = snprintf(path, sizeof path, "%s/%s", r->folder, s);
    return gw_draft_keep(r->d, path, n > 0 && (size_t)n < sizeof path ? (size_t)n : 0);
}

struct gw_said *gw_find_said(const struct gw_reading *r, const cfg_t *block, const char *word)
{
    for (size_t i = 0; i < r->num_said; i++) {
        if (r->said[i].block == block && strcmp(r->said[i].word, word) == 0) {
            return &r->said[i];
        }
    }
    return NULL;
}

/* "file:line", or NULL if nobody said it. */
static const char *where_said(const struct gw_reading *r, const cfg_t *block, const char *word)
{
    const struct gw_said *s = gw_find_said(r, block, word);

    return s != NULL ? gw_place(r, s->line) : NULL;
}

/* The first word in a block; an empty block: its end, which is all that libConfuse knows of it. */
static const char *where_block(const struct gw_reading *r, const cfg_t *block)
{
    for (size_t i = 0; i < r->num_said; i++) {
        if (r->said[i].block == block) {
            return gw_place(r, r->said[i].line);
        }
    }
    return gw_place(r, block->line);
}

/* ---- blocks ---- */

void gw_read_cert(const struct gw_reading *r, cfg_t *block)
{
    struct gw_draft *d = r->d;
    const char *where = where_block(r, block);

    for (unsigned i = 0; i < d->num_certs; i++) {
        if (strcmp(d->certs[i].name, cfg_title(block)) == 0) {
            gw_problem(r->p, where, "a certificate of this name is there already", d->certs[i].where);
            return;
        }
    }
    if (d->num_certs == GW_MAX_CERTS) {
        gw_problem(r->p, where, "too many certificates; at most 256", NULL);
        return;
    }
    struct gw_draft_cert *c = &d->certs[d->num_certs++];
    c->name = keep(r, cfg_title(block));
    c->chain = gw_keep_path(r, cfg_getstr(block, "chain"));
    c->key = gw_keep_path(r, cfg_getstr(block, "key"));
    c->staple = gw_keep_path(r, cfg_getstr(block, "staple"));
    c->where = where;
    if (c->chain == NULL || c->key == NULL) {
        gw_problem(r->p, c->where, "a certificate needs both chain and key", c->name);
    }
}

/* The words of words.def that were said in a block. */
static void read_words(const struct gw_reading *r, cfg_t *block, struct gw_draft_listener *l)
{
    for (size_t i = 0; i < NUM_WORDS; i++) {
        const char *where = where_said(r, block, words[i].name);
        char *at = (char *)l + words[i].offset;
        if (where == NULL) {
            continue;
        }
        if (words[i].flag) {
            bool yes = cfg_getbool(block, words[i].name);
            memcpy(at, &yes, sizeof yes);
        } else {
            const char *value = cfg_getstr(block, words[i].name);
            value = words[i].path ? gw_keep_path(r, value) : keep(r, value);
            memcpy(at, &value, sizeof value);
        }
        l->origin[words[i].word] = where;
    }
}

static void read_names(const struct gw_reading *r, cfg_t *block, struct gw_draft_listener *l)
{
    l->origin[GW_WORD_certificates] = where_said(r, block, "certificates");
    for (unsigned k = 0; k < cfg_size(block, "certificates"); k++) {
        if (l->num_certs == GW_MAX_NAMES) {
            gw_problem(r->p, l->origin[GW_WORD_certificates], "too many names; at most 64", NULL);
            return;
        }
        l->certs[l->num_certs++] = keep(r, cfg_getnstr(block, "certificates", k));
    }
}

void gw_read_backend(const struct gw_reading *r, cfg_t *block)
{
    struct gw_draft *d = r->d;
    const char *where = where_block(r, block);

    for (unsigned i = 0; i < d->num_backends; i++) {
        if (strcmp(d->backends[i].words.name, cfg_title(block)) == 0) {
            gw_problem(r->p, where, "a backend of this name is there already", d->backends[i].words.where);
            return;
        }
    }
    if (d->num_backends == GW_MAX_BACKENDS) {
        gw_problem(r->p, where, "too many backends; at most 64", NULL);
        return;
    }
    struct gw_draft_backend *b = &d->backends[d->num_backends++];
    b->words.name = keep(r, cfg_title(block));
    b->words.where = where;
    b->servers_where = where_said(r, block, "servers");
    b->balance = keep(r, cfg_getstr(block, "balance"));
    b->balance_where = where_said(r, block, "balance");
    b->check = keep(r, cfg_getstr(block, "health-check"));
    b->check_where = where_said(r, block, "health-check");
    for (unsigned k = 0; k < cfg_size(block, "servers"); k++) {
        if (b->num_servers == GW_MAX_SERVERS) {
            gw_problem(r->p, b->servers_where, "too many servers; at most 32", NULL);
            break;
        }
        b->servers[b->num_servers++] = keep(r, cfg_getnstr(block, "servers", k));
    }
    if (b->num_servers == 0) {
        gw_problem(r->p, where, "a backend needs servers, such as servers = {\"imap+starttls://a.example\"}",
                   b->words.name);
    }
    read_words(r, block, &b->words);
}

void gw_read_listener(const struct gw_reading *r, cfg_t *block)
{
    struct gw_draft *d = r->d;
    const char *where = where_block(r, block);

    for (unsigned i = 0; i < d->num_listeners; i++) {
        if (strcmp(d->listeners[i].name, cfg_title(block)) == 0) {
            gw_problem(r->p, where, "a listener of this name is there already", d->listeners[i].where);
            return;
        }
    }
    if (d->num_listeners == GW_MAX_LISTENERS) {
        gw_problem(r->p, where, "too many listeners; at most 64", NULL);
        return;
    }
    struct gw_draft_listener *l = &d->listeners[d->num_listeners++];
    l->name = keep(r, cfg_title(block));
    l->listen = keep(r, cfg_getstr(block, "listen"));
    l->backend = keep(r, cfg_getstr(block, "backend"));
    l->where = where;
    read_words(r, block, l);
    read_names(r, block, l);
}

static void read_timeouts(const struct gw_reading *r, cfg_t *block)
{
    char what[120];
    const char *first = r->d->timeouts_where;

    r->d->timeouts_where = where_block(r, block);
    if (first != NULL) {
        gw_problem(r->p, r->d->timeouts_where, "there is a timeouts block already", first);
        return;
    }
    for (size_t i = 0; i < NUM_TIMEOUTS; i++) {
        const char *where = where_said(r, block, timeouts[i].name);
        if (where == NULL) {
            continue;
        }
        long n = cfg_getint(block, timeouts[i].name);
        if (n < timeouts[i].least || n > 86400) {
            (void)snprintf(what, sizeof what, "%s is a number of seconds from %ld to 86400, not %ld",
                           timeouts[i].name, timeouts[i].least, n);
            gw_problem(r->p, where, what, NULL);
            continue;
        }
        unsigned seconds = (unsigned)n;
        memcpy((char *)&r->d->timeouts + timeouts[i].offset, &seconds, sizeof seconds);
        memcpy((char *)r->d + timeouts[i].where_offset, &where, sizeof where);
    }
}

static void read_globals(const struct gw_reading *r, cfg_t *cfg)
{
    for (size_t i = 0; i < NUM_GLOBALS; i++) {
        const char *where = where_said(r, cfg, globals[i].name);
        const char *before;
        if (where == NULL) {
            continue;
        }
        memcpy(&before, (char *)r->d + globals[i].where_offset, sizeof before);
        if (before != NULL && before[0] == '-') {
            continue; /* the command line has the last word */
        }
        if (before != NULL) {
            char what[120];
            (void)snprintf(what, sizeof what, "%s is said twice; remove this one, or the one in",
                           globals[i].name);
            gw_problem(r->p, where, what, before);
            continue;
        }
        const char *value = cfg_getstr(cfg, globals[i].name);
        value = globals[i].path ? gw_keep_path(r, value) : keep(r, value);
        memcpy((char *)r->d + globals[i].offset, &value, sizeof value);
        memcpy((char *)r->d + globals[i].where_offset, &where, sizeof where);
    }
}

static bool is_old(const char *profile)
{
    return profile != NULL && (strcmp(profile, "legacy") == 0 || strcmp(profile, "antique") == 0);
}

static void read_defaults(const struct gw_reading *r, cfg_t *block)
{
    const char *first = r->d->defaults.where;

    r->d->defaults.where = where_block(r, block);
    if (first != NULL) {
        gw_problem(r->p, r->d->defaults.where, "there is a defaults block already", first);
        return;
    }
    struct gw_draft_listener *all = &r->d->defaults;
    read_words(r, block, all);
    read_names(r, block, all);
    if (is_old(all->profile)) { /* PRO-03 */
        gw_problem(r->p, GW_AT(all, profile), "not in defaults: say it for each listener that needs it",
                   all->profile);
    }
    if (is_old(all->backend_profile)) {
        gw_problem(r->p, GW_AT(all, backend_profile),
                   "not in defaults: say it for each backend that needs it", all->backend_profile);
    }
}

void gw_read_top(const struct gw_reading *r, cfg_t *cfg)
{
    read_globals(r, cfg);
    if (gw_find_said(r, cfg, "defaults") != NULL) {
        read_defaults(r, cfg_getsec(cfg, "defaults"));
    }
    if (gw_find_said(r, cfg, "timeouts") != NULL) {
        read_timeouts(r, cfg_getsec(cfg, "timeouts"));
    }
}

/* Words that l does not say are what `all` says. */
static void spread(struct gw_draft_listener *l, const struct gw_draft_listener *all)
{
    for (size_t k = 0; k < NUM_WORDS; k++) {
        enum gw_word word = words[k].word;
        if (l->origin[word] == NULL && all->origin[word] != NULL) {
            memcpy((char *)l + words[k].offset, (const char *)all + words[k].offset,
                   words[k].flag ? sizeof(bool) : sizeof(char *));
            l->origin[word] = all->origin[word];
        }
    }
}

void gw_spread_defaults(struct gw_draft *d)
{
    const struct gw_draft_listener *all = &d->defaults;

    for (unsigned i = 0; i < d->num_listeners; i++) {
        struct gw_draft_listener *l = &d->listeners[i];
        for (unsigned k = 0; k < d->num_backends && l->backend != NULL; k++) {
            if (strcmp(d->backends[k].words.name, l->backend) == 0) {
                l->pool = &d->backends[k];
                spread(l, &l->pool->words);
            }
        }
        spread(l, all);
        if (l->num_certs == 0) {
            memcpy(l->certs, all->certs, sizeof l->certs);
            l->num_certs = all->num_certs;
            l->origin[GW_WORD_certificates] = all->origin[GW_WORD_certificates];
        }
    }
}
