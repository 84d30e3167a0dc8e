/* fuzz_bundle.c: any bytes where a bundle belongs: refused, or read; what was read and packed again reads the
 * same, and packed without keys it holds no line that begins one. */
#include "bundle.h"

#include <hb/ct.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void promise(int kept)
{
    if (!kept) {
        abort();
    }
}

static int begins_a_key(const struct gw_answer *a)
{
    const char *end = a->bytes + a->len;

    for (const char *line = a->bytes; line < end;) {
        const char *next = memchr(line, '\n', (size_t)(end - line));
        size_t n = (size_t)((next != NULL ? next : end) - line);
        const char *begin = memmem(line, n, "-----BEGIN ", 11);
        if (begin != NULL && memmem(begin, n - (size_t)(begin - line), "PRIVATE KEY", 11) != NULL) {
            return 1;
        }
        line += n + (next != NULL);
    }
    return 0;
}

static void without_keys(const struct gw_bundle *b)
{
    struct gw_bundle *bare = NULL;
    enum gw_source_kind kind;
    size_t len = 0;
    uint8_t *bytes = gw_bundle_pack(b, false, &len);
    const char *name;

    promise(bytes != NULL && gw_bundle_unpack(hb_span(bytes, len), 1, &bare) == HB_OK);
    free(bytes);
    for (unsigned i = 0; (name = gw_bundle_watched(bare, i, &kind)) != NULL; i++) {
        const struct gw_answer *a = gw_bundle_find(bare, kind, name);
        promise(a != NULL && (kind != GW_SRC_KEY || (a->len == 0 && a->absent)) && !begins_a_key(a));
    }
    gw_bundle_free(&bare);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct gw_bundle *b = NULL;
    struct gw_bundle *again = NULL;
    size_t packed_len = 0;

    if (gw_bundle_unpack(hb_span(data, len), 7, &b) != HB_OK) {
        promise(b == NULL);
        return 0;
    }
    promise(gw_bundle_generation(b) == 7 && gw_bundle_same(b, b));
    for (unsigned i = 0; i < gw_bundle_num_words(b); i++) {
        promise(gw_bundle_word(b, i) != NULL);
    }
    uint8_t *packed = gw_bundle_pack(b, true, &packed_len);
    promise(packed != NULL && packed_len <= len); /* shorter where a name had a NUL in it */
    promise(gw_bundle_unpack(hb_span(packed, packed_len), 7, &again) == HB_OK && gw_bundle_same(b, again));
    promise(gw_bundle_lifetime(b) == gw_bundle_lifetime(again));
    without_keys(b);
    free(packed);
    gw_bundle_free(&again);
    gw_bundle_free(&b);
    return 0;
}
