/* cred_staple.c: the OCSP responses of our own certificates: which are taken, and how long they are shown.
 *
 * Invariant: a client gets to see a response only if it is about the very certificate it comes with, says
 * "good", and is of now (OCSP-01); one that has become stale since it was taken is not shown, and the
 * handshake goes on as if there were none. Reads no file: whoever does, gives a newer one with a new store.
 * Owned by the credential, freed with it. */
#include "cred_store.h"

#include "x509/cert.h"
#include <hb/cursor.h>

void hb_cred_store_any_staple(struct hb_cred_store *store)
{
    store->any_staple = true;
}

struct hb_span hb_cred_staple(const struct hb_cred *cred)
{
    return cred->staple;
}

bool hb_cred_can_staple(const struct hb_cred *cred, uint64_t now)
{
    return cred->staple.len > 0 && now >= cred->staple_window.from && now <= cred->staple_window.until;
}

/* The certificate behind the leaf, if it has the issuer's name. */
static bool find_issuer(const struct hb_cred *cred, const struct hb_cert *leaf, struct hb_cert *issuer)
{
    struct hb_cur c = hb_cur(cred->msg12);
    struct hb_cur list = hb_cur_vec24(&c);

    (void)hb_cur_vec24(&list);
    struct hb_cur second = hb_cur_vec24(&list);
    return hb_cur_ok(&list) && hb_cert_parse(hb_cur_rest(&second), issuer) == HB_OK &&
           hb_span_eq(issuer->subject, leaf->issuer);
}

/* When a response may be shown; a process that takes over from one that has judged it asks for nothing else.
 */
static enum hb_code judge_staple(const struct hb_cred_store *store, const struct hb_cred *cred,
                                 struct hb_span response, struct hb_ocsp_window *window)
{
    struct hb_cert leaf;
    struct hb_cert issuer;

    if (store->any_staple) {
        *window = (struct hb_ocsp_window){0, UINT64_MAX};
        return HB_OK;
    }
    HB_TRY(hb_cert_parse(cred->leaf, &leaf));
    enum hb_code code =
        hb_ocsp_window(store->env, response, &leaf, find_issuer(cred, &leaf, &issuer) ? &issuer : NULL,
                       store->env->wall(store->env->ctx), window);
    return code == HB_E_X509_STAPLE_STALE && store->any_time ? HB_OK : code;
}

enum hb_code hb_cred_store_staple(struct hb_cred_store *store, struct hb_span response, uint64_t *until)
{
    struct hb_cred *cred = store->last;
    struct hb_ocsp_window window;

    if (until != NULL) {
        *until = 0;
    }
    if (cred == NULL || response.len == 0 || response.len > 65535) {
        return HB_E_X509_STAPLE;
    }
    HB_TRY(judge_staple(store, cred, response, &window));
    uint8_t *p = store->env->alloc(store->env->ctx, response.len);
    if (p == NULL) {
        return HB_E_NO_MEMORY;
    }
    memcpy(p, response.p, response.len);
    store->env->release(store->env->ctx, (void *)(uintptr_t)cred->staple.p, cred->staple.len);
    cred->staple = hb_span(p, response.len);
    cred->staple_window = window;
    if (until != NULL) {
        *until = window.until;
    }
    return HB_OK;
}
