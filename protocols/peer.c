/* peer.c: the machine behind every client face: which step follows which, limits, literals, verdicts.
 *
 *   GREETING -> [HELLO -> [MODE -> HELLO] -> STARTTLS -> HANDSHAKE ~ [REGREET] ->] [LIST] -> [IDENTITY] ->
 * READY
 *
 * HTTP's server waits to be asked: GREETING and HELLO are left out. A reply is a run of lines that the face
 * judges one by one; verdicts[] says what a judgement means at each step. STARTTLS is tried whether it was
 * listed or not (CLI-05): a list in clear is the network's word, and the operator's word is that there must
 * be TLS. An answer whose line begins in bytes that came before its question is none (ATK-06). Invariants:
 * hb_peer_secured() keeps nothing that was heard before but facts and the first list, both for reports; every
 * byte taken is counted against HB_PEER_TOTAL_MAX before it is looked at. */
#include "peer.h"

#include "words.h"

static const struct hb_peer_proto *const faces[] = {
    &hb_peer_imap, &hb_peer_pop3,  &hb_peer_smtp, &hb_peer_lmtp,
    &hb_peer_acap, &hb_peer_sieve, &hb_peer_nntp, &hb_peer_http,
};

/* Every pair that is not named is a reply that does not belong there. YES and MORE are no errors. */
static const uint16_t verdicts[HB_NUM_AT][HB_NUM_ANSWERS] = {
    /* clang-format off */
    [HB_AT_GREETING] = { [HB_ANSWER_NO] = HB_E_PEER_REFUSED,          [HB_ANSWER_LATER] = HB_E_PEER_REFUSED,
                         [HB_ANSWER_ODD] = HB_E_PEER_GREETING,        [HB_ANSWER_BYE] = HB_E_PEER_REFUSED,
                         [HB_ANSWER_PREAUTH] = HB_E_PEER_PREAUTH },
    [HB_AT_HELLO]    = { [HB_ANSWER_NO] = HB_E_PEER_NO_STARTTLS,      [HB_ANSWER_LATER] = HB_E_PEER_REFUSED,
                         [HB_ANSWER_BYE] = HB_E_PEER_BYE },
    [HB_AT_MODE]     = { [HB_ANSWER_NO] = HB_E_PEER_REFUSED,          [HB_ANSWER_LATER] = HB_E_PEER_REFUSED,
                         [HB_ANSWER_BYE] = HB_E_PEER_BYE },
    [HB_AT_STARTTLS] = { [HB_ANSWER_NO] = HB_E_PEER_STARTTLS_REFUSED, [HB_ANSWER_LATER] = HB_E_PEER_STARTTLS_LATER,
                         [HB_ANSWER_ODD] = HB_E_PEER_STARTTLS_ODD,    [HB_ANSWER_BYE] = HB_E_PEER_BYE,
                         [HB_ANSWER_PREAUTH] = HB_E_PEER_PREAUTH },
    [HB_AT_REGREET]  = { [HB_ANSWER_NO] = HB_E_PEER_REFUSED,          [HB_ANSWER_LATER] = HB_E_PEER_REFUSED,
                         [HB_ANSWER_ODD] = HB_E_PEER_GREETING,        [HB_ANSWER_BYE] = HB_E_PEER_REFUSED },
    [HB_AT_LIST]     = { [HB_ANSWER_LATER] = HB_E_PEER_REFUSED,       [HB_ANSWER_BYE] = HB_E_PEER_BYE },
    [HB_AT_IDENTITY] = { [HB_ANSWER_NO] = HB_E_PEER_IDENTITY_REFUSED, [HB_ANSWER_LATER] = HB_E_PEER_IDENTITY_REFUSED,
                         [HB_ANSWER_BYE] = HB_E_PEER_BYE },
    /* clang-format on */
};

/* ---- faces ---- */

const struct hb_peer_proto *hb_peer_find(const char *name)
{
    for (size_t i = 0; i < sizeof faces / sizeof faces[0]; i++) {
        for (size_t k = 0; k < sizeof faces[i]->names / sizeof faces[i]->names[0]; k++) {
            if (faces[i]->names[k] != NULL && strcmp(faces[i]->names[k], name) == 0) {
                return faces[i];
            }
        }
    }
    return NULL;
}

bool hb_peer_has_xclient(const struct hb_peer_proto *proto)
{
    return proto->has_xclient;
}

bool hb_peer_has_id(const struct hb_peer_proto *proto)
{
    return proto->has_id;
}

bool hb_peer_waits(const struct hb_peer_proto *proto)
{
    return proto->waits;
}

const char *hb_peer_alpn(const struct hb_peer_proto *proto)
{
    return proto->alpn;
}

struct hb_peer *hb_peer_new(const struct hb_peer_proto *proto, const struct hb_peer_settings *set,
                            const struct hb_env *env)
{
    struct hb_peer *p = env->alloc(env->ctx, sizeof *p);

    if (p == NULL) {
        return NULL;
    }
    p->row = proto;
    p->set = set;
    p->env = env;
    hb_line_init(&p->line);
    hb_buf_init(&p->greeting, (size_t)HB_PEER_TOTAL_MAX + HB_PEER_LINE_MAX);
    hb_buf_init(&p->list[0], HB_PEER_TOTAL_MAX);
    hb_buf_init(&p->list[1], HB_PEER_TOTAL_MAX);
    return p;
}

void hb_peer_free(struct hb_peer **pp)
{
    struct hb_peer *p = *pp;

    if (p == NULL) {
        return;
    }
    *pp = NULL;
    hb_line_clear(&p->line, p->env);
    hb_buf_clear(&p->greeting, p->env);
    hb_buf_clear(&p->list[0], p->env);
    hb_buf_clear(&p->list[1], p->env);
    p->env->release(p->env->ctx, p, sizeof *p);
}

bool hb_peer_in_tls(const struct hb_peer *p)
{
    return p->facts.secured;
}

void hb_peer_note_starttls(struct hb_peer *p)
{
    if (p->facts.secured) {
        p->facts.offered_in_tls = true;
    } else {
        p->facts.offered = true;
    }
}

/* ---- saying ---- */

static void say(struct hb_peer *p, struct hb_span bytes)
{
    if (bytes.len > 0) {
        p->sink->to_server(p->sink->ctx, bytes);
    }
}

/* Where the server is in step with us, it hears that we leave: it has refused, and there is nothing wrong
 * with that. Who breaks the protocol hears nothing more. */
static bool in_step(enum hb_code why)
{
    return why == HB_E_PEER_NO_STARTTLS || why == HB_E_PEER_STARTTLS_REFUSED ||
           why == HB_E_PEER_STARTTLS_LATER || why == HB_E_PEER_IDENTITY_MISSING ||
           why == HB_E_PEER_IDENTITY_REFUSED;
}

static enum hb_peer_want fail(struct hb_peer *p, enum hb_code why)
{
    if (in_step(why)) {
        say(p, hb_span_str(p->row->goodbye));
    }
    p->why = (uint16_t)why;
    p->at = HB_AT_END;
    return HB_PEER_FAIL;
}

static enum hb_peer_want ready(struct hb_peer *p)
{
    uint8_t text[HB_PEER_LINE_MAX + 512];
    struct hb_bld b = hb_bld(text, sizeof text);

    if (hb_buf_len(&p->greeting) == 0 && p->row->greet != NULL) {
        p->row->greet(p, &b);
        if (!hb_bld_ok(&b)) {
            return fail(p, HB_E_PEER_TOO_LONG);
        }
        if (hb_buf_add(&p->greeting, p->env, hb_bld_span(&b)) != HB_OK) {
            return fail(p, HB_E_NO_MEMORY);
        }
    }
    p->at = HB_AT_READY;
    return HB_PEER_READY;
}

/* Begins a step with what we say there. */
static enum hb_peer_want enter(struct hb_peer *p, enum hb_peer_at at)
{
    uint8_t text[2048];
    struct hb_bld b = hb_bld(text, sizeof text);

    p->at = (uint8_t)at;
    p->lines = 0;
    p->code = 0;
    p->in_list = false;
    if (at == HB_AT_HELLO || at == HB_AT_LIST) {
        hb_buf_clear(&p->list[p->facts.secured], p->env);
    }
    if (at == HB_AT_IDENTITY && p->row->identity_greets) {
        hb_buf_clear(&p->greeting, p->env); /* a new one comes */
    }
    if (at == HB_AT_STARTTLS) {
        p->facts.tried = true;
    }
    if (at == HB_AT_STARTTLS && p->row->starttls != NULL) {
        hb_bld_str(&b, p->row->starttls);
    } else if (at != HB_AT_REGREET) {
        p->row->say(p, &b);
    }
    if (!hb_bld_ok(&b)) {
        return fail(p, HB_E_OVERFLOW);
    }
    if (at == HB_AT_IDENTITY && b.len == 0) {
        return fail(p, HB_E_PEER_IDENTITY_MISSING);
    }
    say(p, hb_bld_span(&b));
    p->asked = b.len > 0;
    return HB_PEER_MORE;
}

/* ---- which step follows ---- */

static enum hb_peer_want announce(struct hb_peer *p)
{
    return p->set->client != NULL ? enter(p, HB_AT_IDENTITY) : ready(p);
}

static enum hb_peer_want behind_greeting(struct hb_peer *p)
{
    bool list = p->set->look || (p->set->client != NULL && (p->row->has_id || p->row->identity_greets));

    p->facts.greeted = !p->row->waits;
    if (p->set->tls == HB_PEER_STARTTLS) {
        return enter(p, p->row->greeting_lists || p->row->waits ? HB_AT_STARTTLS : HB_AT_HELLO);
    }
    return list && !p->row->greeting_lists ? enter(p, HB_AT_LIST) : announce(p);
}

static enum hb_peer_want advance(struct hb_peer *p)
{
    switch ((enum hb_peer_at)p->at) {
    case HB_AT_GREETING:
        return behind_greeting(p);
    case HB_AT_HELLO:
        return enter(p, p->mode && !p->mode_said ? HB_AT_MODE : HB_AT_STARTTLS);
    case HB_AT_MODE:
        p->mode_said = true;
        return enter(p, HB_AT_HELLO);
    case HB_AT_STARTTLS:
        p->at = HB_AT_HANDSHAKE;
        return HB_PEER_UPGRADE;
    case HB_AT_REGREET:
        if (!p->in_list) { /* an old server: it has to be asked (CLI-10) */
            p->facts.waited = true;
            hb_buf_clear(&p->greeting, p->env);
            return enter(p, HB_AT_LIST);
        }
        return announce(p);
    case HB_AT_LIST:
        return announce(p);
    case HB_AT_IDENTITY:
        return ready(p);
    case HB_AT_HANDSHAKE:
    case HB_AT_READY:
    case HB_AT_END:
    case HB_NUM_AT:
        break;
    }
    return fail(p, HB_E_INTERNAL);
}

/* True if what is heard in this step answers what we said; else the server speaks by itself. */
static bool answers(const struct hb_peer *p)
{
    return p->at != HB_AT_GREETING && p->at != HB_AT_REGREET;
}

static enum hb_peer_want judge(struct hb_peer *p, enum hb_answer answer)
{
    bool optional = p->row->list_optional && (p->at == HB_AT_HELLO || p->at == HB_AT_LIST);

    p->facts.preauth = p->facts.preauth || answer == HB_ANSWER_PREAUTH;
    p->facts.refused = p->facts.refused ||
                       (p->at == HB_AT_STARTTLS && (answer == HB_ANSWER_NO || answer == HB_ANSWER_LATER));
    if (answer == HB_ANSWER_MORE) {
        return HB_PEER_MORE;
    }
    if (answer == HB_ANSWER_YES || (answer == HB_ANSWER_NO && optional) ||
        (answer == HB_ANSWER_PREAUTH && p->set->tls != HB_PEER_STARTTLS)) {
        p->facts.early = p->early && answers(p);
        return p->facts.early ? fail(p, HB_E_PEER_REPLY) : advance(p);
    }
    enum hb_code why = (enum hb_code)verdicts[p->at][answer];
    if (why == HB_E_PEER_STARTTLS_REFUSED && !p->facts.offered) {
        why = HB_E_PEER_NO_STARTTLS; /* not listed, and not there */
    }
    return fail(p, why != HB_OK ? why : HB_E_PEER_REPLY);
}

/* ---- hearing ---- */

/* True if what is heard in this step is what a session begins with. */
static bool is_greeting(const struct hb_peer *p)
{
    switch ((enum hb_peer_at)p->at) {
    case HB_AT_GREETING:
        return p->set->tls != HB_PEER_STARTTLS;
    case HB_AT_REGREET:
        return true;
    case HB_AT_LIST:
        return p->row->greets_again && p->facts.waited;
    case HB_AT_IDENTITY:
        return p->row->identity_greets;
    case HB_AT_HELLO:
    case HB_AT_MODE:
    case HB_AT_STARTTLS:
    case HB_AT_HANDSHAKE:
    case HB_AT_READY:
    case HB_AT_END:
    case HB_NUM_AT:
        break;
    }
    return false;
}

static bool is_list(const struct hb_peer *p)
{
    return p->at == HB_AT_HELLO || p->at == HB_AT_LIST ||
           (p->row->greeting_lists && (p->at == HB_AT_GREETING || p->at == HB_AT_REGREET));
}

static enum hb_code keep(struct hb_peer *p, struct hb_span bytes, bool line_end)
{
    struct hb_span crlf = line_end ? hb_span_str("\r\n") : hb_span(NULL, 0);

    if (p->quiet_line) {
        return HB_OK;
    }
    if (is_greeting(p)) {
        HB_TRY(hb_buf_add(&p->greeting, p->env, hb_span_head(bytes, p->cut_at)));
        HB_TRY(hb_buf_add(&p->greeting, p->env, hb_span_skip(bytes, p->cut_at + p->cut)));
        HB_TRY(hb_buf_add(&p->greeting, p->env, crlf));
    }
    if (is_list(p)) {
        HB_TRY(hb_buf_add(&p->list[p->facts.secured], p->env, bytes));
        HB_TRY(hb_buf_add(&p->list[p->facts.secured], p->env, crlf));
    }
    return HB_OK;
}

static bool count(struct hb_peer *p, size_t n)
{
    p->total = n > HB_PEER_TOTAL_MAX || p->total + n > HB_PEER_TOTAL_MAX ? HB_PEER_TOTAL_MAX + 1
                                                                         : p->total + (uint32_t)n;
    return p->total <= HB_PEER_TOTAL_MAX;
}

static enum hb_peer_want hear_literal(struct hb_peer *p, struct hb_span *in)
{
    struct hb_span part = hb_span_head(*in, p->literal < in->len ? (size_t)p->literal : in->len);

    if (!count(p, part.len)) {
        return fail(p, HB_E_PEER_TOO_LONG);
    }
    if (keep(p, part, false) != HB_OK) {
        return fail(p, HB_E_NO_MEMORY);
    }
    p->literal -= part.len;
    *in = hb_span_skip(*in, part.len);
    return p->literal > 0 || p->continues ? HB_PEER_MORE : judge(p, (enum hb_answer)p->pending);
}

static enum hb_peer_want hear_line(struct hb_peer *p, struct hb_span line)
{
    uint64_t size = 0;
    enum hb_literal kind = p->row->literals ? hb_literal_announced(line, &size) : HB_LITERAL_NONE;
    bool goes_on = kind == HB_LITERAL_SYNC || kind == HB_LITERAL_PLUS;

    if (!p->continues) {
        p->said_len = (uint8_t)hb_span_head(line, sizeof p->said).len;
        memcpy(p->said, line.len > 0 ? line.p : (const uint8_t *)"", p->said_len);
        p->quiet_line = false;
        p->cut_at = p->cut = 0;
        p->lines++;
    }
    if (p->lines > HB_PEER_LINES_MAX || (goes_on && size > HB_PEER_TOTAL_MAX)) {
        return fail(p, HB_E_PEER_TOO_LONG);
    }
    enum hb_answer answer = p->row->line(p, line);
    p->pending = p->continues ? p->pending : (uint8_t)answer;
    if (keep(p, line, true) != HB_OK) {
        return fail(p, HB_E_NO_MEMORY);
    }
    if (p->literal > HB_PEER_TOTAL_MAX) {
        return fail(p, HB_E_PEER_TOO_LONG);
    }
    p->continues = goes_on;
    p->literal = goes_on ? size : p->literal;
    return goes_on || p->literal > 0 ? HB_PEER_MORE : judge(p, (enum hb_answer)p->pending);
}

static enum hb_peer_want spoilt(struct hb_peer *p)
{
    return fail(p, p->at == HB_AT_GREETING || p->at == HB_AT_REGREET ? HB_E_PEER_GREETING
                   : p->at == HB_AT_STARTTLS                         ? HB_E_PEER_STARTTLS_ODD
                                                                     : HB_E_PEER_REPLY);
}

/* One line, or a piece of a literal. MORE with nothing taken: the line is not whole yet. */
static enum hb_peer_want hear(struct hb_peer *p, struct hb_span *in)
{
    struct hb_span line;
    size_t before = in->len;

    if (p->literal > 0) {
        return hear_literal(p, in);
    }
    if (!hb_line_pending(&p->line)) {
        p->early = p->unasked > 0;
    }
    enum hb_line_status status = hb_line_next(&p->line, p->env, in, HB_PEER_LINE_MAX, &line);
    /* a line given out in place has all its bytes in taken; how it was cut makes no difference */
    bool endless =
        status != HB_LINE_OK && (p->line.seen > HB_PEER_LINE_MAX || p->line.taken > HB_PEER_LINE_MAX);
    if (!count(p, before - in->len + p->line.taken) || status == HB_LINE_TOO_LONG || endless ||
        status == HB_LINE_ENDLESS) {
        return fail(p, HB_E_PEER_TOO_LONG);
    }
    if (status == HB_LINE_NO_MEMORY) {
        return fail(p, HB_E_NO_MEMORY);
    }
    if (status == HB_LINE_BAD) {
        return spoilt(p);
    }
    if (status == HB_LINE_MORE) {
        return HB_PEER_MORE;
    }
    enum hb_peer_want want = hear_line(p, line);
    hb_line_done(&p->line, p->env, in);
    return want;
}

static struct hb_peer_step step(struct hb_peer *p, size_t used, enum hb_peer_want want)
{
    p->sink = NULL;
    return (struct hb_peer_step){used, want, want == HB_PEER_FAIL ? (enum hb_code)p->why : HB_OK};
}

struct hb_peer_step hb_peer_start(struct hb_peer *p, const struct hb_peer_sink *sink)
{
    p->sink = sink;
    p->at = HB_AT_GREETING;
    p->facts.secured = p->set->tls == HB_PEER_IMPLICIT;
    return step(p, 0, p->row->waits ? behind_greeting(p) : HB_PEER_MORE);
}

struct hb_peer_step hb_peer_feed(struct hb_peer *p, struct hb_span bytes, const struct hb_peer_sink *sink)
{
    struct hb_span in = bytes;
    enum hb_peer_want want = p->at == HB_AT_END     ? HB_PEER_FAIL
                             : p->at == HB_AT_READY ? HB_PEER_READY
                                                    : HB_PEER_MORE;

    p->sink = sink;
    p->unasked = 0;
    while (want == HB_PEER_MORE && in.len > 0 && p->at < HB_AT_READY && p->at != HB_AT_HANDSHAKE) {
        size_t before = in.len;
        p->asked = false;
        want = hear(p, &in);
        size_t taken = before - in.len;
        size_t left = p->unasked > taken ? p->unasked - taken : 0;
        p->unasked = p->asked ? in.len : left;
    }
    if (p->at == HB_AT_HANDSHAKE && in.len > 0) { /* CLI-01: never used, whatever they are */
        p->facts.behind = true;
        want = fail(p, HB_E_PEER_INJECTION);
    }
    return step(p, bytes.len - in.len, want);
}

struct hb_peer_step hb_peer_secured(struct hb_peer *p, const struct hb_peer_sink *sink)
{
    HB_INVARIANT(p->at == HB_AT_HANDSHAKE);
    p->sink = sink;
    hb_line_clear(&p->line, p->env);
    hb_buf_clear(&p->greeting, p->env);
    p->total = 0;
    p->xclient = 0;
    p->has_id = p->mode = p->mode_said = p->posting = p->synced = false;
    p->said_len = 0;
    p->facts.secured = true;
    return step(p, 0, enter(p, p->row->greets_again ? HB_AT_REGREET : HB_AT_LIST));
}

#define PATIENCE          30u  /* seconds (CLI-13) */
#define PATIENCE_GREETING 300u /* a mail server may take its time over who we are (RFC 5321 4.5.3.2.1) */
#define PATIENCE_PUSHED   2u   /* CLI-10 */

unsigned hb_peer_patience(const struct hb_peer *p)
{
    bool nudge = p->at == HB_AT_REGREET && p->row->nudge != NULL && !p->synced;

    return nudge ? PATIENCE_PUSHED : p->at == HB_AT_GREETING ? PATIENCE_GREETING : PATIENCE;
}

struct hb_peer_step hb_peer_silent(struct hb_peer *p, const struct hb_peer_sink *sink)
{
    uint8_t text[64];
    struct hb_bld b = hb_bld(text, sizeof text);

    p->sink = sink;
    if (p->at == HB_AT_REGREET && p->row->nudge != NULL && p->row->nudge(p, &b)) {
        say(p, hb_bld_span(&b));
        return step(p, 0, HB_PEER_MORE);
    }
    return step(p, 0, fail(p, HB_E_PEER_SILENT));
}

enum hb_code hb_peer_lost(const struct hb_peer *p)
{
    return p->at == HB_AT_END ? (enum hb_code)p->why : HB_E_PEER_CLOSED;
}

void hb_peer_goodbye(struct hb_peer *p, const struct hb_peer_sink *sink)
{
    p->sink = sink;
    if (p->at != HB_AT_END && p->at != HB_AT_HANDSHAKE && p->facts.greeted) {
        say(p, hb_span_str(p->row->goodbye));
    }
    p->sink = NULL;
}

const struct hb_peer_facts *hb_peer_facts(const struct hb_peer *p)
{
    return &p->facts;
}

struct hb_span hb_peer_list(const struct hb_peer *p, bool in_tls)
{
    return hb_buf_span(&p->list[in_tls]);
}

struct hb_span hb_peer_said(const struct hb_peer *p)
{
    return hb_span(p->said, p->said_len);
}

struct hb_span hb_peer_greeting(const struct hb_peer *p)
{
    return hb_buf_span(&p->greeting);
}
