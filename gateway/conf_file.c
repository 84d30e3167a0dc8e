/* conf_file.c: the configuration file, parsed by libConfuse into the same draft as the command line.
 *
 *   one file -> its text -> libConfuse -> rows of (block, word, line) -> the draft; includes in their place
 *
 * Every value knows its file and line, so that what is found later still names them. A word said twice is an
 * error: nobody knows which one was meant. Relative paths belong to the folder of the file they stand in.
 * libConfuse calls back without a context, hence `now`; it is never entered twice at once. */
#include "conf_reading.h"

#include "suggest.h"
#include <libgen.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LINES 4096u /* words in one file */
#define MAX_DEPTH 8u
#define MAX_FILES 256u
/* libConfuse takes the end of a file for the end of every open block; this word, behind the text, is out of
 * place then. */
#define END_WORD    "end-of-file"
#define END_OF_FILE "\n" END_WORD " = true\n"

static struct gw_reading *now;

static int said_twice(const cfg_t *cfg, const char *word, int first)
{
    char what[200];

    (void)snprintf(what, sizeof what,
                   "%.80s is said twice here; the first time in line %d. Remove one of them", word, first);
    gw_problem(now->p, gw_place(now, cfg->line), what, NULL);
    return -1;
}

/* libConfuse has read a value, the end of a list, or the end of a block. */
static int on_said(cfg_t *cfg, cfg_opt_t *opt)
{
    struct gw_said *s = gw_find_said(now, cfg, opt->name);
    bool list = (opt->flags & CFGF_LIST) != 0;

    if (s != NULL && list) {
        s->times++;
        return s->times > 2 && cfg_opt_size(opt) == 1 ? said_twice(cfg, opt->name, s->line) : 0;
    }
    if (s != NULL) {
        return said_twice(cfg, opt->name, s->line);
    }
    if (now->num_said == MAX_LINES) {
        gw_problem(now->p, gw_place(now, cfg->line), "too many words in one file; at most 4096. Use include",
                   NULL);
        return -1;
    }
    now->said[now->num_said++] = (struct gw_said){cfg, opt->name, cfg->line, 1};
    return 0;
}

static int on_include(cfg_t *cfg, cfg_opt_t *opt, int argc, const char **argv)
{
    (void)opt;
    const char *where = gw_place(now, cfg->line);

    if (argc != 1) {
        gw_problem(now->p, where, "include wants one file or folder, as in include(\"conf.d\")", NULL);
        return -1;
    }
    if (now->num_includes == GW_MAX_INCLUDES) {
        gw_problem(now->p, where, "too many includes in one file; at most 64. Include a folder", NULL);
        return -1;
    }
    now->includes[now->num_includes++] = (struct gw_include){
        gw_keep_path(now, argv[0]), where, cfg_size(cfg, "certificate"), cfg_size(cfg, "listener")};
    return 0;
}

/* What libConfuse complains about, with the word that was perhaps meant. */
static void report(cfg_t *cfg, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

static void report(cfg_t *cfg, const char *fmt, va_list ap)
{
    char what[400];
    char word[80];
    char more[200];
    const char *names[GW_NUM_WORDS + 16];
    size_t n = 0;

    (void)vsnprintf(what, sizeof what, fmt, ap);
    int line = cfg != NULL ? cfg->line : 0;
    const char *where = gw_place(now, line);
    if (strstr(what, END_WORD) != NULL) {
        gw_problem(now->p, gw_place(now, line - 1),
                   "the file ends within a block; a } is missing, in or above this line", NULL);
        return;
    }
    if (cfg == NULL || sscanf(what, "no such option '%79[^']'", word) != 1) {
        gw_problem(now->p, where, what, NULL);
        return;
    }
    for (; cfg->opts[n].name != NULL && n < sizeof names / sizeof names[0]; n++) {
        names[n] = cfg->opts[n].name;
    }
    const char *near = gw_suggest(word, names, n);
    (void)snprintf(more, sizeof more,
                   near != NULL ? "did you mean %s?" : "hauberk.conf(5) lists what may stand here%s",
                   near != NULL ? near : "");
    gw_problem(now->p, where, what, more);
}

/* ---- files ---- */

static bool enter(const struct gw_include *by, const struct gw_reading *from);

/* Blocks and includes in the order they stand: the first certificate is the one shown to who asks for none.
 */
static void take_blocks(const struct gw_reading *r, cfg_t *cfg)
{
    unsigned cert = 0;
    unsigned listener = 0;

    for (unsigned i = 0; i < cfg_size(cfg, "backend"); i++) {
        gw_read_backend(r, cfg_getnsec(cfg, "backend", i));
    }
    for (size_t i = 0; i <= r->num_includes; i++) {
        const struct gw_include *inc = i < r->num_includes ? &r->includes[i] : NULL;
        unsigned certs = inc != NULL ? inc->certs_before : cfg_size(cfg, "certificate");
        unsigned listeners = inc != NULL ? inc->listeners_before : cfg_size(cfg, "listener");
        for (; cert < certs; cert++) {
            gw_read_cert(r, cfg_getnsec(cfg, "certificate", cert));
        }
        for (; listener < listeners; listener++) {
            gw_read_listener(r, cfg_getnsec(cfg, "listener", listener));
        }
        if (inc != NULL && !enter(inc, r)) {
            return;
        }
    }
}

static void read_block(struct gw_reading *r, cfg_t *cfg, const char *text)
{
    (void)cfg_set_error_function(cfg, report);
    unsigned before = r->p->errors;
    now = r;
    int rc = cfg_parse_buf(cfg, text);
    if (rc == CFG_SUCCESS && gw_find_said(r, cfg, END_WORD) == NULL) {
        gw_problem(r->p, r->path, "the file ends within a comment, a string or a block", NULL);
    }
    now = NULL;
    if (rc != CFG_SUCCESS && r->p->errors == before) {
        gw_problem(r->p, r->path, "not a configuration file", NULL);
    }
    if (r->p->errors > before) {
        return;
    }
    gw_read_top(r, cfg);
    take_blocks(r, cfg);
}

static void hear(cfg_opt_t *opts)
{
    for (; opts->name != NULL; opts++) {
        bool many = opts->type == CFGT_FUNC || (opts->flags & CFGF_MULTI) != 0;
        opts->validcb = many ? NULL : on_said;
    }
}

/* Of words.def, in its order, only those that say something about a backend. */
static void leave_backend_words(cfg_opt_t *opts)
{
    const unsigned num = GW_WORD_trusted_network + 1 - GW_WORD_backend_ca;

    memmove(opts, opts + GW_WORD_backend_ca, num * sizeof *opts);
    memmove(opts + num, opts + GW_WORD_certificates, sizeof *opts); /* CFG_END */
}

static void read_text(struct gw_reading *r, const char *text)
{
#define W(field, name, otherwise) CFG_STR(name, NULL, CFGF_NODEFAULT),
#define F(field, name)            CFG_BOOL(name, cfg_false, CFGF_NONE),
    cfg_opt_t defaults[] = {
#include "words.def"
        CFG_STR_LIST("certificates", NULL, CFGF_NODEFAULT), CFG_END()};
    cfg_opt_t listener[] = {CFG_STR("listen", NULL, CFGF_NODEFAULT), CFG_STR("backend", NULL, CFGF_NODEFAULT),
#include "words.def"
                            CFG_STR_LIST("certificates", NULL, CFGF_NODEFAULT), CFG_END()};
    cfg_opt_t backend[] = {CFG_STR_LIST("servers", NULL, CFGF_NODEFAULT),
                           CFG_STR("balance", NULL, CFGF_NODEFAULT),
                           CFG_STR("health-check", NULL, CFGF_NODEFAULT),
#include "words.def"
                           CFG_END()};
#undef W
#undef F
    cfg_opt_t certificate[] = {CFG_STR("chain", NULL, CFGF_NODEFAULT), CFG_STR("key", NULL, CFGF_NODEFAULT),
                               CFG_STR("staple", NULL, CFGF_NODEFAULT), CFG_END()};
#define T(field, name, otherwise, least) CFG_INT(name, otherwise, CFGF_NONE),
    cfg_opt_t timeout[] = {
#include "timeouts.def"
        CFG_END()};
#undef T
#define G(field, name, otherwise) CFG_STR(name, NULL, CFGF_NODEFAULT),
    cfg_opt_t top[] = {
#include "globals.def"
        CFG_SEC("defaults", defaults, CFGF_NODEFAULT),
        CFG_SEC("certificate", certificate, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
        CFG_SEC("backend", backend, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
        CFG_SEC("listener", listener, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
        CFG_SEC("timeouts", timeout, CFGF_NODEFAULT),
        CFG_FUNC("include", on_include),
        CFG_BOOL(END_WORD, cfg_false, CFGF_NONE),
        CFG_END()};
#undef G

    leave_backend_words(backend + 3);
    hear(defaults);
    hear(backend);
    hear(listener);
    hear(certificate);
    hear(timeout);
    hear(top);
    cfg_t *cfg = cfg_init(top, CFGF_NONE);
    r->said = calloc(MAX_LINES, sizeof *r->said);
    if (cfg == NULL || r->said == NULL) {
        gw_problem(r->p, r->path, hb_err_sentence(HB_E_NO_MEMORY), NULL);
    } else {
        read_block(r, cfg, text);
    }
    free(r->said);
    if (cfg != NULL) {
        cfg_free(cfg);
    }
}

static bool may_enter(const struct gw_reading *r, const char *where)
{
    const char *why = NULL;

    for (const struct gw_reading *f = r->from; f != NULL; f = f->from) {
        if (strcmp(f->path, r->path) == 0) {
            why = "this file includes itself; remove the include of";
        }
    }
    if (why == NULL && r->depth > MAX_DEPTH) {
        why = "includes within includes go 8 deep at most (does one include itself?), not also";
    }
    if (why == NULL && ++*r->num_files > MAX_FILES) {
        why = "at most 256 files make a configuration, not also";
    }
    if (why != NULL) {
        gw_problem(r->p, where, why, r->path);
    }
    return why == NULL;
}

static bool read_one(const char *path, const char *where, const struct gw_reading *from, struct gw_draft *d,
                     unsigned *num_files, struct gw_problems *p)
{
    struct gw_reading *r = calloc(1, sizeof *r);
    char copy[2048];
    size_t len = 0;

    if (r == NULL) {
        gw_problem(p, path, hb_err_sentence(HB_E_NO_MEMORY), NULL);
        return false;
    }
    *r = (struct gw_reading){.d = d, .p = p, .path = path, .from = from, .num_files = num_files};
    r->depth = from != NULL ? from->depth + 1 : 0;
    (void)snprintf(copy, sizeof copy, "%s", path);
    const char *folder = dirname(copy);
    r->folder = gw_draft_keep(d, folder, strlen(folder));
    bool good = may_enter(r, where);
    char *text = good ? gw_read_config(path, &len, where, p) : NULL;
    char *whole = text != NULL ? malloc(len + sizeof END_OF_FILE) : NULL;
    if (whole != NULL) {
        memcpy(whole, text, len);
        memcpy(whole + len, END_OF_FILE, sizeof END_OF_FILE);
    }
    if (text != NULL && memchr(text, 0, len) != NULL) {
        gw_problem(p, path, "not a configuration file", "there is a NUL byte in it");
    } else if (whole != NULL) {
        read_text(r, whole);
    } else if (text != NULL) {
        gw_problem(p, path, hb_err_sentence(HB_E_NO_MEMORY), NULL);
    }
    free(whole);
    free(text);
    free(r);
    return good;
}

/* A file, or the files of a folder whose names end with ".conf", in order. False: no use going on. */
static bool enter(const struct gw_include *by, const struct gw_reading *from)
{
    size_t len = 0;
    bool other = false;
    char *names = gw_list_config(by->target, &len, &other, by->where, from->p);
    bool good =
        other ? read_one(by->target, by->where, from, from->d, from->num_files, from->p) : names != NULL;

    for (const char *at = names; names != NULL && good && at < names + len; at += strlen(at) + 1) {
        const char *dot = strrchr(at, '.');
        if (dot != NULL && strcmp(dot, ".conf") == 0) {
            char file[2048];
            int n = snprintf(file, sizeof file, "%s/%s", by->target, at);
            good = read_one(gw_draft_keep(from->d, file, n > 0 && (size_t)n < sizeof file ? (size_t)n : 0),
                            by->where, from, from->d, from->num_files, from->p);
        }
    }
    free(names);
    return good;
}

void gw_conf_file(const char *path, struct gw_draft *d, struct gw_problems *p)
{
    unsigned num_files = 0;

    (void)read_one(path, path, NULL, d, &num_files, p);
    gw_spread_defaults(d);
    gw_conf_cert_folder(d, p);
}
