/* test_premaster.c: CT-03, ATK-T1, T12-05. Whatever stands in a client_key_exchange of RSA key transport, a
 * server does the same until Finished, says the same bytes, and has the same code: nobody learns what was
 * wrong with it. (That it does so in the same way, without branches, is the group `premaster` of ct.c.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tls_play.h"
#include <stdio.h>

#define SCENARIO 15u /* 1.2, RSA key transport, CBC */
#define SIZE     256u

enum put { NOTHING, ENCRYPTED, BYTES };

/* clang-format off */
/* 00 02 | padding | 00 | version | 46 bytes, and what may be wrong with it. */
static const struct row {
    const char *name;
    uint8_t first, type; /* 00 02 */
    size_t zero_in;      /* a zero byte in the padding, at this place; 0: none */
    size_t secret_len;   /* 48 */
    uint16_t version;    /* 0x0303 */
    bool separator;
    enum put put;
    size_t len; /* of the ciphertext */
} rows[] = {
    /* name                       first  type  zero  len  version  separator */
    {"another secret",               0,   2,     0,   48,   0x0303, true,  ENCRYPTED, SIZE},
    {"first byte is not zero",       1,   2,     0,   48,   0x0303, true,  ENCRYPTED, SIZE},
    {"block type 1",                 0,   1,     0,   48,   0x0303, true,  ENCRYPTED, SIZE},
    {"block type 3",                 0,   3,     0,   48,   0x0303, true,  ENCRYPTED, SIZE},
    {"no separator",                 0,   2,     0,   48,   0x0303, false, ENCRYPTED, SIZE},
    {"a zero within eight bytes",    0,   2,     5,   48,   0x0303, true,  ENCRYPTED, SIZE},
    {"a zero further behind",        0,   2,   100,   48,   0x0303, true,  ENCRYPTED, SIZE},
    {"47 bytes",                     0,   2,     0,   47,   0x0303, true,  ENCRYPTED, SIZE},
    {"49 bytes",                     0,   2,     0,   49,   0x0303, true,  ENCRYPTED, SIZE},
    {"no bytes",                     0,   2,     0,    0,   0x0303, true,  ENCRYPTED, SIZE},
    {"version of TLS 1.1",           0,   2,     0,   48,   0x0302, true,  ENCRYPTED, SIZE},
    {"version of SSL 2",             0,   2,     0,   48,   0x0002, true,  ENCRYPTED, SIZE},
    {"zeros only, unencrypted",      0,   0,     0,   48,   0x0303, true,  BYTES,     SIZE},
    {"above the modulus",         0xff,   2,     0,   48,   0x0303, true,  BYTES,     SIZE},
    {"a byte short",                 0,   2,     0,   48,   0x0303, true,  BYTES,     SIZE - 1},
    {"a byte long",                  0,   2,     0,   48,   0x0303, true,  BYTES,     SIZE + 1},
    {"one byte",                     0,   2,     0,   48,   0x0303, true,  BYTES,     1},
    {"nothing",                      0,   2,     0,   48,   0x0303, true,  BYTES,     0},
};
/* clang-format on */

static void block_of(const struct row *r, uint8_t em[SIZE])
{
    memset(em, 0x55, SIZE);
    em[0] = r->first;
    em[1] = r->type;
    if (r->separator) {
        em[SIZE - r->secret_len - 1] = 0;
    }
    if (r->zero_in > 0) {
        em[1 + r->zero_in] = 0;
    }
    if (r->secret_len >= 2) {
        em[SIZE - r->secret_len] = (uint8_t)(r->version >> 8);
        em[SIZE - r->secret_len + 1] = (uint8_t)r->version;
    }
}

/* A handshake with this row's client_key_exchange, and a Finished of somebody who cannot know the keys. */
static void play(const struct row *r, struct player *p)
{
    static const uint8_t finished[HB_REC_HEADER + 80] = {22, 3, 3, 0, 80, 1, 2, 3};
    uint8_t em[SIZE + 1] = {0};
    uint8_t c[SIZE + 1] = {0};
    uint8_t mem[4 + 2 + SIZE + 1];
    struct hb_bld b = hb_bld(mem, sizeof mem);

    block_of(r, em);
    if (r->put == ENCRYPTED) {
        pki_rsa_raw(&tape_pki()->rsa, em, c);
    } else {
        memcpy(c, em, sizeof c);
    }
    play_begin(p, tape_world(SCENARIO, false), false);
    for (; p->at < p->w->tape.num; p->at++) {
        const struct tape_item *item = &p->w->tape.item[p->at];
        if (item->type == HB_REC_HANDSHAKE && item->bytes.p[0] == HB_MSG_CLIENT_KEY_EXCHANGE) {
            hb_bld_u8(&b, HB_MSG_CLIENT_KEY_EXCHANGE);
            hb_bld_u24(&b, (uint32_t)(2 + r->len));
            hb_bld_u16(&b, (uint16_t)r->len);
            hb_bld_put(&b, hb_span(c, r->len));
            assert_true(hb_bld_ok(&b));
            p->changed = true;
            play_message(p, hb_bld_span(&b));
            assert_false(p->failed); /* silence until Finished */
        } else if (item->type == HB_REC_HANDSHAKE && item->bytes.p[0] == HB_MSG_FINISHED) {
            play_wire(p, finished, sizeof finished);
        } else {
            play_item(p, p->at);
        }
    }
}

static void test_one_answer(void **state)
{
    static const uint8_t alert[] = {21, 3, 3, 0, 2, 2, 20};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct player p;
        play(&rows[i], &p);
        if (!p.failed || p.code != HB_E_TLS_BAD_RECORD_MAC || p.last_words_len != sizeof alert) {
            print_error("%s: %s\n", rows[i].name, hb_err_name(p.code));
        }
        assert_true(p.failed && !p.ready);
        assert_int_equal(p.code, HB_E_TLS_BAD_RECORD_MAC);
        assert_int_equal(p.last_words_len, sizeof alert);
        assert_memory_equal(p.last_words, alert, sizeof alert);
        play_end(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_answer)};

    return cmocka_run_group_tests_name("premaster", tests, NULL, NULL);
}
