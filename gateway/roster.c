/* roster.c: the list of sessions, a few at a time, so that nobody waits for an operator's curiosity.
 * Lines go to memory that came with the question and cannot grow; sessions that come meanwhile are not told,
 * those that end before their line are not either. */
#include "roster.h"

#include "session.h"
#include "session_log.h"
#include "worker.h"
#include <unistd.h>

#define AT_ONCE 128u /* sessions a turn of the loop */

static void did(struct gw_worker *w, uint32_t client, uint32_t what, uint32_t more)
{
    uint8_t mem[12];
    struct hb_bld b = hb_bld(mem, sizeof mem);

    hb_bld_u32(&b, client);
    hb_bld_u32(&b, what);
    hb_bld_u32(&b, more);
    if (w->supervisor >= 0) { /* it does not wait for ever for an answer that is lost */
        (void)gw_ipc_try(w->supervisor, GW_MSG_DID, hb_bld_span(&b), NULL, 0);
    }
}

static void finish(struct gw_worker *w)
{
    struct gw_roster *r = &w->roster;

    (void)uv_idle_stop(&r->idle);
    (void)close(r->memory);
    r->memory = -1;
    did(w, r->client, r->len, r->short_of);
}

static void some_more(uv_idle_t *idle)
{
    struct gw_worker *w = idle->data;
    struct gw_roster *r = &w->roster;
    char mem[AT_ONCE * 256];
    size_t len = 0;

    for (unsigned n = 0; r->at != NULL && n < AT_ONCE && sizeof mem - len > GW_SESSION_LINE; n++) {
        size_t line = gw_session_line(r->at, mem + len, GW_SESSION_LINE);
        bool fits = r->len + len + line <= GW_ROSTER_MAX;
        len += fits ? line : 0;
        r->short_of += !fits;
        r->at = r->at->next;
    }
    ssize_t n = write(r->memory, mem, len);
    r->len += n > 0 ? (uint32_t)n : 0;
    if (r->at == NULL || n != (ssize_t)len) {
        finish(w);
    }
}

void gw_roster_init(struct gw_worker *w)
{
    (void)uv_idle_init(&w->loop, &w->roster.idle); /* cannot fail */
    w->roster.idle.data = w;
    w->roster.memory = -1;
}

void gw_roster_list(struct gw_worker *w, struct gw_ipc_in *m)
{
    struct gw_roster *r = &w->roster;
    uint32_t client = hb_cur_u32(&m->body);
    int memory = gw_ipc_take_fd(m);

    if (r->memory >= 0) {
        finish(w); /* whoever asked before has been told that we are late */
    }
    if (memory < 0) {
        did(w, client, 0, w->num_sessions);
        return;
    }
    r->memory = memory;
    r->client = client;
    r->len = 0;
    r->short_of = 0;
    r->at = w->sessions;
    (void)uv_idle_start(&r->idle, some_more);
}

void gw_roster_kill(struct gw_worker *w, struct gw_ipc_in *m)
{
    uint32_t client = hb_cur_u32(&m->body);
    uint64_t id = hb_cur_u64(&m->body);
    struct gw_session *s = w->sessions;

    while (s != NULL && s->id != id) {
        s = s->next;
    }
    if (s != NULL) {
        gw_session_dismiss(s);
    }
    did(w, client, s != NULL, 0);
}

void gw_roster_gone(struct gw_worker *w, const struct gw_session *s)
{
    if (w->roster.at == s) {
        w->roster.at = s->next;
    }
}

void gw_roster_close(struct gw_worker *w)
{
    if (w->roster.memory >= 0) {
        (void)uv_idle_stop(&w->roster.idle);
        (void)close(w->roster.memory);
        w->roster.memory = -1;
    }
}
