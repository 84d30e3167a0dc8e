/* server.c: the backend of a run: answers from the table of its protocol, and what the network makes of its
 * words in clear (enum trick). It keeps all that it hears, apart by whether it came in clear. */
#include "world.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void say(struct world *w, const char *text, struct hb_span tag)
{
    struct link *l = &w->link;
    struct text out = {0};
    bool lists = !l->secured && w->row->trick != TRICK_STRIPPED;

    for (; *text != 0; text++) {
        if (text[0] == '%' && text[1] == 't') {
            text_add(&out, tag.p, tag.len);
            text++;
        } else if (text[0] == '%' && text[1] == 's') {
            text_str(&out, lists ? w->words->b_lists : "");
            text++;
        } else {
            text_add(&out, text, 1);
        }
    }
    if (l->secured) {
        tls_say(l->server_tls, hb_span(out.p, out.len), &l->from_server.t);
    } else {
        text_add(&l->from_server.t, out.p, out.len);
        w->clear_said += w->first_link_over ? 0 : out.len;
    }
    free(out.p);
}

static void say_behind(struct world *w)
{
    struct text t = {0};

    w->behind_at = w->clear_said;
    words_expand(w->words, w->row->behind, &t);
    text_add(&w->link.from_server.t, t.p, t.len);
    w->clear_said += w->first_link_over ? 0 : t.len;
    free(t.p);
}

void server_greets(struct world *w)
{
    if (w->row->trick == TRICK_GREETING) {
        say_behind(w);
    } else {
        say(w, w->words->b_greeting, hb_span(NULL, 0));
    }
}

static void endless(struct world *w)
{
    static char many[65536];

    memset(many, 'x', sizeof many);
    for (unsigned i = 0; i < 16; i++) {
        text_add(&w->link.from_server.t, many, sizeof many);
    }
}

static void starttls(struct world *w, struct hb_span tag)
{
    const struct words *p = w->words;

    switch (w->row->trick) {
    case TRICK_STRIPPED:
    case TRICK_REFUSED:
        say(w, p->b_no, tag);
        break;
    case TRICK_LATER:
        say(w, p->b_later, tag);
        break;
    case TRICK_ODD:
        say(w, p->b_odd, tag);
        break;
    case TRICK_ENDLESS:
        endless(w);
        break;
    case TRICK_BEHIND:
        say(w, p->b_go, tag);
        say_behind(w);
        w->link.wants_tls = true;
        break;
    case TRICK_NONE:
    case TRICK_NOISE:
    case TRICK_GREETING:
    case TRICK_NO_TLS:
    case TRICK_NO_LIST:
    case TRICK_UPGRADING:
        say(w, p->b_go, tag);
        w->link.wants_tls = true;
        break;
    }
}

static bool is(struct hb_span word, const char *name)
{
    return word.len == strlen(name) &&
           (word.len == 0 || strncasecmp((const char *)word.p, name, word.len) == 0);
}

static struct hb_span word(struct hb_span *rest)
{
    size_t n = 0;

    while (n < rest->len && rest->p[n] != ' ') {
        n++;
    }
    struct hb_span head = hb_span_head(*rest, n);
    *rest = hb_span_skip(*rest, n + 1 < rest->len ? n + 1 : rest->len);
    return head;
}

static void command(struct world *w, struct hb_span line)
{
    const struct words *p = w->words;
    struct hb_span tag = p->tagged ? word(&line) : hb_span(NULL, 0);
    struct hb_span verb = word(&line);
    const struct reply *r = p->replies;

    if (!w->link.secured && w->row->trick == TRICK_NOISE) {
        say(w, p->b_noise, tag);
    }
    if (!w->link.secured && (is(verb, "STARTTLS") || is(verb, "STLS"))) {
        starttls(w, tag);
        return;
    }
    if (w->row->trick == TRICK_NO_LIST && !w->link.refused_list) {
        w->link.refused_list = true;
        say(w, p->b_no, tag);
        return;
    }
    while (r->verb != NULL && !is(verb, r->verb)) {
        r++;
    }
    say(w, r->text, tag);
    if (!w->first_link_over && w->row->trick == TRICK_UPGRADING) {
        say_behind(w);
    }
}

static void lines(struct world *w)
{
    struct text *in = &w->link.in;
    size_t done = 0;

    for (size_t i = 0; i + 1 < in->len && !w->link.wants_tls; i++) {
        if (in->p[i] == '\r' && in->p[i + 1] == '\n') {
            command(w, hb_span(in->p + done, i - done));
            done = i + 2;
            i++;
        }
    }
    memmove(in->p, in->p + done, in->len - done);
    in->len -= done;
}

void server_reads(struct world *w, struct hb_span bytes)
{
    struct link *l = &w->link;
    struct hb_tls_event event;
    struct text plain = {0};

    if (!l->wants_tls) {
        text_add(&w->out->b_clear, bytes.p, bytes.len);
        text_add(&l->in, bytes.p, bytes.len);
        if (l->in.len > 0) {
            lines(w);
        }
        return;
    }
    if (w->row->trick == TRICK_NO_TLS) {
        say_behind(w);
        return;
    }
    if (l->server_tls == NULL) {
        l->server_tls = tls_new(false);
    }
    enum tls_result r = tls_run(l->server_tls, bytes, &l->from_server.t, &plain, &event);
    if (r == TLS_READY) {
        l->secured = true;
        say(w, w->words->b_inside, hb_span(NULL, 0));
    }
    text_add(&w->out->b_inside, plain.p, plain.len);
    text_add(&l->in, plain.p, plain.len);
    free(plain.p);
    if (l->secured && l->in.len > 0) {
        l->wants_tls = false;
        lines(w);
        l->wants_tls = true;
    }
}
