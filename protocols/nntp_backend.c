/* nntp_backend.c: NNTP (RFC 3977), the backend's side.
 *
 *   line -> code (takes its entry from the queue) -> single | list or article up to its dot | list, edited
 *
 * Whether lines follow is told by the code (RFC 3977 3.2), for 211 and 282 by the command it answers
 * (NNTP-03); text is never looked at, but for the lines behind CAPABILITIES' 101. A fresh link behind
 * STARTTLS hears MODE READER first, if the client had said it. Invariants: a reply that asks for more comes
 * only to a command that can be gone on with; nothing is accepted unasked but a goodbye. */
#include "nntp.h"

#include "dot.h"
#include "external.h"
#include "words.h"

static const struct hb_span no_tag = {NULL, 0};

static struct hb_nntp_state *state(struct hb_proto_session *s)
{
    return &s->u.nntp;
}

static enum hb_unit out_of_step(struct hb_proto_session *s)
{
    hb_nntp_bye(s, HB_BYE_BACKEND);
    return hb_end(s, s->backend_state == HB_BACKEND_GREETING ? HB_E_PROTO_BACKEND_GREETING
                                                             : HB_E_PROTO_BACKEND_REPLY);
}

static bool parse(struct hb_span line, unsigned *code)
{
    return hb_reply_code(line, " \t", code) && *code >= 100 && *code < 600;
}

/* ---- the greeting ---- */

static enum hb_unit refused(struct hb_proto_session *s)
{
    hb_nntp_bye(s, HB_BYE_BACKEND);
    return hb_end(s, HB_E_PROTO_BACKEND_REFUSED);
}

/* The answer to MODE READER, which the client had already: whatever it is, the session goes on, unless the
 * server goes away (RFC 3977 5.3). */
static enum hb_unit reader_again(struct hb_proto_session *s, unsigned code)
{
    state(s)->told_reader = false;
    if (code == 400 || code == 502) {
        return refused(s);
    }
    s->backend_state = HB_BACKEND_UP;
    return HB_UNIT_NEXT;
}

static enum hb_unit greeting(struct hb_proto_session *s, struct hb_span line, unsigned code)
{
    if (state(s)->told_reader) {
        return reader_again(s, code);
    }
    if (code != 200 && code != 201) {
        return code >= 400 ? refused(s) : out_of_step(s);
    }
    if (hb_buf_len(&s->saved) > 0) { /* GEN-09 */
        hb_to_backend(s, hb_buf_span(&s->saved));
        hb_buf_clear(&s->saved, s->env);
        state(s)->told_reader = true;
        return HB_UNIT_NEXT;
    }
    s->backend_state = HB_BACKEND_UP;
    if (!s->greeted) {
        s->greeted = true;
        hb_line_to_client(s, line);
    }
    return HB_UNIT_NEXT;
}

/* ---- capabilities ---- */

/* A mechanism that may be listed. The list is the same behind the login as before, so that a client can tell
 * whether somebody had edited it (RFC 4643 2.1). */
static bool listed(const struct hb_proto_session *s, struct hb_span mech, bool plus)
{
    return hb_keep_mechanism(s, mech, plus) && (s->secured || s->set->plaintext_auth || !hb_mech_plain(mech));
}

static void say_mechanisms(struct hb_proto_session *s, struct hb_span list)
{
    bool plus = hb_hides_scram(s, hb_offers_plus(list));
    bool any = false;

    while (list.len > 0) {
        struct hb_span mech = hb_word_loose(&list);
        if (hb_plain_word(mech) && listed(s, mech, plus)) {
            hb_to_client(s, hb_span_str(any ? " " : "SASL "));
            hb_to_client(s, mech);
            any = true;
        }
    }
    if (hb_external_ours(s)) { /* behind the login, too */
        hb_to_client(s, hb_span_str(any ? " EXTERNAL" : "SASL EXTERNAL"));
        any = true;
    }
    if (any) {
        hb_to_client(s, hb_span_str("\r\n"));
        state(s)->lists_mechanisms = true;
    }
}

static void note_authinfo(struct hb_nntp_state *t, struct hb_span list)
{
    t->lists_authinfo = true;
    while (list.len > 0) {
        struct hb_span variant = hb_word_loose(&list);
        t->lists_user = t->lists_user || hb_span_is(variant, "USER");
        t->lists_sasl = t->lists_sasl || hb_span_is(variant, "SASL");
    }
}

/* What could not be said before the whole list was seen: AUTHINFO SASL goes with mechanisms only, and without
 * anything it says that there is a login, but not here (RFC 4643 2.1). */
static void end_list(struct hb_proto_session *s)
{
    struct hb_nntp_state *t = state(s);

    if (!t->lists_mechanisms && hb_external_ours(s)) {
        say_mechanisms(s, hb_span(NULL, 0));
        t->lists_authinfo = true;
    }
    t->lists_sasl = t->lists_sasl || hb_external_ours(s);
    if (t->lists_authinfo && !s->authenticated) {
        hb_to_client(s, hb_span_str("AUTHINFO"));
        hb_to_client(s, hb_span_str(t->lists_user && !hb_hide_passwords(s) ? " USER" : ""));
        hb_to_client(s, hb_span_str(t->lists_sasl && t->lists_mechanisms ? " SASL" : ""));
        hb_to_client(s, hb_span_str("\r\n"));
    }
    if (hb_offer_starttls(s)) {
        hb_say(s, no_tag, "STARTTLS");
    }
    t->multi = false;
    t->list = false;
}

static bool dropped(const struct hb_proto_session *s, struct hb_span name)
{
    return hb_span_is(name, "STARTTLS") || (s->secured && hb_span_is(name, "MODE-READER")) ||
           (hb_span_is(name, "COMPRESS") && !(s->secured && s->authenticated));
}

static enum hb_unit list_line(struct hb_proto_session *s, struct hb_span line)
{
    struct hb_span rest = line;
    struct hb_span name = hb_word_loose(&rest);

    if (hb_span_is(line, ".")) {
        end_list(s);
    } else if (hb_span_is(name, "AUTHINFO")) {
        note_authinfo(state(s), rest);
        return HB_UNIT_NEXT;
    } else if (hb_span_is(name, "SASL")) {
        say_mechanisms(s, rest);
        return HB_UNIT_NEXT;
    } else if (dropped(s, name)) {
        return HB_UNIT_NEXT;
    }
    state(s)->streaming = state(s)->streaming || hb_span_is(name, "STREAMING");
    hb_line_to_client(s, line);
    return HB_UNIT_NEXT;
}

/* ---- replies ---- */

/* NNTP-03: lines up to a dot follow. */
static bool lines_follow(uint8_t kind, unsigned code)
{
    static const uint16_t codes[] = {100, 101, 215, 220, 221, 222, 224, 225, 230, 231};

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (codes[i] == code) {
            return true;
        }
    }
    return kind == HB_NNTP_LISTING && (code == 211 || code == 282);
}

/* One that asks for more must be to a command that can be gone on with, and a list that shall be edited to
 * the command that asks for it. A server that seems to say anything else is out of step with us. */
static bool expected(uint8_t kind, unsigned code)
{
    switch (code / 100 == 3 ? code : code == 101 ? 101u : 0u) {
    case 0:
        return code != 206 || kind == HB_NNTP_COMPRESS;
    case 101:
        return kind == HB_NNTP_CAPABILITIES;
    case 335:
        return kind == HB_NNTP_IHAVE;
    case 340:
        return kind == HB_NNTP_POST;
    case 381:
        return kind == HB_NNTP_USER;
    case 383:
        return kind == HB_NNTP_SASL;
    default:
        return false;
    }
}

/* What a reply changes; true: from here on nobody looks any more. */
static bool replied(struct hb_proto_session *s, uint8_t kind, unsigned code)
{
    struct hb_nntp_state *t = state(s);
    bool ok = code >= 200 && code < 300;

    t->reply_due = t->reply_due && !hb_nntp_decides(kind);
    if (code == 481 && (kind == HB_NNTP_USER || kind == HB_NNTP_SASL)) { /* RFC 4643 2.3, 2.4 */
        hb_login_failed(s, hb_span(NULL, 0));
    }
    switch ((enum hb_nntp_kind)kind) {
    case HB_NNTP_CAPABILITIES:
        t->list = code == 101;
        t->streaming = t->streaming && !t->list; /* anew, from the list */
        t->lists_authinfo = t->lists_user = t->lists_sasl = t->lists_mechanisms = false;
        break;
    case HB_NNTP_USER:
        if (ok) {
            hb_logged_in(s);
        }
        break;
    case HB_NNTP_SASL:
        t->sasl = false;
        t->sasl_due = false;
        s->external = HB_EXT_NONE;
        if (ok) {
            hb_logged_in(s);
        }
        return ok && t->layered && s->secured;
    case HB_NNTP_POST:
    case HB_NNTP_IHAVE:
        t->article = code == 340 || code == 335;
        t->dot = HB_DOT_LINE_START;
        t->refusal = NULL;
        break;
    case HB_NNTP_READER:
        t->reader = t->reader || ok;
        t->streaming = t->streaming && !ok; /* another server may stand there now (RFC 3977 5.3) */
        break;
    case HB_NNTP_STREAM:
        t->streaming = t->streaming || code == 203;
        break;
    case HB_NNTP_COMPRESS:
        return code == 206;
    case HB_NNTP_QUIT:
        s->backend_said_bye = true;
        break;
    case HB_NNTP_OTHER:
    case HB_NNTP_LISTING:
    case HB_NNTP_ARTICLE:
        break;
    }
    return false;
}

static enum hb_unit reply(struct hb_proto_session *s, struct hb_span line)
{
    struct hb_nntp_state *t = state(s);
    uint8_t kind = hb_replyq_front(&s->queue);
    unsigned code;

    if (!parse(line, &code)) {
        return out_of_step(s);
    }
    if (s->backend_state == HB_BACKEND_GREETING) {
        return greeting(s, line, code);
    }
    if (kind == 0 ? code < 400 : !expected(kind, code)) {
        return out_of_step(s);
    }
    if (code == 383 && hb_external_forwarded(s)) {
        hb_external_answer(s, "");
        return HB_UNIT_NEXT;
    }
    if (code == 281 && (kind == HB_NNTP_USER || kind == HB_NNTP_SASL)) {
        hb_line_with_warning(s, line);
    } else {
        hb_line_to_client(s, line);
    }
    if (kind == 0 || code == 400) { /* NNTP-12: the server goes away */
        return hb_end(s, HB_E_PROTO_BACKEND_LOST);
    }
    if (code == 383) {
        t->sasl_due = true; /* the exchange goes on: its command is not answered yet */
        return HB_UNIT_NEXT;
    }
    hb_replyq_drop_front(&s->queue, s->env);
    t->multi = lines_follow(kind, code);
    t->backend_dot = HB_DOT_LINE_START;
    if (!replied(s, kind, code)) {
        return HB_UNIT_NEXT;
    }
    return s->bye_due ? hb_end(s, HB_E_GW_SHUTDOWN) : HB_UNIT_OPAQUE;
}

/* A list or an article: passes as it is up to its final dot, bare newlines and all. */
static enum hb_unit pass_lines(struct hb_proto_session *s, struct hb_span *in)
{
    if (in->len == 0) {
        return HB_UNIT_MORE;
    }
    struct hb_dot_result r = hb_dot_scan(&state(s)->backend_dot, *in, false);
    hb_to_client(s, hb_span_head(*in, r.used));
    *in = hb_span_skip(*in, r.used);
    state(s)->multi = !r.end;
    return HB_UNIT_NEXT;
}

enum hb_unit hb_nntp_backend(struct hb_proto_session *s, struct hb_span *in)
{
    struct hb_nntp_state *t = state(s);
    struct hb_span line;

    if (t->multi && !t->list) {
        return pass_lines(s, in);
    }
    enum hb_unit unit = hb_backend_line(s, in, &line);
    if (unit != HB_UNIT_NEXT) {
        return unit;
    }
    unit = t->list ? list_line(s, line) : reply(s, line);
    hb_backend_done(s, in);
    return unit;
}
