/* replay.c: runs a fuzz target over a folder of inputs, as an ordinary test.
 * Every file is given whole, cut at each of its first 512 lengths, and with single bytes changed, all
 * deterministic; a third argument says that only every n-th of these is tried, for targets whose one run is a
 * whole handshake. An empty or missing folder is a failure: a corpus that runs nothing proves nothing. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void give(const uint8_t *data, size_t len)
{
    uint8_t *exact = malloc(len > 0 ? len : 1); /* its own block, so that a sanitizer sees one byte too far */
    if (exact == NULL) {
        abort();
    }
    memcpy(exact, data, len);
    (void)LLVMFuzzerTestOneInput(exact, len);
    free(exact);
}

static size_t replay(const char *path, unsigned step)
{
    static uint8_t bytes[1 << 20];
    FILE *f = fopen(path, "rb");
    size_t runs = 0;

    if (f == NULL) {
        return 0;
    }
    size_t len = fread(bytes, 1, sizeof bytes, f);
    (void)fclose(f);
    give(bytes, len);
    runs++;
    for (size_t cut = 0; cut < len && cut < 512; cut += step, runs++) {
        give(bytes, cut);
    }
    uint32_t seed = 0x9e3779b9u ^ (uint32_t)len;
    for (unsigned i = 0; len > 0 && i < 256; i += step, runs++) {
        seed = seed * 1664525u + 1013904223u;
        size_t at = (seed >> 8) % len;
        uint8_t old = bytes[at];
        bytes[at] = (uint8_t)(seed >> 24 ^ seed);
        give(bytes, len);
        bytes[at] = old;
    }
    return runs;
}

int main(int argc, char **argv)
{
    size_t files = 0;
    size_t runs = 0;
    unsigned step = argc == 3 && atoi(argv[2]) > 0 ? (unsigned)atoi(argv[2]) : 1;
    DIR *dir = argc == 2 || argc == 3 ? opendir(argv[1]) : NULL;

    if (dir == NULL) {
        (void)fprintf(stderr, "usage: replay FOLDER [N] (which must exist)\n");
        return 2;
    }
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        char path[4096];
        if (e->d_name[0] == '.') {
            continue;
        }
        (void)snprintf(path, sizeof path, "%s/%s", argv[1], e->d_name);
        size_t n = replay(path, step);
        files += n > 0;
        runs += n;
    }
    (void)closedir(dir);
    printf("%zu inputs, %zu runs\n", files, runs);
    return files > 0 ? 0 : 1;
}
