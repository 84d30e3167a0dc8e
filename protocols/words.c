/* words.c: nothing here keeps state or memory. */
#include "words.h"

#include <hb/builder.h>

struct hb_span hb_word(struct hb_span *rest)
{
    size_t n = 0;

    while (n < rest->len && rest->p[n] != ' ') {
        n++;
    }
    struct hb_span word = hb_span_head(*rest, n);
    *rest = hb_span_skip(*rest, n + 1);
    return word;
}

static bool blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

struct hb_span hb_word_loose(struct hb_span *rest)
{
    size_t from = 0;

    while (from < rest->len && blank(rest->p[from])) {
        from++;
    }
    size_t to = from;
    while (to < rest->len && !blank(rest->p[to])) {
        to++;
    }
    struct hb_span word = hb_span(rest->len > 0 ? rest->p + from : NULL, to - from);
    while (to < rest->len && blank(rest->p[to])) {
        to++;
    }
    *rest = hb_span_skip(*rest, to);
    return word;
}

bool hb_has_prefix(struct hb_span s, const char *prefix)
{
    return s.len >= strlen(prefix) && hb_span_is(hb_span_head(s, strlen(prefix)), prefix);
}

bool hb_has_suffix(struct hb_span s, const char *suffix)
{
    size_t n = strlen(suffix);
    return s.len >= n && hb_span_is(hb_span(s.p + s.len - n, n), suffix);
}

struct hb_span hb_trim_end(struct hb_span s)
{
    while (s.len > 0 && blank(s.p[s.len - 1])) {
        s.len--;
    }
    return s;
}

/* True if position `at` lies inside a quoted string. */
bool hb_reply_code(struct hb_span line, const char *separators, unsigned *code)
{
    *code = 0;
    if (line.len < 3 || (line.len > 3 && (line.p[3] == 0 || strchr(separators, line.p[3]) == NULL))) {
        return false;
    }
    for (size_t i = 0; i < 3; i++) {
        if (line.p[i] < '0' || line.p[i] > '9') {
            return false;
        }
        *code = *code * 10 + line.p[i] - '0';
    }
    return true;
}

bool hb_smtp_reply_line(struct hb_span line, unsigned *code, bool *last, struct hb_span *text)
{
    bool good = hb_reply_code(line, " -", code) && *code >= 200 && *code < 600;

    *last = line.len == 3 || (line.len > 3 && line.p[3] == ' ');
    *text = hb_span_skip(line, 4);
    return good;
}

static bool inside_quotes(struct hb_span line, size_t at)
{
    bool quoted = false;

    for (size_t i = 0; i < at; i++) {
        if (quoted && line.p[i] == '\\') {
            i++;
        } else if (line.p[i] == '"') {
            quoted = !quoted;
        }
    }
    return quoted;
}

enum hb_literal hb_literal_announced(struct hb_span line, uint64_t *size)
{
    size_t end = line.len;
    bool plus = false;

    *size = 0;
    if (end < 3 || line.p[end - 1] != '}') {
        return HB_LITERAL_NONE;
    }
    end--;
    if (line.p[end - 1] == '+') {
        plus = true;
        end--;
    }
    size_t from = end;
    while (from > 0 && line.p[from - 1] >= '0' && line.p[from - 1] <= '9') {
        from--;
    }
    if (end - from > 19) { /* with or without a brace before it: the caller may have only the line's end */
        return HB_LITERAL_BAD;
    }
    if (from == end || from == 0 || line.p[from - 1] != '{') {
        return HB_LITERAL_NONE;
    }
    for (size_t i = from; i < end; i++) {
        *size = *size * 10 + (uint64_t)(line.p[i] - '0');
    }
    if (*size > INT64_MAX) {
        return HB_LITERAL_BAD;
    }
    return plus ? HB_LITERAL_PLUS : HB_LITERAL_SYNC;
}

enum hb_literal hb_literal_at_end(struct hb_span line, uint64_t *size)
{
    enum hb_literal kind = hb_literal_announced(line, size);
    size_t brace = line.len;

    if (kind == HB_LITERAL_NONE || kind == HB_LITERAL_BAD) {
        return kind;
    }
    while (line.p[brace - 1] != '{') {
        brace--;
    }
    return inside_quotes(line, brace - 1) ? HB_LITERAL_BAD : kind;
}

static bool is_literal(struct hb_span head, uint64_t *size)
{
    enum hb_literal kind = hb_literal_announced(head, size);

    return kind == HB_LITERAL_SYNC || kind == HB_LITERAL_PLUS;
}

bool hb_take_string(struct hb_span *in, struct hb_span *raw, struct hb_span *value)
{
    uint64_t size;

    if (in->len > 1 && in->p[0] == '"') {
        size_t i = 1;
        while (i < in->len && in->p[i] != '"') {
            i += in->p[i] == '\\' ? 2 : 1;
        }
        if (i >= in->len) {
            return false;
        }
        *raw = hb_span_head(*in, i + 1);
        *value = hb_span(in->p + 1, i - 1);
    } else {
        const uint8_t *cr = in->len > 0 && in->p[0] == '{' ? memchr(in->p, '\r', in->len) : NULL;
        if (cr == NULL || !is_literal(hb_span(in->p, (size_t)(cr - in->p)), &size)) {
            return false;
        }
        size_t head = (size_t)(cr - in->p) + 2;
        if (head > in->len || size > in->len - head) {
            return false;
        }
        *raw = hb_span_head(*in, head + (size_t)size);
        *value = hb_span(in->p + head, (size_t)size);
    }
    *in = hb_span_skip(*in, raw->len);
    return true;
}

bool hb_plain_word(struct hb_span word)
{
    for (size_t i = 0; i < word.len; i++) {
        uint8_t c = hb_ascii_lower(word.p[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.')) {
            return false;
        }
    }
    return word.len > 0;
}

bool hb_offers_plus(struct hb_span mechs)
{
    while (mechs.len > 0) {
        struct hb_span mech = hb_word_loose(&mechs);
        if (hb_has_prefix(mech, "SCRAM-") && hb_has_suffix(mech, "-PLUS")) {
            return true;
        }
    }
    return false;
}

bool hb_mech_plain(struct hb_span mech)
{
    return hb_span_is(mech, "PLAIN") || hb_span_is(mech, "LOGIN");
}

bool hb_mech_layered(struct hb_span mech)
{
    return hb_span_is(mech, "GSSAPI") || hb_has_prefix(mech, "GS2-") || hb_span_is(mech, "DIGEST-MD5") ||
           hb_span_is(mech, "KERBEROS_V4") || hb_span_is(mech, "NTLM") || hb_span_is(mech, "GSS-SPNEGO");
}

bool hb_mech_wraps_nothing(struct hb_span mech)
{
    return hb_mech_plain(mech) || hb_has_prefix(mech, "SCRAM-") || hb_span_is(mech, "CRAM-MD5") ||
           hb_span_is(mech, "OAUTHBEARER") || hb_span_is(mech, "EXTERNAL") || hb_span_is(mech, "XOAUTH2") ||
           hb_span_is(mech, "ANONYMOUS");
}

bool hb_has_http_version(struct hb_span line)
{
    for (size_t i = 0; i + 8 <= line.len; i++) {
        if (memcmp(line.p + i, " HTTP/1.", 8) == 0) {
            return true;
        }
    }
    return false;
}

bool hb_looks_like_http(struct hb_span line)
{
    static const char *const methods[] = {"GET ", "POST ", "HEAD ", "PUT ", "OPTIONS ", "CONNECT "};

    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (line.len >= strlen(methods[i]) && memcmp(line.p, methods[i], strlen(methods[i])) == 0) {
            return true;
        }
    }
    return hb_has_http_version(line);
}

void hb_xtext(struct hb_bld *b, const char *s)
{
    static const char hex[] = "0123456789ABCDEF";

    for (; *s != 0; s++) {
        uint8_t c = (uint8_t)*s;
        if (c > 0x20 && c < 0x7f && c != '+' && c != '=') {
            hb_bld_u8(b, c);
        } else {
            hb_bld_u8(b, '+');
            hb_bld_u8(b, (uint8_t)hex[c >> 4]);
            hb_bld_u8(b, (uint8_t)hex[c & 15]);
        }
    }
}
