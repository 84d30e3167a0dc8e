/* orders.c: what an operator may ask of the supervisor, through the admin process.
 * One row for each word. An answer may come later: a reload is complete when every worker has said so. */
#include "admin.h"
#include "log.h"
#include "metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_WORDS 8u

struct text {
    char mem[6000];
    size_t len;
};

/* What does not fit is left out. */
#define ADD(t, ...)                                                                                          \
    do {                                                                                                     \
        int n = snprintf((t)->mem + (t)->len, sizeof(t)->mem - (t)->len, __VA_ARGS__);                       \
        (t)->len += n > 0 && (size_t)n < sizeof(t)->mem - (t)->len ? (size_t)n : 0;                          \
    } while (0)

void gw_say(struct gw_supervisor *sv, uint32_t client, uint8_t code, const char *text)
{
    uint8_t mem[6100];
    struct hb_bld b = hb_bld(mem, sizeof mem);

    hb_bld_u32(&b, client);
    hb_bld_u8(&b, code);
    struct hb_bld_mark mark = hb_bld_open16(&b);
    hb_bld_str(&b, text);
    hb_bld_close(&b, mark);
    struct gw_proc *admin = &sv->procs[sv->num_procs - 1];
    if (hb_bld_ok(&b) && admin->role == GW_ROLE_ADMIN && admin->sock >= 0) {
        (void)gw_ipc_send(admin->sock, GW_MSG_SAY, hb_bld_span(&b), NULL, 0);
    }
}

/* ---- orders ---- */

static void order_status(struct gw_supervisor *sv, uint32_t client, unsigned num, char **words)
{
    static const char *const names[] = {"worker", "keeper", "admin"};
    struct text t = {.len = 0};
    uint64_t now = gw_now_ms();

    (void)num;
    (void)words;
    ADD(&t, "hauberk %s%s\nsupervisor pid=%d up=%" PRIu64 " generation=%" PRIu32 " listeners=%u\n",
        GW_VERSION, sv->draining ? ", draining" : "", (int)getpid(), (now - sv->born) / 1000,
        sv->snap->generation, sv->snap->conf->num_listeners);
    for (unsigned i = 0; i < sv->num_procs; i++) {
        const struct gw_proc *p = &sv->procs[i];
        if (p->pid == 0) {
            ADD(&t, "%s %u down starts=%u\n", names[p->role], p->id, p->starts);
            continue;
        }
        ADD(&t, "%s %u pid=%d up=%" PRIu64 " starts=%u", names[p->role], p->id, p->pid,
            (now - p->born) / 1000, p->starts);
        if (p->stat != NULL) {
            ADD(&t, " generation=%" PRIu64 " sessions=%" PRIu64 " total=%" PRIu64 " handshakes=%" PRIu64,
                (uint64_t)p->stat->generation, (uint64_t)p->stat->sessions_now, (uint64_t)p->stat->sessions,
                (uint64_t)p->stat->handshakes);
        }
        ADD(&t, "\n");
    }
    ADD(&t, "last reload: %s\n", sv->last_reload[0] != 0 ? sv->last_reload : "none");
    gw_say(sv, client, 0, t.mem);
}

static void order_reload(struct gw_supervisor *sv, uint32_t client, unsigned num, char **words)
{
    (void)num;
    (void)words;
    if (sv->draining || sv->reload_asked.waiting) {
        gw_say(sv, client, 1, sv->draining ? "draining\n" : "another reload is under way\n");
        return;
    }
    sv->reload_asked.waiting = true;
    sv->reload_asked.begun = false;
    sv->reload_asked.loaded = false;
    sv->reload_asked.client = client;
    gw_reload(sv, true, "hauberk ctl");
}

void gw_order_loaded(struct gw_supervisor *sv, bool good)
{
    char line[sizeof sv->last_reload + 1];

    if (!sv->reload_asked.waiting || !sv->reload_asked.begun) {
        return;
    }
    if (good) {
        sv->reload_asked.loaded = true;
        gw_order_reloaded(sv);
        return;
    }
    sv->reload_asked.waiting = false;
    (void)snprintf(line, sizeof line, "%s\n", sv->last_reload);
    gw_say(sv, sv->reload_asked.client, 1, line);
}

static void order_drain(struct gw_supervisor *sv, uint32_t client, unsigned num, char **words)
{
    char *end = NULL;
    unsigned long seconds = num > 1 ? strtoul(words[1], &end, 10) : 0;

    if (num > 1 && (words[1][0] < '0' || words[1][0] > '9' || *end != 0 || seconds > 86400)) {
        gw_say(sv, client, 1, "drain takes a number of seconds up to 86400\n");
        return;
    }
    gw_supervisor_drain(sv, (uint32_t)seconds);
    gw_say(sv, client, 0, "draining\n");
}

struct saying {
    struct gw_supervisor *sv;
    uint32_t client;
};

static void say_part(void *ctx, const char *text)
{
    const struct saying *s = ctx;

    gw_say(s->sv, s->client, GW_ADMIN_MORE, text);
}

static void order_metrics(struct gw_supervisor *sv, uint32_t client, unsigned num, char **words)
{
    struct saying s = {sv, client};

    (void)num;
    (void)words;
    gw_metrics(sv, say_part, &s);
    gw_say(sv, client, 0, "");
}

/* Good: new clients are served. */
static void order_health(struct gw_supervisor *sv, uint32_t client, unsigned num, char **words)
{
    bool serving = false;

    (void)num;
    (void)words;
    for (unsigned i = 0; i < sv->num_procs; i++) {
        serving =
            serving || (sv->procs[i].role == GW_ROLE_WORKER && sv->procs[i].pid > 0 && sv->procs[i].ready);
    }
    serving = serving && !sv->draining;
    gw_say(sv, client, serving ? 0 : 1,
           serving        ? "serving\n"
           : sv->draining ? "draining\n"
                          : "no worker is ready\n");
}

static void order_sessions(struct gw_supervisor *sv, uint32_t client, unsigned num, char **words)
{
    (void)num;
    (void)words;
    if (!gw_query_sessions(sv, client)) {
        gw_say(sv, client, 1, "another list is under way\n");
    }
}

static void order_kill(struct gw_supervisor *sv, uint32_t client, unsigned num, char **words)
{
    char *end = NULL;
    unsigned long long id =
        num == 2 && words[1][0] >= '0' && words[1][0] <= '9' ? strtoull(words[1], &end, 10) : 0;

    if (id == 0 || *end != 0) {
        gw_say(sv, client, 1, "kill takes the id of one session, as sessions and the log have it\n");
    } else if (!gw_query_kill(sv, client, id)) {
        gw_say(sv, client, 1, "too much is under way\n");
    }
}

static const struct {
    const char *word;
    void (*run)(struct gw_supervisor *sv, uint32_t client, unsigned num, char **words);
} orders[] = {
    {"status", order_status},     {"metrics", order_metrics}, {"health", order_health},
    {"sessions", order_sessions}, {"kill", order_kill},       {"reload", order_reload},
    {"drain", order_drain},
};

void gw_order(struct gw_supervisor *sv, struct gw_proc *admin)
{
    struct hb_cur *c = &sv->in.body;
    char *words[MAX_WORDS];
    unsigned num = 0;
    char mem[GW_IPC_MAX];

    (void)admin;
    uint32_t client = hb_cur_u32(c);
    struct hb_cur vec = hb_cur_vec16(c);
    struct hb_span text = hb_cur_rest(&vec);
    if (!hb_cur_end(c) || (text.len > 0 && text.p[text.len - 1] != 0)) {
        return;
    }
    memcpy(mem, text.len > 0 ? (const char *)text.p : "", text.len);
    for (size_t at = 0; at < text.len && num < MAX_WORDS; at += strlen(mem + at) + 1) {
        words[num++] = mem + at;
    }
    for (size_t i = 0; num > 0 && i < sizeof orders / sizeof orders[0]; i++) {
        if (strcmp(words[0], orders[i].word) == 0) {
            orders[i].run(sv, client, num, words);
            return;
        }
    }
    gw_say(sv, client, 1, "there are: status, health, metrics, sessions, kill ID, reload, drain [SECONDS]\n");
}

void gw_order_reloaded(struct gw_supervisor *sv)
{
    char line[sizeof sv->last_reload + 1];

    if (!sv->reload_asked.waiting || !sv->reload_asked.loaded) {
        return;
    }
    for (unsigned i = 0; i < sv->num_procs; i++) {
        const struct gw_proc *p = &sv->procs[i];
        if (p->role == GW_ROLE_WORKER && p->pid > 0 && p->generation != sv->snap->generation) {
            return;
        }
    }
    sv->reload_asked.waiting = false;
    (void)snprintf(line, sizeof line, "%s\n", sv->last_reload);
    gw_say(sv, sv->reload_asked.client, 0, line);
}
