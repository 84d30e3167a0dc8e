/* script.h: what the two players share: texts that grow, the words of a script, and the ways to play one.
 * A script that cannot be played for want of memory ends the program: a test must not go on with half of it.
 */
#ifndef SCRIPT_H
#define SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mode { MODE_WHOLE, MODE_BYTES, MODE_CUTS, MODE_POOR };

extern const char *const mode_names[];

struct text {
    uint8_t *p; /* owned; of a fixed size once it holds something */
    size_t len;
};

void text_append(struct text *t, const void *p, size_t len);
/* The first n bytes go. */
void text_drop(struct text *t, size_t n);
void text_free(struct text *t);
/* Appends s with \r \n \t \0 \\ \xHH, and \*N(c): c N times. */
void text_unescape(struct text *t, const char *s);
/* Writes t as something to print, as much as fits. */
void text_show(const struct text *t, char *dst, size_t cap);
/* True if t begins with want. */
bool text_begins(const struct text *t, const struct text *want);

/* True if the line's first word is this one; *rest: what follows. */
bool starts(const char *line, const char *word, const char **rest);

/* One script in one way: true if it went as written. n: the seed of the cuts, or the allocation that fails.
 */
typedef bool play_file(const char *path, const char *proto, enum mode mode, size_t n, size_t *num_allocs);

/* The program "NAME [--wrong] PROTO FILE...": every file whole, byte by byte, in random cuts, and then with
 * the first, the second, ... allocation failing. --wrong: every file must be found wrong. Returns the exit
 * code. */
int play_scripts(int argc, char **argv, play_file *play);

#endif
