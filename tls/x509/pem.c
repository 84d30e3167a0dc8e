/* pem.c: finds blocks line by line and decodes their base64.
 * Never copies a key but into the caller's memory. The decoder's table lookups depend on the armour's
 * characters: files are read by their owner at start, not while a peer can measure. */
#include "pem.h"

static struct hb_span take_line(struct hb_span *text)
{
    const uint8_t *nl = text->len > 0 ? memchr(text->p, '\n', text->len) : NULL;
    size_t len = nl != NULL ? (size_t)(nl - text->p) : text->len;
    struct hb_span line = hb_span(text->p, len);

    *text = hb_span_skip(*text, nl != NULL ? len + 1 : len);
    while (line.len > 0 &&
           (line.p[line.len - 1] == '\r' || line.p[line.len - 1] == ' ' || line.p[line.len - 1] == '\t')) {
        line.len--;
    }
    return line;
}

/* The label of a "-----BEGIN x-----" or "-----END x-----" line; empty if it is none. */
static struct hb_span label_of(struct hb_span line, const char *word)
{
    size_t head = 5 + strlen(word) + 1;

    if (line.len <= head + 5 || memcmp(line.p, "-----", 5) != 0 ||
        memcmp(line.p + 5, word, strlen(word)) != 0 || line.p[head - 1] != ' ' ||
        memcmp(line.p + line.len - 5, "-----", 5) != 0) {
        return hb_span(NULL, 0);
    }
    return hb_span(line.p + head, line.len - head - 5);
}

enum hb_code hb_pem_next(struct hb_span *text, struct hb_pem_block *block)
{
    struct hb_span label = hb_span(NULL, 0);

    while (label.len == 0) {
        if (text->len == 0) {
            return HB_E_PEM_NONE;
        }
        label = label_of(take_line(text), "BEGIN");
    }
    *block = (struct hb_pem_block){.label = label, .body = hb_span(text->p, 0)};
    block->encrypted = hb_span_is(label, "ENCRYPTED PRIVATE KEY");
    for (;;) {
        if (text->len == 0) {
            return HB_E_PEM_ARMOUR;
        }
        const uint8_t *start = text->p;
        struct hb_span line = take_line(text);
        struct hb_span end = label_of(line, "END");
        if (end.len > 0) {
            block->body.len = (size_t)(start - block->body.p);
            return hb_span_eq(end, label) ? HB_OK : HB_E_PEM_ARMOUR;
        }
        if (label_of(line, "BEGIN").len > 0) {
            return HB_E_PEM_ARMOUR;
        }
        if (line.len >= 10 && memcmp(line.p, "Proc-Type:", 10) == 0) {
            block->encrypted = true;
        }
    }
}

static int value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

enum hb_code hb_pem_decode(const struct hb_pem_block *block, uint8_t *dst, size_t cap, size_t *len)
{
    uint32_t bits = 0;
    unsigned num = 0; /* characters of the current group of four */
    unsigned pad = 0;

    *len = 0;
    for (size_t i = 0; i < block->body.len; i++) {
        uint8_t c = block->body.p[i];
        if (c == '\n' || c == '\r' || c == ' ' || c == '\t') {
            continue;
        }
        int v = c == '=' ? 0 : value(c);
        pad += c == '=';
        if (v < 0 || (pad > 0 && c != '=') || pad > 2 || (c == '=' && num < 2)) {
            return HB_E_PEM_ARMOUR;
        }
        bits = bits << 6 | (uint32_t)v;
        if (++num < 4) {
            continue;
        }
        size_t n = 3 - pad;
        if (*len + n > cap) {
            return HB_E_OVERFLOW;
        }
        for (size_t k = 0; k < n; k++) {
            dst[(*len)++] = (uint8_t)(bits >> (16 - 8 * k));
        }
        bits = 0;
        num = 0;
    }
    return num == 0 && *len > 0 ? HB_OK : HB_E_PEM_ARMOUR;
}
