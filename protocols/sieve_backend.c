/* sieve_backend.c: ManageSieve (RFC 5804), the backend's side.
 *
 *   line, with its literals -> status (takes its entry from the queue) | line of a list, edited | data
 *
 * A status and a line of a list are kept until they are whole, literals and all, and only then said; scripts,
 * script names and challenges pass as they come. What is a list is known by the command it answers, so text
 * in a script is never edited (SEC-06). Invariants: `saved` holds one line at most; an entry leaves the queue
 * with its OK or NO alone; a challenge permits exactly one line of the client. */
#include "sieve.h"

#include "external.h"
#include "words.h"

#define TEXT_MAX 900u /* RFC 5804 4: a quoted string has 1024 octets at most */

static const struct hb_span no_tag = {NULL, 0};

static struct hb_sieve_state *state(struct hb_proto_session *s)
{
    return &s->u.sieve;
}

bool hb_sieve_midline(const struct hb_proto_session *s)
{
    const struct hb_sieve_state *t = &s->u.sieve;

    return (t->backend_continues || t->backend_literal > 0) && !t->collects;
}

static enum hb_unit out_of_step(struct hb_proto_session *s)
{
    if (s->backend_state != HB_BACKEND_GREETING) {
        return hb_end(s, HB_E_PROTO_BACKEND_REPLY);
    }
    s->row->bye(s, HB_BYE_BACKEND);
    return hb_end(s, HB_E_PROTO_BACKEND_GREETING);
}

/* ---- lists ---- */

static void offer_starttls(struct hb_proto_session *s)
{
    if (hb_offer_starttls(s)) {
        hb_say(s, no_tag, "\"STARTTLS\"");
    }
}

void hb_sieve_own_list(struct hb_proto_session *s)
{
    hb_say(s, no_tag, "\"IMPLEMENTATION\" \"hauberk\"");
    hb_say(s, no_tag, "\"SASL\" \"\"");
    hb_say(s, no_tag, "\"SIEVE\" \"\"");
    hb_say(s, no_tag, "\"VERSION\" \"1.0\"");
    offer_starttls(s);
    hb_say(s, no_tag, "OK \"%h ready\""); /* gnutls-cli waits for the space */
}

/* SIEVE-04: the mechanisms that may be seen now. Without any the line says so only where STARTTLS is offered
 * (RFC 5804 1.7), and is left out otherwise. */
static void say_mechanisms(struct hb_proto_session *s, struct hb_span mechs)
{
    bool plus = hb_hides_scram(s, hb_offers_plus(mechs));
    bool any = false;

    while (mechs.len > 0) {
        struct hb_span mech = hb_word_loose(&mechs);
        if (hb_plain_word(mech) && hb_keep_mechanism(s, mech, plus)) {
            hb_to_client(s, hb_span_str(any ? " " : "\"SASL\" \""));
            hb_to_client(s, mech);
            any = true;
        }
    }
    if (hb_external_added(s)) {
        hb_to_client(s, hb_span_str(any ? " EXTERNAL" : "\"SASL\" \"EXTERNAL"));
        any = true;
    }
    state(s)->lists_sasl = true;
    if (any) {
        hb_say(s, no_tag, "\"");
    } else if (hb_offer_starttls(s)) {
        hb_say(s, no_tag, "\"SASL\" \"\"");
    }
}

/* One capability, whole: a name, and perhaps a value (SIEVE-01). Names in any spelling. */
static bool list_line(struct hb_proto_session *s, struct hb_span line)
{
    struct hb_span rest = line;
    struct hb_span raw;
    struct hb_span name;
    struct hb_span value;

    if (!hb_take_string(&rest, &raw, &name) || (rest.len > 0 && rest.p[0] != ' ' && rest.p[0] != '\t')) {
        return false;
    }
    while (rest.len > 0 && (rest.p[0] == ' ' || rest.p[0] == '\t')) {
        rest = hb_span_skip(rest, 1);
    }
    if (hb_span_is(name, "STARTTLS") || hb_span_is(name, "XCLIENT")) { /* GEN-11, SEC-08 */
        return true;
    }
    if (!hb_span_is(name, "SASL")) {
        hb_line_to_client(s, line);
        return true;
    }
    if (!hb_take_string(&rest, &raw, &value) || hb_trim_end(rest).len > 0) {
        return false;
    }
    say_mechanisms(s, value);
    return true;
}

/* ---- statuses ---- */

/* A list is over: what is ours stands at its end. */
static void end_list(struct hb_proto_session *s)
{
    if (!state(s)->lists_sasl && hb_external_added(s)) {
        say_mechanisms(s, hb_span(NULL, 0));
    }
    state(s)->lists_sasl = false;
    offer_starttls(s);
}

static enum hb_unit greeting(struct hb_proto_session *s, struct hb_span line, struct hb_span word)
{
    if (!hb_span_is(word, "OK")) {
        s->row->bye(s, HB_BYE_BACKEND);
        return hb_end(s, HB_E_PROTO_BACKEND_REFUSED);
    }
    s->backend_state = HB_BACKEND_UP;
    s->greeted = true;
    end_list(s);
    hb_line_to_client(s, line);
    return HB_UNIT_NEXT;
}

/* What a command's end changes; true: nobody looks any more. */
static bool command_answered(struct hb_proto_session *s, uint8_t kind, bool ok, struct hb_span text)
{
    struct hb_sieve_state *t = state(s);

    if (kind == HB_SIEVE_AUTHENTICATE || kind == HB_SIEVE_UNAUTHENTICATE) {
        t->exchange = false;
        t->line_due = false;
        s->external = HB_EXT_NONE;
    }
    if (!ok) {
        if (kind == HB_SIEVE_AUTHENTICATE) {
            hb_login_failed(s, text);
        }
        return false;
    }
    if (kind == HB_SIEVE_CAPABILITY) {
        end_list(s);
    } else if (kind == HB_SIEVE_AUTHENTICATE) {
        hb_logged_in(s);
        return s->secured && t->layered;
    } else if (kind == HB_SIEVE_UNAUTHENTICATE) {
        s->authenticated = false;
    } else if (kind == HB_SIEVE_LOGOUT) {
        s->backend_said_bye = true;
    }
    return false;
}

/* The OK of a login in clear: the warning stands in its text, the last thing in it. */
static void login_to_client(struct hb_proto_session *s, struct hb_span line)
{
    bool text = line.len > 2 && line.p[line.len - 1] == '"';

    if (!hb_warns(s) || line.len > TEXT_MAX || !(text || line.len == 2)) {
        hb_line_to_client(s, line);
        return;
    }
    hb_to_client(s, text ? hb_span_head(line, line.len - 1) : line);
    hb_to_client(s, hb_span_str(text ? " (not encrypted: " : " \"not encrypted: "));
    hb_to_client(s, hb_span_str(HB_CLEAR_WARNING));
    hb_line_to_client(s, hb_span_str(text ? ")\"" : "\""));
}

static enum hb_unit status(struct hb_proto_session *s, struct hb_span line)
{
    struct hb_span rest = line;
    struct hb_span word = hb_word_loose(&rest);
    bool ok = hb_span_is(word, "OK");
    bool bye = hb_span_is(word, "BYE");
    uint8_t kind = hb_replyq_front(&s->queue);

    if (!ok && !bye && !hb_span_is(word, "NO")) {
        return out_of_step(s);
    }
    if (s->backend_state == HB_BACKEND_GREETING) {
        return greeting(s, line, word);
    }
    if (bye) { /* SIEVE-09; the backend closes */
        s->backend_said_bye = true;
        hb_line_to_client(s, line);
        return HB_UNIT_NEXT;
    }
    if (kind == 0 && !s->authenticated) { /* behind a login old servers push a list (SIEVE-06) */
        return out_of_step(s);
    }
    hb_replyq_drop_front(&s->queue, s->env);
    bool opaque = command_answered(s, kind, ok, rest) && s->queue.num == 0 && !s->bye_due;
    if (ok && kind == HB_SIEVE_AUTHENTICATE) {
        login_to_client(s, line);
    } else {
        hb_line_to_client(s, line);
    }
    return opaque ? HB_UNIT_OPAQUE : HB_UNIT_NEXT;
}

/* ---- the stream ---- */

static bool is_string(struct hb_span line)
{
    return line.len > 0 && (line.p[0] == '"' || line.p[0] == '{');
}

/* The first piece of a line says whether it is kept: statuses, and lines of lists. */
static void begin_line(struct hb_proto_session *s, struct hb_span head)
{
    struct hb_sieve_state *t = state(s);
    uint8_t kind = hb_replyq_front(&s->queue);

    t->collects = !is_string(head) || kind == HB_SIEVE_CAPABILITY || kind == 0 || hb_external_forwarded(s);
    if (t->collects && (t->echo || t->response)) {
        t->echo = t->response =
            false; /* nothing was asked: only BYE is right now, and no answer has a use any more */
        hb_buf_clear(&s->saved, s->env);
    }
}

static enum hb_unit line_over(struct hb_proto_session *s)
{
    struct hb_sieve_state *t = state(s);
    struct hb_span line = hb_buf_span(&s->saved);
    enum hb_unit unit = HB_UNIT_NEXT;

    if (!t->collects) {
        t->line_due = t->line_due || (t->exchange && hb_replyq_front(&s->queue) == HB_SIEVE_AUTHENTICATE);
    } else if (!is_string(line)) {
        unit = status(s, line);
    } else if (hb_external_forwarded(s)) { /* a challenge, for us */
        hb_external_answer(s, "\"");
    } else if ((s->backend_state == HB_BACKEND_UP && s->queue.num == 0 && !s->authenticated) ||
               !list_line(s, line)) {
        unit = out_of_step(s);
    }
    if (t->collects) {
        t->collects = false;
        hb_buf_clear(&s->saved, s->env);
    }
    if (unit == HB_UNIT_NEXT && s->bye_due && !s->backend_said_bye && !s->row->bye_later(s)) {
        return hb_say_bye_now(s);
    }
    return unit;
}

static enum hb_unit keep(struct hb_proto_session *s, struct hb_span bytes)
{
    enum hb_code code = hb_buf_add(&s->saved, s->env, bytes);

    return code == HB_OK ? HB_UNIT_NEXT : code == HB_E_NO_MEMORY ? hb_end(s, code) : out_of_step(s);
}

static enum hb_unit literal(struct hb_proto_session *s, struct hb_span *in)
{
    struct hb_sieve_state *t = state(s);
    struct hb_span part = hb_span_head(*in, t->backend_literal);
    enum hb_unit unit = HB_UNIT_NEXT;

    if (part.len == 0) {
        return HB_UNIT_MORE;
    }
    if (t->collects) {
        unit = keep(s, part);
    } else {
        hb_to_client(s, part);
    }
    t->backend_literal -= (uint32_t)part.len;
    *in = hb_span_skip(*in, part.len);
    return unit;
}

/* One line, or what stands between two literals of it. */
static enum hb_unit piece(struct hb_proto_session *s, struct hb_span line)
{
    struct hb_sieve_state *t = state(s);
    uint64_t size;
    enum hb_literal announced = hb_literal_announced(line, &size);
    bool more = announced == HB_LITERAL_SYNC || announced == HB_LITERAL_PLUS;
    enum hb_unit unit = HB_UNIT_NEXT;

    if (!t->backend_continues) {
        begin_line(s, line);
    }
    if (announced == HB_LITERAL_BAD || size > (t->collects ? HB_LINE_HARD_MAX : UINT32_MAX)) {
        return out_of_step(s);
    }
    if (t->collects) {
        unit = keep(s, line);
        if (unit == HB_UNIT_NEXT && more) {
            unit = keep(s, hb_span_str("\r\n"));
        }
    } else {
        hb_line_to_client(s, line);
    }
    t->backend_continues = more;
    t->backend_literal = more ? (uint32_t)size : 0;
    return unit == HB_UNIT_NEXT && !more ? line_over(s) : unit;
}

enum hb_unit hb_sieve_backend(struct hb_proto_session *s, struct hb_span *in)
{
    struct hb_span line;

    if (state(s)->backend_literal > 0) {
        return literal(s, in);
    }
    enum hb_unit unit = hb_backend_line(s, in, &line);
    if (unit != HB_UNIT_NEXT) {
        return unit;
    }
    unit = piece(s, line);
    hb_backend_done(s, in);
    return unit;
}
