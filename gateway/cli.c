/* cli.c: the arguments of `hauberk run`, in the order they come: --backend belongs to the --listen before it,
 * --key to the --cert before it; what stands before the first --listen holds for all. */
#include "conf_util.h"

#include "suggest.h"
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    size_t offset; /* of the word in struct gw_draft_listener */
    enum gw_word word;
} words[] = {
#define W(field, name, otherwise) {"--" name, offsetof(struct gw_draft_listener, field), GW_WORD_##field},
#define F(field, name)
#include "words.def"
#undef W
#undef F
};
static const struct {
    const char *name;
    size_t offset; /* of the bool */
    enum gw_word word;
} flags[] = {
#define W(field, name, otherwise)
#define F(field, name) {"--" name, offsetof(struct gw_draft_listener, field), GW_WORD_##field},
#include "words.def"
#undef W
#undef F
};
static const struct {
    const char *name;
    size_t offset, where_offset; /* in struct gw_draft */
} globals[] = {
#define G(field, name, otherwise)                                                                            \
    {"--" name, offsetof(struct gw_draft, field), offsetof(struct gw_draft, field##_where)},
#include "globals.def"
#undef G
};

/* These hold for every listener of the command line, wherever they stand. */
static bool set_word(struct gw_draft_listener *all, const char *name, const char *value)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(name, words[i].name) == 0) {
            memcpy((char *)all + words[i].offset, &value, sizeof value);
            all->origin[words[i].word] = words[i].name;
            return true;
        }
    }
    return false;
}

static bool set_flag(struct gw_draft_listener *all, const char *name)
{
    static const bool yes = true;

    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (strcmp(name, flags[i].name) == 0) {
            memcpy((char *)all + flags[i].offset, &yes, sizeof yes);
            all->origin[flags[i].word] = flags[i].name;
            return true;
        }
    }
    return false;
}

static bool set_global(struct gw_draft *d, const char *name, const char *value)
{
    for (size_t i = 0; i < sizeof globals / sizeof globals[0]; i++) {
        if (strcmp(name, globals[i].name) == 0) {
            memcpy((char *)d + globals[i].offset, &value, sizeof value);
            memcpy((char *)d + globals[i].where_offset, &globals[i].name, sizeof globals[i].name);
            return true;
        }
    }
    return false;
}

static void add_listener(struct gw_draft *d, const char *url, struct gw_problems *p)
{
    if (d->num_listeners == GW_MAX_LISTENERS) {
        gw_problem(p, "--listen", "too many; at most 64, not also", url);
        return;
    }
    d->listeners[d->num_listeners].listen = url;
    d->listeners[d->num_listeners].where = "--listen";
    d->num_listeners++;
}

static void add_backend(struct gw_draft *d, const char *value, struct gw_problems *p)
{
    if (d->num_listeners == 0 || d->listeners[d->num_listeners - 1].backend != NULL) {
        gw_problem(p, "--backend", "belongs behind a --listen of its own", value);
        return;
    }
    d->listeners[d->num_listeners - 1].backend = value;
}

static void add_chain(struct gw_draft *d, const char *value, struct gw_problems *p)
{
    if (d->num_certs == GW_MAX_CERTS) {
        gw_problem(p, "--cert", "too many; at most 256, not also", value);
        return;
    }
    d->certs[d->num_certs].name = value;
    d->certs[d->num_certs].chain = value;
    d->certs[d->num_certs].where = "--cert";
    d->num_certs++;
}

static void add_key(struct gw_draft *d, const char *value, struct gw_problems *p)
{
    if (d->num_certs == 0 || d->certs[d->num_certs - 1].key != NULL) {
        gw_problem(p, "--key", "belongs behind a --cert of its own", value);
        return;
    }
    d->certs[d->num_certs - 1].key = value;
}

static void add_staple(struct gw_draft *d, const char *value, struct gw_problems *p)
{
    if (d->num_certs == 0 || d->certs[d->num_certs - 1].staple != NULL) {
        gw_problem(p, "--staple", "belongs behind a --cert of its own", value);
        return;
    }
    d->certs[d->num_certs - 1].staple = value;
}

/* True if name is an option that takes a value; does its work. */
static bool with_value(struct gw_draft *d, struct gw_draft_listener *all, const char *name, const char *value,
                       const char **config, struct gw_problems *p)
{
    if (strcmp(name, "--listen") == 0) {
        add_listener(d, value, p);
    } else if (strcmp(name, "--backend") == 0) {
        add_backend(d, value, p);
    } else if (strcmp(name, "--cert") == 0) {
        add_chain(d, value, p);
    } else if (strcmp(name, "--key") == 0) {
        add_key(d, value, p);
    } else if (strcmp(name, "--staple") == 0) {
        add_staple(d, value, p);
    } else if (strcmp(name, "--config") == 0) {
        *config = value;
    } else {
        return set_global(d, name, value) || set_word(all, name, value);
    }
    return true;
}

static void finish(struct gw_draft *d, const struct gw_draft_listener *all, const char *config,
                   struct gw_problems *p)
{
    if (config != NULL && (d->num_listeners > 0 || d->num_certs > 0)) {
        gw_problem(p, "--config", "goes without --listen and --cert: say it all in the file", NULL);
    }
    for (size_t i = 0; config != NULL && i < GW_NUM_WORDS; i++) {
        if (all->origin[i] != NULL) {
            gw_problem(p, all->origin[i], "goes without --config: say it in the file", NULL);
        }
    }
    for (unsigned i = 0; i < d->num_listeners; i++) {
        struct gw_draft_listener *dl = &d->listeners[i];
        struct gw_draft_listener merged = *all;
        merged.listen = dl->listen;
        merged.backend = dl->backend;
        merged.where = dl->where;
        *dl = merged;
        if (dl->backend == NULL) {
            gw_problem(p, "--listen", "needs a --backend behind it", dl->listen);
        }
    }
    for (unsigned i = 0; i < d->num_certs; i++) {
        if (d->certs[i].key == NULL) {
            gw_problem(p, "--cert", "needs a --key behind it", d->certs[i].chain);
        }
    }
    if (config == NULL) {
        gw_conf_cert_folder(d, p);
    }
}

static void unknown(const char *option, struct gw_problems *p)
{
    static const char *const own[] = {"--listen", "--backend", "--cert", "--key",
                                      "--staple", "--config",  "--debug"};
    static const size_t num_own = sizeof own / sizeof own[0], num_words = sizeof words / sizeof words[0];
    static const size_t num_flags = sizeof flags / sizeof flags[0],
                        num_globals = sizeof globals / sizeof globals[0];
    const char *names[sizeof own / sizeof own[0] + sizeof words / sizeof words[0] +
                      sizeof flags / sizeof flags[0] + sizeof globals / sizeof globals[0]];
    size_t num = 0;
    char what[120];

    for (size_t i = 0; i < num_own; i++) {
        names[num++] = own[i];
    }
    for (size_t i = 0; i < num_words; i++) {
        names[num++] = words[i].name;
    }
    for (size_t i = 0; i < num_flags; i++) {
        names[num++] = flags[i].name;
    }
    for (size_t i = 0; i < num_globals; i++) {
        names[num++] = globals[i].name;
    }
    const char *near = gw_suggest(option, names, num);
    if (near != NULL) {
        (void)snprintf(what, sizeof what, "unknown option; did you mean %s?", near);
    }
    gw_problem(p, option, near != NULL ? what : "unknown option; hauberk run --help lists them all", NULL);
}

void gw_cli_parse(int argc, char **argv, struct gw_draft *d, const char **config, struct gw_problems *p)
{
    struct gw_draft_listener all = {0};
    const char *missing = "";

    *config = NULL;
    for (int i = 0; i < argc && p->errors == 0; i++) {
        const char *name = argv[i];
        if (strcmp(name, "--debug") == 0) {
            d->debug = true;
        } else if (set_flag(&all, name)) {
            continue;
        } else if (with_value(d, &all, name, i + 1 < argc ? argv[i + 1] : missing, config, p)) {
            if (i + 1 >= argc) {
                p->errors = 0;
                p->len = 0;
                gw_problem(p, name, "needs a value behind it", NULL);
                return;
            }
            i++;
        } else {
            unknown(name, p);
        }
    }
    if (p->errors == 0) {
        finish(d, &all, *config, p);
    }
}
