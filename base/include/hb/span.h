/* span.h: a borrowed run of bytes.
 *
 * A span never owns what it points at: whoever hands one over says how long it
 * stays good (usually: until the next call on the same object).  An empty span
 * may have a null pointer. */
#ifndef HB_SPAN_H
#define HB_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct hb_span {
    const uint8_t *p; /* borrowed */
    size_t len;
};

static inline struct hb_span hb_span(const void *p, size_t len)
{
    return (struct hb_span){(const uint8_t *)p, len};
}

/* The characters of a C string, without its NUL. */
static inline struct hb_span hb_span_str(const char *s)
{
    return hb_span(s, strlen(s));
}

/* Everything behind the first n bytes; n beyond the end gives an empty span. */
static inline struct hb_span hb_span_skip(struct hb_span s, size_t n)
{
    return n < s.len ? hb_span(s.p + n, s.len - n) : hb_span(NULL, 0);
}

/* At most the first n bytes. */
static inline struct hb_span hb_span_head(struct hb_span s, size_t n)
{
    return hb_span(s.p, n < s.len ? n : s.len);
}

/* Equality of public bytes; secrets are compared with hb_ct_eq (ct.h). */
static inline bool hb_span_eq(struct hb_span a, struct hb_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static inline uint8_t hb_ascii_lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

/* Equality with ASCII letters in either case; no locale has a say. */
static inline bool hb_span_caseeq(struct hb_span a, struct hb_span b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (hb_ascii_lower(a.p[i]) != hb_ascii_lower(b.p[i])) {
            return false;
        }
    }
    return true;
}

static inline bool hb_span_is(struct hb_span a, const char *word)
{
    return hb_span_caseeq(a, hb_span_str(word));
}

#endif
