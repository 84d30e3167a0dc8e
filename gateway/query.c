/* query.c: a question to the workers, and their answers to whoever asked. */
#include "query.h"

#include "admin.h"
#include "log.h"
#include "roster.h"
#include "supervisor.h"
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PATIENCE 10000u /* milliseconds */

static struct gw_query *new_query(struct gw_supervisor *sv, uint32_t client, uint64_t id)
{
    for (unsigned i = 0; i < GW_MAX_QUERIES; i++) {
        struct gw_query *q = &sv->queries[i];
        if (!q->used) {
            *q = (struct gw_query){.used = true, .client = client, .id = id, .due = gw_now_ms() + PATIENCE};
            for (unsigned w = 0; w < GW_MAX_WORKERS; w++) {
                q->memory[w] = -1;
            }
            return q;
        }
    }
    return NULL;
}

static bool waits(const struct gw_query *q)
{
    for (unsigned w = 0; w < GW_MAX_WORKERS; w++) {
        if (q->waiting[w]) {
            return true;
        }
    }
    return false;
}

static void forget_memory(struct gw_query *q, unsigned worker)
{
    if (q->memory[worker] >= 0) {
        (void)close(q->memory[worker]);
        q->memory[worker] = -1;
    }
}

/* The last word, if nobody is waited for. */
static void finish(struct gw_supervisor *sv, struct gw_query *q)
{
    char line[120] = "";

    if (waits(q)) {
        return;
    }
    if (q->id == 0 && q->short_of > 0) {
        (void)snprintf(line, sizeof line, "and %" PRIu32 " more\n", q->short_of);
    } else if (q->id != 0) {
        (void)snprintf(line, sizeof line,
                       q->found > 0 ? "ended %" PRIu64 "\n" : "there is no session %" PRIu64 "\n", q->id);
    }
    gw_say(sv, q->client, q->id == 0 || q->found > 0 ? 0 : 1, line);
    q->used = false;
}

/* Memory for a worker to write to: as much as it is told, and no more. */
static int list_memory(void)
{
    int fd = memfd_create("hauberk-sessions", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd >= 0 && (ftruncate(fd, GW_ROSTER_MAX) != 0 ||
                    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static void ask_for_list(struct gw_query *q, const struct gw_proc *p)
{
    uint8_t mem[4];
    struct hb_bld b = hb_bld(mem, sizeof mem);
    int fd = list_memory();

    hb_bld_u32(&b, q->client);
    if (fd >= 0 && gw_ipc_send(p->sock, GW_MSG_LIST, hb_bld_span(&b), &fd, 1)) {
        q->waiting[p->id] = true;
        q->memory[p->id] = fd;
    } else if (fd >= 0) {
        (void)close(fd);
    }
}

bool gw_query_sessions(struct gw_supervisor *sv, uint32_t client)
{
    struct gw_query *q = NULL;
    bool listing = false;

    for (unsigned i = 0; i < GW_MAX_QUERIES; i++) { /* a worker writes one list at a time */
        listing = listing || (sv->queries[i].used && sv->queries[i].id == 0);
    }
    q = listing ? NULL : new_query(sv, client, 0);
    if (q == NULL) {
        return false;
    }
    for (unsigned i = 0; i < sv->num_procs; i++) {
        const struct gw_proc *p = &sv->procs[i];
        if (p->role == GW_ROLE_WORKER && p->ready && p->sock >= 0) {
            ask_for_list(q, p);
        }
    }
    finish(sv, q);
    return true;
}

bool gw_query_kill(struct gw_supervisor *sv, uint32_t client, uint64_t id)
{
    struct gw_query *q = new_query(sv, client, id);
    uint8_t mem[12];
    struct hb_bld b = hb_bld(mem, sizeof mem);

    if (q == NULL) {
        return false;
    }
    hb_bld_u32(&b, client);
    hb_bld_u64(&b, id);
    for (unsigned i = 0; i < sv->num_procs; i++) {
        const struct gw_proc *p = &sv->procs[i];
        if (p->role == GW_ROLE_WORKER && p->id == id % GW_ID_WORKERS && p->ready && p->sock >= 0) {
            q->waiting[p->id] = gw_ipc_send(p->sock, GW_MSG_KILL, hb_bld_span(&b), NULL, 0);
        }
    }
    finish(sv, q);
    return true;
}

/* A worker's list goes on to the admin process as it is. */
static void pass_on(struct gw_supervisor *sv, struct gw_query *q, unsigned worker, uint32_t len)
{
    const struct gw_proc *admin = &sv->procs[sv->num_procs - 1];
    uint8_t mem[8];
    struct hb_bld b = hb_bld(mem, sizeof mem);

    hb_bld_u32(&b, q->client);
    hb_bld_u32(&b, len);
    if (len > 0 && len <= GW_ROSTER_MAX && admin->role == GW_ROLE_ADMIN && admin->sock >= 0) {
        (void)gw_ipc_send(admin->sock, GW_MSG_PAGE, hb_bld_span(&b), &q->memory[worker], 1);
    }
    forget_memory(q, worker);
}

void gw_query_did(struct gw_supervisor *sv, const struct gw_proc *p)
{
    struct hb_cur *c = &sv->in.body;
    uint32_t client = hb_cur_u32(c);
    uint32_t what = hb_cur_u32(c);
    uint32_t more = hb_cur_u32(c);

    for (unsigned i = 0; i < GW_MAX_QUERIES && hb_cur_end(c); i++) {
        struct gw_query *q = &sv->queries[i];
        if (!q->used || q->client != client || !q->waiting[p->id]) {
            continue;
        }
        q->waiting[p->id] = false;
        if (q->id == 0) {
            pass_on(sv, q, p->id, what);
            q->short_of += more;
        } else {
            q->found += what > 0;
        }
        finish(sv, q);
    }
}

void gw_query_lost(struct gw_supervisor *sv, const struct gw_proc *p)
{
    for (unsigned i = 0; i < GW_MAX_QUERIES && p->role == GW_ROLE_WORKER; i++) {
        struct gw_query *q = &sv->queries[i];
        if (q->used && q->waiting[p->id]) {
            q->waiting[p->id] = false;
            forget_memory(q, p->id);
            finish(sv, q);
        }
    }
}

uint64_t gw_query_due(const struct gw_supervisor *sv)
{
    uint64_t due = UINT64_MAX;

    for (unsigned i = 0; i < GW_MAX_QUERIES; i++) {
        due = sv->queries[i].used && sv->queries[i].due < due ? sv->queries[i].due : due;
    }
    return due;
}

void gw_query_late(struct gw_supervisor *sv, uint64_t now)
{
    for (unsigned i = 0; i < GW_MAX_QUERIES; i++) {
        struct gw_query *q = &sv->queries[i];
        if (!q->used || q->due > now) {
            continue;
        }
        for (unsigned w = 0; w < GW_MAX_WORKERS; w++) {
            char line[60];
            if (q->waiting[w]) {
                (void)snprintf(line, sizeof line, "worker %u does not answer\n", w);
                gw_say(sv, q->client, GW_ADMIN_MORE, line);
            }
            q->waiting[w] = false;
            forget_memory(q, w);
        }
        finish(sv, q);
    }
}
