/* smtp_external.c: AUTH EXTERNAL of SMTP and LMTP (external.h; RFC 4954 4), and XCLIENT LOGIN.
 *
 *   response judged -> AUTH PLAIN as the master user, whose verdict is the client's
 *                   -> or XCLIENT LOGIN=identity -> 220 -> EHLO as the client's -> 250 -> 235 to the client
 *
 * XCLIENT takes the server back to its greeting (Postfix's XCLIENT_README): so never inside a transaction,
 * and the client's hello is said again for it. Invariants: nothing of the client's is looked at until the
 * answer is there; a backend that took the name and not the hello is left. */
#include "smtp.h"

#include "external.h"
#include "words.h"
#include <hb/builder.h>

#define LATER "454 4.7.0 Temporary authentication failure"

static const struct hb_span no_tag = {NULL, 0};

static struct hb_smtp_state *state(struct hb_proto_session *s)
{
    return &s->u.smtp;
}

static enum hb_unit say_xclient(struct hb_proto_session *s)
{
    uint8_t mem[800]; /* XCLIENT LOGIN=, and 255 bytes as xtext */
    struct hb_bld b = hb_bld(mem, sizeof mem);
    enum hb_code code = hb_replyq_add(&s->queue, s->env, HB_SMTP_XCLIENT, no_tag);

    if (code != HB_OK) {
        return hb_end(s, code);
    }
    hb_bld_str(&b, "XCLIENT LOGIN=");
    hb_xtext(&b, s->identity);
    hb_line_to_backend(s, hb_bld_span(&b));
    return HB_UNIT_NEXT;
}

static enum hb_unit log_in(struct hb_proto_session *s)
{
    if (s->set->external == HB_EXTERNAL_MASTER) {
        return hb_external_forward(s, HB_SMTP_AUTH, no_tag, "AUTH PLAIN");
    }
    if (state(s)->mail || !state(s)->xlogin) {
        state(s)->sasl = false;
        return hb_smtp_refuse(s, state(s)->mail ? "503 5.5.1 AUTH not permitted during a mail transaction"
                                                : LATER);
    }
    return say_xclient(s);
}

enum hb_unit hb_smtp_external_response(struct hb_proto_session *s, struct hb_span response)
{
    static const char *const refusals[] = {
        [HB_EXT_NO] = "535 5.7.8 The certificate is for another identity",
        [HB_EXT_CANCELLED] = "501 5.7.0 Authentication cancelled",
        [HB_EXT_SYNTAX] = "501 5.5.2 Invalid base64 data",
    };
    enum hb_external_verdict verdict = hb_external_judge(s, response);

    s->external = HB_EXT_NONE;
    state(s)->sasl = verdict == HB_EXT_YES;
    return verdict == HB_EXT_YES ? log_in(s) : hb_smtp_refuse(s, refusals[verdict]);
}

enum hb_unit hb_smtp_external(struct hb_proto_session *s, struct hb_span response)
{
    if (hb_smtp_busy(s)) {
        return HB_UNIT_WAIT;
    }
    if (response.len > 0) {
        return hb_smtp_external_response(s, response);
    }
    s->external = HB_EXT_ASKED;
    state(s)->sasl = state(s)->sasl_due = true;
    hb_say(s, no_tag, "334 ");
    return HB_UNIT_NEXT;
}

static enum hb_unit hello_again(struct hb_proto_session *s)
{
    struct hb_span name = hb_buf_span(&s->saved); /* of the client's EHLO */
    enum hb_code code = hb_replyq_add(&s->queue, s->env, HB_SMTP_XHELLO, name);

    if (code != HB_OK) {
        return hb_end(s, code);
    }
    hb_to_backend(s, hb_span_str("EHLO "));
    hb_line_to_backend(s, name.len > 0 ? name : hb_span_str(s->set->host));
    return HB_UNIT_NEXT;
}

enum hb_unit hb_smtp_xclient_replied(struct hb_proto_session *s, enum hb_smtp_kind kind, unsigned code)
{
    hb_replyq_drop_front(&s->queue, s->env);
    if (kind == HB_SMTP_XCLIENT && code == 220) {
        return hello_again(s);
    }
    state(s)->sasl = false;
    if (kind == HB_SMTP_XHELLO && code == 250) {
        hb_logged_in(s);
        hb_say(s, no_tag, "235 2.7.0 Authentication successful");
        return HB_UNIT_NEXT;
    }
    hb_say(s, no_tag, LATER);
    if (kind == HB_SMTP_XCLIENT && code >= 500) {
        return HB_UNIT_NEXT; /* refused: nothing has changed there */
    }
    hb_smtp_bye(s, HB_BYE_BACKEND);
    return hb_end(s, HB_E_PROTO_BACKEND_REPLY);
}
