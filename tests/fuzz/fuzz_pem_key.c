/* fuzz_pem_key.c: PEM texts, private keys and whole pairs.
 * The first byte says what the rest is: 0 a PEM text, 1 to 3 the DER of a PRIVATE KEY, EC PRIVATE KEY or RSA
 * PRIVATE KEY, which is put into armour here, 4 a text with both chain and key for a store; others as their
 * remainder by 5. Kept whatever comes: blocks follow one another inside the text, a key that loads signs or
 * says why not, codes are of the groups they should be, and nothing is held afterwards. */
#include "cred_store.h"
#include "testenv.h"
#include "x509/key.h"
#include "x509/pem.h"
#include <stdio.h>
#include <stdlib.h>

#define TEXT_MAX 65536u

#define PROMISE(cond) ((cond) ? (void)0 : broken(#cond, __LINE__))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void broken(const char *what, int line)
{
    (void)fprintf(stderr, "fuzz_pem_key.c:%d: not kept: %s\n", line, what);
    abort();
}

static bool may_refuse(enum hb_code code)
{
    return code >= HB_E_PEM_NONE && code <= HB_E_CERT_TOO_LONG;
}

static void blocks(struct hb_span text)
{
    static uint8_t bytes[TEXT_MAX];
    const uint8_t *end = text.p + text.len;
    const uint8_t *at = text.p;
    struct hb_pem_block block;

    while (hb_pem_next(&text, &block) == HB_OK) {
        size_t len;
        PROMISE(block.label.len > 0 && block.label.p > at && block.label.p < block.body.p);
        PROMISE(block.body.p + block.body.len < end);
        at = block.body.p + block.body.len;
        PROMISE(text.len == 0 || (text.p > at && text.p + text.len == end));
        enum hb_code code = hb_pem_decode(&block, bytes, sizeof bytes, &len);
        PROMISE(code == HB_OK || code == HB_E_PEM_ARMOUR || code == HB_E_OVERFLOW);
        PROMISE(len <= block.body.len / 4 * 3 && (code != HB_OK || len > 0));
    }
}

static void key(struct hb_span text)
{
    struct testenv t;
    struct hb_privkey *k;

    testenv_init(&t, 1);
    enum hb_code code = hb_key_from_file(&t.env, text, &k);
    PROMISE((code == HB_OK) == (k != NULL));
    PROMISE(code == HB_OK || may_refuse(code));
    for (size_t i = 0; k != NULL && i < hb_num_sigalgs; i++) {
        uint8_t sig[HB_SIG_MAX];
        size_t len;
        if (hb_sigalgs[i].kind == hb_privkey_kind(k)) { /* one scheme is enough: the numbers are the same */
            code = hb_sign(k, &t.env, &hb_sigalgs[i], text, sig, sizeof sig, &len);
            PROMISE(code == HB_OK ? len > 0 && len <= sizeof sig : code == HB_E_TLS_SIGN_FAILED && len == 0);
            break;
        }
    }
    hb_privkey_free(&t.env, &k);
    PROMISE(t.held == 0);
}

static void pair(struct hb_span text)
{
    struct testenv t;
    struct hb_cred_facts facts;

    testenv_init(&t, 1);
    struct hb_cred_store *store = hb_cred_store_new(&t.env);
    enum hb_code code = hb_cred_store_add(store, text, text, &facts);
    PROMISE(code == HB_OK || may_refuse(code));
    PROMISE(memchr(facts.key, 0, sizeof facts.key) != NULL &&
            memchr(facts.names, 0, sizeof facts.names) != NULL);
    for (const char *c = facts.names; *c != 0; c++) {
        PROMISE(*c > ' ' && *c < 127); /* they are printed */
    }
    PROMISE(hb_cred_store_count(store) == (code == HB_OK ? 1 : 0));
    if (code == HB_OK) {
        (void)hb_cred_covers(hb_cred_at(store, 0), hb_span_str("mail.test"));
        PROMISE(hb_cred_at(store, 0)->msg13.len > hb_cred_at(store, 0)->msg12.len);
    }
    hb_cred_store_free(&store);
    PROMISE(t.held == 0);
}

static struct hb_span armour(const char *label, struct hb_span der)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static char text[TEXT_MAX];
    struct hb_span part = hb_span_head(der, TEXT_MAX / 2);
    size_t n = (size_t)snprintf(text, sizeof text, "-----BEGIN %s-----\n", label);

    for (size_t i = 0; i < part.len; i += 3) {
        size_t left = part.len - i;
        uint32_t v = (uint32_t)part.p[i] << 16 | (left > 1 ? (uint32_t)part.p[i + 1] << 8 : 0) |
                     (left > 2 ? part.p[i + 2] : 0);
        text[n++] = digits[v >> 18];
        text[n++] = digits[v >> 12 & 63];
        text[n++] = left > 1 ? digits[v >> 6 & 63] : '=';
        text[n++] = left > 2 ? digits[v & 63] : '=';
    }
    n += (size_t)snprintf(text + n, sizeof text - n, "\n-----END %s-----\n", label);
    return hb_span(text, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char *const labels[] = {"PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"};

    if (len == 0) {
        return 0;
    }
    struct hb_span rest = hb_span(data + 1, len - 1);
    unsigned what = data[0] % 5;
    if (what == 4) {
        pair(rest);
        return 0;
    }
    if (what > 0) {
        rest = armour(labels[what - 1], rest);
    }
    blocks(rest);
    key(rest);
    return 0;
}
