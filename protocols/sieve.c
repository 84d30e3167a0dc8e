/* sieve.c: ManageSieve (RFC 5804), the client's side; sieve_backend.c has the other.
 *
 *   line -> verb -> refused | answered here | forwarded; a line that ends in {n+} goes on behind n octets
 *
 * No tags: replies come in order, and an answer of our own waits until the backend has answered what was
 * forwarded before. Clients' literals are never asked for ({n+} alone, SIEVE-02), so a backend that has done
 * with a command before its octets would take them for commands. Before login, therefore, only AUTHENTICATE
 * goes there with a literal, and only base64 in it; all that cannot be read in just one way is refused.
 * The session stays framed to its end, since UNAUTHENTICATE leads back to where STARTTLS is a command
 * (SIEVE-10); only behind a mechanism that may wrap the stream nobody looks any more.
 * Invariants: octets of a refused command never reach the backend; the client says nothing between a
 * command that changes who it is and the backend's answer. */
#include "sieve.h"

#include "external.h"
#include "words.h"

#define LINE_MAX_SIEVE       12288u /* GEN-18: the longest line there is, AUTHENTICATE's */
#define LITERAL_BEFORE_LOGIN 65536u
#define SAVED_MAX            1024u       /* of a literal that is for us: NOOP's tag, EXTERNAL's response */
#define PLUS_LITERAL_CRLF    0x2b7d0d0au /* "+}" and the end of the line */

#define SYNTAX_ERROR  "NO \"Syntax error\""
#define NO_RESPONSE   "NO \"Not a string of base64\""
#define REQUIRED_AUTH "NO (ENCRYPT-NEEDED) \"TLS required, use STARTTLS\""

static const struct hb_span no_tag = {NULL, 0};

static struct hb_sieve_state *state(struct hb_proto_session *s)
{
    return &s->u.sieve;
}

/* ---- what is said ---- */

void hb_sieve_bye(struct hb_proto_session *s, enum hb_goodbye kind)
{
    static const char *const lines[] = {
        [HB_BYE_SHUTDOWN] = "BYE (TRYLATER) \"Server shutting down\"",
        [HB_BYE_IDLE] = "BYE \"Idle for too long\"",
        [HB_BYE_BACKEND] = "BYE (TRYLATER) \"Backend not available\"",
        [HB_BYE_INSECURE] = "BYE \"Insufficient security\"",
        [HB_BYE_BAD_CHARACTER] = "BYE \"Invalid character in command\"",
    };

    if (!hb_sieve_midline(s)) { /* it would be taken for a part of a script */
        hb_say(s, no_tag, lines[kind]);
    }
}

static bool busy(const struct hb_proto_session *s)
{
    return s->queue.num > 0 || hb_sieve_midline(s);
}

/* BYE may come at any time (SIEVE-09), but a reply that is due comes first. */
static bool bye_later(const struct hb_proto_session *s)
{
    return busy(s) && !s->u.sieve.line_due;
}

static void too_long(struct hb_proto_session *s, struct hb_span head)
{
    (void)head;
    hb_say(s, no_tag, "NO \"Command line too long\"");
}

/* The rest of a command, an answer that was asked for, or what octets follow. */
static bool needs_line(const struct hb_proto_session *s)
{
    return s->u.sieve.continues || s->u.sieve.exchange || hb_line_tail(&s->client) == PLUS_LITERAL_CRLF;
}

static enum hb_unit give_up(struct hb_proto_session *s, const char *line, enum hb_code why)
{
    if (!busy(s)) {
        hb_say(s, no_tag, line);
    }
    return hb_end(s, why);
}

static enum hb_unit no_literal(struct hb_proto_session *s)
{
    return give_up(s, "BYE \"Literal not accepted\"", HB_E_PROTO_LITERAL_TOO_LONG);
}

/* ---- the end of a line ---- */

static void say_noop(struct hb_proto_session *s, struct hb_span tag)
{
    hb_to_client(s, hb_span_str("OK (TAG "));
    hb_to_client(s, tag);
    hb_say(s, no_tag, ") \"Done\"");
}

/* NOOP {n+}: RFC 5804 2.13 wants the tag back. */
static void echo_literal(struct hb_proto_session *s)
{
    struct hb_span tag = hb_buf_span(&s->saved);
    char head[16];
    size_t n = tag.len;
    size_t at = sizeof head;

    head[--at] = '}';
    do {
        head[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    head[--at] = '{';
    hb_to_client(s, hb_span_str("OK (TAG "));
    hb_line_to_client(s, hb_span(head + at, sizeof head - at));
    hb_to_client(s, tag);
    hb_say(s, no_tag, ") \"Done\"");
}

/* What the client's response to EXTERNAL comes to: a refusal, or the backend is asked by us (SASL-04). */
static enum hb_unit external_judged(struct hb_proto_session *s, enum hb_external_verdict verdict)
{
    static const char *const refusals[] = {
        [HB_EXT_NO] = "NO \"The certificate is for another identity\"",
        [HB_EXT_CANCELLED] = "NO \"Authentication cancelled\"",
        [HB_EXT_SYNTAX] = NO_RESPONSE,
    };
    struct hb_sieve_state *t = state(s);

    s->external = HB_EXT_NONE;
    t->exchange = verdict == HB_EXT_YES;
    t->line_due = t->layered = false;
    if (verdict != HB_EXT_YES) {
        hb_say(s, no_tag, refusals[verdict]);
        return hb_bad_command(s);
    }
    return hb_external_forward(s, HB_SIEVE_AUTHENTICATE, no_tag, "AUTHENTICATE \"PLAIN\"");
}

static enum hb_unit end_command(struct hb_proto_session *s)
{
    struct hb_sieve_state *t = state(s);
    const char *refusal = t->refusal;

    t->continues = false;
    t->forward = false;
    t->base64 = false;
    t->refusal = NULL;
    if (t->echo) {
        t->echo = false;
        if (refusal == NULL) {
            echo_literal(s);
        }
        hb_buf_clear(&s->saved, s->env);
    }
    if (t->response) {
        enum hb_external_verdict verdict =
            refusal != NULL ? HB_EXT_SYNTAX : hb_external_judge(s, hb_buf_span(&s->saved));
        t->response = false;
        hb_buf_clear(&s->saved, s->env);
        return external_judged(s, verdict);
    }
    if (refusal == NULL) {
        return HB_UNIT_NEXT;
    }
    hb_say(s, no_tag, refusal);
    return hb_bad_command(s);
}

/* The line that was just dealt with may announce a literal: what comes next is not a command then. One of the
 * other kind is refused, and its octets are not sent by a client that waits to be asked (SIEVE-02). */
static enum hb_unit after_line(struct hb_proto_session *s, struct hb_span line)
{
    struct hb_sieve_state *t = state(s);
    uint64_t size;
    enum hb_literal kind = hb_literal_at_end(line, &size);

    if (kind == HB_LITERAL_BAD || (kind == HB_LITERAL_SYNC && t->forward)) {
        return no_literal(s);
    }
    if (kind != HB_LITERAL_PLUS) {
        return end_command(s);
    }
    if (size > (s->authenticated ? UINT32_MAX : LITERAL_BEFORE_LOGIN)) {
        return no_literal(s);
    }
    t->continues = true;
    t->client_literal = (uint32_t)size;
    return HB_UNIT_NEXT;
}

static enum hb_unit refuse_command(struct hb_proto_session *s, struct hb_span line, const char *why)
{
    state(s)->forward = false;
    state(s)->refusal = why;
    return after_line(s, line);
}

/* ---- commands ---- */

enum { BEFORE_LOGIN = 1, NO_ARGS = 2 };

struct verb {
    const char *verb;
    unsigned flags;
    enum hb_sieve_kind kind;
};

/* clang-format off */
static const struct verb verbs[] = { /* SIEVE-08 */
    { "AUTHENTICATE",   BEFORE_LOGIN,           HB_SIEVE_AUTHENTICATE },
    { "CAPABILITY",     BEFORE_LOGIN | NO_ARGS, HB_SIEVE_CAPABILITY },
    { "LOGOUT",         BEFORE_LOGIN | NO_ARGS, HB_SIEVE_LOGOUT },
    { "NOOP",           BEFORE_LOGIN,           HB_SIEVE_OTHER },
    { "STARTTLS",       BEFORE_LOGIN,           HB_SIEVE_OTHER },
    { "UNAUTHENTICATE", NO_ARGS,                HB_SIEVE_UNAUTHENTICATE },
};
/* clang-format on */

static const struct verb *find_verb(struct hb_span verb)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (hb_span_is(verb, verbs[i].verb)) {
            return &verbs[i];
        }
    }
    return NULL;
}

/* STARTTLS: by state, then by grammar (GEN-01). */
static enum hb_unit starttls(struct hb_proto_session *s, struct hb_span line, bool args)
{
    const char *why = s->secured                  ? "NO \"TLS already active\""
                      : s->authenticated          ? "NO \"STARTTLS not permitted after authentication\""
                      : !s->set->starttls_offered ? "NO \"Unknown command\""
                      : args                      ? "NO \"STARTTLS takes no arguments\""
                      : !s->set->tls_usable ? "NO (TRYLATER) \"TLS not available due to temporary reason\""
                                            : NULL;

    if (why != NULL) {
        return refuse_command(s, line, why);
    }
    hb_say(s, no_tag, "OK \"Begin TLS negotiation now\"");
    return HB_UNIT_UPGRADE;
}

/* Not in clear what needs TLS, and never the identity that the backend knows us by (SASL-02, SASL-03). */
static const char *judge_mechanism(struct hb_proto_session *s, struct hb_span mech)
{
    bool hidden = hb_hide_passwords(s) && (mech.len == 0 || hb_mech_plain(mech));

    if (hb_before_tls(s) || hidden || (!s->secured && hb_mech_layered(mech))) {
        return REQUIRED_AUTH;
    }
    bool nobody = hb_span_is(mech, "EXTERNAL") && !hb_external_allowed(s);
    return mech.len == 0 || nobody ? "NO \"Authentication mechanism not supported\"" : NULL;
}

/* The refusal for a command that is not obeyed; NULL: it is. The one place where policy is looked at. */
static const char *judge(struct hb_proto_session *s, const struct verb *v, struct hb_span verb,
                         struct hb_span args)
{
    const char *why = NULL;

    if (!hb_plain_word(verb)) { /* R12, or blanks that another parser might take for the end of a verb */
        return SYNTAX_ERROR;
    }
    if (!s->authenticated && (v == NULL || (v->flags & BEFORE_LOGIN) == 0)) {
        return "NO \"Authenticate first\"";
    }
    if (hb_span_is(verb, "XCLIENT")) { /* SEC-08 */
        return "NO \"Unknown command\"";
    }
    if (v != NULL && v->kind == HB_SIEVE_AUTHENTICATE) {
        why = judge_mechanism(s, hb_sieve_mechanism(args));
    } else if (v != NULL && (v->flags & NO_ARGS) != 0 && args.len > 0) {
        why = "NO \"Too many arguments\"";
    }
    return why == NULL && !hb_sieve_well_formed(args) ? SYNTAX_ERROR : why;
}

/* NOOP before login: never forwarded, since its tag may be a literal. */
static enum hb_unit noop(struct hb_proto_session *s, struct hb_span line, struct hb_span args)
{
    struct hb_span tag = hb_span_skip(args, 1);
    uint64_t size;

    if (tag.len == 0) {
        hb_say(s, no_tag, "OK \"NOOP completed\"");
        return HB_UNIT_NEXT;
    }
    if (tag.p[0] == '"' && hb_sieve_quoted_len(tag) == tag.len) {
        say_noop(s, tag);
        return HB_UNIT_NEXT;
    }
    if (tag.p[0] != '{' || (hb_literal_at_end(tag, &size) == HB_LITERAL_PLUS && size > SAVED_MAX)) {
        return refuse_command(s, line, SYNTAX_ERROR);
    }
    state(s)->echo = true;
    return after_line(s, line);
}

static enum hb_unit answer_here(struct hb_proto_session *s, const struct verb *v, struct hb_span line,
                                struct hb_span args)
{
    if (hb_span_is(hb_span_str(v->verb), "NOOP")) {
        return noop(s, line, args);
    }
    if (v->kind == HB_SIEVE_CAPABILITY) {
        hb_sieve_own_list(s);
        return HB_UNIT_NEXT;
    }
    hb_say(s, no_tag, "OK \"Logout completed\"");
    return hb_end(s, HB_E_PROTO_QUIT);
}

static enum hb_unit forward(struct hb_proto_session *s, struct hb_span line, struct hb_span args,
                            enum hb_sieve_kind kind)
{
    struct hb_sieve_state *t = state(s);
    enum hb_code code = hb_replyq_add(&s->queue, s->env, (uint8_t)kind, no_tag);

    if (code != HB_OK) {
        return hb_end(s, code);
    }
    t->forward = true;
    t->base64 = kind == HB_SIEVE_AUTHENTICATE;
    t->exchange = kind == HB_SIEVE_AUTHENTICATE || kind == HB_SIEVE_UNAUTHENTICATE;
    t->line_due = false;
    t->layered = kind == HB_SIEVE_AUTHENTICATE && !hb_mech_wraps_nothing(hb_sieve_mechanism(args));
    t->left = kind == HB_SIEVE_LOGOUT;
    if (kind == HB_SIEVE_AUTHENTICATE) {
        hb_login_begins(s, hb_sieve_mechanism(args));
    }
    hb_line_to_backend(s, line);
    return after_line(s, line);
}

/* ---- EXTERNAL ---- */

/* The client's response, at once or as the answer to an empty challenge; a literal's octets are kept, and
 * judged at the command's end. What is neither a literal nor one quoted string is refused. */
static enum hb_unit external_response(struct hb_proto_session *s, struct hb_span line,
                                      struct hb_span response)
{
    struct hb_sieve_state *t = state(s);
    struct hb_span raw;
    struct hb_span value;
    uint64_t size;

    t->line_due = false;
    if (hb_sieve_is_literal(response) && hb_literal_at_end(line, &size) == HB_LITERAL_PLUS &&
        size <= SAVED_MAX) {
        t->response = true;
        return after_line(s, line);
    }
    if (response.len > 0 && response.p[0] == '"' && hb_take_string(&response, &raw, &value) &&
        response.len == 0) {
        return external_judged(s, hb_external_judge(s, value));
    }
    s->external = HB_EXT_NONE;
    t->exchange = false;
    return refuse_command(s, line, NO_RESPONSE);
}

static enum hb_unit external(struct hb_proto_session *s, struct hb_span line, struct hb_span args)
{
    struct hb_span response = hb_span_skip(args, 1);
    struct hb_span raw;
    struct hb_span mech;

    if (busy(s)) {
        return HB_UNIT_WAIT;
    }
    (void)hb_take_string(&response, &raw, &mech); /* judged before */
    if (response.len > 0) {
        return external_response(s, line, hb_span_skip(response, 1));
    }
    s->external = HB_EXT_ASKED;
    state(s)->exchange = state(s)->line_due = true;
    hb_say(s, no_tag, "\"\"");
    return HB_UNIT_NEXT;
}

static enum hb_unit command(struct hb_proto_session *s, struct hb_span line)
{
    struct hb_span behind = line;
    struct hb_span verb = hb_word(&behind);
    struct hb_span args = hb_span_skip(line, verb.len); /* with the blank before them */
    const struct verb *v = find_verb(verb);
    bool tls = v != NULL && hb_span_is(verb, "STARTTLS");
    bool local = v != NULL && (hb_before_tls(s) || (!s->authenticated && hb_span_is(verb, "NOOP")));
    const char *why = tls ? NULL : judge(s, v, verb, args);

    bool login = why == NULL && v != NULL && v->kind == HB_SIEVE_AUTHENTICATE;
    if (login && hb_external_added(s) && hb_span_is(hb_sieve_mechanism(args), "EXTERNAL")) {
        return external(s, line, args);
    }
    if (why == NULL && !tls && !local) {
        return hb_replyq_full(&s->queue) ? HB_UNIT_WAIT
                                         : forward(s, line, args, v != NULL ? v->kind : HB_SIEVE_OTHER);
    }
    if (busy(s)) {
        return HB_UNIT_WAIT; /* the answer is ours, and everything before has one (GEN-02) */
    }
    if (tls) {
        return starttls(s, line, args.len > 0);
    }
    if (why != NULL && strcmp(why, REQUIRED_AUTH) == 0) {
        hb_login_refused(s, hb_sieve_mechanism(args));
    }
    return why != NULL ? refuse_command(s, line, why) : answer_here(s, v, line, args);
}

/* ---- the rest of commands, and answers ---- */

/* Octets of a literal: forwarded, kept for the echo, or dropped. */
static enum hb_unit literal(struct hb_proto_session *s, struct hb_span *in)
{
    struct hb_sieve_state *t = state(s);
    struct hb_span part = hb_span_head(*in, t->client_literal);

    if (part.len == 0) {
        return HB_UNIT_MORE;
    }
    bool bad = false;
    if (t->base64) { /* what is good passes, so that cuts change nothing */
        size_t good = hb_sieve_base64_len(part);
        bad = good < part.len;
        part.len = good;
    }
    if ((t->echo || t->response) && hb_buf_add(&s->saved, s->env, part) != HB_OK) {
        return hb_end(s, HB_E_NO_MEMORY);
    }
    if (t->forward) {
        hb_to_backend(s, part);
    }
    t->client_literal -= (uint32_t)part.len;
    *in = hb_span_skip(*in, part.len);
    return bad ? give_up(s, "BYE \"Invalid character in command\"", HB_E_PROTO_SYNTAX) : HB_UNIT_NEXT;
}

/* What follows a literal. The beginning of a forwarded command is gone: it cannot be refused any more. */
static enum hb_unit rest_of_command(struct hb_proto_session *s, struct hb_span line)
{
    struct hb_sieve_state *t = state(s);

    if (t->forward) {
        if (!hb_sieve_well_formed(line) || (t->base64 && line.len > 0)) {
            return give_up(s, "BYE \"Syntax error\"", HB_E_PROTO_SYNTAX);
        }
        hb_line_to_backend(s, line);
    } else if ((t->echo || t->response) && line.len > 0) {
        t->refusal = SYNTAX_ERROR;
    }
    return after_line(s, line);
}

/* An answer to the backend's challenge: data, whatever it looks like (SIEVE-07). */
static enum hb_unit answer_line(struct hb_proto_session *s, struct hb_span line)
{
    struct hb_sieve_state *t = state(s);

    t->line_due = false;
    if (s->external == HB_EXT_ASKED) {
        return external_response(s, line, line);
    }
    t->forward = true;
    t->base64 = true;
    hb_line_to_backend(s, line);
    return after_line(s, line);
}

static enum hb_unit client(struct hb_proto_session *s, struct hb_span *in)
{
    struct hb_sieve_state *t = state(s);
    struct hb_span line;

    if (t->left) {
        *in = hb_span_skip(*in, in->len);
        return HB_UNIT_MORE;
    }
    if (t->client_literal > 0) {
        return literal(s, in);
    }
    if (t->exchange && !t->line_due && !t->continues) { /* the backend's answer decides what comes next */
        return in->len > 0 || s->client.ready ? HB_UNIT_WAIT : HB_UNIT_MORE;
    }
    enum hb_unit unit = hb_client_line(s, in, LINE_MAX_SIEVE, &line);
    if (unit != HB_UNIT_NEXT) {
        return unit;
    }
    unit = t->continues ? rest_of_command(s, line) : t->exchange ? answer_line(s, line) : command(s, line);
    if (unit != HB_UNIT_WAIT) {
        hb_client_done(s, in);
    }
    return unit;
}

const struct hb_proto hb_proto_sieve = {
    .name = "sieve",
    .alpn = {"managesieve"},
    .port = 4190,
    .max_line = LINE_MAX_SIEVE,
    .idle_auth = 1830, /* RFC 5804 1.2: not below 30 minutes */
    .regreet = true,
    .greet = hb_sieve_own_list,
    .client = client,
    .backend = hb_sieve_backend,
    .bye = hb_sieve_bye,
    .bye_later = bye_later,
    .busy = busy,
    .too_long = too_long,
    .needs_line = needs_line,
};
