/* signer.c: the row of asks, and the socket to the keeper. */
#include "signer.h"

#include "keeper.h"
#include "session.h"
#include "worker.h"
#include <errno.h>
#include <hb/ct.h>
#include <stdlib.h>
#include <unistd.h>

struct gw_ask {
    struct gw_ask *next, **prev;
    struct gw_session *s; /* borrowed; NULL: it is gone, and the answer on its way is for nobody */
    struct gw_end *e;     /* of s */
    struct hb_tls_sign what;
    enum gw_msg type;
    uint32_t number;
    bool sent;
};

bool gw_signer_init(struct gw_signer *g)
{
    g->fd = -1;
    g->last = &g->first;
    g->in = malloc(sizeof *g->in);
    return g->in != NULL;
}

static void remove_ask(struct gw_worker *w, struct gw_ask *a)
{
    struct gw_signer *g = &w->signer;

    if (g->next_to_send == a) {
        g->next_to_send = a->next;
    }
    g->num_sent -= a->sent;
    *a->prev = a->next;
    if (a->next != NULL) {
        a->next->prev = a->prev;
    } else {
        g->last = a->prev;
    }
    if (a->s != NULL) {
        a->e->ask = NULL;
    }
    w->env->release(w->env->ctx, a, sizeof *a);
}

static void give(struct gw_end *e, enum gw_msg type, struct hb_span result)
{
    if (type == GW_MSG_DECRYPT) {
        hb_tls_decrypted(e->tls, result);
    } else {
        hb_tls_signed(e->tls, result);
    }
}

static bool send_one(struct gw_signer *g, const struct gw_ask *a)
{
    uint8_t mem[GW_IPC_MAX - 1];
    struct hb_bld b = hb_bld(mem, sizeof mem);

    hb_bld_u32(&b, a->number);
    hb_bld_u64(&b, hb_cred_handle(a->what.cred));
    hb_bld_u16(&b, a->what.scheme);
    struct hb_bld_mark mark = hb_bld_open16(&b);
    hb_bld_put(&b, a->what.input);
    hb_bld_close(&b, mark);
    return hb_bld_ok(&b) && gw_ipc_try(g->fd, a->type, hb_bld_span(&b), NULL, 0);
}

static void send_asks(struct gw_worker *w)
{
    struct gw_signer *g = &w->signer;

    while (g->fd >= 0 && g->next_to_send != NULL && g->num_sent < GW_KEEPER_PENDING) {
        struct gw_ask *a = g->next_to_send;
        if (!send_one(g, a)) {
            return; /* full: the next answer makes room, or a second; gone: there will be another one */
        }
        a->sent = true;
        g->num_sent++;
        g->next_to_send = a->next;
    }
}

static void take_answer(struct gw_worker *w)
{
    struct gw_signer *g = &w->signer;
    struct hb_cur *c = &g->in->body;
    uint32_t number = hb_cur_u32(c);
    struct hb_cur vec = hb_cur_vec16(c);
    struct hb_span result = hb_cur_rest(&vec);
    struct gw_ask *a = g->first;

    while (a != NULL && a->sent && a->number != number) {
        a = a->next;
    }
    if (g->in->type != GW_MSG_DONE || !hb_cur_end(c) || a == NULL || !a->sent) {
        return;
    }
    struct gw_session *s = a->s;
    struct gw_end *e = a->e;
    if (s != NULL) {
        give(e, a->type, result);
    }
    remove_ask(w, a);
    if (s != NULL) {
        gw_session_answered(s, e);
    }
}

static void readable(uv_poll_t *poll, int status, int events)
{
    struct gw_worker *w = poll->data;
    struct gw_signer *g = &w->signer;

    (void)events;
    for (unsigned i = 0; i < GW_KEEPER_PENDING && g->fd >= 0; i++) {
        enum gw_ipc_result r = status < 0 ? GW_IPC_GONE : gw_ipc_recv(g->fd, g->in);
        if (r == GW_IPC_NONE) {
            break;
        }
        if (r == GW_IPC_GONE) {
            gw_signer_keeper(w, -1);
            return;
        }
        take_answer(w);
        gw_ipc_done(g->in);
        hb_wipe(g->in->mem, sizeof g->in->mem);
    }
    send_asks(w);
}

static void closed(uv_handle_t *handle)
{
    free(handle);
}

/* The handle is closed with its descriptor open, as libuv wants it. */
static void stop_polling(struct gw_signer *g)
{
    if (g->poll != NULL) {
        uv_close((uv_handle_t *)g->poll, closed);
        g->poll = NULL;
    }
    if (g->fd >= 0) {
        (void)close(g->fd);
        g->fd = -1;
    }
}

void gw_signer_keeper(struct gw_worker *w, int fd)
{
    struct gw_signer *g = &w->signer;

    stop_polling(g);
    for (struct gw_ask *a = g->first; a != NULL;) { /* what the one before had is asked again */
        struct gw_ask *next = a->next;
        a->sent = false;
        if (a->s == NULL) {
            remove_ask(w, a);
        }
        a = next;
    }
    g->num_sent = 0;
    g->next_to_send = g->first;
    if (fd < 0) {
        return;
    }
    g->fd = fd;
    g->poll = calloc(1, sizeof *g->poll);
    if (g->poll != NULL && uv_poll_init(&w->loop, g->poll, fd) != 0) {
        free(g->poll);
        g->poll = NULL;
    }
    if (g->poll == NULL) {
        stop_polling(g); /* handshakes wait until their deadline */
        return;
    }
    g->poll->data = w;
    (void)uv_poll_start(g->poll, UV_READABLE, readable);
    send_asks(w);
}

void gw_signer_tick(struct gw_worker *w)
{
    send_asks(w);
}

void gw_signer_close(struct gw_worker *w)
{
    stop_polling(&w->signer);
    while (w->signer.first != NULL) {
        remove_ask(w, w->signer.first);
    }
    free(w->signer.in);
    w->signer.in = NULL;
}

/* The key is in this process. */
static void answer_here(struct gw_session *s, struct gw_end *e, enum hb_tls_ev ev,
                        const struct hb_tls_sign *what)
{
    const struct hb_env *env = s->w->env;
    uint8_t result[1024];
    size_t len = 0;
    enum hb_code code;

    if (ev == HB_TLS_DECRYPT) {
        len = 48;
        code = hb_cred_decrypt(what->cred, env, what->scheme, what->input, result);
    } else {
        code = hb_cred_sign(what->cred, env, what->scheme, what->input, result, sizeof result, &len);
    }
    give(e, ev == HB_TLS_DECRYPT ? GW_MSG_DECRYPT : GW_MSG_SIGN, hb_span(result, code == HB_OK ? len : 0));
    hb_wipe(result, sizeof result);
}

void gw_signer_ask(struct gw_session *s, struct gw_end *e, enum hb_tls_ev ev, const struct hb_tls_sign *what)
{
    struct gw_signer *g = &s->w->signer;

    if (hb_cred_handle(what->cred) == 0) {
        answer_here(s, e, ev, what);
        return;
    }
    struct gw_ask *a = s->w->env->alloc(s->w->env->ctx, sizeof *a);
    if (a == NULL || what->input.len > GW_IPC_MAX / 2) {
        s->w->env->release(s->w->env->ctx, a, sizeof *a);
        give(e, ev == HB_TLS_DECRYPT ? GW_MSG_DECRYPT : GW_MSG_SIGN, hb_span(NULL, 0));
        return;
    }
    *a = (struct gw_ask){.s = s, .e = e, .what = *what, .number = ++g->number, .prev = g->last};
    a->type = ev == HB_TLS_DECRYPT ? GW_MSG_DECRYPT : GW_MSG_SIGN;
    *g->last = a;
    g->last = &a->next;
    if (g->next_to_send == NULL) {
        g->next_to_send = a;
    }
    e->ask = a;
    send_asks(s->w);
}

void gw_signer_forget(struct gw_worker *w, struct gw_end *e)
{
    struct gw_ask *a = e->ask;

    if (a == NULL) {
        return;
    }
    e->ask = NULL;
    a->s = NULL;
    if (!a->sent) {
        remove_ask(w, a);
    }
}
