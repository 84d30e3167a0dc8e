/* metrics.c: figures as lines. Sums are made here, so that a worker counts without looking at another. */
#include "metrics.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *kind, *help;
    size_t offset;
} rows[] = {
#define M(field, name, kind, help) {name, kind, help, offsetof(struct gw_stat, field)},
#include "metrics.def"
#undef M
};

struct text {
    void (*emit)(void *ctx, const char *text);
    void *ctx;
    size_t len;
    char mem[4000];
};

static void flush(struct text *t)
{
    if (t->len > 0) {
        t->emit(t->ctx, t->mem);
        t->len = 0;
    }
}

static void add_line(struct text *t, const char *line)
{
    size_t len = strlen(line);

    if (t->len + len + 1 > sizeof t->mem) {
        flush(t);
    }
    memcpy(t->mem + t->len, line, len + 1);
    t->len += len;
}

#define LINE(t, ...)                                                                                         \
    do {                                                                                                     \
        char line[400];                                                                                      \
        (void)snprintf(line, sizeof line, __VA_ARGS__);                                                      \
        add_line((t), line);                                                                                 \
    } while (0)

static void head(struct text *t, const char *name, const char *kind, const char *help)
{
    LINE(t, "# HELP %s %s\n", name, help);
    LINE(t, "# TYPE %s %s\n", name, kind);
}

static uint64_t sum(const struct gw_supervisor *sv, size_t offset)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < sv->num_procs; i++) {
        if (sv->procs[i].stat != NULL) {
            n += *(const _Atomic uint64_t *)((const char *)sv->procs[i].stat + offset);
        }
    }
    return n;
}

static void processes(const struct gw_supervisor *sv, struct text *t)
{
    static const char *const names[] = {"worker", "keeper", "admin"};

    head(t, "hauberk_up", "gauge", "1 for each process that runs");
    for (unsigned i = 0; i < sv->num_procs; i++) {
        LINE(t, "hauberk_up{process=\"%s\",id=\"%u\"} %d\n", names[sv->procs[i].role], sv->procs[i].id,
             sv->procs[i].pid > 0);
    }
    head(t, "hauberk_process_starts_total", "counter", "How often each process was started");
    for (unsigned i = 0; i < sv->num_procs; i++) {
        LINE(t, "hauberk_process_starts_total{process=\"%s\",id=\"%u\"} %u\n", names[sv->procs[i].role],
             sv->procs[i].id, sv->procs[i].starts);
    }
    head(t, "hauberk_generation", "gauge",
         "Configuration in force; each reload that changes something adds one");
    LINE(t, "hauberk_generation %" PRIu32 "\n", sv->snap->generation);
    head(t, "hauberk_draining", "gauge", "1 while sessions are told goodbye");
    LINE(t, "hauberk_draining %d\n", sv->draining);
}

void gw_metrics(const struct gw_supervisor *sv, void (*emit)(void *ctx, const char *text), void *ctx)
{
    struct text t = {.emit = emit, .ctx = ctx};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        head(&t, rows[i].name, rows[i].kind, rows[i].help);
        LINE(&t, "%s %" PRIu64 "\n", rows[i].name, sum(sv, rows[i].offset));
    }
    processes(sv, &t);
    head(&t, "hauberk_events_total", "counter", "Log events of workers and the first process, by name");
    for (unsigned i = 0; i < GW_NUM_EVENTS; i++) {
        LINE(&t, "hauberk_events_total{event=\"%s\"} %" PRIu64 "\n", gw_event_name((enum gw_event)i),
             sv->events[i] + sum(sv, offsetof(struct gw_stat, events) + i * sizeof(uint64_t)));
    }
    head(&t, "hauberk_sessions_ended_total", "counter", "Sessions that ended, by the code of the reason");
    for (unsigned i = 0; i < HB_NUM_CODES; i++) {
        uint64_t n = sum(sv, offsetof(struct gw_stat, ended) + i * sizeof(uint64_t));
        if (n > 0) { /* most codes never end a session */
            LINE(&t, "hauberk_sessions_ended_total{code=\"%s\"} %" PRIu64 "\n", hb_err_name((enum hb_code)i),
                 n);
        }
    }
    flush(&t);
}
