/* session_begin.c: a client is taken from the queue, let in or not, and hears the first word; or waits for
 * it, in the tarpit, if logins failed from where it comes. In the tarpit a client costs its socket and its
 * session, and is not read; everything else goes on. */
#include "turn.h"

#include "admit.h"
#include "session_log.h"
#include "worker.h"
#include <errno.h>
#include <sys/socket.h>

/* ---- the first word ---- */

static bool new_proto(struct gw_session *s)
{
    s->ps = hb_proto_new(s->lc->proto, &s->lc->proto_settings, s->w->env);
    if (s->ps == NULL) {
        gw_turn_end(s, HB_E_NO_MEMORY);
    }
    return s->ps != NULL;
}

/* Plain in: nothing will be secured, and nothing has to be. */
static uint8_t first_phase(const struct gw_session *s)
{
    return s->lc->plain ? PH_SECURE : PH_CLEAR;
}

static void first_word(struct gw_session *s)
{
    struct hb_proto_sink mem;

    if (s->lc->implicit && !s->lc->plain) {
        s->phase = PH_UPGRADING; /* nothing to flush: gw_turn_settle() begins TLS at once */
        return;
    }
    s->phase = first_phase(s);
    if (new_proto(s)) {
        gw_turn_carry(s, HB_FROM_CLIENT, hb_proto_start(s->ps, gw_turn_sink(s, &mem)), hb_span(NULL, 0));
    }
}

/* ---- the tarpit ---- */

static bool stall(struct gw_session *s)
{
    unsigned seconds = gw_admit_tarpit(s);

    if (seconds > 0) {
        s->stalled = true;
        s->w->stat->stalls++;
        gw_wheel_set(&s->w->wheel, &s->timer, gw_worker_in(s->w, seconds));
    }
    return s->stalled;
}

void gw_turn_logins_failed(struct gw_session *s, unsigned num)
{
    gw_admit_failed_logins(s, num);
    (void)stall(s); /* it hears so at once, but is not heard for a while */
}

void gw_turn_stall_over(struct gw_session *s)
{
    s->stalled = false;
    if (s->ps == NULL && s->client.tls == NULL) { /* it stood before the door */
        first_word(s);
    }
    gw_turn_settle(s);
}

/* ---- the beginning ---- */

/* It is known who is there: the first word of the session, or its handshake. gw_turn_settle() follows. */
void gw_turn_begin(struct gw_session *s)
{
    struct hb_proto_sink mem;
    enum hb_code why = gw_admit(s);

    if (why != HB_OK && (why == HB_E_GW_DENIED || s->lc->implicit)) {
        gw_turn_end(s, why); /* nothing can be said before TLS, and a handshake is what we save */
        return;
    }
    s->phase = first_phase(s);
    if (why != HB_OK) { /* a refusal in the place of the greeting (R15) */
        if (new_proto(s)) {
            (void)hb_proto_backend_lost(s->ps, false, gw_turn_sink(s, &mem));
            gw_turn_end(s, why);
        }
    } else if (!stall(s)) {
        first_word(s);
    }
}

int gw_session_accept(struct gw_worker *w, const struct gw_listener_conf *lc, int listening)
{
    const struct hb_env *env = w->env;
    struct gw_session *s = env->alloc(env->ctx, sizeof *s);
    socklen_t len = sizeof s->peer;

    if (s == NULL) {
        return ENOMEM;
    }
    gw_end_init(&s->client, false);
    gw_end_init(&s->backend, true);
    int fd = accept4(listening, &s->peer.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        int error = errno;
        env->release(env->ctx, s, sizeof *s);
        return error;
    }
    bool taken = uv_tcp_init(&w->loop, &s->client.tcp) == 0 && uv_tcp_open(&s->client.tcp, fd) == 0;
    HB_INVARIANT(taken); /* neither asks for anything that a fresh, connected socket has not got */
    s->w = w;
    s->snap = gw_snapshot_ref(w->snap);
    s->lc = lc;
    s->at_line = true;
    s->id = ++w->stat->sessions * GW_ID_WORKERS + w->id;
    s->started = (uint32_t)uv_now(&w->loop);
    s->client.tcp.data = s;
    s->client.state = END_OPEN;
    s->next = w->sessions;
    s->prev = &w->sessions;
    if (s->next != NULL) {
        s->next->prev = &s->next;
    }
    w->sessions = s;
    w->num_sessions++;
    w->stat->sessions_now = w->num_sessions;
    if (gw_nets_hold(&lc->proxies, &s->peer.sa)) {
        s->phase = PH_HEADER;
        gw_wheel_set(&w->wheel, &s->timer, gw_worker_in(w, w->conf->timeouts.handshake));
        gw_log_session_start(s);
    } else {
        gw_log_session_start(s);
        gw_turn_begin(s);
    }
    gw_turn_settle(s);
    return 0;
}
