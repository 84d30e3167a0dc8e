/* conf_file.c: the configuration file, parsed by libConfuse into the same draft as the command line.
 * Every value knows its line, so that what is found later still names file and line. Relative paths belong to
 * the file's own folder. */
#include "conf.h"

#include <confuse.h>
#include <errno.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* libConfuse reports through a function without a context. */
static struct gw_problems *problems_now;
static const char *path_now;

static void report(cfg_t *cfg, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

static void report(cfg_t *cfg, const char *fmt, va_list ap)
{
    char where[600];
    char what[400];

    (void)snprintf(where, sizeof where, "%s:%d", path_now, cfg != NULL ? cfg->line : 0);
    (void)vsnprintf(what, sizeof what, fmt, ap);
    gw_problem(problems_now, where, what, NULL);
}

static const char *where_of(struct gw_draft *d, const char *path, const cfg_t *section)
{
    char where[600];
    int n = snprintf(where, sizeof where, "%s:%d", path, section->line);

    return gw_draft_keep(d, where, n > 0 && (size_t)n < sizeof where ? (size_t)n : sizeof where - 1);
}

static const char *keep(struct gw_draft *d, const char *s)
{
    return s != NULL ? gw_draft_keep(d, s, strlen(s)) : NULL;
}

static const char *keep_path(struct gw_draft *d, const char *folder, const char *s)
{
    char path[2048];

    if (s == NULL || s[0] == '/' || strcmp(s, "system") == 0) {
        return keep(d, s);
    }
    int n = snprintf(path, sizeof path, "%s/%s", folder, s);
    return gw_draft_keep(d, path, n > 0 && (size_t)n < sizeof path ? (size_t)n : 0);
}

static void read_certs(struct gw_draft *d, cfg_t *cfg, const char *path, const char *folder,
                       struct gw_problems *p)
{
    for (unsigned i = 0; i < cfg_size(cfg, "certificate"); i++) {
        cfg_t *section = cfg_getnsec(cfg, "certificate", i);
        if (d->num_certs == GW_MAX_CERTS) {
            gw_problem(p, where_of(d, path, section), "too many certificates; at most 64", NULL);
            return;
        }
        struct gw_draft_cert *c = &d->certs[d->num_certs++];
        c->name = keep(d, cfg_title(section));
        c->chain = keep_path(d, folder, cfg_getstr(section, "chain"));
        c->key = keep_path(d, folder, cfg_getstr(section, "key"));
        c->staple = keep_path(d, folder, cfg_getstr(section, "staple"));
        c->where = where_of(d, path, section);
        if (c->chain == NULL || c->key == NULL) {
            gw_problem(p, c->where, "a certificate needs both chain and key", c->name);
        }
    }
}

/* Settings that name a file; "system" is the word for the machine's own certificates. */
static bool is_path(const char *name)
{
    static const char *const names[] = {"client-ca",    "ticket-secret", "psk-file",        "backend-ca",
                                        "backend-cert", "backend-key",   "backend-psk-file"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void read_listeners(struct gw_draft *d, cfg_t *cfg, const char *path, const char *folder,
                           struct gw_problems *p)
{
    for (unsigned i = 0; i < cfg_size(cfg, "listener"); i++) {
        cfg_t *section = cfg_getnsec(cfg, "listener", i);
        if (d->num_listeners == GW_MAX_LISTENERS) {
            gw_problem(p, where_of(d, path, section), "too many listeners; at most 64", NULL);
            return;
        }
        struct gw_draft_listener *l = &d->listeners[d->num_listeners++];
        l->listen = keep(d, cfg_getstr(section, "listen"));
        l->backend = keep(d, cfg_getstr(section, "backend"));
#define W(field, name)                                                                                       \
    l->field = is_path(name) ? keep_path(d, folder, cfg_getstr(section, name))                               \
                             : keep(d, cfg_getstr(section, name));
#define F(field, name) l->field = cfg_getbool(section, name);
#include "words.def"
#undef W
#undef F
        for (unsigned k = 0; k < cfg_size(section, "certificates") && k < GW_MAX_CERTS; k++) {
            l->certs[l->num_certs++] = keep(d, cfg_getnstr(section, "certificates", k));
        }
        l->where = where_of(d, path, section);
    }
}

static unsigned seconds(cfg_t *section, const char *name, long least, const char *where,
                        struct gw_problems *p)
{
    long n = cfg_getint(section, name);
    char what[120];

    if (n < least || n > 86400) {
        (void)snprintf(what, sizeof what, "%s is a number of seconds from %ld to 86400", name, least);
        gw_problem(p, where, what, NULL);
        return (unsigned)least;
    }
    return (unsigned)n;
}

static void read_timeouts(struct gw_draft *d, cfg_t *cfg, const char *path, struct gw_problems *p)
{
    if (cfg_size(cfg, "timeouts") == 0) {
        return;
    }
    cfg_t *t = cfg_getsec(cfg, "timeouts");
    const char *where = where_of(d, path, t);
    d->timeouts.greeting = seconds(t, "greeting", 5, where, p);
    d->timeouts.handshake = seconds(t, "handshake", 5, where, p);
    d->timeouts.connect = seconds(t, "connect", 1, where, p);
    d->timeouts.drain = seconds(t, "drain", 0, where, p);
}

static bool parse(cfg_t *cfg, const char *path, struct gw_problems *p)
{
    problems_now = p;
    path_now = path;
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) { /* libConfuse would end the process */
        gw_problem(p, path, "cannot read the file", strerror(EISDIR));
        return false;
    }
    (void)cfg_set_error_function(cfg, report);
    unsigned before = p->errors;
    int rc = cfg_parse(cfg, path);
    if (rc == CFG_FILE_ERROR) {
        gw_problem(p, path, "cannot read the file", strerror(errno));
    } else if (rc != CFG_SUCCESS && p->errors == before) {
        gw_problem(p, path, "not a configuration file", NULL);
    }
    return rc == CFG_SUCCESS && p->errors == before;
}

void gw_conf_file(const char *path, struct gw_draft *d, struct gw_problems *p)
{
    cfg_opt_t certificate[] = {CFG_STR("chain", NULL, CFGF_NODEFAULT), CFG_STR("key", NULL, CFGF_NODEFAULT),
                               CFG_STR("staple", NULL, CFGF_NODEFAULT), CFG_END()};
    cfg_opt_t listener[] = {
        CFG_STR("listen", NULL, CFGF_NODEFAULT),
        CFG_STR("backend", NULL, CFGF_NODEFAULT),
#define W(field, name) CFG_STR(name, NULL, CFGF_NODEFAULT),
#define F(field, name) CFG_BOOL(name, cfg_false, CFGF_NONE),
#include "words.def"
#undef W
#undef F
        CFG_STR_LIST("certificates", NULL, CFGF_NODEFAULT),
        CFG_END(),
    };
    cfg_opt_t timeouts[] = {
        CFG_INT("greeting", 30, CFGF_NONE),
        CFG_INT("handshake", 30, CFGF_NONE),
        CFG_INT("connect", 10, CFGF_NONE),
        CFG_INT("drain", 30, CFGF_NONE),
        CFG_END(),
    };
    cfg_opt_t top[] = {
        CFG_INT("workers", 1, CFGF_NONE),
        CFG_STR("log", "text", CFGF_NONE),
        CFG_SEC("certificate", certificate, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
        CFG_SEC("listener", listener, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
        CFG_SEC("timeouts", timeouts, CFGF_NODEFAULT),
        CFG_END(),
    };
    char copy[1024];
    char number[32];

    cfg_t *cfg = cfg_init(top, CFGF_NONE);
    if (cfg == NULL) {
        gw_problem(p, path, hb_err_sentence(HB_E_NO_MEMORY), NULL);
        return;
    }
    if (parse(cfg, path, p)) {
        (void)snprintf(copy, sizeof copy, "%s", path);
        const char *folder = keep(d, dirname(copy));
        if (d->workers == NULL) {
            int n = snprintf(number, sizeof number, "%ld", cfg_getint(cfg, "workers"));
            d->workers = gw_draft_keep(d, number, (size_t)n);
            d->workers_where = keep(d, path);
        }
        if (d->log == NULL) {
            d->log = keep(d, cfg_getstr(cfg, "log"));
            d->log_where = keep(d, path);
        }
        read_certs(d, cfg, path, folder, p);
        read_listeners(d, cfg, path, folder, p);
        read_timeouts(d, cfg, path, p);
    }
    cfg_free(cfg);
}
