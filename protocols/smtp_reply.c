/* smtp_reply.c: the backend's side of SMTP and LMTP: replies by count, never by text (SMTP-02), and EHLO's
 * list edited.
 *
 * A reply is lines "ddd-text" and a last "ddd text" or "ddd". EHLO's lines are
 * held back one line: only when it is known whether another follows can "-" or
 * " " be written (SMTP-11). */
#include "smtp.h"

#include "dot.h"
#include "external.h"
#include "words.h"

static struct hb_smtp_state *state(struct hb_proto_session *s)
{
    return &s->u.smtp;
}

/* ---- EHLO ---- */

static void flush_held_back(struct hb_proto_session *s, bool more)
{
    struct hb_span text = hb_buf_span(&s->saved);

    if (text.len == 0) {
        return;
    }
    hb_to_client(s, hb_span_str(more ? "250-" : "250 "));
    hb_line_to_client(s, hb_span_skip(text, 1)); /* a mark stands before the text, which may be empty */
    hb_buf_clear(&s->saved, s->env);
}

static bool hold_back(struct hb_proto_session *s, struct hb_span text)
{
    return hb_buf_add(&s->saved, s->env, hb_span_str("=")) == HB_OK &&
           hb_buf_add(&s->saved, s->env, text) == HB_OK;
}

/* "AUTH mech ..." or "AUTH=mech ...", the head and the list: without mechanisms that cannot or must not be
 * used; no line if none is left (SMTP-12). */
static bool hold_back_auth(struct hb_proto_session *s, const char *head, struct hb_span list)
{
    bool plus = hb_hides_scram(s, hb_offers_plus(list));
    bool any = false;

    while (list.len > 0) {
        struct hb_span mech = hb_word_loose(&list);
        if (mech.len == 0 || !hb_keep_mechanism(s, mech, plus)) {
            continue;
        }
        if (!any) {
            flush_held_back(s, true);
        }
        if (!(any ? hb_buf_add(&s->saved, s->env, hb_span_str(" ")) == HB_OK
                  : hold_back(s, hb_span_str(head))) ||
            hb_buf_add(&s->saved, s->env, mech) != HB_OK) {
            return false;
        }
        any = true;
    }
    if (hb_external_added(s) && strcmp(head, "AUTH ") == 0) {
        if (!any) {
            flush_held_back(s, true);
        }
        if (!(any ? hb_buf_add(&s->saved, s->env, hb_span_str(" EXTERNAL")) == HB_OK
                  : hold_back(s, hb_span_str("AUTH EXTERNAL")))) {
            return false;
        }
        any = true;
    }
    state(s)->lists_auth = state(s)->lists_auth || (any && strcmp(head, "AUTH ") == 0);
    return true;
}

static bool dropped_keyword(struct hb_span word)
{
    static const char *const words[] = {"STARTTLS", "XCLIENT", "XFORWARD", "ATRN", "TURN", "REQUIRETLS"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (hb_span_is(word, words[i])) {
            return true; /* REQUIRETLS: the backend's link is not TLS (SMTP-13) */
        }
    }
    return false;
}

static bool offers_login(struct hb_span word, struct hb_span rest)
{
    bool found = false;

    while (hb_span_is(word, "XCLIENT") && rest.len > 0) {
        found = hb_span_is(hb_word_loose(&rest), "LOGIN") || found;
    }
    return found;
}

static enum hb_unit ehlo_line(struct hb_proto_session *s, struct hb_span text, bool first, bool last)
{
    struct hb_span rest = text;
    struct hb_span word = hb_word_loose(&rest);
    bool ok = true;

    state(s)->lists_auth = !first && state(s)->lists_auth;
    if (first) {
        hb_buf_clear(&s->saved, s->env); /* the name of the hello before */
    }
    state(s)->xlogin = !first && (state(s)->xlogin || offers_login(word, rest));
    state(s)->chunking = !first && (state(s)->chunking || hb_span_is(word, "CHUNKING"));
    if (!first && hb_span_is(word, "AUTH")) {
        ok = hold_back_auth(s, "AUTH ", rest);
    } else if (!first && hb_has_prefix(word, "AUTH=")) {
        ok = hold_back_auth(s, "AUTH=", hb_span_skip(text, (size_t)(word.p - text.p) + 5));
    } else if (first || !dropped_keyword(word)) {
        flush_held_back(s, true);
        ok = hold_back(s, text);
    }
    if (ok && last && !state(s)->lists_auth) {
        ok = hold_back_auth(s, "AUTH ", hb_span(NULL, 0));
    }
    if (ok && last && hb_offer_starttls(s)) {
        flush_held_back(s, true);
        ok = hold_back(s, hb_span_str("STARTTLS"));
    }
    if (last) {
        flush_held_back(s, false);
        ok = ok && hb_buf_add(&s->saved, s->env, hb_replyq_front_tag(&s->queue)) == HB_OK; /* for XCLIENT */
    }
    return ok ? HB_UNIT_NEXT : hb_end(s, HB_E_NO_MEMORY);
}

/* ---- replies ---- */

static enum hb_unit greeting(struct hb_proto_session *s, struct hb_span line, unsigned code, bool last)
{
    if (code != 220) {
        hb_smtp_bye(s, HB_BYE_BACKEND);
        return hb_end(s, HB_E_PROTO_BACKEND_REFUSED);
    }
    if (!s->greeted) {
        hb_line_to_client(s, line);
    }
    if (last) {
        s->greeted = true;
        s->backend_state = HB_BACKEND_UP;
    }
    return HB_UNIT_NEXT;
}

/* The reply to a command is whole: what it changes. */
static void replied(struct hb_proto_session *s, enum hb_smtp_kind kind, unsigned code)
{
    struct hb_smtp_state *t = state(s);
    bool ok = code >= 200 && code < 300;

    if (kind == HB_SMTP_AUTH && code == 334) {
        if (hb_external_forwarded(s)) {
            hb_external_answer(s, "");
        } else {
            t->sasl_due = true;
        }
        return; /* the exchange goes on: its command is not answered yet */
    }
    if (kind == HB_SMTP_CONTENT && t->content_due > 1) {
        t->content_due--; /* LMTP-02: one reply a recipient */
        return;
    }
    hb_replyq_drop_front(&s->queue, s->env);
    switch (kind) {
    case HB_SMTP_EHLO:
    case HB_SMTP_HELO:
        t->helo_seen = t->helo_seen || ok;
        t->ehlo_seen = ok ? kind == HB_SMTP_EHLO : t->ehlo_seen;
        t->mail = t->mail && !ok;
        t->recipients = ok ? 0 : t->recipients;
        break;
    case HB_SMTP_MAIL:
        t->mail = t->mail || ok;
        t->recipients = ok ? 0 : t->recipients;
        break;
    case HB_SMTP_RCPT:
        t->recipients += ok && t->recipients < UINT32_MAX;
        break;
    case HB_SMTP_DATA:
        t->data_due = false;
        t->data = code == 354;
        t->dot = HB_DOT_LINE_START;
        break;
    case HB_SMTP_AUTH:
        t->sasl = false;
        t->sasl_due = false;
        s->external = HB_EXT_NONE;
        if (code == 235) {
            hb_logged_in(s);
        } else if (code == 535) { /* RFC 4954 6; others are about mechanisms, and a server in trouble */
            hb_login_failed(s, hb_span(NULL, 0));
        }
        break;
    case HB_SMTP_RSET:
    case HB_SMTP_CONTENT:
    case HB_SMTP_UNASKED:
        t->mail = false;
        t->recipients = 0;
        break;
    case HB_SMTP_QUIT:
        s->backend_said_bye = true;
        break;
    case HB_SMTP_OTHER:
    case HB_SMTP_XCLIENT:
    case HB_SMTP_XHELLO:
        break;
    }
}

/* What this reply may be: one that asks for more only where a command can be gone on with, and unasked only a
 * goodbye (SMTP-02: 421; some say 451). A server that seems to say anything else is out of step with us, and
 * only closing is safe then. */
static bool expected(const struct hb_proto_session *s, uint8_t kind, unsigned code)
{
    if (code >= 300 && code < 400) {
        bool content = kind == HB_SMTP_DATA && code == 354;
        bool for_nobody = s->row->lmtp && s->u.smtp.recipients == 0; /* RFC 2033 4.2 wants 503 */
        return (kind == HB_SMTP_AUTH && code == 334) || (content && !for_nobody);
    }
    return kind != 0 || code >= 400;
}

static enum hb_unit reply_line(struct hb_proto_session *s, struct hb_span line)
{
    struct hb_smtp_state *t = state(s);
    struct hb_span text;
    unsigned code;
    bool last;

    bool in_greeting = s->backend_state == HB_BACKEND_GREETING;
    uint8_t kind = hb_replyq_front(&s->queue);
    if (!hb_smtp_reply_line(line, &code, &last, &text) || (t->in_reply != 0 && t->in_reply != code) ||
        (!in_greeting && !expected(s, kind, code))) {
        hb_smtp_bye(s, HB_BYE_BACKEND);
        return hb_end(s, in_greeting ? HB_E_PROTO_BACKEND_GREETING : HB_E_PROTO_BACKEND_REPLY);
    }
    bool ours = kind == HB_SMTP_UNASKED || kind == HB_SMTP_XCLIENT || kind == HB_SMTP_XHELLO;
    bool first = t->in_reply == 0;
    t->in_reply = last ? 0 : (uint16_t)code;
    if (in_greeting) {
        return greeting(s, line, code, last);
    }
    if (kind == HB_SMTP_EHLO && code == 250) {
        enum hb_unit unit = ehlo_line(s, text, first, last);
        if (unit != HB_UNIT_NEXT) {
            return unit;
        }
    } else if (kind == HB_SMTP_AUTH && code == 235 && last) {
        hb_line_with_warning(s, line);
    } else if (hb_external_forwarded(s) && code == 334) {
        /* for us */
    } else if (!ours || code == 421) {
        hb_line_to_client(s, line);
    }
    if (last && code != 421 && (kind == HB_SMTP_XCLIENT || kind == HB_SMTP_XHELLO)) {
        return hb_smtp_xclient_replied(s, (enum hb_smtp_kind)kind, code);
    }
    if (last && kind != 0) {
        replied(s, (enum hb_smtp_kind)kind, code);
    }
    bool goodbye = last && (code == 421 || kind == 0); /* SMTP-20 */
    return goodbye ? hb_end(s, HB_E_PROTO_BACKEND_LOST) : HB_UNIT_NEXT;
}

enum hb_unit hb_smtp_backend(struct hb_proto_session *s, struct hb_span *in)
{
    struct hb_span line;

    enum hb_unit unit = hb_backend_line(s, in, &line);
    if (unit != HB_UNIT_NEXT) {
        return unit;
    }
    unit = reply_line(s, line);
    hb_backend_done(s, in);
    bool quiet = s->queue.num == 0 && !state(s)->data && state(s)->bdat == 0;
    if (unit == HB_UNIT_NEXT && s->bye_due && quiet) {
        return hb_say_bye_now(s);
    }
    return unit;
}
