#include "asn1.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

struct out {
    uint8_t *p;
    size_t len, cap;
};

static void put(struct out *o, uint8_t byte)
{
    assert_true(o->len < o->cap);
    o->p[o->len++] = byte;
}

/* Puts the length of what stands behind `at` there, moving it on. */
static void put_length(struct out *o, size_t at)
{
    size_t len = o->len - at;
    uint8_t head[4];
    size_t n = 0;

    assert_true(len < 1u << 24);
    for (size_t rest = len; len >= 128 && rest > 0; rest >>= 8) {
        n++;
    }
    head[0] = (uint8_t)(n > 0 ? 0x80 | n : len);
    for (size_t i = 0; i < n; i++) {
        head[1 + i] = (uint8_t)(len >> (8 * (n - 1 - i)));
    }
    for (size_t i = 0; i < n + 1; i++) {
        put(o, 0);
    }
    memmove(o->p + at + n + 1, o->p + at, len);
    memcpy(o->p + at, head, n + 1);
}

static unsigned hex_digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c != 0 ? strchr(digits, c) : NULL;

    assert_non_null(at);
    return (unsigned)(at - digits);
}

/* Up to the closing brace or the end of text. */
static const char *items(const char *s, struct out *o)
{
    while (*s != 0 && *s != '}') {
        if (*s == ' ' || *s == '\n') {
            s++;
        } else if (*s == '\'') {
            for (s++; *s != '\''; s++) {
                assert_int_not_equal(*s, 0);
                put(o, (uint8_t)*s);
            }
            s++;
        } else {
            uint8_t byte = (uint8_t)(hex_digit(s[0]) << 4 | hex_digit(s[1]));
            s += 2;
            put(o, byte);
            if (*s == '*') {
                char *end;
                for (unsigned long n = strtoul(s + 1, &end, 10); n > 1; n--) {
                    put(o, byte);
                }
                s = end;
            } else if (*s == '{') {
                size_t at = o->len;
                s = items(s + 1, o);
                assert_int_equal(*s, '}');
                s++;
                put_length(o, at);
            }
        }
    }
    return s;
}

size_t asn1(const char *text, uint8_t *dst, size_t cap)
{
    struct out o = {dst, 0, cap};

    assert_int_equal(*items(text, &o), 0);
    return o.len;
}

void asn1_replace(const char *text, const char *find, const char *by, char *dst, size_t cap)
{
    const char *at = find != NULL ? strstr(text, find) : text;

    if (at == NULL) {
        fail_msg("no \"%s\" in the template", find);
    }
    int n = snprintf(dst, cap, "%.*s%s%s", (int)(at - text), text, find != NULL ? by : "",
                     at + (find != NULL ? strlen(find) : 0));
    assert_true(n >= 0 && (size_t)n < cap);
}

size_t armour(const char *label, struct hb_span der, char *dst, size_t cap)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    int head = snprintf(dst, cap, "-----BEGIN %s-----\n", label);
    size_t n = (size_t)head;

    assert_true(n + der.len * 3 / 2 + 200 < cap);
    for (size_t i = 0; i < der.len; i += 3) {
        size_t left = der.len - i;
        uint32_t v = (uint32_t)der.p[i] << 16 | (left > 1 ? (uint32_t)der.p[i + 1] << 8 : 0) |
                     (left > 2 ? der.p[i + 2] : 0);
        dst[n++] = digits[v >> 18];
        dst[n++] = digits[v >> 12 & 63];
        dst[n++] = left > 1 ? digits[v >> 6 & 63] : '=';
        dst[n++] = left > 2 ? digits[v & 63] : '=';
        if (i % 48 == 45) {
            dst[n++] = '\n';
        }
    }
    int tail = snprintf(dst + n, cap - n, "\n-----END %s-----\n", label);
    assert_true(tail > 0 && (size_t)tail < cap - n);
    return n + (size_t)tail;
}

char *certs_file(const char *name)
{
    const char *folder = getenv("CERTS");
    char path[4096];

    assert_non_null(folder);
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        fail_msg("%s is not there", path);
    }
    char *text = calloc(1, 1 << 17);
    assert_non_null(text);
    size_t len = fread(text, 1, (1 << 17) - 1, f);
    (void)fclose(f);
    assert_true(len > 0 && len < (1 << 17) - 1);
    return text;
}
