/* http_backend.c: answers of HTTP/1.1 in clear, the backend's side.
 *
 *   head, whole -> 1xx, passed | the answer, passed, and from there on as it comes, to the end of the link
 *
 * The head loses what concerns the backend's connection alone, its own offer of TLS among it (GEN-11), and
 * says that the connection ends behind the answer. Invariants: nothing passes that was not asked for; a head
 * passes whole or not at all. */
#include "http.h"

static const struct hb_span no_tag = {NULL, 0};

static enum hb_unit out_of_step(struct hb_proto_session *s)
{
    hb_http_bye(s, HB_BYE_BACKEND);
    return hb_end(s, HB_E_PROTO_BACKEND_REPLY);
}

static enum hb_unit head(struct hb_proto_session *s)
{
    unsigned status;

    if (!hb_http_parse_answer(hb_buf_span(&s->saved), &status) || status == 101) { /* nobody asked for it */
        return out_of_step(s);
    }
    enum hb_code code = hb_http_strip(&s->saved, s->env, NULL);
    if (code != HB_OK) {
        return hb_end(s, code);
    }
    hb_to_client(s, hb_buf_span(&s->saved));
    hb_buf_clear(&s->saved, s->env);
    if (status >= 200) {
        hb_say(s, no_tag, "Connection: close");
        s->u.http.answered = true;
        s->backend_said_bye = true;
    }
    hb_to_client(s, hb_span_str("\r\n"));
    return HB_UNIT_NEXT;
}

static enum hb_unit head_line(struct hb_proto_session *s, struct hb_span line)
{
    if (!s->u.http.sent) {
        return out_of_step(s);
    }
    if (line.len == 0) {
        return head(s);
    }
    enum hb_code code = hb_buf_add(&s->saved, s->env, line);
    if (code == HB_OK) {
        code = hb_buf_add(&s->saved, s->env, hb_span_str("\r\n"));
    }
    return code == HB_OK ? HB_UNIT_NEXT : code == HB_E_OVERFLOW ? out_of_step(s) : hb_end(s, code);
}

enum hb_unit hb_http_backend(struct hb_proto_session *s, struct hb_span *in)
{
    struct hb_span line;

    if (s->u.http.answered) {
        hb_to_client(s, *in);
        *in = hb_span_skip(*in, in->len);
        return HB_UNIT_MORE;
    }
    enum hb_unit unit = hb_backend_line(s, in, &line);
    if (unit != HB_UNIT_NEXT) {
        return unit;
    }
    unit = head_line(s, line);
    hb_backend_done(s, in);
    return unit;
}
