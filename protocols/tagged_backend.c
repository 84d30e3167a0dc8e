/* tagged_backend.c: the backend's half of the machine behind IMAP and ACAP.
 *
 *   line -> greeting | "+" | tagged (takes its entry from the queue) | untagged; literals pass
 *
 * Lines that are looked at or edited are kept whole; what follows a literal, and long lines of data, pass as
 * they come. How the bytes were cut never changes what the client gets.
 * Invariants: octets of a literal are never looked at; a "+" permits exactly one literal or one line of an
 * exchange; after login inside TLS, with nothing outstanding, the session becomes opaque. */
#include "tagged.h"

#include "words.h"

#define STREAM_FROM 16384u /* longer lines of data pass as they come */

static struct hb_tagged_state *state(struct hb_proto_session *s)
{
    return &s->u.tagged;
}

/* The client has seen the beginning of a line of the backend, and not its end: what we say ourselves would
 * stand inside it. */
bool hb_tagged_busy(const struct hb_proto_session *s)
{
    const struct hb_tagged_state *t = &s->u.tagged;

    return s->backend_state == HB_BACKEND_UP &&
           (t->backend_literal > 0 || t->streaming || t->backend_continues);
}

static void command_answered(struct hb_proto_session *s, uint8_t kind, struct hb_span status,
                             struct hb_span text, bool newest)
{
    struct hb_tagged_state *t = state(s);

    if (kind == HB_KIND_LOGIN || kind == HB_KIND_EXCHANGE) {
        /* IDLE is an exchange, too, but only after login, when this is true already */
        bool first = !s->authenticated && hb_span_is(status, "OK");
        if (first) {
            hb_logged_in(s);
        }
        if (first && hb_warns(s)) {
            hb_say(s, hb_span(NULL, 0), s->row->dialect->texts->alert);
        }
        if (hb_span_is(status, "NO")) { /* BAD is no verdict on a password */
            hb_login_failed(s, text);
        }
    }
    if (kind == HB_KIND_LOGOUT) {
        s->backend_said_bye = true;
    }
    if (kind == HB_KIND_EXCHANGE) {
        t->exchange = false;
        t->line_due = false;
        s->external = HB_EXT_NONE;
    }
    if (t->await_literal && newest) { /* refused instead of "+": no octets come, or they are dropped */
        t->await_literal = false;
        t->continues = t->asked;
        t->client_literal = t->asked ? t->announced : 0;
        t->forward = false;
    }
}

static enum hb_unit backend_line(struct hb_proto_session *s, struct hb_span line)
{
    struct hb_tagged_state *t = state(s);
    struct hb_span rest = line;
    struct hb_span tag = hb_word_loose(&rest);

    if (s->backend_state == HB_BACKEND_GREETING) {
        return s->row->dialect->greeting(s, line);
    }
    if (hb_span_is(tag, "+")) {
        if (t->await_literal) {
            t->await_literal = false;
            t->client_literal = t->announced;
            if (t->asked) {
                return HB_UNIT_NEXT; /* the client does not wait for it */
            }
        } else if (hb_external_forwarded(s)) {
            s->row->dialect->answer(s);
            return HB_UNIT_NEXT;
        } else if (t->exchange) {
            t->line_due = true;
        }
        hb_line_to_client(s, line);
        return HB_UNIT_NEXT;
    }
    if (hb_span_is(tag, "*")) {
        s->backend_said_bye = s->backend_said_bye || hb_span_is(hb_word_loose(&rest), "BYE");
        s->row->dialect->pass(s, line);
        return HB_UNIT_NEXT;
    }
    struct hb_span status = hb_word_loose(&rest);
    bool last = hb_span_is(status, "OK") || hb_span_is(status, "NO") || hb_span_is(status, "BAD");
    bool newest = hb_replyq_last_is(&s->queue, tag);
    uint8_t kind = last ? hb_replyq_take(&s->queue, s->env, tag) : 0; /* ACAP has tagged lines in between */
    if (kind != 0) {
        newest = newest && !hb_replyq_last_is(&s->queue, tag); /* not an older command of the same tag */
        command_answered(s, kind, status, rest, newest);
    }
    s->row->dialect->pass(s, line);
    return HB_UNIT_NEXT;
}

bool hb_tagged_looks_on(const struct hb_proto_session *s)
{
    return s->row->dialect->unauthenticates && s->set->link_credential;
}

/* Inside TLS and logged in, with every reply passed: nothing can change any more (GEN-16). */
static bool may_be_opaque(const struct hb_proto_session *s)
{
    const struct hb_tagged_state *t = &s->u.tagged;

    return s->secured && s->authenticated && !hb_tagged_looks_on(s) && s->queue.num == 0 && !t->continues &&
           t->client_literal == 0 && t->backend_literal == 0 && !t->backend_continues;
}

static enum hb_unit pass_literal(struct hb_proto_session *s, struct hb_span *in)
{
    struct hb_tagged_state *t = state(s);
    struct hb_span part =
        hb_span_head(*in, t->backend_literal < SIZE_MAX ? (size_t)t->backend_literal : SIZE_MAX);

    if (part.len == 0) {
        return HB_UNIT_MORE;
    }
    hb_to_client(s, part);
    t->backend_literal -= part.len;
    *in = hb_span_skip(*in, part.len);
    return HB_UNIT_NEXT;
}

/* Keeps the end of a streamed line: a literal may be announced there. */
static void keep_tail(struct hb_tagged_state *t, struct hb_span bytes)
{
    if (bytes.len >= sizeof t->tail) {
        memcpy(t->tail, bytes.p + bytes.len - sizeof t->tail, sizeof t->tail);
        t->tail_len = sizeof t->tail;
        return;
    }
    size_t keep = sizeof t->tail - bytes.len < t->tail_len ? sizeof t->tail - bytes.len : t->tail_len;
    memmove(t->tail, t->tail + t->tail_len - keep, keep);
    memcpy(t->tail + keep, bytes.p, bytes.len);
    t->tail_len = (uint8_t)(keep + bytes.len);
}

/* A status, or "+". */
static bool is_status(struct hb_span line)
{
    static const char *const words[] = {"OK", "NO", "BAD", "BYE", "PREAUTH"};
    struct hb_span tag = hb_word_loose(&line);
    struct hb_span word = hb_word_loose(&line);

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (hb_span_is(word, words[i])) {
            return true;
        }
    }
    return hb_span_is(tag, "+");
}

/* Lines that are looked at, or edited, are kept whole; all others are data. */
static bool is_data(struct hb_span line)
{
    struct hb_span rest = line;

    (void)hb_word_loose(&rest);
    return !is_status(line) && !hb_span_is(hb_word_loose(&rest), "CAPABILITY");
}

static enum hb_unit line_over(struct hb_proto_session *s, struct hb_span line)
{
    struct hb_tagged_state *t = state(s);
    uint64_t size;
    enum hb_literal kind = hb_literal_announced(line, &size);

    if (kind == HB_LITERAL_BAD) {
        return hb_end(s, HB_E_PROTO_BACKEND_REPLY);
    }
    t->backend_continues = kind == HB_LITERAL_SYNC || kind == HB_LITERAL_PLUS;
    t->backend_literal = t->backend_continues ? size : 0;
    return may_be_opaque(s) ? HB_UNIT_OPAQUE : HB_UNIT_NEXT;
}

/* A line of data that is long, or goes on behind a literal: it passes as it comes. */
static enum hb_unit stream_line(struct hb_proto_session *s, struct hb_span *in)
{
    struct hb_tagged_state *t = state(s);
    const uint8_t *lf = in->len > 0 ? memchr(in->p, '\n', in->len) : NULL;
    struct hb_span part = lf != NULL ? hb_span(in->p, (size_t)(lf - in->p) + 1) : *in;

    if (part.len == 0) {
        return HB_UNIT_MORE;
    }
    hb_to_client(s, part);
    keep_tail(t, part);
    *in = hb_span_skip(*in, part.len);
    if (lf == NULL) {
        return HB_UNIT_NEXT;
    }
    struct hb_span line = hb_span(t->tail, t->tail_len);
    while (line.len > 0 && (line.p[line.len - 1] == '\n' || line.p[line.len - 1] == '\r')) {
        line.len--;
    }
    t->streaming = false;
    t->tail_len = 0;
    return line_over(s, line);
}

static enum hb_unit no_greeting(struct hb_proto_session *s)
{
    s->row->bye(s, HB_BYE_BACKEND);
    return hb_end(s, HB_E_PROTO_BACKEND_GREETING);
}

/* ACAP's greeting may hold literals: it is kept until it is whole (ACAP-02). */
static enum hb_unit collect_greeting(struct hb_proto_session *s, struct hb_span *in)
{
    struct hb_tagged_state *t = state(s);
    struct hb_span line;
    uint64_t size;

    if (t->backend_literal > 0) {
        struct hb_span part = hb_span_head(*in, (size_t)t->backend_literal);
        if (part.len == 0) {
            return HB_UNIT_MORE;
        }
        t->backend_literal -= part.len;
        *in = hb_span_skip(*in, part.len);
        return hb_buf_add(&s->saved, s->env, part) == HB_OK ? HB_UNIT_NEXT : no_greeting(s);
    }
    enum hb_unit unit = hb_backend_line(s, in, &line);
    if (unit != HB_UNIT_NEXT) {
        return unit;
    }
    enum hb_literal kind = hb_literal_announced(line, &size);
    bool more = kind == HB_LITERAL_SYNC || kind == HB_LITERAL_PLUS;
    if (hb_buf_add(&s->saved, s->env, line) != HB_OK ||
        (more && (size > HB_LINE_HARD_MAX || hb_buf_add(&s->saved, s->env, hb_span_str("\r\n")) != HB_OK))) {
        return no_greeting(s);
    }
    hb_backend_done(s, in);
    if (more) {
        t->backend_literal = size;
        return HB_UNIT_NEXT;
    }
    unit = s->row->dialect->greeting(s, hb_buf_span(&s->saved));
    hb_buf_clear(&s->saved, s->env);
    return unit;
}

/* A line of data that turns out to be long is let go at exactly STREAM_FROM bytes, however it was cut. */
static enum hb_unit begin_streaming(struct hb_proto_session *s, struct hb_span *in)
{
    struct hb_tagged_state *t = state(s);
    size_t have = hb_buf_len(&s->backend.part);
    struct hb_span line;

    if (s->backend_state != HB_BACKEND_UP || have >= STREAM_FROM || in->len < STREAM_FROM - have) {
        return HB_UNIT_NEXT;
    }
    struct hb_span head = hb_span_head(*in, STREAM_FROM - have);
    size_t len = head.len;
    if (memchr(head.p, '\n', len) != NULL) {
        return HB_UNIT_NEXT;
    }
    enum hb_unit unit = hb_backend_line(s, &head, &line);
    if (unit != HB_UNIT_MORE) {
        return unit;
    }
    *in = hb_span_skip(*in, len);
    struct hb_span part = hb_buf_span(&s->backend.part);
    if (is_data(part)) {
        hb_to_client(s, part);
        keep_tail(t, part);
        hb_line_clear(&s->backend, s->env);
        t->streaming = true;
    }
    return HB_UNIT_NEXT;
}

enum hb_unit hb_tagged_backend(struct hb_proto_session *s, struct hb_span *in)
{
    struct hb_tagged_state *t = state(s);
    struct hb_span line;

    if (s->backend_state == HB_BACKEND_GREETING && s->row->dialect->greeting_literals) {
        return collect_greeting(s, in);
    }
    if (t->backend_literal > 0) {
        return pass_literal(s, in);
    }
    if (t->streaming || t->backend_continues) {
        t->backend_continues = false;
        t->streaming = true;
        return stream_line(s, in);
    }
    enum hb_unit unit = begin_streaming(s, in);
    if (unit != HB_UNIT_NEXT || t->streaming) {
        return unit;
    }
    unit = hb_backend_line(s, in, &line);
    if (unit != HB_UNIT_NEXT) {
        return unit;
    }
    unit = backend_line(s, line);
    if (unit == HB_UNIT_NEXT) {
        bool text = s->row->dialect->status_is_text && is_status(line);
        unit = line_over(s, text ? hb_span(NULL, 0) : line);
    }
    hb_backend_done(s, in);
    return unit;
}
