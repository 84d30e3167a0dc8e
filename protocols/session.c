/* session.c: the loop around a protocol's units, and what holds for all protocols.
 * Invariants: client bytes reach a protocol only while a backend is up or none is needed; after CLOSE or
 * OPAQUE no unit runs; nothing learnt in clear survives hb_proto_secured(). */
#include "session.h"

#include "external.h"
#include "words.h"
#include <hb/ct.h>

#define CLEAR_SECONDS 60u /* GEN-18: before login */
#define MAX_BAD       10u

/* ---- life ---- */

struct hb_proto_session *hb_proto_new(const struct hb_proto *proto, const struct hb_proto_settings *settings,
                                      const struct hb_env *env)
{
    struct hb_proto_session *s = env->alloc(env->ctx, sizeof *s);

    if (s != NULL) {
        s->row = proto;
        s->set = settings;
        s->env = env;
        s->secured = settings->implicit;
        hb_line_init(&s->client);
        hb_line_init(&s->backend);
        hb_replyq_init(&s->queue);
        hb_buf_init(&s->saved, HB_LINE_HARD_MAX);
    }
    return s;
}

static void forget(struct hb_proto_session *s)
{
    hb_line_clear(&s->client, s->env);
    hb_line_clear(&s->backend, s->env);
    hb_replyq_clear(&s->queue, s->env);
    hb_forget_software(s);
    hb_wipe(&s->u, sizeof s->u);
    s->num_bad = 0;
    s->external = HB_EXT_NONE;
    s->first_line = false;
    s->backend_said_bye = false;
}

void hb_proto_free(struct hb_proto_session **ps)
{
    struct hb_proto_session *s = ps != NULL ? *ps : NULL;

    if (s != NULL) {
        *ps = NULL;
        forget(s);
        hb_buf_clear(&s->saved, s->env);
        s->env->release(s->env->ctx, s, sizeof *s);
    }
}

/* ---- output ---- */

void hb_to_client(struct hb_proto_session *s, struct hb_span bytes)
{
    if (bytes.len > 0) {
        s->sink->to_client(s->sink->ctx, bytes);
    }
}

void hb_to_backend(struct hb_proto_session *s, struct hb_span bytes)
{
    HB_INVARIANT(!hb_before_tls(s)); /* nothing said in clear may reach a backend where TLS is required */
    if (bytes.len > 0) {
        s->sink->to_backend(s->sink->ctx, bytes);
    }
}

void hb_line_to_client(struct hb_proto_session *s, struct hb_span line)
{
    hb_to_client(s, line);
    hb_to_client(s, hb_span_str("\r\n"));
}

void hb_line_to_backend(struct hb_proto_session *s, struct hb_span line)
{
    hb_to_backend(s, line);
    hb_to_backend(s, hb_span_str("\r\n"));
}

void hb_say(struct hb_proto_session *s, struct hb_span tag, const char *line_template)
{
    const char *from = line_template;

    for (const char *p = strchr(from, '%'); p != NULL; p = strchr(from, '%')) {
        hb_to_client(s, hb_span(from, (size_t)(p - from)));
        hb_to_client(s, p[1] == 't' ? tag : hb_span_str(s->set->host));
        from = p + 2;
    }
    hb_line_to_client(s, hb_span_str(from));
}

/* ---- questions ---- */

bool hb_before_tls(const struct hb_proto_session *s)
{
    return !s->secured && s->set->tls_required;
}

bool hb_hide_passwords(const struct hb_proto_session *s)
{
    return !s->secured && !s->authenticated && !(s->set->plaintext_auth && !s->set->tls_required);
}

bool hb_keep_mechanism(const struct hb_proto_session *s, struct hb_span mech, bool plus)
{
    if (hb_has_suffix(mech, "-PLUS") || (plus && hb_has_prefix(mech, "SCRAM-"))) {
        return false; /* TLS ends here: channel binding cannot work */
    }
    if (hb_span_is(mech,
                   "EXTERNAL")) { /* the backend's is ours, unless it knows of the client's certificate */
        return hb_external_known(s) && !hb_external_ours(s);
    }
    return s->secured || !(hb_mech_layered(mech) || (hb_hide_passwords(s) && hb_mech_plain(mech)));
}

bool hb_hides_scram(struct hb_proto_session *s, bool plus)
{
    s->scram_hidden = s->scram_hidden || plus;
    return plus;
}

bool hb_proto_scram_hidden(const struct hb_proto_session *s)
{
    return s->scram_hidden;
}

bool hb_offer_starttls(const struct hb_proto_session *s)
{
    return !s->secured && !s->authenticated && s->set->tls_usable && s->set->starttls_offered;
}

bool hb_proto_backend_up(const struct hb_proto_session *s)
{
    return s->backend_state == HB_BACKEND_UP;
}

bool hb_proto_authenticated(const struct hb_proto_session *s)
{
    return s->authenticated;
}

unsigned hb_proto_idle_seconds(const struct hb_proto_session *s)
{
    bool open = s->authenticated || s->row->raw || (s->row->login_optional && !hb_before_tls(s));

    if (open) {
        return s->set->idle > 0 ? s->set->idle : s->row->idle_auth;
    }
    return s->set->preauth > 0 ? s->set->preauth : CLEAR_SECONDS;
}

/* ---- units ---- */

enum hb_unit hb_end(struct hb_proto_session *s, enum hb_code why)
{
    s->why = (uint16_t)why;
    return HB_UNIT_CLOSE;
}

enum hb_unit hb_bad_command(struct hb_proto_session *s)
{
    unsigned max = s->set->max_bad > 0 ? s->set->max_bad : MAX_BAD;

    s->num_bad = s->num_bad < 255 ? (uint8_t)(s->num_bad + 1) : 255;
    return s->num_bad >= max ? hb_end(s, HB_E_PROTO_TOO_MANY_ERRORS) : HB_UNIT_NEXT;
}

static bool speaks_http(const struct hb_proto_session *s, struct hb_span line)
{
    bool by_version = s->row->http == HB_HTTP_BY_VERSION;

    return !s->first_line && s->row->http != HB_HTTP_IS_FINE &&
           (by_version ? hb_has_http_version(line) : hb_looks_like_http(line));
}

static bool needs_line(const struct hb_proto_session *s)
{
    return s->row->needs_line != NULL && s->row->needs_line(s);
}

static enum hb_unit reject_line(struct hb_proto_session *s, enum hb_line_status status, struct hb_span head)
{
    if (speaks_http(s, head)) {
        return hb_end(s, HB_E_PROTO_HTTP);
    }
    if (status == HB_LINE_BAD) {
        s->row->bye(s, HB_BYE_BAD_CHARACTER);
        return hb_end(s, HB_E_PROTO_BAD_CHARACTER);
    }
    s->row->too_long(s, head);
    return hb_end(s, HB_E_PROTO_LINE_TOO_LONG);
}

enum hb_unit hb_client_line(struct hb_proto_session *s, struct hb_span *in, size_t max, struct hb_span *line)
{
    if (!s->first_line && !hb_line_pending(&s->client) && in->len > 0 && in->p[0] == 0x16 && !s->secured) {
        return hb_end(s, HB_E_PROTO_TLS_BEFORE_STARTTLS);
    }
    for (;;) {
        enum hb_line_status status = hb_line_next(&s->client, s->env, in, max, line);
        if (status == HB_LINE_MORE) {
            return HB_UNIT_MORE;
        }
        if (status == HB_LINE_OK && !speaks_http(s, *line)) {
            return HB_UNIT_NEXT;
        }
        if (status == HB_LINE_NO_MEMORY) {
            return hb_end(s, HB_E_NO_MEMORY);
        }
        bool needed = needs_line(s);
        if (!needed && s->row->busy != NULL && s->row->busy(s)) {
            return HB_UNIT_WAIT; /* the answer comes in its turn */
        }
        enum hb_unit end = reject_line(s, status, *line);
        if (status != HB_LINE_TOO_LONG || s->why != HB_E_PROTO_LINE_TOO_LONG || needed || needs_line(s)) {
            return end; /* the protocol may know it from the line's beginning only */
        }
        hb_client_done(s, in); /* dropped whole, answered, and on to the next one (GEN-18) */
        if (hb_bad_command(s) == HB_UNIT_CLOSE) {
            return HB_UNIT_CLOSE;
        }
    }
}

void hb_client_done(struct hb_proto_session *s, struct hb_span *in)
{
    s->first_line = true;
    hb_line_done(&s->client, s->env, in);
}

enum hb_unit hb_backend_line(struct hb_proto_session *s, struct hb_span *in, struct hb_span *line)
{
    switch (hb_line_next(&s->backend, s->env, in, HB_LINE_HARD_MAX, line)) {
    case HB_LINE_MORE:
        return HB_UNIT_MORE;
    case HB_LINE_OK:
        return HB_UNIT_NEXT;
    case HB_LINE_NO_MEMORY:
        return hb_end(s, HB_E_NO_MEMORY);
    case HB_LINE_TOO_LONG:
    case HB_LINE_BAD:
    case HB_LINE_ENDLESS:
        break;
    }
    if (s->backend_state == HB_BACKEND_GREETING) {
        s->row->bye(s, HB_BYE_BACKEND);
        return hb_end(s, HB_E_PROTO_BACKEND_GREETING);
    }
    return hb_end(s, HB_E_PROTO_BACKEND_REPLY);
}

void hb_backend_done(struct hb_proto_session *s, struct hb_span *in)
{
    hb_line_done(&s->backend, s->env, in);
}

/* ---- steps ---- */

static struct hb_proto_step step(struct hb_proto_session *s, size_t used, enum hb_proto_want want)
{
    enum hb_code why = want == HB_WANT_CLOSE ? (enum hb_code)s->why : HB_OK;

    s->closed = s->closed || want == HB_WANT_CLOSE;
    s->opaque = s->opaque || want == HB_WANT_OPAQUE;
    return (struct hb_proto_step){used, want, why};
}

enum hb_unit hb_say_bye_now(struct hb_proto_session *s)
{
    s->row->bye(s, HB_BYE_SHUTDOWN);
    return hb_end(s, HB_E_GW_SHUTDOWN);
}

static struct hb_proto_step ask_backend(struct hb_proto_session *s)
{
    s->backend_state = HB_BACKEND_ASKED;
    return step(s, 0, HB_WANT_CONNECT);
}

static enum hb_proto_want want_of(enum hb_unit unit)
{
    switch (unit) {
    case HB_UNIT_NEXT:
    case HB_UNIT_MORE:
        return HB_WANT_MORE;
    case HB_UNIT_WAIT:
        return HB_WANT_WAIT;
    case HB_UNIT_UPGRADE:
        return HB_WANT_UPGRADE;
    case HB_UNIT_OPAQUE:
        return HB_WANT_OPAQUE;
    case HB_UNIT_CLOSE:
        break;
    }
    return HB_WANT_CLOSE;
}

/* A partial line that the session holds belongs to the stream that is relayed from now on. */
static void release_partial(struct hb_proto_session *s)
{
    hb_to_backend(s, hb_buf_span(&s->client.part));
    hb_line_clear(&s->client, s->env);
    hb_to_client(s, hb_buf_span(&s->backend.part));
    hb_line_clear(&s->backend, s->env);
}

static enum hb_unit run_client(struct hb_proto_session *s, struct hb_span *in)
{
    if (!hb_before_tls(s) && s->backend_state != HB_BACKEND_UP) {
        return HB_UNIT_WAIT; /* its greeting first */
    }
    for (;;) {
        enum hb_unit unit = s->row->client(s, in);
        if (unit != HB_UNIT_NEXT) {
            return unit;
        }
    }
}

static enum hb_unit run_backend(struct hb_proto_session *s, struct hb_span *in)
{
    for (;;) {
        enum hb_unit unit = s->row->backend(s, in);
        if (unit != HB_UNIT_NEXT) {
            return unit;
        }
    }
}

struct hb_proto_step hb_proto_feed(struct hb_proto_session *s, enum hb_proto_side from, struct hb_span bytes,
                                   const struct hb_proto_sink *sink)
{
    struct hb_span in = bytes;
    struct hb_span nothing = hb_span(NULL, 0);
    enum hb_unit unit;

    if (s->closed || s->opaque) {
        return (struct hb_proto_step){0, s->closed ? HB_WANT_CLOSE : HB_WANT_OPAQUE, (enum hb_code)s->why};
    }
    s->sink = sink;
    if (from == HB_FROM_CLIENT) {
        unit = run_client(s, &in);
    } else {
        unit = run_backend(s, &in);
        if (unit == HB_UNIT_MORE && s->client.ready) { /* a whole client line has waited for this */
            unit = run_client(s, &nothing);
            unit = unit == HB_UNIT_WAIT ? HB_UNIT_MORE : unit;
        }
    }
    if (unit == HB_UNIT_OPAQUE) {
        release_partial(s);
    }
    s->sink = NULL;
    return step(s, bytes.len - in.len, want_of(unit));
}

struct hb_proto_step hb_proto_start(struct hb_proto_session *s, const struct hb_proto_sink *sink)
{
    if (!hb_before_tls(s)) {
        return ask_backend(s);
    }
    s->sink = sink;
    s->row->greet(s);
    s->greeted = true;
    return step(s, 0, HB_WANT_MORE);
}

struct hb_proto_step hb_proto_secured(struct hb_proto_session *s, const struct hb_proto_sink *sink)
{
    (void)sink;
    forget(s);
    if (!s->row->carries) {
        hb_buf_clear(&s->saved, s->env);
    }
    s->secured = true;
    s->authenticated = false;
    s->greeted = !s->row->regreet;
    return ask_backend(s);
}

struct hb_proto_step hb_proto_backend_open(struct hb_proto_session *s, const struct hb_proto_sink *sink)
{
    if (s->row->raw || s->row->opened != NULL) {
        s->sink = sink;
        s->backend_state = HB_BACKEND_UP;
        return step(s, 0, s->row->raw ? HB_WANT_OPAQUE : want_of(s->row->opened(s)));
    }
    s->backend_state = HB_BACKEND_GREETING;
    return step(s, 0, HB_WANT_MORE);
}

struct hb_proto_step hb_proto_backend_lost(struct hb_proto_session *s, bool clean,
                                           const struct hb_proto_sink *sink)
{
    bool greeting = s->backend_state != HB_BACKEND_UP;

    if (s->closed) {
        return step(s, 0, HB_WANT_CLOSE);
    }
    s->sink = sink;
    s->why = HB_OK;
    if (s->backend_said_bye) {
        s->why = HB_E_PROTO_QUIT;
    } else if (!s->opaque && !s->row->raw) {
        s->row->bye(s, HB_BYE_BACKEND);
        s->why = greeting || clean ? HB_E_PROTO_BACKEND_LOST : HB_OK;
    }
    s->backend_state = HB_BACKEND_NONE;
    return step(s, 0, HB_WANT_CLOSE);
}

struct hb_proto_step hb_proto_bye(struct hb_proto_session *s, enum hb_code why, bool at_line,
                                  const struct hb_proto_sink *sink)
{
    if (s->closed) {
        return step(s, 0, HB_WANT_CLOSE);
    }
    s->sink = sink;
    s->why = (uint16_t)why;
    if (s->row->raw || !at_line) {
        return step(s, 0, HB_WANT_CLOSE);
    }
    if (why == HB_E_GW_SHUTDOWN && !s->opaque && s->row->bye_later != NULL && s->row->bye_later(s)) {
        s->bye_due = true;
        return step(s, 0, HB_WANT_MORE);
    }
    s->row->bye(s, why == HB_E_GW_SHUTDOWN ? HB_BYE_SHUTDOWN : HB_BYE_IDLE);
    return step(s, 0, HB_WANT_CLOSE);
}
