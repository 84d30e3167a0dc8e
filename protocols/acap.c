/* acap.c: ACAP (RFC 2244), STARTTLS (RFC 2595 5), as a dialect of tagged.c.
 *
 * Capabilities come in the greeting alone, each in parentheses, strings quoted
 * or as literals; inside TLS the server greets again (ACAP-04), so the backend's
 * greeting always passes, edited. */
#include "tagged.h"
#include "words.h"

static const struct hb_tagged_texts texts = {
    .begin_tls = "%t OK \"Begin TLS negotiation now\"",
    .takes_no_arguments = "%t BAD \"STARTTLS takes no arguments\"",
    .already = "%t BAD \"TLS already active\"",
    .after_auth = "%t BAD \"STARTTLS not permitted after authentication\"",
    .temporary = "%t NO (TRYLATER) \"TLS not available due to temporary reason\"",
    .unknown = "%t BAD \"Unknown command\"",
    .required_auth = "%t NO (ENCRYPT-NEEDED) \"TLS required, use STARTTLS\"",
    .required = "%t BAD \"Command not valid in this state\"",
    .too_long = "%t BAD \"Command line too long\"",
    .too_long_untagged = "* BAD \"Command line too long\"",
    .invalid_tag = "* BAD \"Invalid tag\"",
    .empty = "* BAD \"Empty command line\"",
    .bad_character = "* BYE \"Invalid character in command\"",
    .shutdown = "* BYE \"Server shutting down\"",
    .idle = "* BYE \"Auto-logout; idle for too long\"",
    .backend = "* BYE (TRYLATER) \"Backend not available\"",
    .insecure = "* BYE \"Insufficient security\"",
    .literal_too_long = "* BYE \"Literal not accepted\"",
    .too_many_arguments = "%t BAD \"Too many arguments\"",
    .alert = "* ALERT \"This login was not encrypted: " HB_CLEAR_WARNING "\"",
    .mechanism = "%t NO \"Authentication mechanism not supported\"",
    .not_yours = "%t NO \"The certificate is for another identity\"",
    .cancelled = "%t BAD \"Authentication cancelled\"",
    .no_base64 = "%t BAD \"Not a string\"",
};

/* ---- the greeting ---- */

static bool skip_byte(struct hb_span *in, uint8_t c)
{
    if (in->len == 0 || in->p[0] != c) {
        return false;
    }
    *in = hb_span_skip(*in, 1);
    return true;
}

/* What a greeting has: mechanisms, and SCRAM with channel binding among them. */
struct found {
    bool sasl, plus;
};

/* One " (NAME strings...)"; say false: only looks whether it is well formed, and what it has. */
static bool group(struct hb_proto_session *s, struct hb_span *in, bool say, struct found *found)
{
    struct hb_span whole = *in;
    struct hb_span raw;
    struct hb_span value;
    bool any = false;

    if (!skip_byte(in, ' ') || !skip_byte(in, '(')) {
        return false;
    }
    size_t n = 0;
    while (n < in->len && in->p[n] != ' ' && in->p[n] != ')') {
        n++;
    }
    struct hb_span name = hb_span_head(*in, n);
    *in = hb_span_skip(*in, n);
    bool sasl = hb_span_is(name, "SASL");
    found->sasl = found->sasl || sasl;
    while (skip_byte(in, ' ')) {
        if (!hb_take_string(in, &raw, &value)) {
            return false;
        }
        found->plus =
            found->plus || (sasl && hb_has_prefix(value, "SCRAM-") && hb_has_suffix(value, "-PLUS"));
        if (say && sasl && hb_keep_mechanism(s, value, hb_hides_scram(s, found->plus))) {
            hb_to_client(s, hb_span_str(any ? " " : " (SASL "));
            hb_to_client(s, raw);
            any = true;
        }
    }
    if (name.len == 0 || !skip_byte(in, ')')) {
        return false;
    }
    if (say && sasl && hb_external_added(s)) {
        hb_to_client(s, hb_span_str(any ? " \"EXTERNAL\")" : " (SASL \"EXTERNAL\")"));
    } else if (say && sasl && any) {
        hb_to_client(s, hb_span_str(")"));
    } else if (say && !sasl && !hb_span_is(name, "STARTTLS")) {
        hb_to_client(s, hb_span_head(whole, whole.len - in->len));
    }
    return true;
}

static bool capabilities(struct hb_proto_session *s, struct hb_span list, bool say, struct found *found)
{
    while (list.len > 0) {
        if (!group(s, &list, say, found)) {
            return false;
        }
    }
    return true;
}

/* ACAP-03: the backend's groups without its STARTTLS, ours at the end. */
static void say_greeting(struct hb_proto_session *s, struct hb_span list)
{
    struct found found = {0};

    (void)capabilities(s, list, false, &found);
    hb_to_client(s, hb_span_str("* ACAP"));
    (void)capabilities(s, list, true, &found); /* judged before */
    if (!found.sasl && hb_external_added(s)) {
        hb_to_client(s, hb_span_str(" (SASL \"EXTERNAL\")"));
    }
    hb_say(s, hb_span(NULL, 0), hb_offer_starttls(s) ? " (STARTTLS)" : "");
}

static enum hb_unit greeting(struct hb_proto_session *s, struct hb_span line)
{
    struct found found = {0};

    if (!hb_has_prefix(line, "* ACAP") || !capabilities(s, hb_span_skip(line, 6), false, &found)) {
        hb_tagged_bye(s, HB_BYE_BACKEND);
        return hb_end(s, hb_has_prefix(line, "* BYE") ? HB_E_PROTO_BACKEND_REFUSED
                                                      : HB_E_PROTO_BACKEND_GREETING);
    }
    s->backend_state = HB_BACKEND_UP;
    s->greeted = true;
    say_greeting(s, hb_span_skip(line, 6));
    return HB_UNIT_NEXT;
}

static void greet(struct hb_proto_session *s)
{
    say_greeting(s, hb_span_str(" (IMPLEMENTATION \"hauberk\")"));
}

static void pass(struct hb_proto_session *s, struct hb_span line)
{
    hb_line_to_client(s, line);
}

/* ---- commands ---- */

static void local_logout(struct hb_proto_session *s, struct hb_span args)
{
    (void)args;
    hb_say(s, hb_span(NULL, 0), "* BYE \"Logging out\"");
}

/* RFC 2244 6.2.3: the language, then the comparators every server has (3.4). */
#define LANG_ANSWER                                                                                          \
    "%t LANG \"i-default\" \"i;octet\" \"i;ascii-casemap\" \"i;ascii-numeric\"\r\n%t OK \"LANG completed\""

/* clang-format off */
static const struct hb_tagged_verb verbs[] = {
    { "NOOP",         HB_CMD_LOCAL_CLEAR | HB_CMD_NO_ARGS, NULL,         "%t OK \"NOOP completed\"" },
    { "LANG",         HB_CMD_LOCAL_CLEAR,                  NULL,         LANG_ANSWER },
    { "LOGOUT",       HB_CMD_LOCAL_CLEAR | HB_CMD_NO_ARGS | HB_CMD_LOGOUT,
                                                           local_logout, "%t OK \"LOGOUT completed\"" },
    { "STARTTLS",     HB_CMD_STARTTLS,                     NULL,         NULL },
    { "AUTHENTICATE", HB_CMD_AUTHENTICATE,                 NULL,         NULL },
};
/* clang-format on */

/* ACAP-05. */
static bool tag_char(uint8_t c)
{
    return c > 0x20 && c < 0x7f && strchr("\"()*+\\{", c) == NULL;
}

static bool never(struct hb_span verb)
{
    (void)verb;
    return false;
}

static bool refuse_args(struct hb_proto_session *s, const struct hb_tagged_verb *verb, struct hb_span args)
{
    (void)s;
    (void)verb;
    (void)args;
    return false;
}

/* The mechanism is a quoted string (RFC 2244 8); one sent as a literal is none. */
static struct hb_span mechanism(struct hb_span args)
{
    struct hb_span raw;
    struct hb_span value;

    return hb_take_string(&args, &raw, &value) && hb_plain_word(value) ? value : hb_span(NULL, 0);
}

/* One quoted string, without escapes: no identity of ours needs any. (A literal: tagged_external.c.) */
static enum hb_external_verdict judge(struct hb_proto_session *s, struct hb_span response)
{
    struct hb_span raw;
    struct hb_span value;

    if (hb_span_is(response, "*")) {
        return HB_EXT_CANCELLED;
    }
    bool quoted = response.len > 0 && response.p[0] == '"' && hb_take_string(&response, &raw, &value);
    return quoted && response.len == 0 ? hb_external_judge_name(s, value) : HB_EXT_SYNTAX;
}

static const struct hb_tagged_dialect dialect = {
    .texts = &texts,
    .verbs = verbs,
    .num_verbs = sizeof verbs / sizeof verbs[0],
    .max_line = 65535,
    .max_tag = 32,
    .tag_char = tag_char,
    .never = never,
    .refuse_args = refuse_args,
    .mechanism = mechanism,
    .exchange_literals = true,
    .plain = "AUTHENTICATE \"PLAIN\"",
    .ask = "+ \"\"",
    .judge = judge,
    .answer = hb_external_answer_literal,
    .greeting = greeting,
    .greeting_literals = true,
    .pass = pass,
};

const struct hb_proto hb_proto_acap = {
    .name = "acap",
    .port = 674,
    .implicit_port = 674,
    .max_line = 65535,
    .idle_auth = 1830, /* RFC 2244 2.4.3: not below 30 minutes */
    .regreet = true,
    .greet = greet,
    .client = hb_tagged_client,
    .backend = hb_tagged_backend,
    .bye = hb_tagged_bye,
    .too_long = hb_tagged_too_long,
    .busy = hb_tagged_busy,
    .needs_line = hb_tagged_needs_line,
    .dialect = &dialect,
};
