/* watch.c: inotify on folders, and a fingerprint of what stat() says. */
#include "watch.h"

#include "supervisor.h"
#include <libgen.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

static void mix(uint64_t *sum, uint64_t n) /* FNV-1a, eight bytes at a time: no secret, nobody's choice */
{
    *sum = (*sum ^ n) * 0x100000001b3u;
}

static uint64_t fingerprint(const struct gw_bundle *b)
{
    uint64_t sum = 0xcbf29ce484222325u;
    enum gw_source_kind kind;
    const char *path;

    for (unsigned i = 0; (path = gw_bundle_watched(b, i, &kind)) != NULL; i++) {
        struct stat st = {0};
        bool there = stat(path, &st) == 0;
        mix(&sum, there);
        mix(&sum, (uint64_t)st.st_ino);
        mix(&sum, kind == GW_SRC_FOLDER ? 0 : (uint64_t)st.st_size);
        mix(&sum, (uint64_t)st.st_mtim.tv_sec);
        mix(&sum, (uint64_t)st.st_mtim.tv_nsec);
    }
    return sum;
}

void gw_watch_begin(struct gw_watch *w, const struct gw_bundle *b)
{
    enum gw_source_kind kind;
    const char *path;

    struct pollfd p = {w->fd, POLLIN, 0};
    bool missed = w->fd >= 0 && (w->first != 0 || poll(&p, 1, 0) == 1); /* while b was being loaded */

    gw_watch_close(w);
    w->bundle = b;
    w->first = missed ? gw_now_ms() : 0;
    w->quiet = w->first + GW_WATCH_QUIET;
    w->poll = gw_now_ms() + GW_WATCH_POLL;
    w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    for (unsigned i = 0; w->fd >= 0 && (path = gw_bundle_watched(b, i, &kind)) != NULL; i++) {
        char copy[2048];
        (void)snprintf(copy, sizeof copy, "%s", path);
        const char *folder = kind == GW_SRC_FOLDER ? copy : dirname(copy);
        (void)inotify_add_watch(w->fd, folder,
                                IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE |
                                    IN_ATTRIB | IN_MASK_ADD);
    }
    w->seen = missed ? 0 : fingerprint(b); /* 0: load once more */
}

void gw_watch_close(struct gw_watch *w)
{
    if (w->fd >= 0) {
        (void)close(w->fd);
        w->fd = -1;
    }
}

void gw_watch_events(struct gw_watch *w)
{
    char mem[4096];
    uint64_t now = gw_now_ms();

    while (read(w->fd, mem, sizeof mem) > 0) {
        continue; /* which of them it was does not matter */
    }
    w->first = w->first != 0 ? w->first : now;
    w->quiet = now + GW_WATCH_QUIET;
}

uint64_t gw_watch_due(const struct gw_watch *w)
{
    uint64_t due = w->poll;

    if (w->first != 0) {
        due = w->quiet < w->first + GW_WATCH_LAST ? w->quiet : w->first + GW_WATCH_LAST;
    }
    return due < w->poll ? due : w->poll;
}

bool gw_watch_changed(struct gw_watch *w)
{
    uint64_t now = gw_now_ms();

    if (now < gw_watch_due(w)) {
        return false;
    }
    w->first = 0;
    w->poll = now + GW_WATCH_POLL;
    uint64_t sum = fingerprint(w->bundle);
    bool changed = sum != w->seen;
    w->seen = sum;
    return changed;
}
