/* reload.c: a new generation of the configuration.
 *
 *   load everything anew ── broken: refused, with the reason; the old one goes on
 *     └ open what is new to listen on ── taken: refused
 *         └ keys to the keeper, then to every worker its bundle and sockets
 *             └ close what nobody listens on any more
 *
 * The order matters: a worker must not ask for a key that the keeper has not got yet. Old generations stay
 * with supervisor and keeper while a session began with them. What belongs to the program and not to sessions
 * (workers, keys, user, sandbox, control) is taken at the start alone. */
#include "log.h"
#include "log_socket.h"
#include "source.h"
#include "supervisor.h"

#include <errno.h>
#include <hb/ct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAMES "names" /* why a reload was begun that nobody asked for */

static void wipe_free(uint8_t *bytes, size_t len)
{
    if (bytes != NULL) {
        hb_wipe(bytes, len);
    }
    free(bytes);
}

static bool send_memory(int sock, enum gw_msg type, uint32_t generation, struct hb_span bytes,
                        const int *more, unsigned num_more)
{
    int fds[GW_IPC_FDS];
    uint8_t mem[4];
    struct hb_bld b = hb_bld(mem, sizeof mem);

    hb_bld_u32(&b, generation);
    fds[0] = gw_ipc_memory(bytes);
    if (fds[0] < 0) {
        return false;
    }
    if (num_more > 0) {
        memcpy(fds + 1, more, num_more * sizeof *more);
    }
    bool good = gw_ipc_send(sock, type, hb_bld_span(&b), fds, num_more + 1);
    (void)close(fds[0]);
    return good;
}

bool gw_reload_give_conf(struct gw_supervisor *sv, struct gw_proc *worker)
{
    const struct gw_snapshot *snap = sv->snap;
    size_t len = 0;
    int fds[GW_MAX_LISTENERS];
    uint8_t *bytes = gw_bundle_pack(snap->bundle, snap->conf->keys_in_workers, &len);

    for (unsigned i = 0; i < snap->conf->num_listeners; i++) {
        fds[i] = gw_ports_find(&sv->ports, &snap->conf->listeners[i], worker->id);
    }
    bool good = bytes != NULL && send_memory(worker->sock, GW_MSG_CONF, snap->generation, hb_span(bytes, len),
                                             fds, snap->conf->num_listeners);
    wipe_free(bytes, len);
    return good;
}

static bool give_keys(const struct gw_snapshot *snap, struct gw_proc *keeper)
{
    size_t len = 0;
    uint8_t *bytes = gw_keyring_pack(snap->bundle, &len);
    bool good = bytes != NULL &&
                send_memory(keeper->sock, GW_MSG_KEYS, snap->generation, hb_span(bytes, len), NULL, 0);

    wipe_free(bytes, len);
    return good;
}

bool gw_reload_give_keys(struct gw_supervisor *sv, struct gw_proc *keeper)
{
    bool good = true;

    for (unsigned i = 0; i < sv->num_old; i++) { /* the oldest first */
        good = give_keys(sv->old[i], keeper) && good;
    }
    return give_keys(sv->snap, keeper) && good;
}

void gw_reload_forget(struct gw_supervisor *sv)
{
    uint32_t oldest = sv->snap->generation;
    unsigned gone = 0;
    uint8_t mem[4];
    struct hb_bld b = hb_bld(mem, sizeof mem);

    for (unsigned i = 0; i < sv->num_procs; i++) {
        const struct gw_proc *p = &sv->procs[i];
        oldest = p->role == GW_ROLE_WORKER && p->oldest < oldest ? p->oldest : oldest;
    }
    while (gone < sv->num_old && sv->old[gone]->generation < oldest) {
        (void)gw_snapshot_drop(&sv->old[gone++]);
    }
    if (gone == 0) {
        return;
    }
    sv->num_old -= gone;
    memmove(sv->old, sv->old + gone, sv->num_old * sizeof(struct gw_snapshot *));
    hb_bld_u32(&b, oldest);
    for (unsigned i = 0; i < sv->num_procs; i++) {
        if (sv->procs[i].role == GW_ROLE_KEEPER && sv->procs[i].sock >= 0) {
            (void)gw_ipc_send(sv->procs[i].sock, GW_MSG_FORGET, hb_bld_span(&b), NULL, 0);
        }
    }
}

/* ---- reload ---- */

static const char warning[] = "warning: ";

static bool is_warning(const char *line)
{
    return strncmp(line, warning, sizeof warning - 1) == 0;
}

/* The lines that are no warnings: a reason is not to stand behind what would be no reason. */
static void errors_of(const char *problems, char *dst, size_t cap)
{
    size_t len = 0;

    for (const char *line = problems; *line != 0;) {
        size_t n = strcspn(line, "\n");
        if (!is_warning(line) && len + 2 < cap) {
            size_t room = cap - len - 2;
            (void)snprintf(dst + len, cap - len, "%s%.*s", len > 0 ? "\n" : "", (int)(n < room ? n : room),
                           line);
            len += strlen(dst + len);
        }
        line += n + (line[n] != 0);
    }
    dst[len] = 0;
}

static bool refuse(struct gw_supervisor *sv, const char *why, const char *problems)
{
    char before[sizeof sv->last_refusal];

    memcpy(before, sv->last_refusal, sizeof before);
    errors_of(problems, sv->last_refusal, sizeof sv->last_refusal);
    (void)snprintf(sv->last_reload, sizeof sv->last_reload, "refused, generation %u goes on: %s",
                   sv->snap->generation, sv->last_refusal);
    /* names that cannot be looked up now are tried again and again, and told of once */
    if (strcmp(why, NAMES) != 0 || strcmp(before, sv->last_refusal) != 0) {
        GW_LOG(GW_EV_RELOAD_REFUSED, GW_STR("why", why), GW_STR("problem", sv->last_refusal));
    }
    return false;
}

static bool differ(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") != 0;
}

/* What of next only another start can take up; NULL: nothing. */
static const char *needs_restart(const struct gw_conf *now, const struct gw_conf *next)
{
    const struct {
        const char *word;
        bool changed;
    } words[] = {
        {"workers", now->workers != next->workers},
        {"keys", now->keys_in_workers != next->keys_in_workers},
        {"sandbox", now->sandbox != next->sandbox},
        {"user", differ(now->user, next->user)},
        {"control", differ(now->control, next->control)},
        {"metrics", differ(now->metrics_text, next->metrics_text)},
    };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (words[i].changed) {
            return words[i].word;
        }
    }
    return NULL;
}

static void keep_old(struct gw_supervisor *sv, struct gw_snapshot *old)
{
    if (sv->num_old == GW_KEEPER_GENERATIONS) { /* its sessions can go on; a handshake they begin now fails */
        (void)gw_snapshot_drop(&sv->old[0]);
        sv->num_old--;
        memmove(sv->old, sv->old + 1, sv->num_old * sizeof(struct gw_snapshot *));
    }
    sv->old[sv->num_old++] = old;
}

static void hand_out(struct gw_supervisor *sv, const char *why)
{
    const char *late = needs_restart(sv->old[sv->num_old - 1]->conf, sv->snap->conf);
    unsigned added;
    unsigned removed;

    gw_ports_settle(&sv->ports, &added, &removed); /* before workers hear of it: theirs is the last close */
    for (unsigned i = 0; i < sv->num_procs; i++) { /* keepers stand before the workers */
        struct gw_proc *p = &sv->procs[i];
        bool given = true;
        if (p->role == GW_ROLE_KEEPER && p->sock >= 0) {
            given = give_keys(sv->snap, p);
        } else if (p->role == GW_ROLE_WORKER && p->sock >= 0) {
            given = gw_child_give_conf(sv, p);
        }
        if (!given) {
            gw_child_owe(p);
        }
    }
    gw_log_setup(sv->snap->conf->log, sv->snap->conf->debug);
    gw_logs_renew(sv, sv->old[sv->num_old - 1]->conf);
    sv->settings.log = sv->snap->conf->log;
    sv->settings.debug = sv->snap->conf->debug;
    (void)snprintf(sv->last_reload, sizeof sv->last_reload, "generation %u is in force%s%s",
                   sv->snap->generation, late != NULL ? "; only the next start will take up: " : "",
                   late != NULL ? late : "");
    GW_LOG(GW_EV_RELOAD_DONE, GW_U64("generation", sv->snap->generation), GW_STR("why", why),
           GW_U64("listeners", sv->snap->conf->num_listeners), GW_U64("added", added),
           GW_U64("removed", removed), GW_STR("restart_needed_for", late != NULL ? late : ""));
}

/* A loaded configuration, to be taken up or not. */
static bool take_up(struct gw_supervisor *sv, struct gw_snapshot *next, const char *why)
{
    char problem[256];

    sv->lifetime = gw_bundle_lifetime(next->bundle);
    sv->last_refusal[0] = 0;
    if (gw_bundle_same(sv->snap->bundle, next->bundle)) {
        (void)gw_snapshot_drop(&next);
        if (strcmp(why, NAMES) != 0) {
            GW_LOG(GW_EV_RELOAD_SAME, GW_STR("why", why), GW_U64("generation", sv->snap->generation));
            (void)snprintf(sv->last_reload, sizeof sv->last_reload,
                           "nothing has changed; generation %u goes on", sv->snap->generation);
        }
        return true;
    }
    if (!gw_ports_open(&sv->ports, next->conf, problem, sizeof problem)) {
        (void)gw_snapshot_drop(&next);
        return refuse(sv, why, problem);
    }
    sv->generation = next->generation;
    keep_old(sv, sv->snap);
    sv->snap = next;
    hand_out(sv, why);
    gw_watch_begin(&sv->watch, next->bundle);
    return true;
}

static void begin(struct gw_supervisor *sv)
{
    const struct gw_bundle *base = sv->snap->bundle;

    sv->loading = sv->next;
    sv->next.why = NULL;
    sv->reload_asked.begun = sv->reload_asked.waiting;
    gw_source_renew(sv->loading.config);
    if (!gw_loader_start(&sv->loader, sv->argc, sv->argv, base, sv->generation + 1)) {
        bool good = refuse(sv, sv->loading.why, strerror(errno));
        sv->loading.why = NULL;
        gw_order_loaded(sv, good);
    }
}

void gw_reload(struct gw_supervisor *sv, bool config, const char *why)
{
    sv->next.config = config || (sv->next.why != NULL && sv->next.config);
    sv->next.why = why;
    if (sv->loading.why == NULL) {
        begin(sv);
    }
}

void gw_reload_plan(struct gw_supervisor *sv)
{
    sv->names_due = sv->lifetime > 0 ? gw_now_ms() + UINT64_C(1000) * sv->lifetime : 0;
}

void gw_log_notices(const struct gw_problems *p)
{
    for (const char *line = p->text; *line != 0;) {
        const char *end = line + strcspn(line, "\n");
        if (is_warning(line)) {
            const char *place = line + sizeof warning - 1;
            const char *colon = strstr(place, ": ");
            const char *stop = colon != NULL && colon < end ? colon : end;
            const char *notice = stop < end ? stop + 2 : end;
            GW_LOG(GW_EV_CONFIG_NOTICE, GW_SPAN("place", hb_span(place, (size_t)(stop - place))),
                   GW_SPAN("notice", hb_span(notice, (size_t)(end - notice))));
        }
        line = end + (*end != 0);
    }
}

void gw_reload_loaded(struct gw_supervisor *sv)
{
    struct gw_problems problems = {0};
    const char *why = sv->loading.why;
    uint32_t before = sv->snap->generation;
    struct gw_snapshot *next = gw_loader_take(&sv->loader, sv->generation + 1, &sv->in, &problems);
    bool good = next != NULL ? take_up(sv, next, why) : refuse(sv, why, problems.text);

    if (sv->snap->generation != before) {
        gw_log_notices(&problems);
    }

    sv->loading.why = NULL;
    gw_reload_plan(sv);
    gw_order_loaded(sv, good);
    if (sv->next.why != NULL) {
        begin(sv);
    }
}
