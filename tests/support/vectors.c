#include "vectors.h"

#include <hb/hex.h>
#include <stdlib.h>

static void give_up(const char *what, const char *name)
{
    (void)fprintf(stderr, "vectors: %s: %s\n", what, name);
    exit(2);
}

FILE *vectors_open(const char *name)
{
    const char *folder = getenv("FIXTURES");
    char path[600];

    (void)snprintf(path, sizeof path, "%s/vectors/%s", folder != NULL ? folder : "fixtures", name);
    FILE *f = fopen(path, "r");
    if (f == NULL) {
        give_up("cannot open", path);
    }
    return f;
}

uint8_t *vectors_memory(size_t len)
{
    static uint8_t arena[1 << 20];
    static size_t used;

    if (len > sizeof arena - used) {
        give_up("arena too small", "vectors_memory");
    }
    uint8_t *p = arena + used;
    used += len;
    return p;
}

static size_t decode(const char *hex, uint8_t *dst, size_t cap)
{
    size_t len = 0;

    if (strcmp(hex, "-") != 0 && hb_hex_decode(hb_span_str(hex), dst, cap, &len) != HB_OK) {
        give_up("not hexadecimal", hex);
    }
    return len;
}

bool vectors_next(FILE *f, struct vector *v)
{
    static char line[1 << 17];
    static uint8_t bytes[1 << 16];
    size_t used = 0;
    char *save = NULL;

    if (fgets(line, sizeof line, f) == NULL) {
        return false;
    }
    memset(v, 0, sizeof *v);
    char *word = strtok_r(line, " \n", &save);
    v->result = word != NULL ? word[0] : '?';
    char *previous = NULL;
    while ((word = strtok_r(NULL, " \n", &save)) != NULL) {
        if (previous != NULL && v->num < VECTOR_FIELDS) {
            size_t len = decode(previous, bytes + used, sizeof bytes - used);
            v->field[v->num++] = hb_span(bytes + used, len);
            used += len;
        }
        previous = word;
    }
    (void)snprintf(v->id, sizeof v->id, "%.15s", previous != NULL ? previous : "?");
    return true;
}

struct hb_span vec_value(const char *file, const char *section, const char *name)
{
    static char line[1 << 17];
    FILE *f = vectors_open(file);
    bool inside = false;
    size_t n = strlen(name);

    while (fgets(line, sizeof line, f) != NULL) {
        line[strcspn(line, "\n")] = 0;
        if (line[0] == '[') {
            inside = strncmp(line + 1, section, strlen(section)) == 0 && line[1 + strlen(section)] == ']';
        } else if (inside && strncmp(line, name, n) == 0 && strncmp(line + n, " = ", 3) == 0) {
            size_t cap = strlen(line + n + 3) / 2 + 1;
            uint8_t *p = vectors_memory(cap);
            (void)fclose(f);
            return hb_span(p, decode(line + n + 3, p, cap));
        }
    }
    give_up("no such value", name);
    return hb_span(NULL, 0);
}
