/* conf_util.c: words, numbers and files of a draft, each with an error that names what, where and why. */
#include "conf_util.h"

#include <dirent.h>
#include <errno.h>
#include <hb/builder.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX_LEN   (1u << 20)
#define FOLDER_MAX_LEN 65536u

static bool one_of(const char *word, const char *const *words, size_t n, size_t *i)
{
    for (*i = 0; *i < n; (*i)++) {
        if (strcmp(word, words[*i]) == 0) {
            return true;
        }
    }
    return false;
}

size_t gw_choose(const char *word, const char *const *words, size_t n, const char *what, const char *where,
                 struct gw_problems *p)
{
    size_t i = 0;
    char text[160];
    size_t len = 0;

    if (word == NULL || one_of(word, words, n, &i)) {
        return word == NULL ? 0 : i;
    }
    for (i = 0; i < n; i++) {
        int k = snprintf(text + len, sizeof text - len, "%s%s", i > 0 ? " or " : "", words[i]);
        len += k > 0 && (size_t)k < sizeof text - len ? (size_t)k : 0;
    }
    char message[256];
    (void)snprintf(message, sizeof message, "%s is %s, not", what, text);
    gw_problem(p, where, message, word);
    return 0;
}

unsigned gw_number(const char *word, unsigned low, unsigned high, unsigned otherwise, const char *what,
                   const char *where, struct gw_problems *p)
{
    char *end;

    if (word == NULL) {
        return otherwise;
    }
    unsigned long n = strtoul(word, &end, 10);
    if (word[0] < '0' || word[0] > '9' || *end != 0 || n < low || n > high) {
        char message[160];
        (void)snprintf(message, sizeof message, "%s is a number from %u to %u, not", what, low, high);
        gw_problem(p, where, message, word);
        return otherwise;
    }
    return (unsigned)n;
}

char *gw_read_file(const char *path, size_t *len, const char *where, struct gw_problems *p)
{
    char message[600];
    FILE *f = path != NULL ? fopen(path, "rb") : NULL;

    if (f == NULL) {
        (void)snprintf(message, sizeof message, "cannot read %s", path != NULL ? path : "(no file given)");
        gw_problem(p, where, message, path != NULL ? strerror(errno) : NULL);
        return NULL;
    }
    char *text = malloc(FILE_MAX_LEN + 1u);
    *len = text != NULL ? fread(text, 1, FILE_MAX_LEN, f) : 0;
    bool bad = text == NULL || ferror(f) || *len == FILE_MAX_LEN;
    if (bad) {
        (void)snprintf(message, sizeof message, "cannot read %s", path);
        gw_problem(p, where, message, *len == FILE_MAX_LEN ? "longer than 1 MiB" : strerror(errno));
        free(text);
        text = NULL;
    } else {
        text[*len] = 0;
    }
    (void)fclose(f);
    return text;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int not_hidden(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

/* The names, a NUL behind each and one more at the end; 0 or an errno. */
static int read_folder(const char *path, char **names, size_t *len)
{
    struct dirent **list;
    int n = scandir(path, &list, not_hidden, by_name);

    if (n < 0) {
        return errno;
    }
    char *text = malloc(FOLDER_MAX_LEN + 1u);
    struct hb_bld b = hb_bld(text, text != NULL ? FOLDER_MAX_LEN : 0);
    for (int i = 0; i < n; i++) {
        hb_bld_put(&b, hb_span(list[i]->d_name, strlen(list[i]->d_name) + 1));
        free(list[i]);
    }
    free(list);
    if (text == NULL || !hb_bld_ok(&b)) {
        free(text);
        return text == NULL ? ENOMEM : EFBIG;
    }
    text[b.len] = 0;
    *names = text;
    *len = b.len;
    return 0;
}

char *gw_list_folder(const char *path, size_t *len, bool *other, const char *where, struct gw_problems *p)
{
    char message[600];
    char *names = NULL;
    int status = path[0] != 0 ? read_folder(path, &names, len) : ENOENT;

    *other = status == ENOTDIR;
    if (status != 0 && !*other) {
        (void)snprintf(message, sizeof message, "cannot list the folder %s", path);
        gw_problem(p, where, message, strerror(status));
    }
    return names;
}
