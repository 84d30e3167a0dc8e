/* tagged.c: the client's half of the machine behind IMAP and ACAP.
 *
 *   line -> verb -> refused | answered here | forwarded
 *   a line that ends in {n} goes on behind n octets, whatever becomes of the command (IMAP-04)
 *
 * judge() is the one place where policy is looked at; what it lets through is forwarded byte for byte, but
 * that {n+} becomes {n} before login.
 * Invariants: octets of a refused command never reach the backend and are dropped as they come; what we say
 * ourselves stands between the backend's lines, never inside one. */
#include "tagged.h"

#include "words.h"

#define LITERAL_BEFORE_LOGIN 65536u /* GEN-18 */
#define LITERAL_MINUS        4096u  /* RFC 7888 5 */
#define LOGIN_COMMAND        "LOGIN command"
#define EXCHANGE_LINE        12288u
#define LINE_AFTER_LOGIN     65535u      /* sets of messages may be long */
#define PLUS_LITERAL_CRLF    0x2b7d0d0au /* "+}" and the end of the line */

static struct hb_tagged_state *state(struct hb_proto_session *s)
{
    return &s->u.tagged;
}

/* ---- what is said ---- */

static enum hb_unit refuse(struct hb_proto_session *s, struct hb_span tag, enum hb_tagged_refusal why)
{
    const struct hb_tagged_texts *t = s->row->dialect->texts;
    const char *const texts[] = {
        [HB_REFUSE_NOTHING] = NULL,           [HB_REFUSE_REQUIRED_AUTH] = t->required_auth,
        [HB_REFUSE_REQUIRED] = t->required,   [HB_REFUSE_ARGUMENTS] = t->takes_no_arguments,
        [HB_REFUSE_UNKNOWN] = t->unknown,     [HB_REFUSE_TOO_MANY_ARGUMENTS] = t->too_many_arguments,
        [HB_REFUSE_MECHANISM] = t->mechanism, [HB_REFUSE_CANCELLED] = t->cancelled,
        [HB_REFUSE_NOT_YOURS] = t->not_yours, [HB_REFUSE_NO_RESPONSE] = t->no_base64,
    };

    if (texts[why] == NULL) {
        return HB_UNIT_NEXT;
    }
    hb_say(s, tag, texts[why]);
    return hb_bad_command(s);
}

void hb_tagged_bye(struct hb_proto_session *s, enum hb_goodbye kind)
{
    const struct hb_tagged_texts *t = s->row->dialect->texts;
    struct hb_span none = hb_span(NULL, 0);

    if (hb_tagged_busy(s)) {
        return; /* it would be taken for data */
    }
    switch (kind) {
    case HB_BYE_SHUTDOWN:
        hb_say(s, none, t->shutdown);
        break;
    case HB_BYE_IDLE:
        hb_say(s, none, t->idle);
        break;
    case HB_BYE_BACKEND:
        hb_say(s, none, t->backend);
        break;
    case HB_BYE_INSECURE:
        hb_say(s, none, t->insecure);
        break;
    case HB_BYE_BAD_CHARACTER:
        hb_say(s, none, t->bad_character);
        break;
    }
}

static bool valid_tag(const struct hb_tagged_dialect *d, struct hb_span tag)
{
    if (tag.len == 0 || tag.len > d->max_tag) {
        return false;
    }
    for (size_t i = 0; i < tag.len; i++) {
        if (!d->tag_char(tag.p[i])) {
            return false;
        }
    }
    return true;
}

void hb_tagged_too_long(struct hb_proto_session *s, struct hb_span head)
{
    const struct hb_tagged_dialect *d = s->row->dialect;
    struct hb_span tag = hb_word(&head);

    if (valid_tag(d, tag) && !state(s)->continues && !state(s)->exchange) {
        hb_say(s, tag, d->texts->too_long);
    } else {
        hb_say(s, hb_span(NULL, 0), d->texts->too_long_untagged);
    }
}

/* The rest of a command, a line of an exchange, or what octets follow: without it we would take the wrong
 * bytes for commands (SEC-05). */
bool hb_tagged_needs_line(const struct hb_proto_session *s)
{
    return s->u.tagged.continues || s->u.tagged.exchange || hb_line_tail(&s->client) == PLUS_LITERAL_CRLF;
}

/* ---- the client's side ---- */

static enum hb_unit end_command(struct hb_proto_session *s)
{
    struct hb_tagged_state *t = state(s);
    enum hb_tagged_refusal why = (enum hb_tagged_refusal)t->refusal;

    t->continues = false;
    t->refusal = HB_REFUSE_NOTHING;
    enum hb_unit unit = refuse(s, hb_buf_span(&s->saved), why);
    hb_buf_clear(&s->saved, s->env);
    return unit;
}

/* Parsers disagree about this literal, or it is too large (GEN-18, IMAP-06; behind the login that is the
 * backend's to say). */
static bool literal_refused(struct hb_proto_session *s, struct hb_span line)
{
    uint64_t size = 0;
    enum hb_literal kind = hb_literal_at_end(line, &size);
    bool small = kind == HB_LITERAL_PLUS && state(s)->small_plus;

    return kind == HB_LITERAL_BAD || (kind != HB_LITERAL_NONE && !s->authenticated &&
                                      size > (small ? LITERAL_MINUS : LITERAL_BEFORE_LOGIN));
}

/* No way to go on (SEC-05). */
static enum hb_unit no_literal(struct hb_proto_session *s)
{
    if (!hb_tagged_busy(s)) {
        hb_say(s, hb_span(NULL, 0), s->row->dialect->texts->literal_too_long);
    }
    return hb_end(s, HB_E_PROTO_LITERAL_TOO_LONG);
}

/* The line that was just dealt with may announce a literal: what comes next is not a command then. */
static enum hb_unit after_line(struct hb_proto_session *s, struct hb_span line)
{
    struct hb_tagged_state *t = state(s);
    uint64_t size;

    switch (hb_literal_at_end(line, &size)) {
    case HB_LITERAL_NONE:
        return end_command(s);
    case HB_LITERAL_BAD:
        return no_literal(s);
    case HB_LITERAL_SYNC:
        if (!t->forward) {
            return end_command(s); /* refused: no "+", so no octets come (IMAP-05) */
        }
        t->continues = true;
        t->announced = size;
        t->await_literal = true;
        break;
    case HB_LITERAL_PLUS:
        t->continues = true;
        t->await_literal = t->forward && t->asked;
        t->announced = t->await_literal ? size : 0;
        t->client_literal = t->await_literal ? 0 : size;
        break;
    }
    return literal_refused(s, line) ? no_literal(s) : HB_UNIT_NEXT;
}

enum hb_unit hb_tagged_refuse_command(struct hb_proto_session *s, struct hb_span tag, struct hb_span line,
                                      enum hb_tagged_refusal why)
{
    state(s)->forward = false;
    state(s)->refusal = (uint8_t)why;
    if (hb_buf_add(&s->saved, s->env, tag) != HB_OK) {
        return hb_end(s, HB_E_NO_MEMORY);
    }
    return after_line(s, line);
}

/* Before login no literal goes without the backend's "+": one that takes {n+} for text, or has done with the
 * command before its octets (NOOP {n+}), would take the octets for commands that nobody judged (SEC-05). */
static void forward_line(struct hb_proto_session *s, struct hb_span line)
{
    uint64_t size;

    state(s)->asked = !s->authenticated && hb_literal_at_end(line, &size) == HB_LITERAL_PLUS;
    if (state(s)->asked) {
        hb_to_backend(s, hb_span_head(line, line.len - 2));
        hb_line_to_backend(s, hb_span_str("}"));
    } else {
        hb_line_to_backend(s, line);
    }
}

static enum hb_unit forward_command(struct hb_proto_session *s, struct hb_span tag, struct hb_span line,
                                    enum hb_tagged_kind kind)
{
    enum hb_code code = hb_replyq_add(&s->queue, s->env, (uint8_t)kind, tag);

    if (code != HB_OK) {
        return hb_end(s, code);
    }
    if (kind == HB_KIND_LOGIN) {
        hb_login_begins(s, hb_span_str(LOGIN_COMMAND));
    }
    forward_line(s, line);
    state(s)->forward = true;
    state(s)->exchange = kind == HB_KIND_EXCHANGE;
    state(s)->line_due = false;
    return after_line(s, line);
}

static const struct hb_tagged_verb *find_verb(const struct hb_tagged_dialect *d, struct hb_span verb)
{
    for (size_t i = 0; i < d->num_verbs; i++) {
        if (hb_span_is(verb, d->verbs[i].verb)) {
            return &d->verbs[i];
        }
    }
    return NULL;
}

/* STARTTLS: by grammar, then by state, then behind everything that is outstanding (GEN-01, GEN-02). */
static enum hb_unit starttls(struct hb_proto_session *s, struct hb_span tag, struct hb_span line, bool args)
{
    const struct hb_tagged_texts *t = s->row->dialect->texts;
    const char *answer = NULL;

    if (s->secured) {
        answer = t->already;
    } else if (s->authenticated) {
        answer = t->after_auth;
    } else if (!s->set->starttls_offered) {
        answer = t->unknown;
    } else if (args) {
        return hb_tagged_refuse_command(s, tag, line, HB_REFUSE_ARGUMENTS);
    } else if (!s->set->tls_usable) {
        answer = t->temporary;
    }
    if (answer != NULL) {
        hb_say(s, tag, answer);
        return hb_bad_command(s) == HB_UNIT_CLOSE ? HB_UNIT_CLOSE : after_line(s, line);
    }
    if (s->queue.num > 0) {
        return HB_UNIT_WAIT;
    }
    hb_say(s, tag, t->begin_tls);
    return HB_UNIT_UPGRADE;
}

static enum hb_unit answer_here(struct hb_proto_session *s, const struct hb_tagged_verb *v,
                                struct hb_span tag, struct hb_span args)
{
    if (v->local != NULL) {
        v->local(s, args);
    }
    hb_say(s, tag, v->ok);
    return (v->flags & HB_CMD_LOGOUT) != 0 ? hb_end(s, HB_E_PROTO_QUIT) : HB_UNIT_NEXT;
}

static enum hb_tagged_kind kind_of(unsigned flags)
{
    if ((flags & (HB_CMD_AUTHENTICATE | HB_CMD_IDLE)) != 0) {
        return HB_KIND_EXCHANGE;
    }
    if ((flags & HB_CMD_LOGOUT) != 0) {
        return HB_KIND_LOGOUT;
    }
    return (flags & HB_CMD_CREDENTIALS) != 0 ? HB_KIND_LOGIN : HB_KIND_OTHER;
}

/* ---- policy ---- */

/* AUTHENTICATE: not in clear what needs TLS, and never the identity that the backend knows us by (SASL-02).
 */
static enum hb_tagged_refusal judge_mechanism(struct hb_proto_session *s, struct hb_span mech)
{
    bool hidden = hb_hide_passwords(s) && (mech.len == 0 || hb_mech_plain(mech));

    if (hidden || (!s->secured && hb_mech_layered(mech))) {
        return HB_REFUSE_REQUIRED_AUTH;
    }
    bool external = hb_span_is(mech, "EXTERNAL");
    return mech.len == 0 || (external && !hb_external_allowed(s)) ? HB_REFUSE_MECHANISM : HB_REFUSE_NOTHING;
}

/* Decides what becomes of a command; the one place where policy is looked at. */
static enum hb_tagged_refusal judge(struct hb_proto_session *s, const struct hb_tagged_verb *v,
                                    struct hb_span verb, struct hb_span args, bool has_args)
{
    const struct hb_tagged_dialect *d = s->row->dialect;
    unsigned flags = v != NULL ? v->flags : 0;

    if (hb_before_tls(s)) {
        bool local = (flags & (HB_CMD_LOCAL_CLEAR | HB_CMD_LOCAL_ALWAYS)) != 0;
        bool login = (flags & (HB_CMD_CREDENTIALS | HB_CMD_AUTHENTICATE)) != 0;
        if (local) {
            return has_args && (flags & HB_CMD_NO_ARGS) != 0 ? HB_REFUSE_TOO_MANY_ARGUMENTS
                                                             : HB_REFUSE_NOTHING;
        }
        return login ? HB_REFUSE_REQUIRED_AUTH : HB_REFUSE_REQUIRED;
    }
    bool looking = !s->authenticated || !s->secured || hb_tagged_looks_on(s);
    if (looking && ((flags & HB_CMD_NEVER) != 0 || d->never(verb))) {
        return HB_REFUSE_UNKNOWN;
    }
    if ((flags & HB_CMD_UNAUTHENTICATE) != 0 && hb_tagged_looks_on(s)) {
        return HB_REFUSE_UNKNOWN;
    }
    if (v == NULL && !hb_plain_word(verb)) {
        return HB_REFUSE_UNKNOWN; /* "LOGIN<tab>": a lenient backend might see a command that we do not */
    }
    if ((flags & HB_CMD_AUTHENTICATE) != 0) {
        return judge_mechanism(s, d->mechanism(args));
    }
    return hb_hide_passwords(s) && (flags & HB_CMD_CREDENTIALS) != 0 ? HB_REFUSE_REQUIRED_AUTH
                                                                     : HB_REFUSE_NOTHING;
}

static enum hb_unit command(struct hb_proto_session *s, struct hb_span line)
{
    const struct hb_tagged_dialect *d = s->row->dialect;
    struct hb_span rest = line;
    struct hb_span tag = hb_word(&rest);
    struct hb_span verb = hb_word(&rest);
    bool valid = valid_tag(d, tag) && verb.len > 0;
    bool has_args = tag.len + 1 + verb.len < line.len; /* a blank behind the verb counts (IMAP-10) */
    const struct hb_tagged_verb *v = valid ? find_verb(d, verb) : NULL;
    unsigned flags = v != NULL ? v->flags : 0;
    enum hb_tagged_refusal why = valid ? judge(s, v, verb, rest, has_args) : HB_REFUSE_NOTHING;
    bool here = hb_before_tls(s) || (!s->secured && (flags & HB_CMD_LOCAL_ALWAYS) != 0) ||
                (v != NULL && d->refuse_args(s, v, rest));

    if (valid && why == HB_REFUSE_NOTHING && !here && (flags & HB_CMD_STARTTLS) == 0) {
        if (literal_refused(s, line)) { /* the backend hears nothing of it */
            return hb_tagged_busy(s) ? HB_UNIT_WAIT : no_literal(s);
        }
        if ((flags & HB_CMD_AUTHENTICATE) != 0) {
            struct hb_span mech = d->mechanism(rest);
            if (hb_span_is(mech, "EXTERNAL") && hb_external_added(s)) {
                struct hb_span behind = rest;
                (void)hb_word(&behind);
                return hb_tagged_external(s, tag, line, behind, memchr(rest.p, ' ', rest.len) != NULL);
            }
            hb_login_begins(s, mech);
        }
        return hb_replyq_full(&s->queue) ? HB_UNIT_WAIT : forward_command(s, tag, line, kind_of(flags));
    }
    if (hb_tagged_busy(s)) {
        return HB_UNIT_WAIT; /* the answer is ours */
    }
    state(s)->forward = false;
    if (!valid) {
        hb_say(s, tag, line.len == 0 ? d->texts->empty : d->texts->invalid_tag);
        return hb_bad_command(s) == HB_UNIT_CLOSE ? HB_UNIT_CLOSE : after_line(s, line);
    }
    if ((flags & HB_CMD_STARTTLS) != 0) {
        return starttls(s, tag, line, has_args);
    }
    if (why == HB_REFUSE_REQUIRED_AUTH) {
        bool exchange = (flags & HB_CMD_AUTHENTICATE) != 0;
        hb_login_refused(s, exchange ? d->mechanism(rest) : hb_span_str(LOGIN_COMMAND));
    }
    if (why != HB_REFUSE_NOTHING) {
        return hb_tagged_refuse_command(s, tag, line, why);
    }
    enum hb_unit unit = answer_here(s, v, tag, rest);
    return unit != HB_UNIT_NEXT ? unit : after_line(s, line);
}

/* Octets of a literal: forwarded as they are, kept as a response, or dropped. */
static enum hb_unit literal(struct hb_proto_session *s, struct hb_span *in)
{
    struct hb_tagged_state *t = state(s);
    struct hb_span part =
        hb_span_head(*in, t->client_literal < SIZE_MAX ? (size_t)t->client_literal : SIZE_MAX);

    if (part.len == 0) {
        return HB_UNIT_MORE;
    }
    if (t->response && hb_buf_add(&s->saved, s->env, part) != HB_OK) {
        return hb_end(s, HB_E_NO_MEMORY);
    }
    if (t->forward) {
        hb_to_backend(s, part);
    }
    t->client_literal -= part.len;
    *in = hb_span_skip(*in, part.len);
    return HB_UNIT_NEXT;
}

enum hb_unit hb_tagged_client(struct hb_proto_session *s, struct hb_span *in)
{
    struct hb_tagged_state *t = state(s);
    struct hb_span line;

    if (t->client_literal > 0) {
        return literal(s, in);
    }
    bool refusal_due = t->continues && !t->forward && hb_tagged_busy(s);
    if (t->await_literal || refusal_due || (t->exchange && !t->line_due && !t->continues)) {
        return in->len > 0 || s->client.ready ? HB_UNIT_WAIT : HB_UNIT_MORE;
    }
    size_t max = t->exchange        ? EXCHANGE_LINE
                 : s->authenticated ? LINE_AFTER_LOGIN
                                    : s->row->dialect->max_line;
    enum hb_unit unit = hb_client_line(s, in, max, &line);
    if (unit != HB_UNIT_NEXT) {
        return unit;
    }
    if (t->response) {
        unit = hb_tagged_external_over(s, line);
    } else if (t->continues) {
        if (t->forward) {
            forward_line(s, line);
        }
        unit = after_line(s, line);
    } else if (t->exchange) { /* SASL data, or DONE: never a command (IMAP-08) */
        t->line_due = false;
        if (s->external == HB_EXT_ASKED) {
            unit = hb_tagged_external_line(s, line);
        } else if (s->row->dialect->exchange_literals) {
            forward_line(s, line);
            unit = after_line(s, line);
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
