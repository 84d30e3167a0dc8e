/* smtp.c: SMTP and submission (RFC 5321, 6409), LMTP (RFC 2033), STARTTLS (RFC 3207), client's side;
 * smtp_reply.c has the other.
 *
 * The session stays framed to its end: each message begins and ends a passage
 * of content (DATA, BDAT) in which nobody looks for commands. An answer of our
 * own waits until the backend has answered what was forwarded before. LMTP is
 * the same but for its hello, and for one reply a recipient behind the content. */
#include "smtp.h"

#include "external.h"
#include "words.h"

#define LINE_MAX_SMTP 2048u
#define LINE_MAX_SASL 12288u

#define USE_LHLO "500 5.5.1 Use LHLO"

static const struct hb_span no_tag = {NULL, 0};

static struct hb_smtp_state *state(struct hb_proto_session *s)
{
    return &s->u.smtp;
}

void hb_smtp_bye(struct hb_proto_session *s, enum hb_goodbye kind)
{
    static const char *const lines[] = {
        [HB_BYE_SHUTDOWN] = "421 4.3.2 %h Service shutting down and closing transmission channel",
        [HB_BYE_IDLE] = "421 4.4.2 %h Error: timeout exceeded",
        [HB_BYE_BACKEND] = "421 4.3.2 %h Service not available, closing transmission channel",
        [HB_BYE_INSECURE] = "554 5.7.0 Command refused due to lack of security",
        [HB_BYE_BAD_CHARACTER] = "500 5.5.2 Invalid character in command",
    };

    hb_say(s, no_tag, lines[kind]);
    if (kind == HB_BYE_BAD_CHARACTER) {
        hb_say(s, no_tag, "421 4.7.0 %h Closing transmission channel");
    }
}

bool hb_smtp_busy(const struct hb_proto_session *s)
{
    return s->queue.num > 0;
}

/* SMTP-20: not in the middle of a message, nor before its reply. */
static bool bye_later(const struct hb_proto_session *s)
{
    return s->u.smtp.data || s->u.smtp.bdat > 0 || hb_smtp_busy(s);
}

/* The line that the backend's 334 asked for. */
static bool needs_line(const struct hb_proto_session *s)
{
    return s->u.smtp.sasl;
}

static void too_long(struct hb_proto_session *s, struct hb_span head)
{
    bool auth = state(s)->sasl || hb_has_prefix(head, "AUTH ");

    hb_say(s, no_tag,
           auth ? "500 5.5.6 Authentication Exchange line is too long" : "500 5.5.2 Line too long");
}

static void greet(struct hb_proto_session *s)
{
    hb_say(s, no_tag, s->row->lmtp ? "220 %h LMTP" : "220 %h ESMTP");
}

static const char *send_hello(const struct hb_proto_session *s)
{
    return s->row->lmtp ? "503 5.5.1 Send LHLO first" : "503 5.5.1 Send EHLO first";
}

/* The verb whose reply lists extensions. */
static bool is_hello(const struct hb_proto_session *s, struct hb_span verb)
{
    return hb_span_is(verb, s->row->lmtp ? "LHLO" : "EHLO");
}

/* ---- commands ---- */

static enum hb_unit starttls(struct hb_proto_session *s, struct hb_span args)
{
    if (hb_trim_end(args).len > 0) { /* SMTP-04: blanks at the end are none */
        return hb_smtp_refuse(s, "501 5.5.4 Syntax error (no parameters allowed)");
    }
    if (s->secured) {
        return hb_smtp_refuse(s, "503 5.5.1 TLS already active");
    }
    if (!s->set->starttls_offered) {
        return hb_smtp_refuse(s, "502 5.5.1 Command not implemented");
    }
    if (s->authenticated) {
        return hb_smtp_refuse(s, "503 5.5.1 STARTTLS not permitted after AUTH");
    }
    if (state(s)->mail) {
        return hb_smtp_refuse(s, "503 5.5.1 STARTTLS not permitted during a mail transaction");
    }
    if (s->set->needs_ehlo && !state(s)->ehlo_seen) { /* SMTP-10: offered in EHLO alone */
        return hb_smtp_refuse(s, send_hello(s));
    }
    if (!s->set->tls_usable) {
        return hb_smtp_refuse(s, "454 4.7.0 TLS not available due to temporary reason");
    }
    hb_say(s, no_tag, "220 2.0.0 Ready to start TLS");
    return HB_UNIT_UPGRADE;
}

/* LMTP-01. */
static bool wrong_hello(const struct hb_proto_session *s, struct hb_span verb)
{
    return s->row->lmtp && (hb_span_is(verb, "EHLO") || hb_span_is(verb, "HELO"));
}

/* GEN-27; RFC 2033 5: an LMTP server has these two, and so have we. */
static void say_extensions(struct hb_proto_session *s)
{
    bool starttls = hb_offer_starttls(s);

    if (s->row->lmtp) {
        hb_say(s, no_tag, "250-%h");
        hb_say(s, no_tag, "250-PIPELINING");
        hb_say(s, no_tag, starttls ? "250-ENHANCEDSTATUSCODES" : "250 ENHANCEDSTATUSCODES");
    } else {
        hb_say(s, no_tag, starttls ? "250-%h" : "250 %h");
    }
    if (starttls) {
        hb_say(s, no_tag, "250 STARTTLS");
    }
}

static enum hb_unit before_tls(struct hb_proto_session *s, struct hb_span verb, struct hb_span args)
{
    if (is_hello(s, verb)) {
        state(s)->ehlo_seen = true;
        say_extensions(s);
        return HB_UNIT_NEXT;
    }
    if (wrong_hello(s, verb)) {
        return hb_smtp_refuse(s, USE_LHLO);
    }
    if (hb_span_is(verb, "NOOP")) {
        hb_say(s, no_tag, "250 2.0.0 OK");
        return HB_UNIT_NEXT;
    }
    if (hb_span_is(verb, "QUIT")) {
        hb_say(s, no_tag, "221 2.0.0 %h Bye");
        return hb_end(s, HB_E_PROTO_QUIT);
    }
    return hb_smtp_refuse_command(s, verb, args, "530 5.7.0 Must issue a STARTTLS command first");
}

static bool needs_hello(struct hb_span verb)
{
    static const char *const verbs[] = {"MAIL", "RCPT", "DATA", "BDAT", "AUTH"};

    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (hb_span_is(verb, verbs[i])) {
            return true;
        }
    }
    return false;
}

/* A chunk goes only to a backend that offers to take it: any other would read its octets as commands, XCLIENT
 * among them, and so would one that has another idea of what "BDAT +5" means. */
static const char *bdat_refusal(struct hb_proto_session *s, struct hb_span args)
{
    struct hb_smtp_bdat b;

    if (!hb_smtp_parse_bdat(args, &b)) {
        return "501 5.5.4 Syntax error in BDAT";
    }
    return state(s)->chunking ? NULL : "502 5.5.1 Command not implemented";
}

static const char needs_encryption[] = "504 5.5.4 Encryption required for requested authentication mechanism";

static const char *auth_refusal(struct hb_proto_session *s, struct hb_span args)
{
    struct hb_span mech = hb_word_loose(&args);

    if (!s->secured && (hb_mech_layered(mech) || (hb_hide_passwords(s) && hb_mech_plain(mech)))) {
        return needs_encryption; /* SMTP-16 */
    }
    if ((mech.len > 0 && !hb_plain_word(mech)) ||
        (hb_span_is(mech, "EXTERNAL") &&
         !hb_external_allowed(s))) { /* who we are to the backend is not for clients */
        return "504 5.5.4 Unrecognized authentication type";
    }
    return NULL;
}

/* The refusal for a command that does not go to the backend; NULL: it does. */
static const char *refusal(struct hb_proto_session *s, struct hb_span verb, struct hb_span args)
{
    if (verb.len == 0) {
        return "500 5.5.2 Syntax error";
    }
    if (wrong_hello(s, verb)) {
        return USE_LHLO;
    }
    if (hb_span_is(verb, "XCLIENT") || hb_span_is(verb, "XFORWARD")) {
        return "550 5.7.0 Not authorized"; /* SMTP-19 */
    }
    if (hb_span_is(verb, "ATRN") || hb_span_is(verb, "TURN")) {
        return "502 5.5.1 Command not implemented";
    }
    if (s->secured && !s->set->implicit && !state(s)->helo_seen && needs_hello(verb)) {
        return send_hello(s); /* SMTP-14: what was said in clear is forgotten */
    }
    if (hb_span_is(verb, "BDAT")) {
        return bdat_refusal(s, args);
    }
    return hb_span_is(verb, "AUTH") ? auth_refusal(s, args) : NULL;
}

static enum hb_smtp_kind kind_of(struct hb_span verb)
{
    static const struct {
        const char *verb;
        enum hb_smtp_kind kind;
    } rows[] = {{"EHLO", HB_SMTP_EHLO}, {"LHLO", HB_SMTP_EHLO}, {"HELO", HB_SMTP_HELO},
                {"MAIL", HB_SMTP_MAIL}, {"RCPT", HB_SMTP_RCPT}, {"DATA", HB_SMTP_DATA},
                {"AUTH", HB_SMTP_AUTH}, {"RSET", HB_SMTP_RSET}, {"QUIT", HB_SMTP_QUIT}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (hb_span_is(verb, rows[i].verb)) {
            return rows[i].kind;
        }
    }
    return HB_SMTP_OTHER;
}

static enum hb_unit forward(struct hb_proto_session *s, struct hb_span line, struct hb_span verb,
                            struct hb_span args)
{
    struct hb_smtp_state *t = state(s);
    enum hb_smtp_kind kind = kind_of(verb);

    if (hb_replyq_full(&s->queue)) {
        return HB_UNIT_WAIT;
    }
    if (hb_span_is(verb, "BDAT")) {
        return hb_smtp_forward_chunk(s, args);
    }
    struct hb_span response = args;
    if (kind == HB_SMTP_AUTH && hb_span_is(hb_word_loose(&response), "EXTERNAL") && hb_external_added(s)) {
        return hb_smtp_external(s, hb_trim_end(response));
    }
    bool hello = kind == HB_SMTP_EHLO && s->set->external == HB_EXTERNAL_XCLIENT; /* it is said again */
    struct hb_span name = hello ? hb_span_head(hb_trim_end(args), 255) : no_tag;
    enum hb_code code = hb_replyq_add(&s->queue, s->env, (uint8_t)kind, name);
    if (code != HB_OK) {
        return hb_end(s, code);
    }
    if (kind == HB_SMTP_AUTH) {
        hb_login_begins(s, hb_word_loose(&args));
    } else if (kind == HB_SMTP_EHLO || kind == HB_SMTP_HELO) {
        hb_client_software(s, hb_word_loose(&args));
    }
    t->data_due = kind == HB_SMTP_DATA;
    t->sasl = kind == HB_SMTP_AUTH;
    t->sasl_due = false;
    hb_line_to_backend(s, line);
    return HB_UNIT_NEXT;
}

static enum hb_unit command(struct hb_proto_session *s, struct hb_span line)
{
    struct hb_span args = line;
    struct hb_span verb = hb_word_loose(&args);
    bool must_wait = hb_smtp_busy(s); /* our answer would overtake the backend's */

    if (verb.p != line.p || !hb_plain_word(verb)) {
        verb.len = 0; /* a server with other blanks than ours might see XCLIENT in it */
    }
    if (s->bye_due) {
        return must_wait ? HB_UNIT_WAIT : hb_say_bye_now(s);
    }
    if (line.len + 2 > LINE_MAX_SMTP && !hb_span_is(verb, "AUTH")) {
        if (must_wait) {
            return HB_UNIT_WAIT;
        }
        too_long(s, line);
        return hb_bad_command(s);
    }
    if (hb_span_is(verb, "STARTTLS")) {
        return must_wait ? HB_UNIT_WAIT : starttls(s, args);
    }
    const char *no = refusal(s, verb, args);
    if (hb_before_tls(s) && (no == NULL || verb.len > 0)) {
        return before_tls(s, verb, args);
    }
    if (no != NULL && must_wait) {
        return HB_UNIT_WAIT;
    }
    if (no == needs_encryption) {
        struct hb_span rest = args;
        hb_login_refused(s, hb_word_loose(&rest));
    }
    if (no != NULL) {
        return hb_smtp_refuse_command(s, verb, args, no);
    }
    return forward(s, line, verb, args);
}

static enum hb_unit client(struct hb_proto_session *s, struct hb_span *in)
{
    struct hb_smtp_state *t = state(s);
    struct hb_span line;

    if (t->data) {
        return hb_smtp_data(s, in);
    }
    if (t->bdat > 0) {
        return hb_smtp_chunk(s, in);
    }
    if (t->data_due || (t->sasl && !t->sasl_due)) { /* the backend's answer decides what the next bytes are */
        return in->len > 0 || s->client.ready ? HB_UNIT_WAIT : HB_UNIT_MORE;
    }
    enum hb_unit unit = hb_client_line(s, in, LINE_MAX_SASL, &line);
    if (unit != HB_UNIT_NEXT) {
        return unit;
    }
    if (t->sasl) { /* data of the exchange, whatever it looks like (SMTP-08) */
        t->sasl_due = false;
        if (s->external == HB_EXT_ASKED) {
            unit = hb_smtp_external_response(s, line);
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

#define SMTP_ROW(row_name, ...)                                                                              \
    {                                                                                                        \
        .name = row_name, __VA_ARGS__, .max_line = LINE_MAX_SMTP,                                            \
        .idle_auth = 310 /* RFC 5321 4.5.3.2.7: not below 5 minutes */, .login_optional = true,              \
        .greet = greet, .client = client, .backend = hb_smtp_backend, .bye = hb_smtp_bye,                    \
        .bye_later = bye_later, .busy = hb_smtp_busy, .too_long = too_long, .needs_line = needs_line,        \
    }

const struct hb_proto hb_proto_smtp = SMTP_ROW("smtp", .alpn = {"smtp"}, .port = 25, .implicit_port = 465);
const struct hb_proto hb_proto_submission =
    SMTP_ROW("submission", .alpn = {"smtp"}, .port = 587, .implicit_port = 465);
/* RFC 2033 5: never on port 25; it has no port of its own, and no ALPN id is registered (ALPN-01). */
const struct hb_proto hb_proto_lmtp = SMTP_ROW("lmtp", .lmtp = true, .never_port = 25);
