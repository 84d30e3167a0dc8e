/* fuzz_x509_verify.c: a server's or client's chain of certificates, changed, and signed again or not, in any
 * order, judged in every mode.
 *
 *   mode u8 | name u8 | number of certificates u8 | for each: which u8, signer u8, edits
 *
 * Kept whatever comes: a chain is only believed if its leaf's contents are the original's or were signed
 * again by a key of a CA (that an input makes the client a CA with edits alone is possible in theory, and
 * would be a false alarm); the code has a sentence; nothing is held afterwards. */
#include "edits.h"
#include "tls_tape.h"
#include "x509/verify.h"
#include <stdio.h>
#include <stdlib.h>

#define PROMISE(cond) ((cond) ? (void)0 : broken(#cond, __LINE__))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void broken(const char *what, int line)
{
    (void)fprintf(stderr, "fuzz_x509_verify.c:%d: not kept: %s\n", line, what);
    abort();
}

struct made {
    uint8_t mem[24576];
    struct hb_span der;
    bool honest; /* its contents are as they were, or signed again by one who may */
};

/* One certificate out of the input. signer: 0 as it was, 1 the CA, 2 the one in the middle, 3 nobody's key;
 * above that, edits are on the whole, not on what is signed. */
static void make(struct hb_cur *c, const struct hb_env *env, struct made *m)
{
    const struct tape_pki *pki = tape_pki();
    const struct hb_span all[] = {pki->server_der, pki->middle_der, pki->ca_der,
                                  pki->client_der, pki->rsa_der,    pki->responder_der};
    const struct pki_key *signers[] = {NULL, &pki->ca, &pki->middle, &pki->client};
    struct hb_span old = all[hb_cur_u8(c) % (sizeof all / sizeof all[0])];
    uint8_t how = hb_cur_u8(c);
    const struct pki_key *signer = signers[how % 4];
    static uint8_t mem[65536];
    struct hb_bld changed = hb_bld(mem, sizeof mem);
    struct hb_bld out = hb_bld(m->mem, sizeof m->mem);
    struct hb_cert cert;

    PROMISE(hb_cert_parse(old, &cert) == HB_OK);
    bool differs = edits(c, (how & 4) != 0 ? old : cert.tbs, &changed);
    if (!differs || (how & 4) != 0 || changed.len > 3000) {
        hb_bld_put(&out, hb_span_head(differs ? hb_bld_span(&changed) : old, sizeof m->mem));
        m->honest = !differs;
    } else if (signer == NULL) { /* the old signature behind new contents */
        uint8_t whole[4096];
        struct hb_bld b = hb_bld(whole, sizeof whole);
        hb_bld_put(&b, hb_bld_span(&changed));
        hb_bld_put(&b, hb_span_skip(old, (size_t)(cert.tbs.p + cert.tbs.len - old.p)));
        pki_tlv(&out, 0x30, hb_bld_span(&b));
        m->honest = false;
    } else {
        pki_sign(env, hb_bld_span(&changed), signer, &out);
        m->honest = signer == &pki->ca || signer == &pki->middle;
    }
    m->der = hb_bld_span(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct made made[12];
    static const char *const names[] = {"mail.test", "x.wild.test", "127.0.0.1",       "other.test",
                                        "test",      "::1",         "alice@mail.test", "*.wild.test"};
    struct hb_span chain[12];
    struct testenv t;
    struct testenv kept;
    struct hb_trust *trust;
    unsigned added;
    unsigned skipped;
    struct hb_cur c = hb_cur(hb_span(data, len));

    testenv_init(&t, 1);
    testenv_init(&kept, 2);
    trust = hb_trust_new(&kept.env);
    PROMISE(hb_trust_add_pem(trust, tape_pki()->ca_pem, &added, &skipped) == HB_OK);
    uint8_t mode = hb_cur_u8(&c);
    struct hb_verify_request request = {
        .verify = (enum hb_tls_verify)(mode % 4),
        .server = (mode & 4) == 0,
        .signs = (mode & 8) == 0,
        .trust = (mode & 0x30) == 0x30 ? NULL : trust,
        .name = hb_span_str(names[hb_cur_u8(&c) % 8]),
        .staple = (mode & 0x40) != 0 ? tape_pki()->staple : hb_span(NULL, 0),
        .now = (mode & 0x80) != 0 ? PKI_END + 1 : TAPE_NOW,
    };
    unsigned num = 1 + hb_cur_u8(&c) % 12u;
    for (unsigned i = 0; i < num; i++) {
        make(&c, &t.env, &made[i]);
        chain[i] = made[i].der;
    }
    enum hb_code code = hb_verify_chain(&t.env, &request, chain, num);
    PROMISE(code == HB_OK || (code < HB_NUM_CODES && code != HB_E_INTERNAL && hb_err_sentence(code)[0] != 0));
    if (code == HB_OK && (request.verify == HB_VERIFY_CHAIN || request.verify == HB_VERIFY_FULL)) {
        PROMISE(request.trust != NULL && made[0].honest);
    }
    PROMISE(t.held == 0);
    hb_trust_free(&trust);
    PROMISE(kept.held == 0);
    return 0;
}
