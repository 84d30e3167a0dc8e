/* external.c: who may log in by certificate, and what the backend is told for it. The exchanges themselves
 * are those of each protocol. No state but a step in the session; what is secret is wiped. */
#include "external.h"

#include <hb/builder.h>
#include <hb/ct.h>

#define MESSAGE_MAX (3u * HB_EXTERNAL_NAME_MAX + 2) /* authzid, NUL, authcid, NUL, passwd */

void hb_proto_identify(struct hb_proto_session *s, const char *identity)
{
    size_t len = strlen(identity);

    for (size_t i = 0; i < len; i++) {
        if ((uint8_t)identity[i] < 0x20 || identity[i] == 0x7f) {
            return; /* no name anybody logs in with: as if there were none */
        }
    }
    s->identity = len > 0 && len <= HB_EXTERNAL_NAME_MAX ? identity : NULL;
}

bool hb_external_known(const struct hb_proto_session *s)
{
    return s->secured && s->identity != NULL && s->set->external != HB_EXTERNAL_OFF;
}

bool hb_external_ours(const struct hb_proto_session *s)
{
    return hb_external_known(s) && s->set->external != HB_EXTERNAL_PASS;
}

bool hb_external_allowed(const struct hb_proto_session *s)
{
    return hb_external_known(s) && !(hb_external_ours(s) && s->authenticated);
}

bool hb_external_added(const struct hb_proto_session *s)
{
    return hb_external_ours(s) && !s->authenticated;
}

bool hb_external_forwarded(const struct hb_proto_session *s)
{
    return s->external == HB_EXT_FORWARDED || s->external == HB_EXT_ANSWERED;
}

/* ---- base64 (RFC 4648 4) ---- */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void encode(struct hb_bld *b, struct hb_span in)
{
    for (size_t i = 0; i < in.len; i += 3) {
        uint32_t v = (uint32_t)in.p[i] << 16;
        v |= i + 1 < in.len ? (uint32_t)in.p[i + 1] << 8 : 0;
        v |= i + 2 < in.len ? in.p[i + 2] : 0;
        hb_bld_u8(b, (uint8_t)digits[v >> 18]);
        hb_bld_u8(b, (uint8_t)digits[v >> 12 & 63]);
        hb_bld_u8(b, (uint8_t)(i + 1 < in.len ? digits[v >> 6 & 63] : '='));
        hb_bld_u8(b, (uint8_t)(i + 2 < in.len ? digits[v & 63] : '='));
    }
}

/* Strictly: four by four, padded, no bits left over. */
static bool decode(struct hb_bld *b, struct hb_span in)
{
    for (size_t i = 0; i < in.len; i += 4) {
        uint32_t v = 0;
        unsigned pad = 0;
        if (in.len - i < 4) {
            return false;
        }
        for (size_t k = 0; k < 4; k++) {
            const char *at = in.p[i + k] != 0 ? strchr(digits, in.p[i + k]) : NULL;
            bool padding = in.p[i + k] == '=' && k >= 2 && i + 4 == in.len;
            if ((at == NULL && !padding) || (at != NULL && pad > 0)) {
                return false;
            }
            pad += padding;
            v = v << 6 | (at != NULL ? (uint32_t)(at - digits) : 0);
        }
        if ((pad == 1 && (v & 0xff) != 0) || (pad == 2 && (v & 0xffff) != 0)) {
            return false;
        }
        hb_bld_u8(b, (uint8_t)(v >> 16));
        if (pad < 2) {
            hb_bld_u8(b, (uint8_t)(v >> 8));
        }
        if (pad == 0) {
            hb_bld_u8(b, (uint8_t)v);
        }
    }
    return hb_bld_ok(b);
}

/* ---- the client ---- */

/* SASL-03: the certificate's identity and no other; an empty one means that. Who wants to be somebody else
 * has failed to log in, as with a wrong password. */
enum hb_external_verdict hb_external_judge_name(struct hb_proto_session *s, struct hb_span authzid)
{
    bool own = authzid.len == 0 || hb_span_eq(authzid, hb_span_str(s->identity));

    hb_login_begins(s, hb_span_str("EXTERNAL"));
    if (!own) {
        hb_login_failed(s, hb_span(NULL, 0));
    }
    return own ? HB_EXT_YES : HB_EXT_NO;
}

enum hb_external_verdict hb_external_judge(struct hb_proto_session *s, struct hb_span response)
{
    uint8_t name[HB_EXTERNAL_NAME_MAX];
    struct hb_bld b = hb_bld(name, sizeof name);

    if (response.len == 1 && response.p[0] == '*') {
        return HB_EXT_CANCELLED;
    }
    if (response.len == 1 && response.p[0] == '=') {
        response.len = 0;
    }
    return decode(&b, response) ? hb_external_judge_name(s, hb_bld_span(&b)) : HB_EXT_SYNTAX;
}

/* ---- the backend ---- */

/* RFC 4616 2. */
static void put_plain(const struct hb_proto_session *s, struct hb_bld *b)
{
    hb_bld_str(b, s->identity);
    hb_bld_u8(b, 0);
    hb_bld_str(b, s->set->master_user);
    hb_bld_u8(b, 0);
    hb_bld_str(b, s->set->master_password);
}

/* True if the message is to be sent: it was asked for, for the first time, and there is one. */
static bool due(struct hb_proto_session *s, const struct hb_bld *message)
{
    bool first = s->external == HB_EXT_FORWARDED && hb_bld_ok(message);

    s->external = HB_EXT_ANSWERED;
    return first;
}

enum hb_unit hb_external_forward(struct hb_proto_session *s, uint8_t kind, struct hb_span tag,
                                 const char *plain)
{
    enum hb_code code = hb_replyq_add(&s->queue, s->env, kind, tag);

    if (code != HB_OK) {
        return hb_end(s, code);
    }
    s->external = HB_EXT_FORWARDED;
    if (tag.len > 0) {
        hb_to_backend(s, tag);
        hb_to_backend(s, hb_span_str(" "));
    }
    hb_line_to_backend(s, hb_span_str(plain));
    return HB_UNIT_NEXT;
}

void hb_external_answer(struct hb_proto_session *s, const char *quote)
{
    uint8_t message[MESSAGE_MAX];
    uint8_t line[(MESSAGE_MAX + 2) / 3 * 4];
    struct hb_bld m = hb_bld(message, sizeof message);
    struct hb_bld l = hb_bld(line, sizeof line);

    put_plain(s, &m);
    if (due(s, &m)) {
        encode(&l, hb_bld_span(&m));
    } else {
        hb_bld_u8(&l, '*');
    }
    hb_to_backend(s, hb_span_str(quote));
    hb_to_backend(s, hb_bld_span(&l));
    hb_line_to_backend(s, hb_span_str(quote));
    hb_wipe(message, sizeof message);
    hb_wipe(line, sizeof line);
}

void hb_external_answer_literal(struct hb_proto_session *s)
{
    uint8_t message[MESSAGE_MAX];
    struct hb_bld m = hb_bld(message, sizeof message);
    char head[] = "{0000+}";

    put_plain(s, &m);
    if (!due(s, &m)) {
        hb_line_to_backend(s, hb_span_str("*"));
    } else {
        size_t n = m.len;
        size_t at = 5;
        for (; n > 0; n /= 10) {
            head[--at] = (char)('0' + n % 10);
        }
        head[--at] = '{';
        hb_line_to_backend(s, hb_span_str(head + at));
        hb_line_to_backend(s, hb_bld_span(&m));
    }
    hb_wipe(message, sizeof message);
}
