/* pop3.c: POP3 (RFC 1939, 2449, 5034), STLS (RFC 2595 4).
 *
 * Replies come in order, so the queue of outstanding commands says what each
 * line is. An answer of our own waits until the backend has answered what was
 * forwarded before. After login inside TLS the session becomes opaque. */
#include "session.h"

#include "dot.h"
#include "external.h"
#include "words.h"

#define LINE_MAX_POP3 255u
#define LINE_MAX_SASL 12288u

enum kind { KIND_SINGLE = 1, KIND_MULTI, KIND_CAPA, KIND_MECHS, KIND_LOGIN, KIND_AUTH, KIND_UTF8, KIND_QUIT };

static const struct hb_span no_tag = {NULL, 0};

static struct hb_pop3_state *state(struct hb_proto_session *s)
{
    return &s->u.pop3;
}

static void bye(struct hb_proto_session *s, enum hb_goodbye kind)
{
    static const char *const lines[] = {
        [HB_BYE_SHUTDOWN] = "-ERR [SYS/TEMP] Server shutting down",
        [HB_BYE_IDLE] = NULL, /* R14: silently, since nothing may come unasked */
        [HB_BYE_BACKEND] = "-ERR [SYS/TEMP] Backend not available",
        [HB_BYE_INSECURE] = "-ERR Insufficient security",
        [HB_BYE_BAD_CHARACTER] = "-ERR Invalid character in command",
    };
    bool waits = s->backend_state != HB_BACKEND_UP || s->queue.num > 0; /* somebody waits for a line */

    if (kind == HB_BYE_BACKEND && (!waits || state(s)->multi)) {
        return; /* nor in the middle of a message: it would look like a part of it (GEN-21, ATK-43) */
    }
    if (lines[kind] != NULL) {
        hb_say(s, no_tag, lines[kind]);
    }
}

static bool busy(const struct hb_proto_session *s)
{
    return s->queue.num > 0 || s->u.pop3.multi;
}

/* The line that the backend's "+ " asked for. */
static bool needs_line(const struct hb_proto_session *s)
{
    return s->u.pop3.sasl;
}

static bool bye_later(const struct hb_proto_session *s)
{
    (void)s;
    return true; /* R13: in answer to the next command */
}

static void too_long(struct hb_proto_session *s, struct hb_span head)
{
    (void)head;
    hb_say(s, no_tag, "-ERR Command line too long");
}

static void greet(struct hb_proto_session *s)
{
    hb_say(s, no_tag, "+OK %h ready");
}

/* ---- the client's side ---- */

static enum hb_unit refuse(struct hb_proto_session *s, const char *line)
{
    hb_say(s, no_tag, line);
    return hb_bad_command(s);
}

static enum hb_unit stls(struct hb_proto_session *s, struct hb_span args)
{
    if (s->secured) {
        return refuse(s, "-ERR Command not permitted when TLS active");
    }
    if (s->authenticated) {
        return refuse(s, "-ERR STLS only permitted in AUTHORIZATION state");
    }
    if (!s->set->starttls_offered) {
        return refuse(s, "-ERR Unknown command");
    }
    if (args.len > 0) {
        return refuse(s, "-ERR STLS takes no arguments");
    }
    if (!s->set->tls_usable) {
        return refuse(s, "-ERR [SYS/TEMP] TLS not available due to temporary reason");
    }
    if (state(s)->utf8) {
        return refuse(s, "-ERR STLS not permitted after UTF8");
    }
    hb_say(s, no_tag, "+OK Begin TLS negotiation");
    return HB_UNIT_UPGRADE;
}

/* "SASL mech mech ...": without what cannot or must not be used; nothing if none is left (POP-09). */
static void capa_sasl(struct hb_proto_session *s, struct hb_span list);

static void synthesise_capa(struct hb_proto_session *s)
{
    hb_say(s, no_tag, "+OK Capability list follows");
    if (hb_offer_starttls(s)) {
        hb_say(s, no_tag, "STLS");
    }
    if (!hb_hide_passwords(s)) {
        hb_say(s, no_tag, "USER");
    }
    capa_sasl(s, no_tag);
    hb_say(s, no_tag, ".");
}

static enum hb_unit before_tls(struct hb_proto_session *s, struct hb_span verb)
{
    if (hb_span_is(verb, "CAPA")) {
        synthesise_capa(s);
        return HB_UNIT_NEXT;
    }
    if (hb_span_is(verb, "QUIT")) {
        hb_say(s, no_tag, "+OK Goodbye");
        return hb_end(s, HB_E_PROTO_QUIT);
    }
    return refuse(s, "-ERR TLS required, use STLS first");
}

static bool is_login(struct hb_span verb)
{
    return hb_span_is(verb, "USER") || hb_span_is(verb, "PASS") || hb_span_is(verb, "APOP") ||
           hb_span_is(verb, "AUTH");
}

static enum kind kind_of(struct hb_span verb, struct hb_span args)
{
    if (hb_span_is(verb, "CAPA")) {
        return KIND_CAPA;
    }
    if (hb_span_is(verb, "PASS") || hb_span_is(verb, "APOP")) {
        return KIND_LOGIN;
    }
    if (hb_span_is(verb, "AUTH")) {
        return args.len > 0 ? KIND_AUTH : KIND_MECHS;
    }
    if (hb_span_is(verb, "RETR") || hb_span_is(verb, "TOP") ||
        ((hb_span_is(verb, "LIST") || hb_span_is(verb, "UIDL") || hb_span_is(verb, "LANG")) &&
         args.len == 0)) {
        return KIND_MULTI;
    }
    if (hb_span_is(verb, "UTF8")) {
        return KIND_UTF8;
    }
    return hb_span_is(verb, "QUIT") ? KIND_QUIT : KIND_SINGLE;
}

/* What is answered here and not by the backend; NEXT with *here false: forward it. */
static enum hb_unit answer_here(struct hb_proto_session *s, struct hb_span verb, struct hb_span args,
                                bool *here)
{
    bool must_wait = busy(s); /* our answer would overtake the backend's, or tear it */

    *here = true;
    if (s->bye_due) {
        return must_wait ? HB_UNIT_WAIT : hb_say_bye_now(s);
    }
    if (verb.len == 0 || hb_span_is(verb, "XCLIENT")) {
        return must_wait ? HB_UNIT_WAIT : refuse(s, "-ERR Unknown command");
    }
    if (hb_span_is(verb, "STLS")) {
        return must_wait ? HB_UNIT_WAIT : stls(s, args);
    }
    if (hb_before_tls(s)) {
        return before_tls(s, verb);
    }
    struct hb_span rest = args;
    struct hb_span mech = hb_word(&rest);
    bool auth = hb_span_is(verb, "AUTH");
    bool plain =
        is_login(verb) && !hb_span_is(verb, "APOP") && (!auth || mech.len == 0 || hb_mech_plain(mech));
    if ((plain && hb_hide_passwords(s)) || (auth && hb_mech_layered(mech) && !s->secured)) {
        if (must_wait) {
            return HB_UNIT_WAIT;
        }
        hb_login_refused(s, auth ? mech : hb_span_str("USER/PASS"));
        return refuse(s, "-ERR TLS required, use STLS first");
    }
    if (auth && args.len > 0 &&
        (!hb_plain_word(mech) || (hb_span_is(mech, "EXTERNAL") && !hb_external_allowed(s)))) {
        /* who we are to the backend is not for clients (SASL-02); nor is a word that others read otherwise:
         * two blanks make an empty one for us, and one blank for them */
        return must_wait ? HB_UNIT_WAIT : refuse(s, "-ERR Authentication mechanism not supported");
    }
    *here = false;
    return HB_UNIT_NEXT;
}

/* The client's response to EXTERNAL: judged here; the backend is asked by us (SASL-04). */
static enum hb_unit external_response(struct hb_proto_session *s, struct hb_span response)
{
    static const char *const refusals[] = {
        [HB_EXT_NO] = "-ERR [AUTH] The certificate is for another identity",
        [HB_EXT_CANCELLED] = "-ERR Authentication cancelled",
        [HB_EXT_SYNTAX] = "-ERR Invalid base64 data",
    };
    enum hb_external_verdict verdict = hb_external_judge(s, response);

    s->external = HB_EXT_NONE;
    state(s)->sasl = verdict == HB_EXT_YES;
    return verdict == HB_EXT_YES ? hb_external_forward(s, KIND_AUTH, no_tag, "AUTH PLAIN")
                                 : refuse(s, refusals[verdict]);
}

static enum hb_unit external(struct hb_proto_session *s, struct hb_span response)
{
    if (busy(s)) {
        return HB_UNIT_WAIT;
    }
    if (response.len > 0) {
        return external_response(s, response);
    }
    s->external = HB_EXT_ASKED;
    state(s)->sasl = state(s)->sasl_due = true;
    hb_say(s, no_tag, "+ ");
    return HB_UNIT_NEXT;
}

static enum hb_unit command(struct hb_proto_session *s, struct hb_span line)
{
    struct hb_span args = line;
    struct hb_span verb = hb_word(&args);
    bool here;

    if (!hb_plain_word(verb)) {
        verb.len = 0; /* a server with other blanks than ours might see a command in it */
    }
    if (verb.len < line.len && args.len == 0 && hb_span_is(verb, "STLS")) {
        args = hb_span_str(" "); /* a blank and nothing behind it is an argument, too */
    }
    enum hb_unit unit = answer_here(s, verb, args, &here);
    if (here) {
        return unit;
    }
    if (hb_replyq_full(&s->queue)) {
        return HB_UNIT_WAIT;
    }
    enum kind kind = kind_of(verb, args);
    struct hb_span response = args;
    if (kind == KIND_AUTH && hb_span_is(hb_word(&response), "EXTERNAL") && hb_external_added(s)) {
        return external(s, response);
    }
    enum hb_code code = hb_replyq_add(&s->queue, s->env, (uint8_t)kind, no_tag);
    if (code != HB_OK) {
        return hb_end(s, code);
    }
    if (kind == KIND_AUTH || kind == KIND_LOGIN) {
        struct hb_span mech = hb_word(&args);
        bool apop = hb_span_is(verb, "APOP");
        hb_login_begins(s, kind == KIND_AUTH ? mech : hb_span_str(apop ? "APOP" : "USER/PASS"));
    }
    state(s)->sasl = kind == KIND_AUTH;
    hb_line_to_backend(s, line);
    return HB_UNIT_NEXT;
}

static enum hb_unit client(struct hb_proto_session *s, struct hb_span *in)
{
    struct hb_pop3_state *t = state(s);
    struct hb_span line;

    if (t->sasl && !t->sasl_due) {
        return in->len > 0 || s->client.ready ? HB_UNIT_WAIT : HB_UNIT_MORE;
    }
    enum hb_unit unit = hb_client_line(s, in, t->sasl ? LINE_MAX_SASL : LINE_MAX_POP3, &line);
    if (unit != HB_UNIT_NEXT) {
        return unit;
    }
    if (t->sasl) { /* data of the exchange, whatever it looks like (POP-07) */
        t->sasl_due = false;
        if (s->external == HB_EXT_ASKED) {
            unit = external_response(s, line);
        } else {
            hb_line_to_backend(s, line);
        }
    } else {
        unit = command(s, line);
    }
    if (unit != HB_UNIT_WAIT) {
        hb_client_done(s, in);
    }
    return unit;
}

/* ---- the backend's side ---- */

/* GEN-09: the APOP challenge of a link that STLS will replace is of no use; "[XCLIENT] " is not for clients.
 */
static void pass_greeting(struct hb_proto_session *s, struct hb_span line)
{
    struct hb_span text = hb_span_skip(line, 3);

    if (hb_has_prefix(text, " [XCLIENT]")) {
        text = hb_span_skip(text, 10);
    }
    hb_to_client(s, hb_span_str("+OK"));
    while (!s->secured && text.len > 0) {
        const uint8_t *from = memchr(text.p, '<', text.len);
        const uint8_t *to = from != NULL ? memchr(from, '>', text.len - (size_t)(from - text.p)) : NULL;
        if (to == NULL) {
            break;
        }
        hb_to_client(s, hb_trim_end(hb_span_head(text, (size_t)(from - text.p))));
        text = hb_span_skip(text, (size_t)(to + 1 - text.p));
    }
    hb_line_to_client(s, text);
}

static enum hb_unit greeting(struct hb_proto_session *s, struct hb_span line)
{
    if (!hb_has_prefix(line, "+OK")) {
        bye(s, HB_BYE_BACKEND);
        return hb_end(s,
                      hb_has_prefix(line, "-ERR") ? HB_E_PROTO_BACKEND_REFUSED : HB_E_PROTO_BACKEND_GREETING);
    }
    s->backend_state = HB_BACKEND_UP;
    if (!s->greeted) {
        s->greeted = true;
        pass_greeting(s, line);
    }
    return HB_UNIT_NEXT;
}

/* "SASL mech mech ...": without what cannot or must not be used; nothing if none is left (POP-09). */
static void capa_sasl(struct hb_proto_session *s, struct hb_span list)
{
    bool plus = hb_hides_scram(s, hb_offers_plus(list));
    bool any = false;

    while (list.len > 0) {
        struct hb_span mech = hb_word_loose(&list);
        if (mech.len > 0 && hb_keep_mechanism(s, mech, plus)) {
            hb_to_client(s, hb_span_str(any ? " " : "SASL "));
            hb_to_client(s, mech);
            any = true;
        }
    }
    if (hb_external_added(s)) {
        hb_to_client(s, hb_span_str(any ? " EXTERNAL" : "SASL EXTERNAL"));
        any = true;
    }
    if (any) {
        hb_to_client(s, hb_span_str("\r\n"));
        state(s)->lists_sasl = true;
    }
}

/* A line of the answer to AUTH alone (RFC 1734). */
static void mechs_line(struct hb_proto_session *s, struct hb_span line)
{
    struct hb_span rest = line;
    bool last = hb_span_is(line, ".");

    if (last && hb_external_added(s)) {
        hb_say(s, no_tag, "EXTERNAL");
    }
    if (last) {
        state(s)->multi = state(s)->capa = state(s)->mechs = false;
    }
    if (last || hb_keep_mechanism(s, hb_word_loose(&rest), false)) {
        hb_line_to_client(s, line);
    }
}

static void capa_line(struct hb_proto_session *s, struct hb_span line)
{
    struct hb_span rest = line;
    struct hb_span tag = hb_word_loose(&rest);

    if (hb_span_is(line, ".")) {
        if (!state(s)->lists_sasl) {
            capa_sasl(s, no_tag);
        }
        if (hb_offer_starttls(s)) {
            hb_say(s, no_tag, "STLS");
        }
        state(s)->multi = false;
        state(s)->capa = false;
    } else if (hb_span_is(tag, "STLS") || hb_span_is(tag, "XCLIENT") ||
               (hb_span_is(tag, "USER") && hb_hide_passwords(s))) {
        return;
    } else if (hb_span_is(tag, "SASL")) {
        capa_sasl(s, rest);
        return;
    }
    hb_line_to_client(s, line);
}

static enum hb_unit logged_in(struct hb_proto_session *s, struct hb_span line, bool ok)
{
    if (!ok) {
        hb_login_failed(s, hb_span_skip(line, 4));
        hb_line_to_client(s, line);
        return HB_UNIT_NEXT;
    }
    hb_logged_in(s);
    hb_line_with_warning(s, line);
    return HB_UNIT_NEXT;
}

static enum hb_unit reply(struct hb_proto_session *s, struct hb_span line)
{
    struct hb_pop3_state *t = state(s);
    uint8_t kind = hb_replyq_front(&s->queue);
    bool ok = hb_has_prefix(line, "+OK");

    if (!ok && !hb_has_prefix(line, "-ERR")) {
        if (kind == KIND_AUTH && line.len > 0 && line.p[0] == '+') { /* a challenge */
            if (hb_external_forwarded(s)) {
                hb_external_answer(s, "");
                return HB_UNIT_NEXT;
            }
            t->sasl_due = true;
            hb_line_to_client(s, line);
            return HB_UNIT_NEXT;
        }
        bye(s, HB_BYE_BACKEND);
        return hb_end(s, HB_E_PROTO_BACKEND_REPLY);
    }
    if (ok && kind == 0) { /* an answer to nothing: whose would the next one be? */
        return hb_end(s, HB_E_PROTO_BACKEND_REPLY);
    }
    hb_replyq_drop_front(&s->queue, s->env);
    switch (kind) {
    case KIND_CAPA:
        if (!ok) { /* POP-08: a server with STLS must have CAPA */
            synthesise_capa(s);
            return HB_UNIT_NEXT;
        }
        t->capa = true;
        t->lists_sasl = false;
        t->multi = true;
        break;
    case KIND_MECHS:
        t->capa = t->mechs = t->multi = ok;
        break;
    case KIND_MULTI:
        t->multi = ok;
        t->dot = HB_DOT_LINE_START;
        break;
    case KIND_AUTH:
        t->sasl = false;
        t->sasl_due = false;
        s->external = HB_EXT_NONE;
        return logged_in(s, line, ok);
    case KIND_LOGIN:
        return logged_in(s, line, ok);
    case KIND_UTF8:
        t->utf8 = t->utf8 || ok;
        break;
    case KIND_QUIT:
    case 0: /* said unasked: a server's goodbye */
        s->backend_said_bye = true;
        break;
    default:
        break;
    }
    hb_line_to_client(s, line);
    return HB_UNIT_NEXT;
}

/* The client is logged in inside TLS, and nothing is half said: from here on nobody need look. */
static bool may_be_opaque(const struct hb_proto_session *s)
{
    return s->secured && s->authenticated && !busy(s) && !s->bye_due;
}

/* A listing or a message: passes as it is up to its final dot, bare newlines and all. */
static enum hb_unit pass_multi(struct hb_proto_session *s, struct hb_span *in)
{
    if (in->len == 0) {
        return HB_UNIT_MORE;
    }
    struct hb_dot_result r = hb_dot_scan(&state(s)->dot, *in, false);
    hb_to_client(s, hb_span_head(*in, r.used));
    *in = hb_span_skip(*in, r.used);
    state(s)->multi = !r.end;
    return may_be_opaque(s) ? HB_UNIT_OPAQUE : HB_UNIT_NEXT;
}

static enum hb_unit backend(struct hb_proto_session *s, struct hb_span *in)
{
    struct hb_pop3_state *t = state(s);
    struct hb_span line;

    if (t->multi && !t->capa) {
        return pass_multi(s, in);
    }
    enum hb_unit unit = hb_backend_line(s, in, &line);
    if (unit != HB_UNIT_NEXT) {
        return unit;
    }
    if (s->backend_state == HB_BACKEND_GREETING) {
        unit = greeting(s, line);
    } else if (t->mechs) {
        mechs_line(s, line);
    } else if (t->capa) {
        capa_line(s, line);
    } else {
        unit = reply(s, line);
    }
    hb_backend_done(s, in);
    return unit == HB_UNIT_NEXT && may_be_opaque(s) ? HB_UNIT_OPAQUE : unit;
}

const struct hb_proto hb_proto_pop3 = {
    .name = "pop3",
    .alpn = {"pop3"},
    .port = 110,
    .implicit_port = 995,
    .max_line = LINE_MAX_POP3,
    .idle_auth = 630, /* RFC 1939 3: not below 10 minutes */
    .greet = greet,
    .client = client,
    .backend = backend,
    .bye = bye,
    .bye_later = bye_later,
    .busy = busy,
    .too_long = too_long,
    .needs_line = needs_line,
};
