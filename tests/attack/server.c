/* server.c: the backend of a run: answers from the table of its protocol, and what the network makes of its
 * words in clear (enum trick). It keeps all that it hears, apart by whether it came in clear.
 * An answer that begins with "+", 334 or 383 wants a line, or the literal that was announced; one that begins
 * with 354, 340 or 335 wants content; {n+} and BDAT bring their octets unasked. */
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
    words_expand(w->words, w->row->behind != NULL ? w->row->behind : "", &t);
    text_add(&w->link.from_server.t, t.p, t.len);
    w->clear_said += w->first_link_over ? 0 : t.len;
    free(t.p);
}

/* The go-ahead, before STARTTLS could be said: `due` is what the gateway says next. */
static void go_early(struct world *w, const char *due)
{
    const char *tag = w->words->tagged ? due : "";
    const char *end = strchr(due, '\n');

    if (w->row->trick == TRICK_EARLY && end != NULL && end[1] == 0 && !w->link.went_early) {
        w->link.went_early = true;
        w->behind_at = w->clear_said;
        say(w, w->words->b_go, hb_span(tag, strcspn(tag, " ")));
    }
}

void server_greets(struct world *w)
{
    w->link.wants_tls = (w->row->flags & B_IMPLICIT) != 0;
    if (w->row->trick == TRICK_GREETING) {
        say_behind(w);
    } else if (!w->link.wants_tls) {
        say(w, w->words->b_greeting, hb_span(NULL, 0));
    }
    go_early(w, w->words->dial_clear != NULL ? w->words->dial_clear : "");
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
    case TRICK_EARLY:
    case TRICK_ANSWER:
    case TRICK_DIES:
    case TRICK_STRANGER:
    case TRICK_FLOOD:
    case TRICK_RETRY:
    case TRICK_TWICE:
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

/* The n of {n} or {n+} at the line's end; false: there is none. */
static bool literal(struct hb_span line, size_t *n, bool *unasked)
{
    size_t at = line.len;

    while (at > 0 && line.p[at - 1] != '{') {
        at--;
    }
    if (at == 0 || line.p[line.len - 1] != '}') {
        return false;
    }
    *unasked = line.p[line.len - 2] == '+';
    *n = strtoul((const char *)line.p + at, NULL, 10);
    return true;
}

static bool begins(const char *text, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strncmp(text, *words, strlen(*words)) == 0) {
            return true;
        }
    }
    return false;
}

/* What comes of a command whose answer is text. */
static void answer(struct world *w, struct hb_span line, struct hb_span tag, const char *text)
{
    static const char *const asks[] = {"+ ", "334 ", "383 ", NULL};
    static const char *const takes[] = {"354 ", "340 ", "335 ", NULL};
    struct link *l = &w->link;
    size_t n = 0;
    bool unasked = false;
    bool has_literal = literal(line, &n, &unasked);

    l->tag.len = 0;
    text_add(&l->tag, tag.p, tag.len);
    if (has_literal && unasked) {
        l->octets = n;
        l->due = text;
        return;
    }
    if (begins(text, asks)) {
        l->octets = has_literal ? n : 0;
        l->due = w->words->b_unknown;
    }
    l->data = begins(text, takes);
    say(w, text, tag);
}

static bool asks_for_tls(const struct world *w, struct hb_span verb)
{
    const char *asked = w->words->b_asked;
    bool dials = (w->row->flags & B_STARTTLS) != 0;

    return !w->link.secured &&
           (asked != NULL ? dials && is(verb, asked) : is(verb, "STARTTLS") || is(verb, "STLS"));
}

static bool tricked(struct world *w)
{
    bool mine = w->row->trick == TRICK_ANSWER || w->row->trick == TRICK_DIES;

    if (!mine || w->link.tricked) {
        return false;
    }
    w->link.tricked = true;
    say_behind(w);
    w->link.ends = w->row->trick == TRICK_DIES;
    return true;
}

static void command(struct world *w, struct hb_span line)
{
    const struct words *p = w->words;
    struct hb_span whole = line;
    struct hb_span tag = p->tagged ? word(&line) : hb_span(NULL, 0);
    struct hb_span verb = word(&line);
    const struct reply *r = p->replies;

    if (w->link.ends || tricked(w)) {
        return;
    }
    if (!w->link.secured && w->row->trick == TRICK_NOISE) {
        say(w, p->b_noise, tag);
    }
    if (asks_for_tls(w, verb)) {
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
    answer(w, whole, tag, r->text);
    if (is(verb, "BDAT")) {
        w->link.octets = strtoul((const char *)line.p, NULL, 10);
    }
    if (!w->first_link_over && w->row->trick == TRICK_UPGRADING) {
        say_behind(w);
    }
    if (p->dial_clear != NULL) {
        go_early(w, strchr(p->dial_clear, '\n') + 1);
    }
}

/* A line that is no command, or one that is. */
static void heard(struct world *w, struct hb_span line)
{
    struct link *l = &w->link;
    const char *due = l->due;

    if (l->data) {
        if (line.len == 1 && line.p[0] == '.') {
            l->data = false;
            say(w, w->words->b_taken, hb_span(NULL, 0));
        }
    } else if (due != NULL) {
        l->due = NULL;
        say(w, due, hb_span(l->tag.p, l->tag.len));
    } else {
        command(w, line);
    }
}

static void lines(struct world *w)
{
    struct text *in = &w->link.in;
    size_t done = 0;

    for (size_t i = 0; i < in->len && !w->link.wants_tls;) {
        if (w->link.octets > 0) {
            size_t n = in->len - i < w->link.octets ? in->len - i : w->link.octets;
            w->link.octets -= n;
            i += n;
            done = i;
        } else if (i + 1 < in->len && in->p[i] == '\r' && in->p[i + 1] == '\n') {
            size_t from = done;
            i += 2;
            done = i;
            heard(w, hb_span(in->p + from, i - 2 - from));
        } else {
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
        l->server_tls = tls_new(w->row->trick == TRICK_STRANGER ? END_OTHER_BACKEND : END_BACKEND);
    }
    enum tls_result r = tls_run(l->server_tls, bytes, &l->from_server.t, &plain, &event);
    if (r == TLS_READY) {
        l->secured = true;
        bool first = (w->row->flags & B_IMPLICIT) != 0;
        if (w->row->trick == TRICK_FLOOD) {
            tls_flood(l->server_tls, &l->from_server.t);
        }
        say(w, first ? w->words->b_greeting : w->words->b_inside, hb_span(NULL, 0));
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
