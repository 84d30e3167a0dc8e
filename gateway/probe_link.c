/* probe_link.c: one connection of a probe, from connect to goodbye. It fills a result and judges nothing.
 * The command has nothing else to do: the socket is waited for with poll(2), never beyond the deadline. The
 * server's certificate is taken as it is (its signature over the handshake is checked): judged it is later.
 */
#include "probe.h"

#include "connect.h"
#include "sysenv.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_MAX 16384u

struct link {
    const struct gw_probe_target *target; /* borrowed */
    struct gw_probe_result *r;            /* borrowed */
    const char *name;                     /* borrowed: in server_name */
    struct hb_tls_config *config;         /* borrowed */
    struct hb_tls_lane *lane;             /* owned */
    struct hb_tls *tls;                   /* owned; NULL: plaintext, so far */
    struct hb_peer *peer;                 /* owned; NULL: not begun, or a protocol we do not know */
    struct hb_peer_settings set;
    int fd;
    uint64_t began, deadline, silent_at; /* milliseconds */
    bool over;
    uint8_t wire[READ_MAX];
    uint8_t out[HB_TLS_FLIGHT_MAX];
};

static uint64_t now_ms(void)
{
    const struct hb_env *env = gw_sysenv();

    return env->mono(env->ctx);
}

static void end(struct link *l, enum hb_code why)
{
    if (!l->over) {
        l->over = true;
        l->r->code = why;
    }
}

static bool wait_for(struct link *l, short what, uint64_t until)
{
    struct pollfd p = {.fd = l->fd, .events = what};
    uint64_t now = now_ms();

    return now < until && poll(&p, 1, (int)(until - now)) == 1;
}

/* ---- what is said ---- */

static void say(struct link *l, struct hb_span bytes)
{
    while (bytes.len > 0 && !l->over) {
        ssize_t n = send(l->fd, bytes.p, bytes.len, MSG_NOSIGNAL);
        if (n > 0) {
            bytes = hb_span_skip(bytes, (size_t)n);
        } else if (errno == EAGAIN && wait_for(l, POLLOUT, l->deadline)) {
            continue;
        } else {
            end(l, errno == EAGAIN ? HB_E_PEER_SILENT : HB_E_PEER_RESET);
        }
    }
}

static void to_server(void *ctx, struct hb_span bytes)
{
    struct link *l = ctx;
    struct hb_bld sealed = hb_bld(l->out, sizeof l->out);

    if (l->tls == NULL) {
        say(l, bytes);
    } else if (hb_tls_write(l->tls, &bytes, 1, &sealed) == HB_OK) {
        say(l, hb_bld_span(&sealed));
    }
}

static const struct hb_peer_sink *sink(struct link *l, struct hb_peer_sink *mem)
{
    *mem = (struct hb_peer_sink){l, to_server};
    return mem;
}

/* ---- the dialogue ---- */

static void keep_text(struct hb_span text, char *dst, size_t cap)
{
    size_t len = text.len < cap - 1 ? text.len : cap - 1;

    if (len > 0) {
        memcpy(dst, text.p, len);
    }
    dst[len] = 0;
}

static void begin_tls(struct link *l);

static void take(struct link *l, struct hb_peer_step step)
{
    struct gw_probe_result *r = l->r;

    l->silent_at = now_ms() + 1000u * hb_peer_patience(l->peer);
    if (!r->secured) {
        keep_text(hb_peer_said(l->peer), r->said, sizeof r->said);
    }
    if (r->greeting[0] == 0) {
        keep_text(hb_peer_said(l->peer), r->greeting, sizeof r->greeting);
    }
    switch (step.want) {
    case HB_PEER_MORE:
        break;
    case HB_PEER_UPGRADE:
        begin_tls(l);
        break;
    case HB_PEER_READY:
        end(l, HB_OK);
        break;
    case HB_PEER_FAIL:
        end(l, step.why);
        break;
    }
}

static void begin_talk(struct link *l)
{
    struct hb_peer_sink mem;

    if (l->target->peer == NULL) {
        end(l, HB_OK);
        return;
    }
    l->peer = hb_peer_new(l->target->peer, &l->set, gw_sysenv());
    if (l->peer == NULL) {
        end(l, HB_E_NO_MEMORY);
        return;
    }
    take(l, hb_peer_start(l->peer, sink(l, &mem)));
}

static void hear(struct link *l, struct hb_span bytes)
{
    struct hb_peer_sink mem;

    if (l->peer != NULL && !l->over) {
        take(l, hb_peer_feed(l->peer, bytes, sink(l, &mem)));
    }
}

/* ---- TLS ---- */

static void keep_bytes(struct hb_span bytes, uint8_t *dst, size_t cap, size_t *len)
{
    *len = bytes.len <= cap ? bytes.len : 0;
    if (*len > 0) {
        memcpy(dst, bytes.p, *len);
    }
}

static void secured(struct link *l)
{
    struct gw_probe_result *r = l->r;
    struct hb_peer_sink mem;

    r->secured = true;
    r->tls = *hb_tls_info(l->tls);
    keep_bytes(hb_tls_peer_staple(l->tls), r->staple, sizeof r->staple, &r->staple_len);
    if (r->tls.alpn > 0) {
        (void)snprintf(r->alpn, sizeof r->alpn, "%s", hb_tls_config_alpn(l->config, r->tls.alpn - 1u));
    }
    if (l->peer != NULL) {
        take(l, hb_peer_secured(l->peer, sink(l, &mem)));
    } else {
        begin_talk(l);
    }
}

static void failed(struct link *l, const struct hb_tls_event *event)
{
    l->r->tls_code = event->code;
    l->r->alert = event->alert;
    end(l, event->code);
}

static void tls_events(struct link *l)
{
    struct hb_tls_event event;

    for (;;) {
        struct hb_bld out = hb_bld(l->out, sizeof l->out);
        enum hb_tls_ev ev = hb_tls_next(l->tls, &out, &event);
        say(l, hb_bld_span(&out));
        switch (ev) {
        case HB_TLS_NONE:
            return;
        case HB_TLS_READY:
            secured(l);
            break;
        case HB_TLS_DATA:
            hear(l, event.data);
            break;
        case HB_TLS_VERIFY:
            keep_bytes(event.data, l->r->chain, sizeof l->r->chain, &l->r->chain_len);
            hb_tls_verified(l->tls, HB_OK);
            break;
        case HB_TLS_SESSION:
        case HB_TLS_SIGN: /* we have no certificate, and are asked for no signature */
        case HB_TLS_DECRYPT:
            break;
        case HB_TLS_CLOSED:
            end(l, HB_E_PEER_CLOSED);
            return;
        case HB_TLS_FAILED:
            failed(l, &event);
            return;
        }
    }
}

static void begin_tls(struct link *l)
{
    l->r->handshake = true;
    l->tls = hb_tls_client_new(l->config, gw_sysenv(), l->lane, l->name, hb_span(NULL, 0));
    if (l->tls == NULL) {
        end(l, HB_E_NO_MEMORY);
        return;
    }
    tls_events(l);
}

/* ---- the connection ---- */

/* The link ended, or broke. */
static void lost(struct link *l, bool clean)
{
    bool in_handshake = l->r->handshake && !l->r->secured;

    if (in_handshake) {
        l->r->tls_code = clean ? HB_E_TLS_TRUNCATED : HB_E_PEER_RESET;
    }
    end(l, l->peer != NULL && !in_handshake ? hb_peer_lost(l->peer)
           : clean                          ? HB_E_PEER_CLOSED
                                            : HB_E_PEER_RESET);
}

static void read_some(struct link *l)
{
    struct hb_peer_sink mem;
    bool talks = l->peer != NULL && l->r->handshake == l->r->secured;
    uint64_t until = talks && l->silent_at < l->deadline ? l->silent_at : l->deadline;

    if (!wait_for(l, POLLIN, until)) {
        if (talks && now_ms() < l->deadline) {
            take(l, hb_peer_silent(l->peer, sink(l, &mem)));
        } else {
            end(l, HB_E_PEER_SILENT);
        }
        return;
    }
    ssize_t n = recv(l->fd, l->wire, sizeof l->wire, 0);
    if (n <= 0) {
        lost(l, n == 0);
    } else if (l->tls != NULL) {
        hb_tls_input(l->tls, l->wire, (size_t)n);
        tls_events(l);
    } else {
        hear(l, hb_span(l->wire, (size_t)n));
    }
}

static void goodbye(struct link *l)
{
    struct hb_bld out = hb_bld(l->out, sizeof l->out);
    struct hb_peer_sink mem;

    l->over = false; /* to be able to speak; what comes of it does not matter */
    if (l->peer != NULL && l->r->handshake == l->r->secured) {
        hb_peer_goodbye(l->peer, sink(l, &mem));
    }
    if (l->r->secured) {
        hb_tls_close(l->tls, &out);
        say(l, hb_bld_span(&out));
    }
    l->over = true;
}

static void learn(struct link *l)
{
    struct gw_probe_result *r = l->r;

    if (l->peer != NULL) {
        r->facts = *hb_peer_facts(l->peer);
        keep_text(hb_peer_list(l->peer, false), r->list[0], sizeof r->list[0]);
        keep_text(hb_peer_list(l->peer, true), r->list[1], sizeof r->list[1]);
    }
    r->ms = (unsigned)(now_ms() - l->began);
}

void gw_probe_link(const struct gw_probe_target *target, const char *name, const char *own_name,
                   struct hb_tls_config *config, unsigned seconds, struct gw_probe_result *r)
{
    static struct link mem; /* a command's: one at a time, and large */
    struct link *l = &mem;

    memset(l, 0, sizeof *l);
    memset(r, 0, sizeof *r);
    r->alert = 255;
    l->target = target;
    l->r = r;
    l->name = name;
    l->config = config;
    l->set = (struct hb_peer_settings){
        .host = own_name, .server = target->host, .tls = target->link, .look = true};
    l->began = now_ms();
    l->deadline = l->began + 1000u * seconds;
    l->lane = hb_tls_lane_new(gw_sysenv());
    l->fd = l->lane != NULL ? gw_connect((const struct sockaddr *)&target->addr, 1000u * seconds) : -1;
    r->connected = l->fd >= 0;
    if (!r->connected) {
        end(l, l->lane == NULL ? HB_E_NO_MEMORY : HB_E_PEER_UNREACHABLE);
    } else if (target->link == HB_PEER_IMPLICIT) {
        begin_tls(l);
    } else {
        begin_talk(l);
    }
    while (!l->over) {
        read_some(l);
    }
    learn(l);
    enum hb_code code = r->code;
    if (r->connected) {
        goodbye(l);
    }
    r->code = code;
    hb_peer_free(&l->peer);
    hb_tls_free(&l->tls);
    hb_tls_lane_free(&l->lane);
    if (l->fd >= 0) {
        (void)close(l->fd);
    }
}
