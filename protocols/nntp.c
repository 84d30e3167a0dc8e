/* nntp.c: NNTP (RFC 3977), STARTTLS (RFC 4642), AUTHINFO (RFC 4643), streaming (RFC 4644), the client's side;
 * nntp_backend.c has the other.
 *
 *   line -> verb -> refused | answered here | forwarded; an article goes on behind 340, 335, and TAKETHIS
 *
 * Replies come in order, so an answer of our own waits until the backend has answered what was forwarded
 * before. Many read news without a login, and articles go up at any time: the session stays framed to its
 * end; only behind COMPRESS, or a mechanism that may wrap the stream, nobody looks any more. Invariants: the
 * backend finds the end of an article where the session finds it; TAKETHIS goes only to a backend that said
 * it takes articles unasked, since any other would read one as commands; what a refused TAKETHIS brings goes
 * nowhere and is never a command. */
#include "nntp.h"

#include "dot.h"
#include "external.h"
#include "words.h"

#define LINE_MAX_NNTP  512u
#define LINE_MAX_SASL  12288u
#define MESSAGE_ID_MAX 250u /* RFC 3977 3.6 */

#define UNKNOWN    "500 Unknown command"
#define NEEDS_TLS  "483 Encryption or stronger authentication required"
#define NOT_HERE   "503 Authentication mechanism not supported"
#define TOO_LONG   "501 Command line too long"
#define TAKE_WHICH "501 TAKETHIS takes one message-id"

static const struct hb_span no_tag = {NULL, 0};

static struct hb_nntp_state *state(struct hb_proto_session *s)
{
    return &s->u.nntp;
}

/* ---- what is said ---- */

void hb_nntp_bye(struct hb_proto_session *s, enum hb_goodbye kind)
{
    static const char *const lines[] = {
        [HB_BYE_SHUTDOWN] = "400 Server shutting down",
        [HB_BYE_IDLE] = NULL, /* R14: silently, since nothing comes unasked (NNTP-12) */
        [HB_BYE_BACKEND] = "400 Backend not available",
        [HB_BYE_INSECURE] = NEEDS_TLS,
        [HB_BYE_BAD_CHARACTER] = "501 Invalid character in command",
    };
    struct hb_nntp_state *t = state(s);
    bool waits = s->backend_state != HB_BACKEND_UP || s->queue.num > 0 || t->article; /* for a line */

    if (lines[kind] == NULL || s->opaque || t->multi || (kind == HB_BYE_BACKEND && !waits)) {
        return; /* in a list or an article it would look like a part of it (GEN-21) */
    }
    hb_say(s, no_tag, lines[kind]);
}

bool hb_nntp_busy(const struct hb_proto_session *s)
{
    return s->queue.num > 0 || s->u.nntp.multi;
}

static bool bye_later(const struct hb_proto_session *s)
{
    (void)s;
    return true; /* R13: in answer to the next command */
}

/* The answer that the backend's 383 asked for, or a TAKETHIS: does an article follow, or a command? */
static bool needs_line(const struct hb_proto_session *s)
{
    return s->u.nntp.sasl || s->u.nntp.lost;
}

static void too_long(struct hb_proto_session *s, struct hb_span head)
{
    struct hb_span rest = head;

    state(s)->lost = hb_span_is(hb_word_loose(&rest), "TAKETHIS");
    hb_say(s, no_tag, TOO_LONG);
}

static void greet(struct hb_proto_session *s)
{
    hb_say(s, no_tag, "200 %h ready");
}

static void digits(char *to, unsigned num, uint64_t value)
{
    while (num > 0) {
        to[--num] = (char)('0' + value % 10);
        value /= 10;
    }
}

/* RFC 3977 7.1: the time, for clients that ask before TLS. */
static void say_date(struct hb_proto_session *s)
{
    uint64_t now = s->env->wall(s->env->ctx);
    uint64_t day = now / 86400 + 719468; /* since March 1st of the year 0 */
    uint64_t era = day / 146097;
    uint64_t of_era = day % 146097;
    uint64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    uint64_t month = (5 * of_year + 2) / 153; /* since March */
    char text[14];

    year += era * 400 + (month >= 10);
    digits(text, 4, year);
    digits(text + 4, 2, month < 10 ? month + 3 : month - 9);
    digits(text + 6, 2, of_year - (153 * month + 2) / 5 + 1);
    digits(text + 8, 2, now / 3600 % 24);
    digits(text + 10, 2, now / 60 % 60);
    digits(text + 12, 2, now % 60);
    hb_say(s, hb_span(text, sizeof text), "111 %t");
}

static enum hb_unit refuse(struct hb_proto_session *s, const char *line)
{
    hb_say(s, no_tag, line);
    return hb_bad_command(s);
}

/* The article behind a refused TAKETHIS comes all the same: it is eaten, then comes the answer. */
static enum hb_unit refuse_command(struct hb_proto_session *s, struct hb_span verb, const char *line)
{
    if (!hb_span_is(verb, "TAKETHIS")) {
        return refuse(s, line);
    }
    state(s)->article = true;
    state(s)->dot = HB_DOT_LINE_START;
    state(s)->refusal = line;
    return HB_UNIT_NEXT;
}

/* ---- commands ---- */

/* "USER", "PASS" or "SASL"; *mech is what follows. */
static struct hb_span authinfo_variant(struct hb_span args, struct hb_span *mech)
{
    struct hb_span variant = hb_word_loose(&args);

    *mech = hb_word_loose(&args);
    return variant;
}

/* Not in clear what needs TLS (GEN-14, GEN-15), and never the identity that the backend knows us by
 * (SASL-02). Other variants let the server say what it likes to the client, and the client to it: nobody
 * could follow. */
static const char *authinfo_refusal(struct hb_proto_session *s, struct hb_span args)
{
    struct hb_span mech;
    struct hb_span variant = authinfo_variant(args, &mech);

    if (hb_span_is(variant, "USER") || hb_span_is(variant, "PASS")) {
        return hb_hide_passwords(s) ? NEEDS_TLS : NULL;
    }
    if (!hb_span_is(variant, "SASL") || mech.len == 0) {
        return "501 Syntax error in AUTHINFO";
    }
    if (!s->secured && (hb_mech_layered(mech) || (hb_hide_passwords(s) && hb_mech_plain(mech)))) {
        return NEEDS_TLS;
    }
    bool hidden = hb_span_is(mech, "EXTERNAL") && !hb_external_allowed(s);
    return !hb_plain_word(mech) || hidden ? NOT_HERE : NULL;
}

/* The refusal for a command that does not go to the backend; NULL: it does. The one place where policy is
 * looked at. */
static const char *refusal(struct hb_proto_session *s, struct hb_span verb, struct hb_span args)
{
    if (verb.len == 0 || hb_span_is(verb, "XCLIENT") || hb_span_is(verb, "XFEATURE")) { /* R12, SEC-08 */
        return UNKNOWN;
    }
    if (hb_span_is(verb, "COMPRESS") && !(s->secured && s->authenticated)) { /* GEN-16, NNTP-10 */
        return UNKNOWN;
    }
    if (hb_before_tls(s)) {
        return NEEDS_TLS;
    }
    if (hb_span_is(verb, "TAKETHIS") && !state(s)->streaming) {
        return UNKNOWN;
    }
    return hb_span_is(verb, "AUTHINFO") ? authinfo_refusal(s, args) : NULL;
}

/* Logins in clear are watched (clear.c). */
static struct hb_span login_name(struct hb_span args)
{
    struct hb_span mech;
    struct hb_span variant = authinfo_variant(args, &mech);

    return hb_span_is(variant, "SASL") ? mech : hb_span_str("USER/PASS");
}

static void tell_refused(struct hb_proto_session *s, struct hb_span verb, struct hb_span args,
                         const char *why)
{
    if (hb_span_is(verb, "AUTHINFO") && strcmp(why, NEEDS_TLS) == 0) {
        hb_login_refused(s, login_name(args));
    }
}

static enum hb_unit starttls(struct hb_proto_session *s, struct hb_span args)
{
    const char *why = s->secured                  ? "502 STARTTLS not allowed with active TLS layer"
                      : s->authenticated          ? "502 STARTTLS not permitted after authentication"
                      : !s->set->starttls_offered ? "580 Can not initiate TLS negotiation"
                      : args.len > 0              ? "501 STARTTLS takes no arguments"
                      : !s->set->tls_usable       ? "580 Can not initiate TLS negotiation"
                                                  : NULL;

    if (why != NULL) {
        return refuse(s, why);
    }
    /* GEN-09: the effect of MODE READER outlives STARTTLS (RFC 4642 2.2.2); the fresh link has to be told. */
    if (state(s)->reader && hb_buf_add(&s->saved, s->env, hb_span_str("MODE READER\r\n")) != HB_OK) {
        return hb_end(s, HB_E_NO_MEMORY);
    }
    hb_say(s, no_tag, "382 Continue with TLS negotiation");
    return HB_UNIT_UPGRADE;
}

/* R9, GEN-27: what we answer where TLS comes before the backend; false: nothing. */
static bool answer_here(struct hb_proto_session *s, struct hb_span verb, struct hb_span args,
                        enum hb_unit *unit)
{
    *unit = HB_UNIT_NEXT;
    if (hb_span_is(verb, "CAPABILITIES")) {
        hb_say(s, no_tag, "101 Capability list:\r\nVERSION 2");
        if (hb_offer_starttls(s)) {
            hb_say(s, no_tag, "STARTTLS");
        }
        hb_say(s, no_tag, ".");
    } else if (hb_span_is(verb, "HELP")) {
        hb_say(s, no_tag, "100 Help text follows\r\nUse STARTTLS first.\r\n.");
    } else if (hb_span_is(verb, "DATE")) {
        say_date(s);
    } else if (hb_span_is(verb, "MODE") && hb_span_is(args, "READER")) {
        state(s)->reader = true;
        greet(s);
    } else if (hb_span_is(verb, "QUIT")) {
        hb_say(s, no_tag, "205 Connection closing");
        *unit = hb_end(s, HB_E_PROTO_QUIT);
    } else {
        return false;
    }
    return true;
}

static enum hb_nntp_kind kind_of(struct hb_span verb, struct hb_span args)
{
    static const struct {
        const char *verb;
        const char *arg; /* NULL: any */
        enum hb_nntp_kind kind;
    } rows[] = {{"AUTHINFO", "SASL", HB_NNTP_SASL},   {"AUTHINFO", NULL, HB_NNTP_USER},
                {"MODE", "READER", HB_NNTP_READER},   {"MODE", "STREAM", HB_NNTP_STREAM},
                {"LISTGROUP", NULL, HB_NNTP_LISTING}, {"XGTITLE", NULL, HB_NNTP_LISTING},
                {"POST", NULL, HB_NNTP_POST},         {"IHAVE", NULL, HB_NNTP_IHAVE},
                {"COMPRESS", NULL, HB_NNTP_COMPRESS}, {"CAPABILITIES", NULL, HB_NNTP_CAPABILITIES},
                {"QUIT", NULL, HB_NNTP_QUIT}};
    struct hb_span arg = hb_word_loose(&args);

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (hb_span_is(verb, rows[i].verb) && (rows[i].arg == NULL || hb_span_is(arg, rows[i].arg))) {
            return rows[i].kind;
        }
    }
    return HB_NNTP_OTHER;
}

bool hb_nntp_decides(uint8_t kind)
{
    return kind == HB_NNTP_POST || kind == HB_NNTP_IHAVE || kind == HB_NNTP_READER ||
           kind == HB_NNTP_COMPRESS;
}

static bool one_message_id(struct hb_span args)
{
    struct hb_span id = hb_word_loose(&args);

    return args.len == 0 && id.len > 2 && id.len <= MESSAGE_ID_MAX && id.p[0] == '<' &&
           id.p[id.len - 1] == '>';
}

/* The client's response to EXTERNAL: judged here; the backend is asked by us (SASL-04). */
static enum hb_unit external_response(struct hb_proto_session *s, struct hb_span response)
{
    static const char *const refusals[] = {
        [HB_EXT_NO] = "481 The certificate is for another identity",
        [HB_EXT_CANCELLED] = "481 Authentication cancelled",
        [HB_EXT_SYNTAX] = "504 Invalid base64 data",
    };
    enum hb_external_verdict verdict = hb_external_judge(s, response);

    s->external = HB_EXT_NONE;
    state(s)->sasl = verdict == HB_EXT_YES;
    if (verdict != HB_EXT_YES) {
        return refuse(s, refusals[verdict]);
    }
    state(s)->layered = false;
    return hb_external_forward(s, HB_NNTP_SASL, no_tag, "AUTHINFO SASL PLAIN");
}

static enum hb_unit external(struct hb_proto_session *s, struct hb_span response)
{
    if (hb_nntp_busy(s)) {
        return HB_UNIT_WAIT;
    }
    if (response.len > 0) {
        return external_response(s, response);
    }
    s->external = HB_EXT_ASKED;
    state(s)->sasl = state(s)->sasl_due = true;
    hb_say(s, no_tag, "383 =");
    return HB_UNIT_NEXT;
}

static enum hb_unit forward(struct hb_proto_session *s, struct hb_span line, struct hb_span verb,
                            struct hb_span args)
{
    struct hb_nntp_state *t = state(s);
    struct hb_span mech;

    if (hb_span_is(verb,
                   "TAKETHIS")) { /* answered behind its article; written anew, so that all read it alike */
        hb_to_backend(s, hb_span_str("TAKETHIS "));
        hb_line_to_backend(s, args);
        t->article = true;
        t->dot = HB_DOT_LINE_START;
        t->refusal = NULL;
        return HB_UNIT_NEXT;
    }
    enum hb_nntp_kind kind = kind_of(verb, args);
    if (kind == HB_NNTP_SASL && hb_external_added(s)) {
        struct hb_span response = args;
        (void)hb_word_loose(&response);
        if (hb_span_is(hb_word_loose(&response), "EXTERNAL")) {
            return external(s, response);
        }
    }
    enum hb_code code = hb_replyq_add(&s->queue, s->env, (uint8_t)kind, no_tag);
    if (code != HB_OK) {
        return hb_end(s, code);
    }
    if (kind == HB_NNTP_SASL || kind == HB_NNTP_USER) {
        hb_login_begins(s, login_name(args));
    }
    if (kind == HB_NNTP_SASL) {
        (void)authinfo_variant(args, &mech);
        t->sasl = true;
        t->sasl_due = false;
        t->layered = !hb_mech_wraps_nothing(mech);
    }
    t->reply_due = hb_nntp_decides((uint8_t)kind);
    hb_line_to_backend(s, line);
    return HB_UNIT_NEXT;
}

static enum hb_unit command(struct hb_proto_session *s, struct hb_span line)
{
    struct hb_span args = line;
    struct hb_span verb = hb_word_loose(&args);
    bool must_wait = hb_nntp_busy(s); /* our answer would overtake the backend's */
    enum hb_unit unit;

    args = hb_trim_end(args); /* RFC 3977 9.1: blanks at the end are none */
    if (verb.p != line.p || !hb_plain_word(verb)) {
        verb.len = 0; /* a server with other blanks than ours might see a command in it */
    }
    bool takethis = hb_span_is(verb, "TAKETHIS");
    bool starts = hb_span_is(verb, "STARTTLS");
    bool too_big = line.len + 2 > LINE_MAX_NNTP && kind_of(verb, args) != HB_NNTP_SASL;
    bool unclear = takethis && !one_message_id(args);
    const char *no = refusal(s, verb, args);

    if (must_wait && (s->bye_due || starts || too_big || unclear || no != NULL)) {
        return HB_UNIT_WAIT;
    }
    if (s->bye_due) {
        return hb_say_bye_now(s);
    }
    if (too_big) {
        too_long(s, line);
        return takethis ? hb_end(s, HB_E_PROTO_LINE_TOO_LONG) : hb_bad_command(s);
    }
    if (unclear) { /* does an article follow, or a command? */
        hb_say(s, no_tag, TAKE_WHICH);
        return hb_end(s, HB_E_PROTO_SYNTAX);
    }
    if (starts) {
        return starttls(s, args);
    }
    if (hb_before_tls(s) && answer_here(s, verb, args, &unit)) {
        return unit;
    }
    if (no != NULL) {
        tell_refused(s, verb, args, no);
        return refuse_command(s, verb, no);
    }
    return hb_replyq_full(&s->queue) ? HB_UNIT_WAIT : forward(s, line, verb, args);
}

/* ---- articles ---- */

/* NNTP-04: a newline that is not CRLF might end the article for the backend, and what follows would be
 * commands nobody sent. */
static enum hb_unit bad_article(struct hb_proto_session *s)
{
    if (!state(s)->multi) {
        hb_say(s, no_tag, "400 Invalid article data");
    }
    return hb_end(s, HB_E_PROTO_BARE_NEWLINE);
}

static enum hb_unit article(struct hb_proto_session *s, struct hb_span *in)
{
    struct hb_nntp_state *t = state(s);

    if (in->len == 0) {
        return HB_UNIT_MORE;
    }
    const uint8_t *nul = memchr(in->p, 0, in->len);
    struct hb_span part = hb_span_head(*in, nul != NULL ? (size_t)(nul - in->p) : in->len);
    struct hb_dot_result r = hb_dot_scan(&t->dot, part, true);

    if (t->refusal == NULL) {
        hb_to_backend(s, hb_span_head(part, r.used));
    }
    *in = hb_span_skip(*in, r.used);
    if (r.bare || (nul != NULL && !r.end)) {
        return bad_article(s);
    }
    if (!r.end) {
        return HB_UNIT_MORE;
    }
    t->article = false;
    if (t->refusal != NULL) {
        return refuse(s, t->refusal);
    }
    enum hb_code code = hb_replyq_add(&s->queue, s->env, HB_NNTP_ARTICLE, no_tag);
    return code == HB_OK ? HB_UNIT_NEXT : hb_end(s, code);
}

static enum hb_unit client(struct hb_proto_session *s, struct hb_span *in)
{
    struct hb_nntp_state *t = state(s);
    struct hb_span line;

    if (t->article) {
        return article(s, in);
    }
    if (t->reply_due ||
        (t->sasl && !t->sasl_due)) { /* the backend's answer decides what the next bytes are */
        return in->len > 0 || s->client.ready ? HB_UNIT_WAIT : HB_UNIT_MORE;
    }
    enum hb_unit unit = hb_client_line(s, in, LINE_MAX_SASL, &line);
    if (unit != HB_UNIT_NEXT) {
        return unit;
    }
    if (t->sasl) { /* data of the exchange, whatever it looks like (NNTP-09) */
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

const struct hb_proto hb_proto_nntp = {
    .name = "nntp",
    .alpn = {"nntp"},
    .port = 119,
    .implicit_port = 563,
    .max_line = LINE_MAX_NNTP,
    .idle_auth = 1830, /* servers wait 30 minutes: theirs is the first goodbye */
    .idle_least = 180, /* RFC 3977 3.1 */
    .login_optional = true,
    .http = HB_HTTP_BY_VERSION, /* HEAD and POST are commands here */
    .carries = true,
    .greet = greet,
    .client = client,
    .backend = hb_nntp_backend,
    .bye = hb_nntp_bye,
    .bye_later = bye_later,
    .busy = hb_nntp_busy,
    .too_long = too_long,
    .needs_line = needs_line,
};
