/* worker.c: the loop, its buffers, its signals; draining.
 * SIGTERM or SIGINT: listeners close, every session is told goodbye as its protocol wants it (R13), and the
 * loop ends with the last one or at the drain deadline; a second signal ends at once. */
#include "worker.h"

#include "listener.h"
#include "log.h"
#include "session.h"
#include "upstream_tls.h"
#include "sysenv.h"
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/resource.h>

/* Descriptors that are not sessions': standard streams, the loop's own, log, listeners. */
#define SPARE_DESCRIPTORS 64u
#define SEALED_SIZE       (HB_TLS_FLIGHT_MAX + 640u * 1024u)

uint32_t gw_worker_now(const struct gw_worker *w)
{
    return (uint32_t)((uv_now(&w->loop) - w->started) / 1000);
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

void gw_worker_session_gone(struct gw_worker *w)
{
    w->num_sessions--;
    for (unsigned i = 0; i < w->conf->num_listeners && !w->draining; i++) {
        gw_listener_resume(&w->listeners[i]);
    }
    stop_if_done(w);
}

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

static void tick(uv_timer_t *timer)
{
    struct gw_worker *w = timer->data;
    uint32_t now = gw_worker_now(w);

    gw_wheel_turn(&w->wheel, now, timer_fired, NULL);
    if (w->draining && now >= w->drain_end) {
        cut_all(w);
    }
    for (unsigned i = 0; i < w->conf->num_listeners && !w->draining; i++) {
        gw_listener_resume(&w->listeners[i]); /* if memory was short when the last session ended */
    }
    gw_log_tick();
}

static void told_to_stop(uv_signal_t *handle, int signum)
{
    struct gw_worker *w = handle->data;

    (void)signum;
    if (w->draining) { /* the second time: at once */
        cut_all(w);
        uv_stop(&w->loop);
        return;
    }
    w->draining = true;
    w->drain_end = gw_worker_now(w) + w->conf->timeouts.drain;
    GW_LOG(GW_EV_DRAIN_BEGIN, GW_U64("sessions", w->num_sessions),
           GW_U64("seconds", w->conf->timeouts.drain));
    for (unsigned i = 0; i < w->conf->num_listeners; i++) {
        gw_listener_stop(&w->listeners[i]);
    }
    for (struct gw_session *s = w->sessions; s != NULL; s = s->next) {
        gw_session_bye(s); /* frees nothing before its close callbacks */
    }
    stop_if_done(w);
}

static unsigned session_limit(void)
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
    w->listeners = calloc(w->conf->num_listeners, sizeof *w->listeners);
    w->sealed = hb_bld(sealed, sealed != NULL ? SEALED_SIZE : 0);
    w->sealed_backend = hb_bld(sealed_backend, sealed_backend != NULL ? SEALED_SIZE : 0);
    w->upstream_sessions = calloc(1, sizeof *w->upstream_sessions);
    if (w->upstream_sessions != NULL) {
        gw_upstream_cache_init(w->upstream_sessions);
    }
    return w->lane != NULL && w->rbuf != NULL && w->out_client != NULL && w->out_backend != NULL &&
           w->listeners != NULL && sealed != NULL && sealed_backend != NULL && w->upstream_sessions != NULL;
}

static void free_buffers(struct gw_worker *w)
{
    hb_tls_lane_free(&w->lane);
    free(w->rbuf);
    free(w->out_client);
    free(w->out_backend);
    free(w->listeners);
    free(w->sealed.p);
    free(w->sealed_backend.p);
    if (w->upstream_sessions != NULL) {
        gw_upstream_cache_clear(w->upstream_sessions, w->env);
    }
    free(w->upstream_sessions);
}

static bool watch_signal(struct gw_worker *w, uv_signal_t *handle, int signum)
{
    handle->data = w;
    return uv_signal_init(&w->loop, handle) == 0 && uv_signal_start(handle, told_to_stop, signum) == 0;
}

static void close_handle(uv_handle_t *handle, void *ctx)
{
    (void)ctx;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

static int serve(struct gw_worker *w, const int *fds, unsigned id)
{
    int rc = 0;

    uv_update_time(&w->loop);
    w->started = uv_now(&w->loop);
    gw_wheel_init(&w->wheel, 0);
    w->tick.data = w;
    (void)uv_timer_init(&w->loop, &w->tick); /* cannot fail */
    if (!watch_signal(w, &w->sigterm, SIGTERM) || !watch_signal(w, &w->sigint, SIGINT) ||
        uv_timer_start(&w->tick, tick, 1000, 1000) != 0) {
        GW_LOG(GW_EV_START_ERROR, GW_STR("why", "the event loop takes no signals or timers"));
        rc = 2;
    }
    for (unsigned i = 0; i < w->conf->num_listeners && rc == 0; i++) {
        if (gw_listener_start(&w->listeners[i], w, &w->conf->listeners[i], fds[i]) != 0) {
            rc = 2;
        }
    }
    if (rc == 0) {
        GW_LOG(GW_EV_READY, GW_U64("listeners", w->conf->num_listeners), GW_U64("worker", id),
               GW_U64("max_sessions", w->max_sessions));
        (void)uv_run(&w->loop, UV_RUN_DEFAULT);
        GW_LOG(GW_EV_DRAIN_END, GW_U64("cut", w->cut));
    }
    return rc;
}

int gw_worker_run(struct gw_conf *conf, const int *fds, unsigned id)
{
    struct gw_worker *w = calloc(1, sizeof *w);
    int rc = 2;

    if (w == NULL) {
        return 2;
    }
    w->env = gw_sysenv();
    w->conf = conf;
    w->max_sessions = session_limit();
    if (uv_loop_init(&w->loop) != 0) {
        GW_LOG(GW_EV_START_ERROR, GW_STR("why", "no event loop"));
        free(w);
        return 2;
    }
    if (make_buffers(w)) {
        rc = serve(w, fds, id);
    } else {
        GW_LOG(GW_EV_START_ERROR, GW_STR("why", hb_err_sentence(HB_E_NO_MEMORY)));
    }
    kill_all(w);
    w->draining = true;
    uv_walk(&w->loop, close_handle, NULL);
    (void)uv_run(&w->loop, UV_RUN_DEFAULT); /* runs the close callbacks, which free what is left */
    (void)uv_loop_close(&w->loop);
    free_buffers(w);
    free(w);
    return rc;
}
