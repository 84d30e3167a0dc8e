/* bundle.c: the value, and its bytes. */
#include "bundle.h"

#include <hb/builder.h>
#include <hb/ct.h>
#include <hb/cursor.h>
#include <stdlib.h>

#define FORMAT    1u
#define WORDS_MAX 1024u

struct gw_bundle {
    struct gw_answer *answers; /* owned */
    char **words;              /* owned */
    unsigned num, num_words, num_keys;
    uint32_t generation;
    size_t total;
};

struct gw_bundle *gw_bundle_new(uint32_t generation)
{
    struct gw_bundle *b = calloc(1, sizeof *b);

    if (b != NULL) {
        b->generation = generation;
        b->answers = calloc(GW_ANSWERS_MAX, sizeof *b->answers);
        b->words = calloc(WORDS_MAX, sizeof *b->words);
    }
    if (b != NULL && (b->answers == NULL || b->words == NULL)) {
        gw_bundle_free(&b);
    }
    return b;
}

void gw_bundle_forget(struct gw_bundle *b)
{
    for (unsigned i = 0; i < b->num; i++) {
        if (b->answers[i].bytes != NULL) {
            hb_wipe(b->answers[i].bytes, b->answers[i].len);
        }
        free(b->answers[i].bytes);
        free(b->answers[i].name);
    }
    b->num = 0;
    b->num_keys = 0;
    b->total = 0;
}

void gw_bundle_free(struct gw_bundle **pb)
{
    struct gw_bundle *b = *pb;

    *pb = NULL;
    if (b == NULL) {
        return;
    }
    if (b->answers != NULL) {
        gw_bundle_forget(b);
    }
    for (unsigned i = 0; i < b->num_words; i++) {
        free(b->words[i]);
    }
    free(b->answers);
    free(b->words);
    free(b);
}

const struct gw_answer *gw_bundle_find(const struct gw_bundle *b, enum gw_source_kind kind, const char *name)
{
    for (unsigned i = 0; b != NULL && i < b->num; i++) {
        if (b->answers[i].kind == kind && strcmp(b->answers[i].name, name) == 0) {
            return &b->answers[i];
        }
    }
    return NULL;
}

static struct gw_answer *add(struct gw_bundle *b, enum gw_source_kind kind, struct hb_span name, int status,
                             struct hb_span bytes)
{
    if (b->num == GW_ANSWERS_MAX || name.len > UINT16_MAX ||
        b->total + name.len + bytes.len > GW_BUNDLE_MAX) {
        return NULL;
    }
    struct gw_answer *a = &b->answers[b->num];
    *a = (struct gw_answer){.kind = (uint8_t)kind, .status = status, .len = bytes.len};
    a->name = malloc(name.len + 1);
    a->bytes = malloc(bytes.len + 1);
    if (a->name == NULL || a->bytes == NULL) {
        free(a->name);
        free(a->bytes);
        return NULL;
    }
    memcpy(a->name, name.p, name.len);
    a->name[name.len] = 0;
    if (bytes.len > 0) {
        memcpy(a->bytes, bytes.p, bytes.len);
    }
    a->bytes[bytes.len] = 0;
    if (kind == GW_SRC_KEY && status == 0) {
        a->key = ++b->num_keys;
    }
    b->total += name.len + bytes.len;
    b->num++;
    return a;
}

enum hb_code gw_bundle_add_word(struct gw_bundle *b, const char *word)
{
    if (b->num_words == WORDS_MAX) {
        return HB_E_OVERFLOW;
    }
    b->words[b->num_words] = strdup(word);
    if (b->words[b->num_words] == NULL) {
        return HB_E_NO_MEMORY;
    }
    b->num_words++;
    return HB_OK;
}

unsigned gw_bundle_num_words(const struct gw_bundle *b)
{
    return b->num_words;
}

const char *gw_bundle_word(const struct gw_bundle *b, unsigned i)
{
    return i < b->num_words ? b->words[i] : NULL;
}

const char *gw_bundle_key(const struct gw_bundle *b, unsigned i, size_t *len)
{
    for (unsigned k = 0; k < b->num; k++) {
        if (b->answers[k].key == i + 1) {
            *len = b->answers[k].len;
            return b->answers[k].bytes;
        }
    }
    return NULL;
}

const char *gw_bundle_watched(const struct gw_bundle *b, unsigned i, enum gw_source_kind *kind)
{
    for (unsigned k = 0; k < b->num; k++) {
        enum gw_source_kind is = (enum gw_source_kind)b->answers[k].kind;
        if ((is == GW_SRC_FILE || is == GW_SRC_KEY || is == GW_SRC_FOLDER) && i-- == 0) {
            *kind = is;
            return b->answers[k].name;
        }
    }
    return NULL;
}

unsigned gw_bundle_lifetime(const struct gw_bundle *b)
{
    unsigned shortest = 0;

    for (unsigned i = 0; i < b->num; i++) {
        unsigned lifetime = b->answers[i].lifetime;
        shortest = lifetime > 0 && (shortest == 0 || lifetime < shortest) ? lifetime : shortest;
    }
    return shortest;
}

static bool same_answer(const struct gw_answer *a, const struct gw_answer *b)
{
    return a->kind == b->kind && a->absent == b->absent && a->status == b->status &&
           strcmp(a->name, b->name) == 0 && a->len == b->len && hb_ct_eq(a->bytes, b->bytes, a->len);
}

bool gw_bundle_same(const struct gw_bundle *a, const struct gw_bundle *b)
{
    bool same = a->num == b->num && a->num_words == b->num_words;

    for (unsigned i = 0; same && i < a->num_words; i++) {
        same = strcmp(a->words[i], b->words[i]) == 0;
    }
    for (unsigned i = 0; same && i < a->num; i++) {
        same = same_answer(&a->answers[i], &b->answers[i]);
    }
    return same;
}

const struct gw_answer *gw_bundle_add(struct gw_bundle *b, enum gw_source_kind kind, struct hb_span name,
                                      int status, struct hb_span bytes)
{
    return add(b, kind, name, status, bytes);
}

const struct gw_answer *gw_bundle_add_address(struct gw_bundle *b, struct hb_span name, int status,
                                              struct hb_span bytes, unsigned lifetime)
{
    struct gw_answer *a = add(b, GW_SRC_ADDRESS, name, status, bytes);

    if (a != NULL) {
        a->lifetime = lifetime;
    }
    return a;
}

uint32_t gw_bundle_generation(const struct gw_bundle *b)
{
    return b->generation;
}

/* ---- bundles as bytes ----
 *
 *   u8 1 | u16 words { u32 len, bytes } | u16 answers { u8 kind, u8 absent, u32 status, u32 lifetime,
 *   u16 name, u32 bytes }
 */

/* Writes text without its private keys: from "-----BEGIN ... PRIVATE KEY-----" to the end of its END line.
 * What begins and does not end is left out to the end. */
static void put_without_keys(struct hb_bld *b, struct hb_span text)
{
    static const char begin[] = "-----BEGIN ";
    static const char end[] = "-----END ";

    while (text.len > 0) {
        const uint8_t *at = memmem(text.p, text.len, begin, sizeof begin - 1);
        if (at == NULL) {
            hb_bld_put(b, text);
            return;
        }
        struct hb_span block = hb_span_skip(text, (size_t)(at - text.p));
        const uint8_t *line = block.p != NULL ? memchr(block.p, '\n', block.len) : NULL;
        size_t line_len = line != NULL ? (size_t)(line - block.p) : block.len;
        if (block.p == NULL || memmem(block.p, line_len, "PRIVATE KEY", 11) == NULL) {
            size_t n = (size_t)(at - text.p) + sizeof begin - 1;
            hb_bld_put(b, hb_span_head(text, n));
            text = hb_span_skip(text, n);
            continue;
        }
        hb_bld_put(b, hb_span_head(text, (size_t)(at - text.p)));
        const uint8_t *last = memmem(block.p, block.len, end, sizeof end - 1);
        struct hb_span rest = last != NULL ? hb_span_skip(block, (size_t)(last - block.p)) : hb_span(NULL, 0);
        const uint8_t *next = rest.len > 0 ? memchr(rest.p, '\n', rest.len) : NULL;
        text = next != NULL ? hb_span_skip(rest, (size_t)(next - rest.p) + 1) : hb_span(NULL, 0);
        hb_bld_u8(b, '\n'); /* what stood around it must not become a line that begins a key */
    }
}

static void put_bytes(struct hb_bld *b, const struct gw_answer *a, bool keys)
{
    uint8_t *at = hb_bld_claim(b, 4);
    size_t before = b->len;

    if (keys) {
        hb_bld_put(b, hb_span(a->bytes, a->len));
    } else if (a->kind != GW_SRC_KEY) {
        put_without_keys(b, hb_span(a->bytes, a->len));
    }
    if (at != NULL && hb_bld_ok(b)) {
        struct hb_bld len = hb_bld(at, 4);
        hb_bld_u32(&len, (uint32_t)(b->len - before));
    }
}

uint8_t *gw_bundle_pack(const struct gw_bundle *b, bool keys, size_t *len)
{
    size_t size = 5 + b->total + (size_t)b->num * 16;

    for (unsigned i = 0; i < b->num_words; i++) {
        size += 4 + strlen(b->words[i]);
    }
    uint8_t *mem = malloc(size);
    if (mem == NULL) {
        return NULL;
    }
    struct hb_bld out = hb_bld(mem, size);
    hb_bld_u8(&out, FORMAT);
    hb_bld_u16(&out, (uint16_t)b->num_words);
    for (unsigned i = 0; i < b->num_words; i++) {
        hb_bld_u32(&out, (uint32_t)strlen(b->words[i]));
        hb_bld_str(&out, b->words[i]);
    }
    hb_bld_u16(&out, (uint16_t)b->num);
    for (unsigned i = 0; i < b->num; i++) {
        const struct gw_answer *a = &b->answers[i];
        hb_bld_u8(&out, a->kind);
        hb_bld_u8(&out, a->absent || (a->kind == GW_SRC_KEY && !keys));
        hb_bld_u32(&out, (uint32_t)a->status);
        hb_bld_u32(&out, a->lifetime);
        struct hb_bld_mark name = hb_bld_open16(&out);
        hb_bld_str(&out, a->name);
        hb_bld_close(&out, name);
        put_bytes(&out, a, keys);
    }
    HB_INVARIANT(hb_bld_ok(&out));
    *len = out.len;
    return mem;
}

static enum hb_code take_words(struct hb_cur *c, struct gw_bundle *b)
{
    unsigned n = hb_cur_u16(c);

    for (unsigned i = 0; i < n && hb_cur_ok(c); i++) {
        struct hb_span word = hb_cur_take(c, hb_cur_u32(c));
        if (!hb_cur_ok(c) || b->num_words == WORDS_MAX || memchr(word.p, 0, word.len) != NULL) {
            return HB_E_INTERNAL;
        }
        b->words[b->num_words] = strndup(word.len > 0 ? (const char *)word.p : "", word.len);
        if (b->words[b->num_words] == NULL) {
            return HB_E_NO_MEMORY;
        }
        b->num_words++;
    }
    return HB_OK;
}

static enum hb_code take_answers(struct hb_cur *c, struct gw_bundle *b)
{
    unsigned n = hb_cur_u16(c);

    for (unsigned i = 0; i < n && hb_cur_ok(c); i++) {
        uint8_t kind = hb_cur_u8(c);
        bool absent = hb_cur_u8(c) != 0;
        int status = (int)hb_cur_u32(c);
        uint32_t lifetime = hb_cur_u32(c);
        struct hb_cur name = hb_cur_vec16(c);
        struct hb_span name_bytes = hb_cur_rest(&name);
        struct hb_span bytes = hb_cur_take(c, hb_cur_u32(c));
        if (!hb_cur_ok(c) || kind >= GW_NUM_SOURCES) {
            return HB_E_INTERNAL;
        }
        struct gw_answer *a = add(b, (enum gw_source_kind)kind, name_bytes, status, bytes);
        if (a == NULL) {
            return HB_E_NO_MEMORY;
        }
        a->absent = absent;
        a->lifetime = lifetime;
    }
    return HB_OK;
}

enum hb_code gw_bundle_unpack(struct hb_span bytes, uint32_t generation, struct gw_bundle **pb)
{
    struct hb_cur c = hb_cur(bytes);
    struct gw_bundle *b = gw_bundle_new(generation);

    *pb = NULL;
    if (b == NULL) {
        return HB_E_NO_MEMORY;
    }
    enum hb_code code = hb_cur_u8(&c) == FORMAT ? HB_OK : HB_E_INTERNAL;
    if (code == HB_OK) {
        code = take_words(&c, b);
    }
    if (code == HB_OK) {
        code = take_answers(&c, b);
    }
    if (code == HB_OK && !hb_cur_end(&c)) {
        code = HB_E_INTERNAL;
    }
    if (code != HB_OK) {
        gw_bundle_free(&b);
    }
    *pb = b;
    return code;
}
