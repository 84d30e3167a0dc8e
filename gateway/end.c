/* end.c: one side's socket: one write for each turn, refused bytes kept in chunks.
 * Owns the chunks while libuv has them; never looks at the bytes, never decides to close. */
#include "end.h"

#include "session.h"
#include "worker.h"

struct chunk {
    uv_write_t req; /* data: the end */
    size_t size;    /* of this allocation */
    uint8_t bytes[];
};

void gw_end_init(struct gw_end *e, bool upstream)
{
    memset(e, 0, sizeof *e);
    e->upstream = upstream;
    hb_buf_init(&e->held, GW_HELD_MAX);
}

static void chunk_written(uv_write_t *req, int status)
{
    struct chunk *c = (struct chunk *)req; /* req is the first member */
    struct gw_end *e = req->data;
    struct gw_session *s = e->tcp.data;
    const struct hb_env *env = s->w->env;

    env->release(env->ctx, c, c->size);
    if (status < 0 && status != UV_ECANCELED) {
        e->broken = true;
    }
    if (e->state != END_CLOSING) {
        gw_session_drained(s, e);
    }
}

static void keep(struct gw_end *e, const uv_buf_t *bufs, unsigned n, size_t skip)
{
    struct gw_session *s = e->tcp.data;
    const struct hb_env *env = s->w->env;
    size_t total = 0;

    for (unsigned i = 0; i < n; i++) {
        total += bufs[i].len;
    }
    size_t size = sizeof(struct chunk) + total - skip;
    struct chunk *c = env->alloc(env->ctx, size);
    if (c == NULL) {
        e->lost = true;
        return;
    }
    c->size = size;
    c->req.data = e;
    size_t at = 0;
    for (unsigned i = 0; i < n; i++) {
        size_t drop = skip < bufs[i].len ? skip : bufs[i].len;
        skip -= drop;
        memcpy(c->bytes + at, bufs[i].base + drop, bufs[i].len - drop);
        at += bufs[i].len - drop;
    }
    uv_buf_t rest = uv_buf_init((char *)c->bytes, (unsigned)at);
    if (uv_write(&c->req, (uv_stream_t *)&e->tcp, &rest, 1, chunk_written) != 0) {
        env->release(env->ctx, c, size);
        e->broken = true;
    }
}

static void send_bufs(struct gw_end *e, const uv_buf_t *bufs, unsigned n, size_t total)
{
    if (total == 0 || e->broken || e->lost || e->state != END_OPEN) {
        return;
    }
    int sent = uv_try_write((uv_stream_t *)&e->tcp, bufs, n);
    if (sent == UV_EAGAIN) {
        sent = 0;
    }
    if (sent < 0) {
        e->broken = true;
        return;
    }
    if ((size_t)sent < total) {
        keep(e, bufs, n, (size_t)sent);
    }
}

/* Each side has its own: records for one must never be found in the other's buffer. */
static struct hb_bld *sealed_of(const struct gw_end *e, struct gw_worker *w)
{
    return e->upstream ? &w->sealed_backend : &w->sealed;
}

static void send_sealed(struct gw_end *e, struct gw_worker *w)
{
    struct hb_bld *sealed = sealed_of(e, w);
    struct hb_span s = hb_bld_span(sealed);
    uv_buf_t buf = uv_buf_init((char *)sealed->p, (unsigned)s.len);

    send_bufs(e, &buf, 1, s.len);
    hb_bld_reset(sealed);
}

void gw_end_flush(struct gw_end *e, struct gw_worker *w, struct gw_out *out)
{
    if (e->tls != NULL) {
        if (out->total > 0) {
            if (hb_bld_room(sealed_of(e, w)) < hb_tls_sealed_len(e->tls, out->total)) {
                send_sealed(e, w);
            }
            if (hb_tls_write(e->tls, out->pieces, out->num, sealed_of(e, w)) != HB_OK) {
                e->broken = true; /* closed, failed, or a key at its limit: nothing can be sealed any more */
            }
        }
        send_sealed(e, w);
    } else if (out->total > 0) {
        uv_buf_t bufs[GW_OUT_PIECES];
        for (unsigned i = 0; i < out->num; i++) {
            bufs[i].base = (char *)(uintptr_t)out->pieces[i].p; /* libuv's type has no const */
            bufs[i].len = out->pieces[i].len;
        }
        send_bufs(e, bufs, out->num, out->total);
    }
    gw_out_reset(out);
}

void gw_end_put(struct gw_end *e, struct gw_worker *w, struct gw_out *out, struct hb_span bytes)
{
    while (bytes.len > 0) {
        size_t n = gw_out_put(out, bytes);
        if (n == 0) {
            gw_end_flush(e, w, out);
        }
        bytes = hb_span_skip(bytes, n);
    }
}

size_t gw_end_queued(const struct gw_end *e)
{
    return e->state == END_OPEN || e->state == END_SHUT
               ? uv_stream_get_write_queue_size((const uv_stream_t *)&e->tcp)
               : 0;
}

void gw_end_read(struct gw_end *e, bool on, uv_alloc_cb alloc, uv_read_cb read)
{
    on = on && !e->eof && (e->state == END_OPEN || e->state == END_SHUT);
    if (on == e->reading || e->state == END_CLOSING || e->state == END_NONE) {
        return;
    }
    if (on) {
        if (uv_read_start((uv_stream_t *)&e->tcp, alloc, read) != 0) {
            e->broken = true;
            return;
        }
    } else {
        (void)uv_read_stop((uv_stream_t *)&e->tcp);
    }
    e->reading = on;
}

struct shutdown_req {
    uv_shutdown_t req;
    uv_shutdown_cb done;
    const struct hb_env *env; /* borrowed */
};

static void shutdown_over(uv_shutdown_t *req, int status)
{
    struct shutdown_req *r = (struct shutdown_req *)req;
    uv_shutdown_cb done = r->done;
    const struct hb_env *env = r->env;

    done(req, status);
    env->release(env->ctx, r, sizeof *r);
}

void gw_end_shutdown(struct gw_end *e, uv_shutdown_cb done)
{
    struct gw_session *s = e->tcp.data;
    const struct hb_env *env = s->w->env;

    if (e->state != END_OPEN) {
        return;
    }
    e->state = END_SHUT;
    struct shutdown_req *r = env->alloc(env->ctx, sizeof *r);
    if (r == NULL) {
        e->broken = true;
        return;
    }
    r->done = done;
    r->env = env;
    r->req.data = e;
    if (uv_shutdown(&r->req, (uv_stream_t *)&e->tcp, shutdown_over) != 0) {
        env->release(env->ctx, r, sizeof *r);
        e->broken = true;
    }
}

void gw_end_close(struct gw_end *e, bool reset, uv_close_cb closed)
{
    if (e->state == END_NONE || e->state == END_CLOSING) {
        return;
    }
    bool shut = e->state == END_SHUT;
    e->state = END_CLOSING;
    e->reading = false;
    if (!reset || shut || uv_tcp_close_reset(&e->tcp, closed) != 0) {
        uv_close((uv_handle_t *)&e->tcp, closed);
    }
}
