/* worker.c: the loop, its buffers; what the supervisor says; draining.
 *
 * DRAIN: listeners close, every session is told goodbye as its protocol wants it (R13), at once or spread
 * over a time, and the loop ends with the last one or at the deadline. A supervisor that has ended means the
 * same: nobody would bring a configuration any more. */
#include "worker.h"

#include "child.h"
#include "health.h"
#include "keylog.h"
#include "listener.h"
#include "log.h"
#include "log_socket.h"
#include "session.h"
#include "slab.h"
#include "sysenv.h"
#include "unixlink.h"
#include "upstream.h"
#include "upstream_tls.h"
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* Descriptors that are not sessions': standard streams, the loop's own, the supervisor, the keeper, listeners
 * twice over while a configuration changes. */
#define SPARE_DESCRIPTORS 64u
#define SEALED_SIZE       (HB_TLS_FLIGHT_MAX + 640u * 1024u)

uint32_t gw_worker_now(const struct gw_worker *w)
{
    return (uint32_t)((uv_now(&w->loop) - w->started) / 1000);
}

uint32_t gw_worker_in(const struct gw_worker *w, uint32_t seconds)
{
    return (uint32_t)((uv_now(&w->loop) - w->started + 999) / 1000) + seconds;
}

static void timer_fired(struct gw_timer *t, void *ctx)
{
    struct gw_session *s = (struct gw_session *)(void *)((char *)t - offsetof(struct gw_session, timer));

    (void)ctx;
    gw_session_deadline(s);
}

static void stop_if_done(struct gw_worker *w)
{
    if (w->draining && w->num_sessions == 0) {
        uv_stop(&w->loop);
    }
}

void gw_worker_tell(struct gw_worker *w, enum gw_msg type, uint32_t number)
{
    uint8_t mem[4];
    struct hb_bld b = hb_bld(mem, sizeof mem);

    hb_bld_u32(&b, number);
    if (w->supervisor >= 0) {
        (void)gw_ipc_try(w->supervisor, type, hb_bld_span(&b), NULL, 0);
    }
}

void gw_worker_tell_oldest(struct gw_worker *w)
{
    uint32_t oldest = w->snap != NULL ? w->snap->generation : 0;

    for (const struct gw_session *s = w->sessions; s != NULL; s = s->next) {
        oldest = s->snap->generation < oldest ? s->snap->generation : oldest;
    }
    gw_worker_tell(w, GW_MSG_OLDEST, oldest);
}

/* Somebody has ended, or a second has gone by: who waits for a descriptor tries again, then who waits at the
 * door. */
static void make_room(struct gw_worker *w)
{
    for (struct gw_session *s = w->sessions; s != NULL && w->num_starved > 0; s = s->next) {
        if (s->starved && !gw_upstream_again(s)) { /* frees nothing before its close callbacks */
            return;
        }
    }
    for (struct gw_listener *l = w->listeners; l != NULL && !w->draining; l = l->next) {
        gw_listener_resume(l);
    }
}

void gw_worker_let_go(struct gw_worker *w, struct gw_snapshot *snap)
{
    if (gw_snapshot_drop(&snap)) {
        gw_worker_tell_oldest(w);
    }
}

void gw_worker_session_gone(struct gw_worker *w, struct gw_snapshot *snap)
{
    w->num_sessions--;
    w->stat->sessions_now = w->num_sessions;
    gw_worker_let_go(w, snap);
    make_room(w);
    stop_if_done(w);
}

/* ---- draining ---- */

static void kill_all(struct gw_worker *w)
{
    for (struct gw_session *s = w->sessions; s != NULL; s = s->next) {
        gw_session_kill(s, HB_E_GW_SHUTDOWN);
    }
}

static void cut_all(struct gw_worker *w)
{
    w->cut = w->cut > 0 ? w->cut : w->num_sessions;
    kill_all(w);
}

static bool untold(const struct gw_session *s)
{
    return !s->ended && !s->goodbye_due;
}

/* Says goodbye to the share of this second. */
static void say_goodbyes(struct gw_worker *w, uint32_t now)
{
    unsigned left = 0;

    for (const struct gw_session *s = w->sessions; s != NULL; s = s->next) {
        left += untold(s);
    }
    uint32_t seconds = w->spread_end > now ? w->spread_end - now : 1;
    unsigned share = (left + seconds - 1) / seconds;
    for (struct gw_session *s = w->sessions; s != NULL && share > 0; s = s->next) {
        if (untold(s)) {
            share--;
            gw_session_bye(s); /* frees nothing before its close callbacks */
        }
    }
}

static void begin_drain(struct gw_worker *w, uint32_t spread)
{
    uint32_t now = gw_worker_now(w);

    if (w->draining) {
        return;
    }
    gw_listeners_take_rest(w); /* they are told goodbye, too */
    w->draining = true;
    w->spread_end = now + spread;
    w->drain_end = now + spread + w->conf->timeouts.drain;
    GW_LOG(GW_EV_DRAIN_BEGIN, GW_U64("sessions", w->num_sessions), GW_U64("seconds", w->drain_end - now));
    gw_listeners_stop(w, true);
    say_goodbyes(w, now);
    stop_if_done(w);
}

static void tick(uv_timer_t *timer)
{
    struct gw_worker *w = timer->data;
    uint32_t now = gw_worker_now(w);

    gw_wheel_turn(&w->wheel, now, timer_fired, NULL);
    w->stat->memory = gw_slab_in_use();
    if (w->draining) {
        say_goodbyes(w, now);
    }
    if (w->draining && now >= w->drain_end) {
        cut_all(w);
    }
    make_room(w);
    gw_signer_tick(w);
    if (!w->draining) {
        gw_health_tick(w);
    }
    gw_log_tick();
    if (gw_log_lost() && w->supervisor >= 0) {
        (void)gw_ipc_try(w->supervisor, GW_MSG_LOG, hb_span(NULL, 0), NULL, 0);
    }
}

/* ---- the supervisor ---- */

static bool take_message(struct gw_worker *w, struct gw_ipc_in *m)
{
    if (m->type == GW_MSG_LOG) {
        gw_log_take(m);
        return true;
    }
    if (w->snap == NULL && m->type != GW_MSG_CONF && m->type != GW_MSG_KEEPER) {
        return false; /* stopped before it began */
    }
    if (m->cut && (m->type == GW_MSG_CONF || m->type == GW_MSG_KEEPER)) {
        gw_worker_tell(w, GW_MSG_SHORT, 0);
        return true;
    }
    if (m->type == GW_MSG_CONF) {
        return gw_worker_take_conf(w, m);
    }
    if (m->type == GW_MSG_KEEPER) {
        gw_signer_keeper(w, gw_ipc_take_fd(m));
    } else if (m->type == GW_MSG_DIALED) {
        gw_unixlink_dialed(w, m);
    } else if (m->type == GW_MSG_LIST) {
        gw_roster_list(w, m);
    } else if (m->type == GW_MSG_KILL) {
        gw_roster_kill(w, m);
    } else if (m->type == GW_MSG_DRAIN) {
        begin_drain(w, hb_cur_u32(&m->body));
    } else if (m->type == GW_MSG_STOP) {
        w->draining = true;
        cut_all(w);
        uv_stop(&w->loop);
    }
    return true;
}

static void supervisor_speaks(uv_poll_t *poll, int status, int events)
{
    struct gw_worker *w = poll->data;

    (void)events;
    for (;;) {
        enum gw_ipc_result r = status < 0 ? GW_IPC_GONE : gw_ipc_recv(w->supervisor, w->in);
        if (r == GW_IPC_NONE) {
            return;
        }
        if (r == GW_IPC_GONE) {
            (void)uv_poll_stop(poll);
            w->supervisor = -1;
            begin_drain(w, 0);
            return;
        }
        (void)take_message(w, w->in);
        gw_ipc_done(w->in);
    }
}

/* ---- the process ---- */

unsigned gw_worker_most_sessions(void)
{
    struct rlimit lim = {1024, 1024};

    (void)getrlimit(RLIMIT_NOFILE, &lim);
    if (lim.rlim_cur != RLIM_INFINITY && lim.rlim_cur <= SPARE_DESCRIPTORS + 2) {
        return 1;
    }
    return lim.rlim_cur == RLIM_INFINITY || lim.rlim_cur > 2000000
               ? 1000000
               : (unsigned)(lim.rlim_cur - SPARE_DESCRIPTORS) / 2;
}

static bool make_buffers(struct gw_worker *w)
{
    uint8_t *sealed = malloc(SEALED_SIZE);
    uint8_t *sealed_backend = malloc(SEALED_SIZE);

    w->lane = hb_tls_lane_new(w->env);
    w->rbuf = malloc(GW_READ_LARGE + HB_TLS_RECORD_MAX);
    w->out_client = calloc(1, sizeof *w->out_client);
    w->out_backend = calloc(1, sizeof *w->out_backend);
    w->sealed = hb_bld(sealed, sealed != NULL ? SEALED_SIZE : 0);
    w->sealed_backend = hb_bld(sealed_backend, sealed_backend != NULL ? SEALED_SIZE : 0);
    w->upstream_sessions = calloc(1, sizeof *w->upstream_sessions);
    if (w->upstream_sessions != NULL) {
        gw_upstream_cache_init(w->upstream_sessions);
    }
    w->in = malloc(sizeof *w->in);
    w->limiter = gw_limiter_new(w->env);
    return gw_signer_init(&w->signer) && w->lane != NULL && w->rbuf != NULL && w->out_client != NULL &&
           w->out_backend != NULL && sealed != NULL && sealed_backend != NULL && w->in != NULL &&
           w->limiter != NULL && w->upstream_sessions != NULL;
}

static void free_buffers(struct gw_worker *w)
{
    hb_tls_lane_free(&w->lane);
    free(w->rbuf);
    free(w->out_client);
    free(w->out_backend);
    free(w->sealed.p);
    free(w->sealed_backend.p);
    if (w->upstream_sessions != NULL) {
        gw_upstream_cache_clear(w->upstream_sessions, w->env);
    }
    free(w->upstream_sessions);
    free(w->in);
    gw_limiter_free(&w->limiter, w->env);
}

/* Counters that others read; a page of our own if none came. */
static struct gw_stat *map_stat(int fd)
{
    int kind = fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
    void *mem = mmap(NULL, sizeof(struct gw_stat), PROT_READ | PROT_WRITE, kind, fd, 0);

    if (fd >= 0) {
        (void)close(fd);
    }
    return mem != MAP_FAILED ? mem : NULL;
}

/* What comes before the loop runs, up to the first configuration. */
static bool first_orders(struct gw_worker *w)
{
    while (w->snap == NULL) {
        if (gw_ipc_wait(w->supervisor, w->in) != GW_IPC_MESSAGE || !take_message(w, w->in)) {
            return false;
        }
        gw_ipc_done(w->in);
    }
    return true;
}

static bool start(struct gw_worker *w, int supervisor)
{
    struct gw_hello hello = {.fd = {-1, -1}};

    uv_update_time(&w->loop);
    w->started = uv_now(&w->loop);
    w->supervisor = supervisor;
    w->from_supervisor.data = w;
    w->tick.data = w;
    gw_wheel_init(&w->wheel, 0);
    (void)uv_timer_init(&w->loop, &w->tick); /* cannot fail */
    gw_roster_init(w);
    if (!gw_child_begin(supervisor, GW_ROLE_WORKER, &hello, NULL)) {
        return false;
    }
    w->id = hello.id;
    w->stat = map_stat(hello.fd[0]);
    if (w->stat != NULL) {
        w->stat->sessions_now = 0; /* of the one before us */
        gw_log_count(w->stat->events);
    }
    if (w->stat == NULL || uv_poll_init(&w->loop, &w->from_supervisor, supervisor) != 0 ||
        uv_poll_start(&w->from_supervisor, UV_READABLE, supervisor_speaks) != 0 ||
        uv_timer_start(&w->tick, tick, 1000, 1000) != 0) {
        GW_LOG(GW_EV_START_ERROR, GW_STR("why", "the event loop takes no descriptors or timers"));
        return false;
    }
    return first_orders(w);
}

static void close_handle(uv_handle_t *handle, void *ctx)
{
    (void)ctx;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

static void end(struct gw_worker *w)
{
    w->draining = true;
    gw_listeners_stop(w, true);
    kill_all(w);
    gw_health_stop(w);
    gw_signer_close(w);
    gw_roster_close(w);
    uv_walk(&w->loop, close_handle, NULL);
    (void)uv_run(&w->loop, UV_RUN_DEFAULT); /* runs the close callbacks, which free what is left */
    (void)uv_loop_close(&w->loop);
    (void)gw_snapshot_drop(&w->snap);
    free_buffers(w);
}

int gw_worker_run(int supervisor)
{
    struct gw_worker *w = calloc(1, sizeof *w);
    int rc = 2;

    if (w == NULL) {
        return 2;
    }
    gw_keylog_open();
    w->env = gw_sysenv();
    if (uv_loop_init(&w->loop) != 0) {
        GW_LOG(GW_EV_START_ERROR, GW_STR("why", "no event loop"));
        free(w);
        return 2;
    }
    if (!make_buffers(w)) {
        GW_LOG(GW_EV_START_ERROR, GW_STR("why", hb_err_sentence(HB_E_NO_MEMORY)));
    } else if (start(w, supervisor)) {
        GW_LOG(GW_EV_READY, GW_U64("listeners", w->conf->num_listeners), GW_U64("worker", w->id),
               GW_U64("pid", (uint64_t)getpid()), GW_U64("max_sessions", gw_worker_most_sessions()),
               GW_U64("generation", w->snap->generation));
        (void)uv_run(&w->loop, UV_RUN_DEFAULT);
        GW_LOG(GW_EV_DRAIN_END, GW_U64("cut", w->cut));
        rc = 0;
    }
    end(w);
    free(w);
    return rc;
}
