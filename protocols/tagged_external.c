/* tagged_external.c: AUTHENTICATE EXTERNAL of protocols with tags, answered here (external.h).
 *
 *   AUTHENTICATE EXTERNAL [response]     -> judged at once, or asked for with "+"
 *   a response as a literal (ACAP alone)  -> kept behind the tag in `saved`, judged at the command's end
 *
 * Invariants: nothing of it goes to the backend; what is kept is no longer than a name may be. */
#include "tagged.h"

#include "words.h"

#define TAG_MAX 128u

static struct hb_tagged_state *state(struct hb_proto_session *s)
{
    return &s->u.tagged;
}

static enum hb_unit judged(struct hb_proto_session *s, struct hb_span tag, struct hb_span line,
                           enum hb_external_verdict verdict)
{
    static const enum hb_tagged_refusal refusals[] = {[HB_EXT_YES] = HB_REFUSE_NOTHING,
                                                      [HB_EXT_NO] = HB_REFUSE_NOT_YOURS,
                                                      [HB_EXT_CANCELLED] = HB_REFUSE_CANCELLED,
                                                      [HB_EXT_SYNTAX] = HB_REFUSE_NO_RESPONSE};
    enum hb_tagged_refusal why = refusals[verdict];

    s->external = HB_EXT_NONE;
    state(s)->exchange = state(s)->line_due = false;
    if (why != HB_REFUSE_NOTHING) {
        return hb_tagged_refuse_command(s, tag, line, why);
    }
    state(s)->exchange = true;
    return hb_external_forward(s, HB_KIND_EXCHANGE, tag, s->row->dialect->plain);
}

/* The response is a literal and nothing else, of a size that a name may have. */
static enum hb_literal whole_literal(const struct hb_proto_session *s, struct hb_span response,
                                     uint64_t *size)
{
    bool alone = response.len > 0 && response.p[0] == '{' && memchr(response.p, ' ', response.len) == NULL;
    enum hb_literal kind =
        alone && s->row->dialect->exchange_literals ? hb_literal_at_end(response, size) : HB_LITERAL_NONE;

    return (kind == HB_LITERAL_SYNC || kind == HB_LITERAL_PLUS) && *size <= HB_EXTERNAL_NAME_MAX
               ? kind
               : HB_LITERAL_NONE;
}

static enum hb_unit response_is_here(struct hb_proto_session *s, struct hb_span tag, struct hb_span line,
                                     struct hb_span response)
{
    struct hb_tagged_state *t = state(s);
    uint64_t size = 0;
    enum hb_literal kind = whole_literal(s, response, &size);

    if (kind == HB_LITERAL_NONE) {
        return judged(s, tag, line, s->row->dialect->judge(s, response));
    }
    if (hb_buf_add(&s->saved, s->env, tag) != HB_OK) {
        return hb_end(s, HB_E_NO_MEMORY);
    }
    s->external = HB_EXT_NONE;
    t->exchange = t->line_due = t->forward = false;
    t->response = t->continues = true;
    t->tag_len = (uint8_t)tag.len;
    t->client_literal = size;
    if (kind == HB_LITERAL_SYNC) {
        hb_say(s, hb_span(NULL, 0), s->row->dialect->ask);
    }
    return HB_UNIT_NEXT;
}

enum hb_unit hb_tagged_external_line(struct hb_proto_session *s, struct hb_span line)
{
    uint8_t tag[TAG_MAX];
    struct hb_span kept = hb_buf_span(&s->saved);
    size_t len = kept.len;

    HB_INVARIANT(len <= sizeof tag);
    memcpy(tag, kept.p, len);
    hb_buf_clear(&s->saved, s->env);
    return response_is_here(s, hb_span(tag, len), line, line);
}

enum hb_unit hb_tagged_external_over(struct hb_proto_session *s, struct hb_span line)
{
    struct hb_tagged_state *t = state(s);
    uint8_t mem[TAG_MAX + HB_EXTERNAL_NAME_MAX];
    struct hb_span kept = hb_buf_span(&s->saved);
    size_t len = kept.len;

    HB_INVARIANT(len <= sizeof mem && t->tag_len <= len);
    memcpy(mem, kept.p, len);
    hb_buf_clear(&s->saved, s->env);
    t->response = t->continues = false;
    struct hb_span name = hb_span(mem + t->tag_len, len - t->tag_len);
    enum hb_external_verdict verdict = line.len == 0 ? hb_external_judge_name(s, name) : HB_EXT_SYNTAX;
    return judged(s, hb_span(mem, t->tag_len), line, verdict);
}

enum hb_unit hb_tagged_external(struct hb_proto_session *s, struct hb_span tag, struct hb_span line,
                                struct hb_span response, bool has_response)
{
    if (s->queue.num > 0 || hb_tagged_busy(s)) {
        return HB_UNIT_WAIT; /* what we say stands behind every earlier answer */
    }
    if (has_response) {
        return response_is_here(s, tag, line, response);
    }
    if (hb_buf_add(&s->saved, s->env, tag) != HB_OK) {
        return hb_end(s, HB_E_NO_MEMORY);
    }
    s->external = HB_EXT_ASKED;
    state(s)->exchange = state(s)->line_due = true;
    hb_say(s, hb_span(NULL, 0), s->row->dialect->ask);
    return HB_UNIT_NEXT;
}
