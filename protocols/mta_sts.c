/* mta_sts.c: RFC 8461's two small grammars, read strictly where it says MUST. */
#include <hb/mta_sts.h>

#include "words.h"

static bool is_alnum(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool all(struct hb_span s, bool (*good)(uint8_t))
{
    for (size_t i = 0; i < s.len; i++) {
        if (!good(s.p[i])) {
            return false;
        }
    }
    return s.len > 0;
}

static bool name_char(uint8_t c)
{
    return is_alnum(c) || c == '_' || c == '-' || c == '.';
}

static bool value_char(uint8_t c)
{
    return c > 0x20 && c < 0x7f && c != ';' && c != '=';
}

static bool line_end(uint8_t c)
{
    return c == '\r' || c == '\n';
}

static struct hb_span trim(struct hb_span s)
{
    while (s.len > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
        s = hb_span_skip(s, 1);
    }
    return hb_trim_end(s);
}

/* The bytes up to c, which is taken, or to the end. */
static struct hb_span up_to(struct hb_span *rest, uint8_t c)
{
    const uint8_t *at = rest->len > 0 ? memchr(rest->p, c, rest->len) : NULL;
    size_t len = at != NULL ? (size_t)(at - rest->p) : rest->len;
    struct hb_span head = hb_span_head(*rest, len);

    *rest = hb_span_skip(*rest, at != NULL ? len + 1 : len);
    return head;
}

/* ---- the TXT record ---- */

/* "v=STSv1; id=...;" and extensions: *id from the first of its kind. */
static bool read_record(struct hb_span record, struct hb_span *id)
{
    bool has_id = false;

    (void)up_to(&record, ';');
    while (record.len > 0) {
        struct hb_span field = trim(up_to(&record, ';'));
        if (field.len == 0 && trim(record).len == 0) {
            break; /* a last semicolon */
        }
        struct hb_span value = field;
        struct hb_span name = up_to(&value, '=');
        bool named = name.len > 0 && name.len <= 32 && is_alnum(name.p[0]) && all(name, name_char);
        if (!named || !all(value, value_char)) {
            return false;
        }
        if (hb_span_eq(name, hb_span_str("id")) && !has_id) {
            if (value.len > 32 || !all(value, is_alnum)) {
                return false;
            }
            *id = value;
            has_id = true;
        }
    }
    return has_id;
}

bool hb_sts_record(const struct hb_span *records, size_t num, struct hb_span *id)
{
    const struct hb_span begin = hb_span_str("v=STSv1;");
    const struct hb_span *one = NULL;

    for (size_t i = 0; i < num; i++) {
        if (!hb_span_eq(hb_span_head(records[i], begin.len), begin)) {
            continue;
        }
        if (one != NULL) {
            return false;
        }
        one = &records[i];
    }
    return one != NULL && read_record(*one, id);
}

/* ---- the policy ---- */

/* "example.com" or "*.example.com". */
static bool pattern_ok(struct hb_span mx)
{
    if (mx.len > 2 && mx.p[0] == '*' && mx.p[1] == '.') {
        mx = hb_span_skip(mx, 2);
    }
    return mx.len <= 255 && all(mx, name_char) && mx.p[0] != '.';
}

static bool read_mode(struct hb_span value, enum hb_sts_mode *mode)
{
    static const char *const modes[] = {"none", "testing", "enforce"};

    for (unsigned i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (hb_span_eq(value, hb_span_str(modes[i]))) {
            *mode = (enum hb_sts_mode)i;
            return true;
        }
    }
    return false;
}

static bool read_age(struct hb_span value, uint32_t *age)
{
    uint64_t n = 0;

    for (size_t i = 0; i < value.len; i++) {
        if (value.p[i] < '0' || value.p[i] > '9' || i == 10) {
            return false;
        }
        n = n * 10 + (uint64_t)(value.p[i] - '0');
    }
    *age = (uint32_t)n;
    return value.len > 0 && n <= HB_STS_AGE_MAX;
}

/* One line of the policy, without its end; false: none. */
static bool next_line(struct hb_span *text, struct hb_span *key, struct hb_span *value)
{
    if (text->len == 0) {
        return false;
    }
    *value = up_to(text, '\n');
    if (value->len > 0 && value->p[value->len - 1] == '\r') {
        *value = hb_span_head(*value, value->len - 1);
    }
    *value = hb_trim_end(*value);
    *key = up_to(value, ':');
    *value = trim(*value);
    return true;
}

enum hb_code hb_sts_parse(struct hb_span text, struct hb_sts_policy *policy, unsigned *line)
{
    struct hb_span rest = text;
    struct hb_span key;
    struct hb_span value;
    bool version = false;
    bool mode = false;
    bool age = false;
    unsigned at = 0;

    *policy = (struct hb_sts_policy){.text = text};
    if (line != NULL) {
        *line = 0;
    }
    while (text.len <= HB_STS_POLICY_MAX && next_line(&rest, &key, &value)) {
        bool good = true;
        at++;
        if (hb_span_eq(key, hb_span_str("version")) && !version) {
            good = version = hb_span_eq(value, hb_span_str("STSv1"));
        } else if (hb_span_eq(key, hb_span_str("mode")) && !mode) {
            good = mode = read_mode(value, &policy->mode);
        } else if (hb_span_eq(key, hb_span_str("max_age")) && !age) {
            good = age = read_age(value, &policy->max_age);
        } else if (hb_span_eq(key, hb_span_str("mx"))) {
            good = pattern_ok(value);
            policy->num_mx++;
        } else { /* an extension, or the second of its kind (RFC 8461 3.2) */
            bool blank = key.len == 0 && value.len == 0 && (rest.len == 0 || all(rest, line_end));
            good = blank || all(key, name_char);
        }
        if (!good) {
            if (line != NULL) {
                *line = at;
            }
            return HB_E_STS_POLICY;
        }
    }
    bool whole = version && mode && age && (policy->num_mx > 0 || policy->mode == HB_STS_NONE);
    return whole ? HB_OK : HB_E_STS_POLICY;
}

/* ---- what it asks for ---- */

bool hb_sts_covers(const struct hb_sts_policy *policy, struct hb_span host)
{
    struct hb_span rest = policy->text;
    struct hb_span key;
    struct hb_span value;
    struct hb_span parent;

    if (host.len > 0 && host.p[host.len - 1] == '.') {
        host = hb_span_head(host, host.len - 1);
    }
    parent = host;
    bool has_parent = up_to(&parent, '.').len > 0 && parent.len > 0;
    while (next_line(&rest, &key, &value)) {
        if (!hb_span_eq(key, hb_span_str("mx"))) {
            continue;
        }
        bool wild = value.len > 2 && value.p[0] == '*' && value.p[1] == '.';
        if (wild ? has_parent && hb_span_caseeq(hb_span_skip(value, 2), parent)
                 : hb_span_caseeq(value, host)) {
            return true;
        }
    }
    return false;
}

enum hb_sts_verdict hb_sts_judge(const struct hb_sts_policy *policy, struct hb_span host, enum hb_code tls)
{
    if (policy->mode == HB_STS_NONE || (tls == HB_OK && hb_sts_covers(policy, host))) {
        return HB_STS_DELIVER;
    }
    return policy->mode == HB_STS_TESTING ? HB_STS_REPORT : HB_STS_REFUSE;
}
