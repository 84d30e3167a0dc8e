/* What RFCs leave to us and we decided (rows of level S and P that no other file has): records that fit a
 * packet in the beginning, no data before the peer is known, tickets for one use, fresh shares, replay to the
 * byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "config.h"
#include "conn/conn.h"
#include "crypto/crypto.h"
#include "duo.h"
#include "hs/hs.h"
#include "wire/hello.h"

#define I HB_PROFILE_INTERMEDIATE

static struct duo d;

static void start(uint16_t version)
{
    duo_start(&d, "ecdsa-p256", I, "", I);
    assert_int_equal(hb_tls_config_versions(d.server.config, version, version), HB_OK);
    d.cut = 0;
    d.meddle = NULL;
}

static void connected(const char *name, struct hb_span session)
{
    duo_connect(&d, name, session);
    duo_pump(&d);
    assert_true(d.client.ready && d.server.ready);
}

/* REC-18: sixteen records of 1400 bytes, then full ones; no padding. */
static void first_records_are_small(void **state)
{
    static const struct {
        uint16_t version;
        size_t overhead;
    } rows[] = {{0x0304, 1 + 16}, {0x0303, 8 + 16}};
    static uint8_t text[64 * 1024];
    static uint8_t mem[80 * 1024];
    struct hb_span span = hb_span(text, sizeof text);

    (void)state;
    for (unsigned r = 0; r < 2; r++) {
        start(rows[r].version);
        connected("mail.test", hb_span(NULL, 0));
        struct hb_bld out = hb_bld(mem, sizeof mem);
        assert_int_equal(hb_tls_write(d.server.tls, &span, 1, &out), HB_OK);
        size_t left = sizeof text;
        size_t at = 0;
        for (unsigned i = 0; left > 0; i++) {
            size_t len = (size_t)mem[at + 3] << 8 | mem[at + 4];
            size_t want = i < 16 ? 1400 : 16384;
            want = left < want ? left : want;
            assert_int_equal(len, want + rows[r].overhead);
            left -= want;
            at += 5 + len;
        }
        assert_int_equal(at, out.len);
        duo_hang_up(&d);
        duo_stop(&d);
    }
}

static unsigned tried;

/* While the client's Finished is on its way the server has its keys and must not use them. */
static size_t write_early(struct duo *duo, bool from_client, uint8_t *wire, size_t len, size_t cap)
{
    struct hb_span text = hb_span_str("* OK too early\r\n");

    (void)wire;
    (void)cap;
    if (from_client && !duo->server.ready) {
        size_t before = duo->server.out.len;
        assert_int_equal(hb_tls_write(duo->server.tls, &text, 1, &duo->server.out), HB_E_INTERNAL);
        assert_int_equal(duo->server.out.len, before);
        tried++;
    }
    return len;
}

/* T13-16: no data behind the server's own Finished, nor earlier; TLS 1.2 alike. */
static void no_data_before_finished(void **state)
{
    (void)state;
    for (uint16_t version = 0x0303; version <= 0x0304; version++) {
        start(version);
        d.meddle = write_early;
        tried = 0;
        connected("mail.test", hb_span(NULL, 0));
        assert_true(tried >= 2); /* at the hello, and at the flight with the Finished */
        d.meddle = NULL;
        duo_chat(&d);
        duo_hang_up(&d);
        duo_stop(&d);
    }
}

/* RES-08: a session is offered for its own name, as long as it lives (at most 7 days, whatever the ticket
 * says). */
static void sessions_of_the_client(void **state)
{
    static const struct {
        const char *what, *name;
        uint64_t later;
        bool resumed;
    } rows[] = {{"its own name", "mail.test", 10, true},
                {"in capitals", "MAIL.TEST", 10, true},
                {"another name of the same server", "127.0.0.1", 10, false},
                {"a second before its end", "mail.test", 3599, true},
                {"at its end", "mail.test", 3600, false}};
    static const uint16_t versions[] = {0x0304, 0x0303};
    struct hb_ticket_keys *keys;

    (void)state;
    for (unsigned v = 0; v < 2; v++) {
        for (unsigned r = 0; r < sizeof rows / sizeof rows[0]; r++) {
            start(versions[v]);
            assert_int_equal(hb_ticket_keys_new(&d.t.env, hb_span(NULL, 0), &keys), HB_OK);
            hb_tls_config_tickets(d.server.config, keys, hb_span_str("imap"), 1, 3600);
            hb_tls_config_tickets(d.client.config, keys, hb_span_str("imap"), 1, 3600);
            connected("mail.test", hb_span(NULL, 0));
            duo_chat(&d); /* tickets of 1.3 leave with the first reply */
            assert_true(d.client.session_len > 0);
            duo_hang_up(&d);
            d.t.wall += rows[r].later;
            connected(rows[r].name, hb_span(d.client.session, d.client.session_len));
            if (hb_tls_info(d.server.tls)->resumed != rows[r].resumed) {
                fail_msg("%s, %04x", rows[r].what, versions[v]);
            }
            duo_hang_up(&d);
            hb_ticket_keys_free(&keys);
            duo_stop(&d);
        }
    }
}

static uint8_t first_flight[4096];
static size_t first_len;

static size_t keep_hello(struct duo *duo, bool from_client, uint8_t *wire, size_t len, size_t cap)
{
    (void)duo;
    (void)cap;
    if (from_client && first_len == 0) {
        assert_true(len <= sizeof first_flight);
        memcpy(first_flight, wire, len);
        first_len = len;
    }
    return len;
}

/* MLK-07: nothing of a key share is ever used twice: neither ek nor the X25519 half, in no group. */
static void shares_are_fresh(void **state)
{
    static const uint16_t groups[] = {0x11ec, 0x001d};
    static uint8_t kept[2][1216];

    (void)state;
    start(0x0304);
    d.meddle = keep_hello;
    for (unsigned round = 0; round < 2; round++) {
        struct hb_offer offer;
        first_len = 0;
        connected("mail.test", hb_span(NULL, 0));
        assert_int_equal(hb_hello_parse(hb_span(first_flight + 9, first_len - 9), &offer), HB_OK);
        for (unsigned g = 0; g < 2; g++) {
            struct hb_span share;
            assert_true(hb_offer_share(&offer, groups[g], &share));
            assert_true(share.len <= sizeof kept[g]);
            assert_true(round == 0 || memcmp(kept[g], share.p, 32) != 0);
            assert_true(round == 0 || memcmp(kept[g] + share.len - 32, share.p + share.len - 32, 32) != 0);
            memcpy(kept[g], share.p, share.len);
        }
        duo_hang_up(&d);
    }
    duo_stop(&d);
}

/* Y of the server's ServerKeyExchange, behind p and g; and of the client's ClientKeyExchange. */
static uint8_t ys[2][256];

static size_t keep_ys(struct duo *duo, bool from_client, uint8_t *wire, size_t len, size_t cap)
{
    static const uint8_t g_and_size[] = {0x00, 0x01, 0x02, 0x01, 0x00};
    struct hb_span p = hb_ffdhe_prime(&hb_ffdhe2048);

    (void)cap;
    if (duo->server.ready) {
        return len;
    }
    if (from_client && len >= 11 + 256 && wire[5] == HB_MSG_CLIENT_KEY_EXCHANGE) {
        memcpy(ys[1], wire + 11, 256);
    }
    for (size_t i = 0; !from_client && i + p.len + sizeof g_and_size + 256 <= len; i++) {
        const uint8_t *at = wire + i;
        if (memcmp(at, p.p, p.len) == 0 && memcmp(at + p.len, g_and_size, sizeof g_and_size) == 0) {
            memcpy(ys[0], at + p.len + sizeof g_and_size, 256);
        }
    }
    return len;
}

/* ATK-T6 (Raccoon): no finite field key is used for a second handshake, at either end. */
static void dhe_keys_are_fresh(void **state)
{
    static const uint16_t groups[] = {0x0100};
    static uint8_t kept[2][256];

    (void)state;
    duo_start(&d, "rsa2048", HB_PROFILE_LEGACY, "", HB_PROFILE_LEGACY);
    assert_int_equal(hb_tls_config_versions(d.client.config, 0x0303, 0x0303), HB_OK);
    assert_int_equal(hb_tls_config_groups(d.client.config, groups, 1), HB_OK);
    d.cut = 0;
    d.meddle = keep_ys;
    for (unsigned round = 0; round < 3; round++) {
        memset(ys, 0, sizeof ys);
        connected("mail.test", hb_span(NULL, 0));
        assert_int_equal(hb_tls_info(d.server.tls)->group, 0x0100);
        for (unsigned end = 0; end < 2; end++) {
            assert_int_not_equal(ys[end][0] | ys[end][100] | ys[end][200], 0); /* found */
            assert_true(round == 0 || memcmp(kept[end], ys[end], 256) != 0);
        }
        assert_memory_not_equal(ys[0], ys[1], 256);
        memcpy(kept, ys, sizeof ys);
        duo_hang_up(&d);
    }
    duo_stop(&d);
}

/* The hello's extended_master_secret becomes an extension that nobody knows. */
static size_t hide_ems(struct duo *duo, bool from_client, uint8_t *wire, size_t len, size_t cap)
{
    static const uint8_t ems[] = {0x00, 0x17, 0x00, 0x00};
    unsigned found = 0;

    (void)cap;
    for (size_t i = 0; from_client && !duo->server.ready && wire[5] == HB_MSG_CLIENT_HELLO && i + 4 <= len;
         i++) {
        if (memcmp(wire + i, ems, sizeof ems) == 0) {
            wire[i] = wire[i + 1] = 0xfa;
            found++;
        }
    }
    assert_true(found <= 1);
    return len;
}

/* EMS-01: who requires it refuses TLS 1.2 without it; TLS 1.3 has no need of it. */
static void ems_required(void **state)
{
    static const struct {
        bool server, client;
        uint16_t version;
        enum hb_code want;
    } rows[] = {{true, false, 0x0303, HB_E_TLS_EMS_MISSING},
                {false, true, 0x0303, HB_E_TLS_EMS_MISSING},
                {true, true, 0x0304, HB_OK}};

    (void)state;
    for (unsigned r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        for (unsigned hidden = 0; hidden < 2; hidden++) {
            start(rows[r].version);
            hb_tls_config_require_ems(d.server.config, rows[r].server);
            hb_tls_config_require_ems(d.client.config, rows[r].client);
            d.meddle = hidden && rows[r].want != HB_OK ? hide_ems : NULL;
            duo_connect(&d, "mail.test", hb_span(NULL, 0));
            duo_pump(&d);
            if (d.meddle == NULL) {
                assert_true(d.client.ready && d.server.ready);
            } else {
                const struct duo_end *strict = rows[r].server ? &d.server : &d.client;
                assert_int_equal(strict->failure.code, rows[r].want);
                assert_int_equal(strict->failure.alert, 40);
            }
            duo_hang_up(&d);
            duo_stop(&d);
        }
    }
}

static uint8_t tape[2][200 * 1024];
static size_t tape_len[2];
static unsigned taping;

static size_t onto_tape(struct duo *duo, bool from_client, uint8_t *wire, size_t len, size_t cap)
{
    (void)duo;
    (void)from_client;
    (void)cap;
    assert_true(tape_len[taping] + len <= sizeof tape[0]);
    memcpy(tape[taping] + tape_len[taping], wire, len);
    tape_len[taping] += len;
    return len;
}

/* ENG-01: with the same randomness and the same clocks a session is the same to the byte. */
static void the_same_again(void **state)
{
    (void)state;
    for (uint16_t version = 0x0303; version <= 0x0304; version++) {
        uint64_t wall = 0;
        for (taping = 0; taping < 2; taping++) {
            start(version);
            wall = taping == 0 ? d.t.wall : wall;
            d.t.wall = wall;
            d.meddle = onto_tape;
            tape_len[taping] = 0;
            connected("mail.test", hb_span(NULL, 0));
            duo_chat(&d);
            duo_hang_up(&d);
            duo_stop(&d);
        }
        assert_true(tape_len[0] > 80000);
        assert_int_equal(tape_len[0], tape_len[1]);
        assert_memory_equal(tape[0], tape[1], tape_len[0]);
    }
}

/* NET-02: without instructions for AES and GHASH ChaCha20 stands first, in every profile and both versions;
 * with them, where the client puts it first (PRO-01). test_project_old_cpu is this on a machine that has
 * none. */
static void order_of_ciphers(void **state)
{
    static const enum hb_tls_profile profiles[] = {HB_PROFILE_MODERN, I, HB_PROFILE_LEGACY};

    (void)state;
    for (unsigned p = 0; p < 3; p++) {
        for (uint16_t version = p == 0 ? 0x0304 : 0x0303; version <= 0x0304; version++) {
            for (unsigned said = 0; said < 3; said++) { /* what the CPU says, then what we say */
                bool chacha = said == 0 ? !hb_cpu_has_aes() : said == 2;
                duo_start(&d, "ecdsa-p256", profiles[p], "", HB_PROFILE_LEGACY);
                hb_tls_config_prefer_chacha(d.client.config, false);
                if (said > 0) {
                    hb_tls_config_prefer_chacha(d.server.config, chacha);
                }
                assert_int_equal(hb_tls_config_versions(d.client.config, 0x0303, version), HB_OK);
                connected("mail.test", hb_span(NULL, 0));
                uint16_t suite = hb_tls_info(d.client.tls)->suite;
                uint16_t want13 = chacha ? 0x1303 : 0x1302;
                uint16_t want12 = chacha ? 0xcca9 : 0xc02c;
                assert_int_equal(suite, version == 0x0304 ? want13 : want12);
                duo_hang_up(&d);
                duo_stop(&d);
            }
        }
    }
}

int main(int argc, char **argv) /* [PATTERN of names] */
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_records_are_small), cmocka_unit_test(no_data_before_finished),
        cmocka_unit_test(sessions_of_the_client),  cmocka_unit_test(shares_are_fresh),
        cmocka_unit_test(dhe_keys_are_fresh),      cmocka_unit_test(ems_required),
        cmocka_unit_test(the_same_again),          cmocka_unit_test(order_of_ciphers),
    };

    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("project", tests, NULL, NULL);
}
