/* imap.c: IMAP4rev1 and rev2 (RFC 3501, 9051), STARTTLS (RFC 2595 3), as a dialect of tagged.c.
 *
 * Capabilities are edited wherever they stand: the untagged CAPABILITY line and
 * the [CAPABILITY ...] code directly behind a status (IMAP-13); never inside
 * other text or literals. */
#include "tagged.h"
#include "words.h"
#include <hb/builder.h>

static const struct hb_tagged_texts texts = {
    .begin_tls = "%t OK Begin TLS negotiation now",
    .takes_no_arguments = "%t BAD STARTTLS takes no arguments",
    .already = "%t BAD TLS already active",
    .after_auth = "%t BAD STARTTLS not permitted after authentication",
    .temporary = "%t NO [UNAVAILABLE] TLS not available due to temporary reason",
    .unknown = "%t BAD Unknown command",
    .required_auth = "%t NO [PRIVACYREQUIRED] TLS required, use STARTTLS",
    .required = "%t NO [PRIVACYREQUIRED] TLS required, use STARTTLS",
    .too_long = "%t BAD Command line too long",
    .too_long_untagged = "* BAD Command line too long",
    .invalid_tag = "* BAD Invalid tag",
    .empty = "* BAD Invalid tag",
    .bad_character = "* BYE Invalid character in command",
    .shutdown = "* BYE Server shutting down",
    .idle = "* BYE Autologout; idle for too long",
    .backend = "* BYE [UNAVAILABLE] Backend not available",
    .insecure = "* BYE Insufficient security",
    .literal_too_long = "* BYE [TOOBIG] Literal not accepted",
    .too_many_arguments = "%t BAD Too many arguments",
    .alert = "* OK [ALERT] This login was not encrypted: " HB_CLEAR_WARNING,
    .mechanism = "%t NO [CANNOT] Authentication mechanism not supported",
    .not_yours = "%t NO [AUTHENTICATIONFAILED] The certificate is for another identity",
    .cancelled = "%t BAD Authentication cancelled",
    .no_base64 = "%t BAD Invalid base64 data",
};

/* ---- capabilities ---- */

/* SASL-06: a backend that has SCRAM with channel binding rejects clients that say "the server has none". */
static bool has_plus(struct hb_span list)
{
    while (list.len > 0) {
        struct hb_span cap = hb_word_loose(&list);
        if (hb_has_prefix(cap, "AUTH=SCRAM-") && hb_has_suffix(cap, "-PLUS")) {
            return true;
        }
    }
    return false;
}

static bool keep_capability(const struct hb_proto_session *s, struct hb_span cap, bool plus)
{
    if (hb_has_prefix(cap, "AUTH=")) {
        return hb_keep_mechanism(s, hb_span_skip(cap, 5), plus);
    }
    if (hb_has_prefix(cap, "COMPRESS=")) {
        /* GEN-16: a compressed stream cannot be framed; ATK-34: it does not mix with the login's secrets. A
         * list that comes with the login is for behind it. */
        uint8_t kind = hb_replyq_front(&s->queue);
        bool in = s->authenticated || kind == HB_KIND_LOGIN || kind == HB_KIND_EXCHANGE;
        return s->secured && in && !hb_tagged_looks_on(s);
    }
    return !hb_span_is(cap, "STARTTLS") && !hb_span_is(cap, "LOGINDISABLED") &&
           !hb_span_is(cap, "LOGIN-REFERRALS") && !hb_span_is(cap, "MAILBOX-REFERRALS") &&
           !hb_span_is(cap, "XCLIENT") && !(hb_span_is(cap, "UNAUTHENTICATE") && hb_tagged_looks_on(s));
}

/* IMAP-06: IMAP4rev2 has LITERAL- in it (RFC 9051 4.3); LITERAL+ is more. */
static bool note_literals(struct hb_proto_session *s, struct hb_span list)
{
    bool plus = false;
    bool minus = false;

    while (list.len > 0) {
        struct hb_span cap = hb_word_loose(&list);
        plus = plus || hb_span_is(cap, "LITERAL+");
        minus = minus || hb_span_is(cap, "LITERAL-") || hb_span_is(cap, "IMAP4rev2");
    }
    s->u.tagged.small_plus = minus && !plus;
    return plus;
}

/* The list behind "CAPABILITY ", edited for the present state (IMAP-14, IMAP-15, IMAP-16). */
static void say_capabilities(struct hb_proto_session *s, struct hb_span list)
{
    bool plus = hb_hides_scram(s, has_plus(list));
    bool any_literal = note_literals(s, list);

    hb_to_client(s, hb_span_str("CAPABILITY"));
    while (list.len > 0) {
        struct hb_span cap = hb_word_loose(&list);
        bool twice = any_literal && hb_span_is(cap, "LITERAL-"); /* never both (RFC 7888 5) */
        if (cap.len > 0 && !twice && keep_capability(s, cap, plus)) {
            hb_to_client(s, hb_span_str(" "));
            hb_to_client(s, cap);
        }
    }
    if (hb_external_added(s)) {
        hb_to_client(s, hb_span_str(" AUTH=EXTERNAL"));
    }
    if (hb_offer_starttls(s)) {
        hb_to_client(s, hb_span_str(" STARTTLS"));
    }
    if (hb_hide_passwords(s)) {
        hb_to_client(s, hb_span_str(" LOGINDISABLED"));
    }
}

static bool is_status(struct hb_span word)
{
    return hb_span_is(word, "OK") || hb_span_is(word, "NO") || hb_span_is(word, "BAD") ||
           hb_span_is(word, "PREAUTH");
}

static void pass(struct hb_proto_session *s, struct hb_span line)
{
    struct hb_span rest = line;
    struct hb_span tag = hb_word_loose(&rest);
    struct hb_span word = hb_word_loose(&rest);

    if (hb_span_is(tag, "*") && hb_span_is(word, "CAPABILITY")) {
        hb_to_client(s, hb_span_str("* "));
        say_capabilities(s, rest);
        hb_to_client(s, hb_span_str("\r\n"));
        return;
    }
    const uint8_t *end = rest.len > 0 ? memchr(rest.p, ']', rest.len) : NULL;
    if (end != NULL && hb_has_prefix(rest, "[REFERRAL ") && (is_status(word) || hb_span_is(word, "BYE"))) {
        struct hb_span text = hb_span_skip(rest, (size_t)(end - rest.p) + 1);
        hb_to_client(s,
                     hb_span(line.p, (size_t)(rest.p - line.p) - 1)); /* ATK-23: nobody is sent elsewhere */
        hb_line_to_client(s, text.len > 0 ? text : hb_span_str(" Not here"));
        return;
    }
    struct hb_span list = rest;
    if (is_status(word) && end != NULL && hb_span_is(hb_word_loose(&list), "[CAPABILITY")) {
        hb_to_client(s, hb_span(line.p, (size_t)(rest.p + 1 - line.p)));
        say_capabilities(s, hb_span_head(list, (size_t)(end - list.p)));
        hb_line_to_client(s, hb_span_skip(rest, (size_t)(end - rest.p)));
        return;
    }
    hb_line_to_client(s, line);
}

static enum hb_unit greeting(struct hb_proto_session *s, struct hb_span line)
{
    struct hb_span rest = line;
    struct hb_span star = hb_word_loose(&rest);
    struct hb_span word = hb_word_loose(&rest);

    if (!hb_span_is(star, "*") || !(hb_span_is(word, "OK") || hb_span_is(word, "PREAUTH"))) {
        hb_tagged_bye(s, HB_BYE_BACKEND);
        return hb_end(s, hb_span_is(word, "BYE") ? HB_E_PROTO_BACKEND_REFUSED : HB_E_PROTO_BACKEND_GREETING);
    }
    if (hb_span_is(word, "PREAUTH")) {
        if (s->secured || s->set->tls_required) { /* IMAP-20, ATK-18: nobody has logged in */
            hb_tagged_bye(s, HB_BYE_INSECURE);
            return hb_end(s, HB_E_PROTO_BACKEND_PREAUTH);
        }
        s->authenticated = true;
    }
    s->backend_state = HB_BACKEND_UP;
    if (!s->greeted) {
        s->greeted = true;
        pass(s, line);
    }
    return HB_UNIT_NEXT;
}

static void greet(struct hb_proto_session *s)
{
    hb_to_client(s, hb_span_str("* OK ["));
    say_capabilities(s, hb_span_str("IMAP4rev1"));
    hb_say(s, hb_span(NULL, 0), "] %h ready");
}

/* ---- commands ---- */

static void local_capability(struct hb_proto_session *s, struct hb_span args)
{
    (void)args;
    hb_to_client(s, hb_span_str("* "));
    say_capabilities(s, hb_span_str("IMAP4rev1"));
    hb_to_client(s, hb_span_str("\r\n"));
}

static void local_logout(struct hb_proto_session *s, struct hb_span args)
{
    (void)args;
    hb_say(s, hb_span(NULL, 0), "* BYE Logging out");
}

/* The value of one of ID's quoted strings; without escapes, which no name of a program has. */
static struct hb_span id_value(struct hb_span args, const char *key)
{
    struct hb_span words[2] = {{NULL, 0}, {NULL, 0}}; /* the one before, this one */

    for (bool is_key = true; args.len > 0; is_key = !is_key) {
        const uint8_t *from = memchr(args.p, '"', args.len);
        size_t left = from != NULL ? args.len - (size_t)(from + 1 - args.p) : 0;
        const uint8_t *to = left > 0 ? memchr(from + 1, '"', left) : NULL;
        if (to == NULL) {
            break;
        }
        words[0] = words[1];
        words[1] = hb_span(from + 1, (size_t)(to - from - 1));
        if (!is_key && hb_span_is(words[0], key)) {
            return words[1];
        }
        args = hb_span_skip(args, (size_t)(to + 1 - args.p));
    }
    return hb_span(NULL, 0);
}

static void local_id(struct hb_proto_session *s, struct hb_span args)
{
    uint8_t both[HB_SOFTWARE_MAX];
    struct hb_bld b = hb_bld(both, sizeof both);
    struct hb_span version = id_value(args, "version");

    hb_bld_put(&b, hb_span_head(id_value(args, "name"), sizeof both / 2));
    hb_bld_put(&b, hb_span(" ", b.len > 0 && version.len > 0 ? 1 : 0));
    hb_bld_put(&b, hb_span_head(version, sizeof both / 2 - 1));
    hb_client_software(s, hb_span(both, b.len));
    hb_say(s, hb_span(NULL, 0), "* ID NIL");
}

/* clang-format off */
static const struct hb_tagged_verb verbs[] = {
    { "CAPABILITY",   HB_CMD_LOCAL_CLEAR | HB_CMD_NO_ARGS,  local_capability, "%t OK CAPABILITY completed" },
    { "NOOP",         HB_CMD_LOCAL_CLEAR | HB_CMD_NO_ARGS,  NULL,             "%t OK NOOP completed" },
    { "LOGOUT",       HB_CMD_LOCAL_CLEAR | HB_CMD_NO_ARGS | HB_CMD_LOGOUT,
                                                            local_logout,     "%t OK LOGOUT completed" },
    { "ID",           HB_CMD_LOCAL_ALWAYS,                  local_id,         "%t OK ID completed" },
    { "STARTTLS",     HB_CMD_STARTTLS,                      NULL,             NULL },
    { "LOGIN",        HB_CMD_CREDENTIALS,                   NULL,             NULL },
    { "AUTHENTICATE", HB_CMD_AUTHENTICATE,                  NULL,             NULL },
    { "IDLE",         HB_CMD_IDLE,                          NULL,             NULL },
    { "COMPRESS",     HB_CMD_NEVER,                         NULL,             NULL },
    { "XCLIENT",      HB_CMD_NEVER,                         NULL,             NULL },
    { "UNAUTHENTICATE", HB_CMD_UNAUTHENTICATE,              NULL,             NULL },
};
/* clang-format on */

/* IMAP-02: printable ASCII without what the grammar needs elsewhere. */
static bool tag_char(uint8_t c)
{
    return c > 0x20 && c < 0x7f && strchr("(){%*\"\\+", c) == NULL;
}

/* IMAP-23: extensions between proxies are not for clients. */
static bool never(struct hb_span verb)
{
    return hb_has_prefix(verb, "X-");
}

/* An ID that claims to come from a proxy, or may do so in a literal, or behind a backslash that a server
 * takes out whatever it stands before (ADDR-21): answered here, so that the backend never sees it. */
static bool refuse_args(struct hb_proto_session *s, const struct hb_tagged_verb *verb, struct hb_span args)
{
    uint64_t size;

    (void)s;
    if (strcmp(verb->verb, "ID") != 0) {
        return false;
    }
    for (size_t i = 0; i + 2 <= args.len; i++) {
        if (args.p[i] == '\\') {
            return true;
        }
        bool begins = i == 0 || !hb_plain_word(hb_span(args.p + i - 1, 1));
        if (begins && hb_has_prefix(hb_span_skip(args, i), "x-")) {
            return true;
        }
    }
    return hb_literal_announced(args, &size) != HB_LITERAL_NONE;
}

static struct hb_span mechanism(struct hb_span args)
{
    struct hb_span mech = hb_word(&args);

    return hb_plain_word(mech) ? mech : hb_span(NULL, 0);
}

static void answer(struct hb_proto_session *s)
{
    hb_external_answer(s, "");
}

static const struct hb_tagged_dialect dialect = {
    .texts = &texts,
    .verbs = verbs,
    .num_verbs = sizeof verbs / sizeof verbs[0],
    .max_line = 8192,
    .max_tag = 128,
    .tag_char = tag_char,
    .never = never,
    .refuse_args = refuse_args,
    .mechanism = mechanism,
    .plain = "AUTHENTICATE PLAIN",
    .ask = "+ ",
    .judge = hb_external_judge,
    .answer = answer,
    .status_is_text = true,
    .unauthenticates = true,
    .greeting = greeting,
    .pass = pass,
};

const struct hb_proto hb_proto_imap = {
    .name = "imap",
    .alpn = {"imap"},
    .port = 143,
    .implicit_port = 993,
    .max_line = 8192,
    .idle_auth = 1830, /* RFC 9051 5.4: not below 30 minutes */
    .greet = greet,
    .client = hb_tagged_client,
    .backend = hb_tagged_backend,
    .bye = hb_tagged_bye,
    .too_long = hb_tagged_too_long,
    .busy = hb_tagged_busy,
    .needs_line = hb_tagged_needs_line,
    .dialect = &dialect,
};
