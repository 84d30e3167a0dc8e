/* trust.c: anchors kept as their DER, found by the subject's name. */
#include "trust.h"

#include "der.h"
#include "pem.h"

struct hb_trust {
    const struct hb_env *env; /* borrowed */
    unsigned refs;
    size_t num;
    struct hb_anchor *first; /* owned */
};

struct hb_trust *hb_trust_new(const struct hb_env *env)
{
    struct hb_trust *t = env->alloc(env->ctx, sizeof *t);

    if (t != NULL) {
        t->env = env;
        t->refs = 1;
    }
    return t;
}

struct hb_trust *hb_trust_ref(struct hb_trust *trust)
{
    trust->refs++;
    return trust;
}

void hb_trust_free(struct hb_trust **trust)
{
    struct hb_trust *t = trust != NULL ? *trust : NULL;

    if (t == NULL) {
        return;
    }
    *trust = NULL;
    if (--t->refs > 0) {
        return;
    }
    while (t->first != NULL) {
        struct hb_anchor *a = t->first;
        t->first = a->next;
        t->env->release(t->env->ctx, a, a->memory_len);
    }
    t->env->release(t->env->ctx, t, sizeof *t);
}

/* An anchor with room for cap bytes of DER; NULL: out of memory. keep() takes it. */
static struct hb_anchor *make_room(const struct hb_trust *trust, size_t cap)
{
    size_t memory_len = sizeof(struct hb_anchor) + cap;
    struct hb_anchor *a = trust->env->alloc(trust->env->ctx, memory_len);

    if (a != NULL) {
        a->memory_len = memory_len;
    }
    return a;
}

/* The anchor with its first len bytes written, if code is good so far and they are a certificate. */
static enum hb_code keep(struct hb_trust *trust, struct hb_anchor *a, size_t len, enum hb_code code)
{
    if (code == HB_OK) {
        code = hb_cert_parse(hb_span(a->der, len), &a->cert);
    }
    if (code != HB_OK) {
        trust->env->release(trust->env->ctx, a, a->memory_len);
        return code;
    }
    a->next = trust->first;
    trust->first = a;
    trust->num++;
    return HB_OK;
}

static enum hb_code add_block(struct hb_trust *trust, const struct hb_pem_block *block)
{
    size_t cap = block->body.len / 4 * 3 + 3;
    struct hb_anchor *a = make_room(trust, cap);
    size_t len = 0;

    if (a == NULL) {
        return HB_E_NO_MEMORY;
    }
    enum hb_code code = hb_pem_decode(block, a->der, cap, &len);
    return keep(trust, a, len, code);
}

enum hb_code hb_trust_add_der(struct hb_trust *trust, struct hb_span der)
{
    struct hb_anchor *a = make_room(trust, der.len);

    if (a == NULL) {
        return HB_E_NO_MEMORY;
    }
    memcpy(a->der, der.p, der.len);
    return keep(trust, a, der.len, HB_OK);
}

enum hb_code hb_trust_add_pem(struct hb_trust *trust, struct hb_span pem, unsigned *added, unsigned *skipped)
{
    struct hb_pem_block block;

    *added = 0;
    *skipped = 0;
    if (hb_der_is_file(pem)) {
        enum hb_code code = hb_trust_add_der(trust, pem);
        *added = code == HB_OK;
        *skipped = !*added;
        return code;
    }
    while (hb_pem_next(&pem, &block) == HB_OK) {
        if (!hb_span_is(block.label, "CERTIFICATE") && !hb_span_is(block.label, "TRUSTED CERTIFICATE")) {
            continue;
        }
        enum hb_code code = add_block(trust, &block);
        if (code == HB_E_NO_MEMORY) {
            return code;
        }
        *(code == HB_OK ? added : skipped) += 1;
    }
    return *added > 0 ? HB_OK : HB_E_PEM_NONE;
}

size_t hb_trust_count(const struct hb_trust *trust)
{
    return trust->num;
}

const struct hb_anchor *hb_trust_find(const struct hb_trust *trust, struct hb_span subject,
                                      const struct hb_anchor *after)
{
    for (const struct hb_anchor *a = after != NULL ? after->next : trust->first; a != NULL; a = a->next) {
        if (hb_span_eq(a->cert.subject, subject)) {
            return a;
        }
    }
    return NULL;
}
