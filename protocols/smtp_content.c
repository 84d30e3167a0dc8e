/* smtp_content.c: messages on their way to the backend: DATA up to its dot, BDAT by count (RFC 5321 4.1.1.4,
 * RFC 3030), and how many replies come behind them (RFC 2033 4.2).
 *
 * Content passes as spans of what was fed; nothing is kept and nothing is looked for in it but its end.
 * Invariants: the backend finds the end of a message where the session finds it; a chunk that goes nowhere is
 * eaten to its last octet before anything is answered. */
#include "smtp.h"

#include "dot.h"
#include "words.h"

static const struct hb_span no_tag = {NULL, 0};
static const char no_answer[] = ""; /* to a chunk for nobody */

static struct hb_smtp_state *state(struct hb_proto_session *s)
{
    return &s->u.smtp;
}

bool hb_smtp_parse_bdat(struct hb_span args, struct hb_smtp_bdat *b)
{
    b->digits = hb_word_loose(&args);
    b->size = 0;
    b->last = hb_span_is(hb_trim_end(args), "LAST");
    if (b->digits.len == 0 || b->digits.len > 18 || (args.len > 0 && !b->last)) {
        return false;
    }
    for (size_t i = 0; i < b->digits.len; i++) {
        if (b->digits.p[i] < '0' || b->digits.p[i] > '9') {
            return false;
        }
        b->size = b->size * 10 + (uint64_t)(b->digits.p[i] - '0');
    }
    return true;
}

enum hb_unit hb_smtp_refuse(struct hb_proto_session *s, const char *line)
{
    hb_say(s, no_tag, line);
    return hb_bad_command(s);
}

enum hb_unit hb_smtp_refuse_command(struct hb_proto_session *s, struct hb_span verb, struct hb_span args,
                                    const char *line)
{
    struct hb_smtp_bdat b;

    if (hb_span_is(verb, "BDAT") && hb_smtp_parse_bdat(args, &b) && b.size > 0) {
        state(s)->bdat = b.size;
        state(s)->bdat_answer = line;
        return HB_UNIT_NEXT;
    }
    return hb_smtp_refuse(s, line);
}

/* ---- chunks ---- */

/* What is outstanding now is a message's content; in LMTP nothing else is, so that the recipients are
 * known. */
static enum hb_code content_sent(struct hb_proto_session *s)
{
    struct hb_smtp_state *t = state(s);

    t->content_due = s->row->lmtp ? t->recipients : 1; /* LMTP-02 */
    return hb_replyq_add(&s->queue, s->env, HB_SMTP_CONTENT, no_tag);
}

/* LMTP-02: the last chunk of a message that no recipient was accepted for has no reply at all (RFC 2033 4.3);
 * since not every backend knows that, it gets RSET instead, and the chunk goes nowhere. */
static enum hb_unit last_chunk_for_nobody(struct hb_proto_session *s, uint64_t size)
{
    if (hb_replyq_add(&s->queue, s->env, HB_SMTP_UNASKED, no_tag) != HB_OK) {
        return hb_end(s, HB_E_NO_MEMORY);
    }
    hb_line_to_backend(s, hb_span_str("RSET"));
    state(s)->bdat = size;
    state(s)->bdat_answer = no_answer;
    return HB_UNIT_NEXT;
}

enum hb_unit hb_smtp_forward_chunk(struct hb_proto_session *s, struct hb_span args)
{
    struct hb_smtp_state *t = state(s);
    struct hb_smtp_bdat b;

    if (!hb_smtp_parse_bdat(args, &b)) {
        return HB_UNIT_NEXT; /* refused before */
    }
    if (s->row->lmtp && b.last) { /* how many replies come is known when every RCPT is answered */
        if (hb_smtp_busy(s)) {
            return HB_UNIT_WAIT;
        }
        if (!t->mail) {
            return hb_smtp_refuse_command(s, hb_span_str("BDAT"), args, "503 5.5.1 Send MAIL first");
        }
        if (t->recipients == 0) {
            return last_chunk_for_nobody(s, b.size);
        }
    }
    enum hb_code code = b.last ? content_sent(s) : hb_replyq_add(&s->queue, s->env, HB_SMTP_OTHER, no_tag);
    if (code != HB_OK) {
        return hb_end(s, code);
    }
    t->bdat = b.size;
    t->bdat_answer = NULL;
    hb_to_backend(s, hb_span_str("BDAT ")); /* written anew: this one cannot be read in two ways */
    hb_to_backend(s, b.digits);
    hb_line_to_backend(s, hb_span_str(b.last ? " LAST" : ""));
    return HB_UNIT_NEXT;
}

enum hb_unit hb_smtp_chunk(struct hb_proto_session *s, struct hb_span *in)
{
    struct hb_smtp_state *t = state(s);
    struct hb_span part = hb_span_head(*in, t->bdat < SIZE_MAX ? (size_t)t->bdat : SIZE_MAX);

    if (part.len == 0) {
        return HB_UNIT_MORE;
    }
    if (t->bdat_answer == NULL) {
        hb_to_backend(s, part);
    }
    t->bdat -= part.len;
    *in = hb_span_skip(*in, part.len);
    bool answer = t->bdat == 0 && t->bdat_answer != NULL && t->bdat_answer != no_answer;
    return answer ? hb_smtp_refuse(s, t->bdat_answer) : HB_UNIT_NEXT;
}

/* SMTP-06: a newline that is not CRLF might end the message for the backend, and what follows would be
 * commands nobody sent. Nothing more goes there; the rest is dropped and the session ends. */
static enum hb_unit drop_data(struct hb_proto_session *s, struct hb_span *in)
{
    struct hb_dot_result r = hb_dot_scan(&state(s)->dot, *in, false);

    *in = hb_span_skip(*in, r.used);
    if (!r.end) {
        return HB_UNIT_MORE;
    }
    hb_say(s, no_tag, "550 5.5.2 Bare <CR> or <LF> not allowed");
    hb_say(s, no_tag, "421 4.7.0 %h Closing transmission channel");
    return hb_end(s, HB_E_PROTO_BARE_NEWLINE);
}

enum hb_unit hb_smtp_data(struct hb_proto_session *s, struct hb_span *in)
{
    struct hb_smtp_state *t = state(s);

    if (in->len == 0) {
        return HB_UNIT_MORE;
    }
    if (t->bad_newline) {
        return drop_data(s, in);
    }
    struct hb_dot_result r = hb_dot_scan(&t->dot, *in, true);
    hb_to_backend(s, hb_span_head(*in, r.used));
    *in = hb_span_skip(*in, r.used);
    if (r.bare) {
        t->bad_newline = true;
        return HB_UNIT_NEXT;
    }
    if (!r.end) {
        return HB_UNIT_MORE;
    }
    t->data = false;
    enum hb_code code = content_sent(s);
    return code == HB_OK ? HB_UNIT_NEXT : hb_end(s, code);
}
