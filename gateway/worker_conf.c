/* worker_conf.c: a new configuration in a worker.
 *
 * It is a snapshot for the sessions that come; those that are there keep theirs. Sockets of listeners that
 * stay are not touched, and what is known of servers that stay is known on. One that cannot be taken up
 * changes nothing. */
#include "worker.h"

#include "listener.h"
#include "log.h"
#include "upstream_tls.h"
#include <hb/ct.h>
#include <stdlib.h>
#include <unistd.h>

static struct gw_snapshot *read_snapshot(struct gw_ipc_in *m, struct gw_problems *p)
{
    size_t len;
    uint32_t generation = hb_cur_u32(&m->body);
    uint8_t *bytes = gw_ipc_read_memory(gw_ipc_take_fd(m), GW_BUNDLE_MAX, &len);
    struct gw_bundle *bundle = NULL;
    enum hb_code code = bytes != NULL && hb_cur_end(&m->body)
                            ? gw_bundle_unpack(hb_span(bytes, len), generation, &bundle)
                            : HB_E_INTERNAL;

    if (bytes != NULL) {
        hb_wipe(bytes, len);
    }
    free(bytes);
    if (code != HB_OK) {
        gw_problem(p, "bundle", hb_err_sentence(code), NULL);
        return NULL;
    }
    struct gw_snapshot *snap = gw_snapshot_replay(&bundle, p);
    if (snap != NULL) {
        gw_bundle_forget(snap->bundle); /* it is built; secrets need not lie here twice */
    }
    return snap;
}

/* What is known of servers that stay. */
static void inherit(const struct gw_worker *w, const struct gw_conf *old)
{
    for (unsigned i = 0; i < w->conf->num_listeners; i++) {
        for (unsigned k = 0; k < old->num_listeners; k++) {
            if (gw_listener_same_place(&w->conf->listeners[i], &old->listeners[k])) {
                gw_pool_inherit(w->conf->listeners[i].pool, old->listeners[k].pool, gw_worker_now(w));
            }
        }
    }
}

/* Those that are in both go on; the new ones begin; the others end. */
static bool set_listeners(struct gw_worker *w, struct gw_ipc_in *m)
{
    bool good = true;

    for (struct gw_listener *l = w->listeners; l != NULL; l = l->next) {
        l->kept = false;
    }
    for (unsigned i = 0; i < w->conf->num_listeners; i++) {
        const struct gw_listener_conf *lc = &w->conf->listeners[i];
        struct gw_listener *l = w->listeners;
        int fd = gw_ipc_take_fd(m);
        while (l != NULL && (l->kept || !gw_listener_same_place(l->lc, lc))) {
            l = l->next;
        }
        if (l != NULL) {
            l->kept = true;
            l->lc = lc;
            (void)close(fd);
        } else {
            good = gw_listener_start(w, lc, fd) && good;
        }
    }
    gw_listeners_stop(w, false);
    return good;
}

bool gw_worker_take_conf(struct gw_worker *w, struct gw_ipc_in *m)
{
    struct gw_problems problems = {0};
    struct gw_snapshot *snap = read_snapshot(m, &problems);
    struct gw_snapshot *old = w->snap;

    if (snap == NULL || w->draining || m->num_fds != snap->conf->num_listeners + 1) {
        if (!w->draining) {
            GW_LOG(GW_EV_START_ERROR, GW_STR("what", "configuration"), GW_STR("why", problems.text));
        }
        (void)gw_snapshot_drop(&snap);
        return false;
    }
    if (old != NULL) {
        gw_listeners_take_rest(w);
    }
    w->snap = snap;
    w->conf = snap->conf;
    if (old != NULL) {
        inherit(w, old->conf);
    }
    gw_log_setup(w->conf->log, w->conf->debug);
    bool good = set_listeners(w, m);
    gw_upstream_cache_clear(w->upstream_sessions, w->env); /* of other backends, perhaps */
    (void)gw_snapshot_drop(&old);
    w->stat->generation = snap->generation;
    if (good) {
        gw_worker_tell(w, GW_MSG_READY, snap->generation);
        gw_worker_tell_oldest(w);
    }
    return good;
}
