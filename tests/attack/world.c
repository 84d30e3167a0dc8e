/* world.c: the run of one row.
 * Four parts that know each other by pipes alone: the client, the gateway (which does what gateway/session*.c
 * do), the backend, and the network between them, which cuts one stream where it is told to: everything that
 * can happen with the bytes before the cut has happened when the next one comes. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- texts ---- */

void text_free(struct text *t)
{
    free(t->p);
    *t = (struct text){0};
}

void text_add(struct text *t, const void *p, size_t len)
{
    if (len == 0) {
        return;
    }
    if (t->len + len > t->cap) {
        t->cap = (t->len + len) * 2;
        t->p = realloc(t->p, t->cap);
        if (t->p == NULL) {
            exit(2);
        }
    }
    memcpy(t->p + t->len, p, len);
    t->len += len;
}

void text_str(struct text *t, const char *s)
{
    text_add(t, s, strlen(s));
}

bool text_is(const struct text *t, const struct text *want)
{
    return t->len == want->len && (t->len == 0 || memcmp(t->p, want->p, t->len) == 0);
}

bool text_has(const struct text *t, const char *word)
{
    size_t n = strlen(word);

    for (size_t i = 0; i + n <= t->len; i++) {
        if (memcmp(t->p + i, word, n) == 0) {
            return true;
        }
    }
    return false;
}

void text_print(const char *what, const struct text *t)
{
    printf("    %s: ", what);
    for (size_t i = 0; i < t->len && i < 1200; i++) {
        if (t->p[i] == '\n') {
            printf("\\n ");
        } else if (t->p[i] >= 0x20 && t->p[i] < 0x7f) {
            printf("%c", t->p[i]);
        } else {
            printf(t->p[i] == '\r' ? "\\r" : "\\x%02x", t->p[i]);
        }
    }
    printf("\n");
}

/* ---- the network ---- */

/* The next bytes of a pipe; false: there are none now. */
static bool deliver(struct world *w, struct pipe *p, bool cut, struct hb_span *bytes)
{
    size_t n = p->t.len - p->done;

    if (n == 0 || (cut && w->paused)) {
        return false;
    }
    if (cut && w->cut < 0) {
        n = 1;
        w->paused = true;
    } else if (cut && w->cut > 0 && p->done < (size_t)w->cut) {
        n = p->done + n < (size_t)w->cut ? n : (size_t)w->cut - p->done;
        w->paused = p->done + n == (size_t)w->cut;
    }
    *bytes = hb_span(p->t.p + p->done, n);
    p->done += n;
    return true;
}

static bool on_backend(const struct world *w)
{
    return (w->row->flags & (B_STARTTLS | B_IMPLICIT)) != 0;
}

static bool cuts_backend(const struct world *w)
{
    return on_backend(w) || (w->row->flags & CUT_BACKEND) != 0;
}

static bool cuts_client(const struct world *w)
{
    return !cuts_backend(w) && (w->row->flags & CUT_INSIDE) == 0;
}

/* Says the next piece inside TLS; false: there is none, or it is not time. */
static bool client_says(struct world *w)
{
    struct hb_span piece;

    if (!w->client_in || w->ended || !deliver(w, &w->says, (w->row->flags & CUT_INSIDE) != 0, &piece)) {
        return false;
    }
    tls_say(w->client_tls, piece, &w->from_client.t);
    return true;
}

/* Behind the answer, so that it does not matter in which piece the handshake ended. */
static void client_floods(struct world *w)
{
    struct text want = {0};

    if (w->row->trick != TRICK_FLOOD || on_backend(w) || w->flooded) {
        return;
    }
    words_expand(w->words, w->row->heard, &want);
    if (text_is(&w->out->inside, &want)) {
        w->flooded = true;
        tls_flood(w->client_tls, &w->from_client.t);
    }
    text_free(&want);
}

static void client_reads(struct world *w)
{
    struct hb_tls_event event;
    struct pipe *p = &w->to_client;

    if (w->client_tls == NULL || !w->upgraded || p->done == p->t.len) {
        return;
    }
    struct hb_span in = hb_span(p->t.p + p->done, p->t.len - p->done);
    p->done = p->t.len;
    enum tls_result r = tls_run(w->client_tls, in, &w->from_client.t, &w->out->inside, &event);
    w->client_in = w->client_in || r == TLS_READY;
    client_floods(w);
}

static bool move(struct world *w)
{
    struct hb_span bytes;
    bool moved = false;

    if (deliver(w, &w->from_client, cuts_client(w), &bytes)) {
        uint8_t *exact = copy_of(bytes);
        gate_client_reads(w, hb_span(exact, bytes.len));
        free(exact);
        moved = true;
    }
    if (w->link.open && deliver(w, &w->link.from_server, cuts_backend(w), &bytes)) {
        uint8_t *exact = copy_of(bytes);
        gate_backend_reads(w, hb_span(exact, bytes.len));
        free(exact);
        moved = true;
    }
    if (w->link.open && deliver(w, &w->link.to_server, false, &bytes)) {
        server_reads(w, bytes);
        moved = true;
    }
    if (w->link.open && w->link.ends && w->link.from_server.done == w->link.from_server.t.len) {
        gate_backend_gone(w);
    }
    client_reads(w);
    return client_says(w) || moved;
}

static void pump(struct world *w)
{
    do {
        w->paused = false;
        while (move(w)) {
        }
    } while (w->paused);
}

/* ---- what must hold, whatever the row is about ---- */

void world_broken(struct world *w, const char *what)
{
    if (!w->out->failed) {
        printf("%s %s (%s), cut %ld: %s\n", w->row->id, w->words->scheme, w->row->what, w->cut, what);
    }
    w->out->failed = true;
}

/* Behind the go-ahead there are TLS records and nothing else (ATK-04, GEN-05). */
static void only_records(struct world *w)
{
    const struct text *t = &w->to_client.t;

    for (size_t at = w->mark; w->upgraded && at < t->len;) {
        size_t n = t->len - at < 5 ? 0 : 5 + (size_t)t->p[at + 3] * 256 + t->p[at + 4];
        if (n == 0 || t->p[at] < 20 || t->p[at] > 23 || t->p[at + 1] != 3 || at + n > t->len) {
            world_broken(w, "behind the go-ahead stands something else than TLS");
            return;
        }
        at += n;
    }
}

/* In clear a backend behind STARTTLS hears the dialogue's words, or a part of them and a goodbye. */
static void dial_words_only(struct world *w)
{
    static const char *const goodbyes[] = {"h5 LOGOUT\r\n", "h2 LOGOUT\r\n", "LOGOUT\r\n", "QUIT\r\n"};
    size_t len = w->out->b_clear.len;
    const char *dial = w->words->dial_clear;
    const char *said = (const char *)w->out->b_clear.p;

    for (size_t i = 0; i < sizeof goodbyes / sizeof goodbyes[0]; i++) {
        size_t n = strlen(goodbyes[i]);
        if (len >= n && memcmp(said + len - n, goodbyes[i], n) == 0) {
            len -= n;
            break;
        }
    }
    if (len > strlen(dial) || (len > 0 && memcmp(said, dial, len) != 0)) {
        world_broken(w, "the backend heard in clear what is no part of the dialogue");
    }
}

static void nowhere(struct world *w, const char *word, bool client_too)
{
    const struct outcome *o = w->out;

    if (text_has(&o->b_clear, word) || text_has(&o->b_inside, word) ||
        (client_too && (text_has(&o->clear, word) || text_has(&o->inside, word)))) {
        world_broken(w, word);
    }
}

static void promises(struct world *w)
{
    const struct row *r = w->row;

    only_records(w);
    nowhere(w, "BEHIND", true);
    nowhere(w, "SMUGGLED", true);
    if ((r->flags & OPTIONAL) == 0) {
        nowhere(w, "CLEAR", false);
    }
    if (w->out->num_links > 1 && text_has(&w->out->b_session, "CLEAR")) {
        world_broken(w, "what was said in clear reached the backend inside TLS");
    }
    if ((r->flags & B_STARTTLS) != 0) {
        dial_words_only(w);
    }
    bool in_clear = r->trick != TRICK_UPGRADING && text_has(&w->out->clear, "PUSHED");
    if (r->trick != TRICK_NONE && (in_clear || text_has(&w->out->inside, "PUSHED"))) {
        world_broken(w, "what was pushed in clear reached the client");
    }
}

/* ---- a run ---- */

static enum end client_end(const struct row *row)
{
    bool mine = (row->flags & (B_STARTTLS | B_IMPLICIT)) == 0;

    return mine && row->trick == TRICK_STRANGER                     ? END_STRANGER
           : row->trick == TRICK_RETRY || row->trick == TRICK_TWICE ? END_RETRY
                                                                    : END_CLIENT;
}

void world_run(const struct row *row, const struct words *words, long cut, size_t *len, size_t *boundary,
               struct outcome *out)
{
    struct world w = {.row = row, .words = words, .cut = cut, .out = out};
    struct hb_tls_event event;
    struct text nothing = {0};

    memset(out, 0, sizeof *out);
    out->alert = -1;
    testenv_init(&w.t, 3);
    words_expand(words, row->clear, &w.from_client.t);
    *boundary = w.from_client.t.len;
    words_expand(words, row->inside != NULL ? row->inside : "", &w.says.t);
    if (!cuts_backend(&w)) {
        words_expand(words, row->trick == TRICK_NONE && row->behind != NULL ? row->behind : "",
                     &w.from_client.t);
    }
    if ((row->flags & HELLO_BEHIND) != 0) { /* the ClientHello, and then what is behind */
        struct text behind = {0};
        text_add(&behind, w.from_client.t.p + *boundary, w.from_client.t.len - *boundary);
        w.from_client.t.len = *boundary;
        w.client_tls = tls_new(client_end(row));
        (void)tls_run(w.client_tls, hb_span(NULL, 0), &w.from_client.t, &nothing, &event);
        if (row->trick == TRICK_TWICE) {
            struct text again = {0};
            text_add(&again, w.from_client.t.p + *boundary, w.from_client.t.len - *boundary);
            text_add(&w.from_client.t, again.p, again.len);
            text_free(&again);
        }
        *boundary = w.from_client.t.len;
        text_add(&w.from_client.t, behind.p, behind.len);
        free(behind.p);
    }
    *len = (row->flags & CUT_INSIDE) != 0 ? w.says.t.len : w.from_client.t.len;
    gate_begin(&w);
    pump(&w);
    if (w.upgraded && w.client_tls == NULL && !w.ended && (row->flags & NO_HANDSHAKE) == 0) {
        w.client_tls = tls_new(client_end(row));
        (void)tls_run(w.client_tls, hb_span(NULL, 0), &w.from_client.t, &nothing, &event);
        pump(&w);
    }
    if (cuts_backend(&w)) {
        *len = w.clear_said;
        *boundary = w.behind_at;
    }
    out->code = w.code;
    text_add(&out->clear, w.to_client.t.p, w.upgraded ? w.mark : w.to_client.t.len);
    promises(&w);
    gate_end(&w);
    if ((row->flags & CUT_WIRE) != 0) {
        *len = cuts_backend(&w) ? w.wire_said : w.from_client.t.len;
    }
    hb_tls_free(&w.client_tls);
    free(w.from_client.t.p);
    free(w.to_client.t.p);
    free(w.says.t.p);
    if (w.t.held != 0) {
        world_broken(&w, "memory was not given back");
    }
}

void outcome_free(struct outcome *o)
{
    free(o->clear.p);
    free(o->inside.p);
    free(o->b_clear.p);
    free(o->b_inside.p);
    free(o->b_session.p);
}

bool outcome_same(const struct outcome *a, const struct outcome *b)
{
    return a->code == b->code && a->alert == b->alert && a->num_links == b->num_links &&
           text_is(&a->clear, &b->clear) && text_is(&a->inside, &b->inside) &&
           text_is(&a->b_clear, &b->b_clear) && text_is(&a->b_inside, &b->b_inside) &&
           text_is(&a->b_session, &b->b_session);
}
