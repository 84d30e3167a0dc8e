/* script.c: reading scripts and playing them in every way. */
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 400000u
#define NUM_CUTS 12u
#define POOR_MAX 200u /* allocations that are made to fail, one in each run */

const char *const mode_names[] = {"whole", "byte by byte", "in cuts", "short of memory"};

/* ---- texts ---- */

void text_append(struct text *t, const void *p, size_t len)
{
    if (t->p == NULL) {
        t->p = malloc(TEXT_MAX);
    }
    if (t->p == NULL || t->len + len > TEXT_MAX) {
        printf("a script is too long, or there is no memory\n");
        exit(2);
    }
    if (len > 0) {
        memcpy(t->p + t->len, p, len);
        t->len += len;
    }
}

void text_drop(struct text *t, size_t n)
{
    if (n > 0) {
        memmove(t->p, t->p + n, t->len - n);
        t->len -= n;
    }
}

void text_free(struct text *t)
{
    free(t->p);
    *t = (struct text){0};
}

void text_unescape(struct text *t, const char *s)
{
    for (; *s != 0; s++) {
        unsigned n;
        char c;
        if (*s != '\\' || s[1] == 0) {
            text_append(t, s, 1);
            continue;
        }
        s++;
        if (*s == '*' && sscanf(s, "*%u(%c)", &n, &c) == 2) {
            for (unsigned i = 0; i < n; i++) {
                text_append(t, &c, 1);
            }
            s = strchr(s, ')');
        } else if (*s == 'x' && sscanf(s, "x%2x", &n) == 1) {
            c = (char)n;
            text_append(t, &c, 1);
            s += 2;
        } else {
            c = *s == 'r' ? '\r' : *s == 'n' ? '\n' : *s == 't' ? '\t' : *s == '0' ? 0 : *s;
            text_append(t, &c, 1);
        }
    }
}

void text_show(const struct text *t, char *dst, size_t cap)
{
    size_t n = 0;

    for (size_t i = 0; i < t->len && n + 12 < cap; i++) {
        uint8_t c = t->p[i];
        if (c == '\n') {
            n += (size_t)snprintf(dst + n, cap - n, "\\n ");
        } else if (c == '\r') {
            n += (size_t)snprintf(dst + n, cap - n, "\\r");
        } else if (c >= 0x20 && c < 0x7f) {
            dst[n++] = (char)c;
        } else {
            n += (size_t)snprintf(dst + n, cap - n, "\\x%02x", c);
        }
    }
    dst[n] = 0;
}

bool text_begins(const struct text *t, const struct text *want)
{
    return t->len >= want->len && (want->len == 0 || memcmp(t->p, want->p, want->len) == 0);
}

/* ---- lines ---- */

bool starts(const char *line, const char *word, const char **rest)
{
    size_t n = strlen(word);

    if (strncmp(line, word, n) != 0 || (line[n] != 0 && line[n] != ' ')) {
        return false;
    }
    *rest = line[n] == ' ' ? line + n + 1 : line + n;
    return true;
}

/* ---- every way ---- */

static bool play_all_ways(const char *path, const char *proto, play_file *play)
{
    size_t allocs = 0;
    size_t ignored;
    bool ok = play(path, proto, MODE_WHOLE, 1, &ignored) && play(path, proto, MODE_BYTES, 1, &allocs);

    for (size_t seed = 1; ok && seed <= NUM_CUTS; seed++) {
        ok = play(path, proto, MODE_CUTS, seed, &ignored);
    }
    for (size_t at = 1; ok && at <= allocs && at <= POOR_MAX; at++) {
        ok = play(path, proto, MODE_POOR, at, &ignored);
    }
    return ok;
}

int play_scripts(int argc, char **argv, play_file *play)
{
    bool wrong = argc > 3 && strcmp(argv[1], "--wrong") == 0;
    int first = wrong ? 3 : 2;
    unsigned failed = 0;

    if (argc <= first) {
        printf("usage: %s [--wrong] PROTO FILE...\n", argv[0]);
        return 2;
    }
    for (int i = first; i < argc; i++) {
        bool ok = play_all_ways(argv[i], argv[first - 1], play);
        if (wrong && ok) {
            printf("%s: is wrong, and nobody noticed\n", argv[i]);
        }
        failed += ok == wrong;
    }
    printf("%s: %d dialogues, %u failed\n", argv[first - 1], argc - first, failed);
    return failed > 0 ? 1 : 0;
}
