/* fuzz_keyring.c: what a keeper is sent. { u8 what, u16 length, bytes }, again and again:
 *   0: a generation of keys, its number in front (u8); 1: generations to be forgotten (u32); else the body of
 * a request of that type. Generation 7 is there at the start: a P-256 and an RSA key. An answer has its form
 * whatever was asked, and RSA key transport tells nobody that there was no key (CT-03). */
#include "keyring.h"
#include "mini_pki.h"
#include "source.h"
#include "testenv.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct testenv env;
static uint8_t first[8192];
static size_t first_len;

static void promise(int kept)
{
    if (!kept) {
        abort();
    }
}

static void make_first(void)
{
    struct pki_key ec;
    struct pki_key rsa;
    struct gw_bundle *b = gw_bundle_new(7);

    pki_key_ec(&env.env, &ec);
    pki_key_rsa(&env.env, 0, &rsa);
    promise(gw_bundle_add(b, GW_SRC_KEY, hb_span_str("a"), 0, hb_span_str(ec.pem)) != NULL);
    promise(gw_bundle_add(b, GW_SRC_KEY, hb_span_str("b"), 0, hb_span_str(rsa.pem)) != NULL);
    uint8_t *bytes = gw_keyring_pack(b, &first_len);
    promise(bytes != NULL && first_len <= sizeof first);
    memcpy(first, bytes, first_len);
    free(bytes);
    gw_bundle_free(&b);
    pki_key_free(&env.env, &ec);
    pki_key_free(&env.env, &rsa);
}

static void ask(const struct gw_keyring *k, unsigned type, struct hb_span body)
{
    uint8_t mem[GW_KEY_RESULT_MAX + 6];
    struct hb_bld out = hb_bld(mem, sizeof mem);
    struct gw_key_request r;

    if (!gw_keyring_parse((enum gw_msg)type, body, &r)) {
        return;
    }
    gw_keyring_answer(k, &r, &out);
    promise(hb_bld_ok(&out));
    struct hb_cur c = hb_cur(hb_bld_span(&out));
    promise(hb_cur_u32(&c) == r.number);
    struct hb_cur result = hb_cur_vec16(&c);
    size_t got = hb_cur_left(&result);
    promise(hb_cur_end(&c));
    promise(r.type != GW_MSG_DECRYPT || got == 48);
    promise(r.type != GW_MSG_SIGN || gw_keyring_has(k, r.handle) || got == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct hb_cur c = hb_cur(hb_span(data, len));

    testenv_init(&env, 1);
    if (first_len == 0) {
        make_first();
    }
    size_t held = env.held;
    struct gw_keyring *k = gw_keyring_new(&env.env);
    promise(k != NULL && gw_keyring_take(k, 7, hb_span(first, first_len)));
    promise(gw_keyring_has(k, gw_key_handle(7, 1)) && gw_keyring_has(k, gw_key_handle(7, 2)) &&
            !gw_keyring_has(k, gw_key_handle(7, 3)) && !gw_keyring_has(k, gw_key_handle(6, 1)));
    for (unsigned n = 0; n < 40 && hb_cur_left(&c) > 0; n++) {
        unsigned what = hb_cur_u8(&c);
        struct hb_cur body = hb_cur_vec16(&c);
        if (!hb_cur_ok(&c)) {
            break;
        }
        if (what == 0) {
            uint32_t number = hb_cur_u8(&body);
            (void)gw_keyring_take(k, number, hb_cur_rest(&body));
        } else if (what == 1) {
            gw_keyring_forget(k, hb_cur_u32(&body));
        } else {
            ask(k, what, hb_cur_rest(&body));
        }
    }
    gw_keyring_free(&k);
    promise(env.held == held);
    return 0;
}
