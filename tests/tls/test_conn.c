/* Open connections and records, both roles and versions: odd records, alerts, half close, key updates,
 * limits. The tap seals what no sane peer would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "drive.h"

static struct drive v;

/* Runs body for both roles in TLS 1.3 and 1.2. */
static void each(unsigned first, unsigned second, void (*body)(unsigned course, bool client))
{
    const unsigned all[] = {first, second};

    for (unsigned i = 0; i < 4; i++) {
        drive_start(&v, &courses[all[i / 2]], i % 2 == 0);
        body(all[i / 2], i % 2 == 0);
        drive_stop(&v);
    }
}

static struct hb_tls *tested(void)
{
    return v.tap.tested->tls;
}

static bool is13(void)
{
    return v.course->version == 0x0304;
}

/* ---- odd records ---- */

static const uint8_t zeros[17000];

/* clang-format off */
static const struct {
    const char *name;
    bool open;      /* on the open connection; else in front of the last message of the handshake */
    unsigned versions; /* 3: both, 1: 1.3, 2: 1.2 */
    uint8_t type;
    size_t len;     /* of zeros */
    enum hb_code code;
    unsigned alert;
} odd_records[] = {
    {"REC-06 alert of one byte",       true,  3, HB_REC_ALERT,     1,     HB_E_TLS_ALERT_FORMAT, 10},
    {"REC-06 alert of four bytes",     true,  3, HB_REC_ALERT,     4,     HB_E_TLS_ALERT_FORMAT, 10},
    {"ALR-01 level 0",                 true,  3, HB_REC_ALERT,     2,     HB_E_TLS_ILLEGAL, 47},
    {"REC-04 empty alert",             true,  3, HB_REC_ALERT,     0,     HB_E_TLS_RECORD_EMPTY, 10},
    {"REC-09 empty handshake",         true,  3, HB_REC_HANDSHAKE, 0,     HB_E_TLS_RECORD_EMPTY, 10},
    {"REC-09 no inner type",           true,  1, 0,                5,     HB_E_TLS_INNER_TYPE, 10},
    {"REC-09 inner type 24",           true,  1, 24,               5,     HB_E_TLS_INNER_TYPE, 10},
    {"REC-01 type 24",                 true,  2, 24,               5,     HB_E_TLS_RECORD_TYPE, 10},
    {"REC-09 inner CCS",               true,  3, HB_REC_CCS,       1,     HB_E_TLS_INNER_TYPE, 10},
    {"REC-01 longest content",         true,  3, HB_REC_DATA,      16384, HB_OK, 255},
    {"REC-01 content of 2^14 + 1",     true,  3, HB_REC_DATA,      16385, HB_E_TLS_RECORD_OVERFLOW, 22},
    {"REC-06 alert of one byte",       false, 3, HB_REC_ALERT,     1,     HB_E_TLS_ALERT_FORMAT, 10},
    {"REC-04 empty handshake",         false, 3, HB_REC_HANDSHAKE, 0,     HB_E_TLS_RECORD_EMPTY, 10},
    {"REC-04 empty data too early",    false, 3, HB_REC_DATA,      0,     HB_E_TLS_RECORD_EMPTY, 10},
    {"T12-11 data before Finished",    false, 3, HB_REC_DATA,      9,     HB_E_TLS_RECORD_TYPE, 10},
};
/* clang-format on */

static void odd(unsigned course, bool client)
{
    (void)course;
    (void)client;
    for (size_t i = 0; i < sizeof odd_records / sizeof odd_records[0]; i++) {
        if ((odd_records[i].versions & (is13() ? 1u : 2u)) == 0) {
            continue;
        }
        drive_to(&v, odd_records[i].open ? v.num : v.num - 1);
        tap_put(&v.tap, odd_records[i].type, zeros, odd_records[i].len);
        if (odd_records[i].code == HB_OK) {
            assert_false(v.tap.tested->failed);
            assert_int_equal(v.tap.tested->got_len, odd_records[i].len);
        } else {
            drive_expect(&v, odd_records[i].name, odd_records[i].type, odd_records[i].code,
                         odd_records[i].alert);
        }
    }
}

static void odd_records_of_both(void **unused)
{
    (void)unused;
    each(C13, C12, odd);
}

/* REC-04, ATK-28, ATK-40: 32 empty records in a row, not 33; data in between starts anew. */
static void empty(unsigned course, bool client)
{
    (void)course;
    (void)client;
    drive_to(&v, v.num);
    for (unsigned i = 0; i < 64; i++) {
        tap_put(&v.tap, HB_REC_DATA, zeros, i == 32);
        assert_false(v.tap.tested->failed);
    }
    tap_put(&v.tap, HB_REC_DATA, zeros, 0);
    assert_false(v.tap.tested->failed);
    tap_put(&v.tap, HB_REC_DATA, zeros, 0);
    drive_expect(&v, "REC-04", 0, HB_E_TLS_RECORD_FLOOD, 10);
}

static void empty_records(void **unused)
{
    (void)unused;
    each(C13, C12, empty);
}

/* ---- alerts ---- */

/* ALR-01: every alert at both levels: what ends the connection, without an answer. */
static void alerts(unsigned course, bool client)
{
    (void)course;
    (void)client;
    for (unsigned i = 0; i < 512; i++) {
        const uint8_t alert[] = {(uint8_t)(1 + i % 2), (uint8_t)(i / 2)};
        drive_to(&v, v.num);
        tap_answer(&v.tap);
        tap_put(&v.tap, HB_REC_ALERT, alert, 2);
        bool harmless = alert[1] == 90 || (!is13() && alert[0] == 1); /* user_canceled; warnings of 1.2 */
        if (alert[1] == 0) {
            assert_true(v.tap.tested->closed && !v.tap.tested->failed);
        } else if (harmless) {
            assert_false(v.tap.tested->failed || v.tap.tested->closed);
        } else {
            assert_int_equal(v.tap.tested->failure.code, HB_E_TLS_PEER_ALERT);
            assert_int_equal(v.tap.tested->failure.alert, alert[1]);
            assert_int_equal(v.tap.tested->out.len, 0);
        }
    }
}

static void every_alert(void **unused)
{
    (void)unused;
    each(C13, C12, alerts);
}

/* ALR-02, ATK-28, ATK-T8: four warnings, not five. */
static void warnings(unsigned course, bool client)
{
    static const uint8_t user_canceled[] = {1, 90};

    (void)course;
    (void)client;
    drive_to(&v, v.num);
    for (unsigned i = 0; i < 5; i++) {
        assert_false(v.tap.tested->failed);
        tap_put(&v.tap, HB_REC_ALERT, user_canceled, 2);
    }
    drive_expect(&v, "ALR-02", 0, HB_E_TLS_ALERT_FLOOD, 10);
}

static void warning_flood(void **unused)
{
    (void)unused;
    each(C13, C12, warnings);
}

/* ALR-04: our close_notify closes our side alone; what still comes is taken, until the peer's. ALR-05: only
 * that is a clean end. */
static void half_close(unsigned course, bool client)
{
    static const uint8_t close_notify[] = {1, 0};
    struct hb_span text = hb_span_str("late");

    (void)course;
    (void)client;
    drive_to(&v, v.num);
    tap_answer(&v.tap);
    hb_tls_close(tested(), &v.tap.tested->out);
    size_t once = v.tap.tested->out.len;
    hb_tls_close(tested(), &v.tap.tested->out);
    assert_int_equal(v.tap.tested->out.len, once); /* sent once */
    assert_int_equal(hb_tls_write(tested(), &text, 1, &v.tap.tested->out), HB_E_TLS_CLOSED);
    assert_int_equal(hb_tls_eof(tested()), HB_E_TLS_TRUNCATED);
    tap_put(&v.tap, HB_REC_DATA, "late", 4);
    assert_int_equal(v.tap.tested->got_len, 4);
    tap_put(&v.tap, HB_REC_ALERT, close_notify, 2);
    assert_true(v.tap.tested->closed);
    assert_int_equal(hb_tls_eof(tested()), HB_OK);
    tap_put(&v.tap, HB_REC_DATA, "more", 4); /* ignored, and no error */
    tap_put_plain(&v.tap, 99, "junk", 4);
    assert_false(v.tap.tested->failed);
    assert_int_equal(v.tap.tested->got_len, 4);
    tap_answer(&v.tap);
    assert_true(v.tap.other->closed && !v.tap.other->failed);
}

static void half_close_of_both(void **unused)
{
    (void)unused;
    each(C13, C12, half_close);
}

/* The peer's close_notify first: we may still write (both versions; RFC 8446 6.1, and 5246 lets us). */
static void answer_after_close(unsigned course, bool client)
{
    static const uint8_t close_notify[] = {1, 0};
    struct hb_span text = hb_span_str("goodbye");

    (void)course;
    (void)client;
    drive_to(&v, v.num);
    tap_put(&v.tap, HB_REC_ALERT, close_notify, 2);
    assert_int_equal(hb_tls_write(tested(), &text, 1, &v.tap.tested->out), HB_OK);
    tap_answer(&v.tap);
    assert_int_equal(v.tap.other->got_len, text.len);
}

static void write_after_peers_close(void **unused)
{
    (void)unused;
    each(C13, C12, answer_after_close);
}

/* ---- renegotiation (REN-02, ATK-28, ATK-38, ATK-T8) ---- */

static void renegotiation(unsigned course, bool client)
{
    static const uint8_t hello_request[] = {0, 0, 0, 0};
    static uint8_t client_hello[300] = {1, 0, 1, 0x28};

    if (course != C12) {
        return; /* in 1.3: test_hs_rows.c */
    }
    const uint8_t *bytes = client ? hello_request : client_hello;
    size_t len = client ? sizeof hello_request : sizeof client_hello;
    drive_to(&v, v.num);
    tap_answer(&v.tap);
    for (unsigned i = 0; i < (client ? 4u : 1u); i++) {
        tap_put(&v.tap, HB_REC_HANDSHAKE, bytes, len);
        assert_false(v.tap.tested->failed);
        tap_answer(&v.tap); /* a warning: the other end goes on */
        assert_false(v.tap.other->failed);
        tap_put(&v.tap, HB_REC_DATA, "on", 2);
        assert_int_equal(v.tap.tested->got_len, 2 * (i + 1));
    }
    tap_put(&v.tap, HB_REC_HANDSHAKE, bytes, len);
    drive_expect(&v, "REN-02", 0, client ? HB_E_TLS_HELLO_REQUEST_FLOOD : HB_E_TLS_RENEGOTIATION,
                 client ? 10 : 40);
    if (client) { /* and while the handshake goes on */
        drive_to(&v, 2);
        for (unsigned i = 0; i < 5; i++) {
            assert_false(v.tap.tested->failed);
            tap_put(&v.tap, HB_REC_HANDSHAKE, hello_request, sizeof hello_request);
        }
        drive_expect(&v, "REN-02", 0, HB_E_TLS_HELLO_REQUEST_FLOOD, 10);
    }
}

static void renegotiation_of_both(void **unused)
{
    (void)unused;
    each(C12, C12, renegotiation);
}

/* ---- key updates (T13-18) ---- */

static void wrong_update(const char *name, const void *bytes, size_t len, enum hb_code code, unsigned alert)
{
    drive_to(&v, v.num);
    tap_put(&v.tap, HB_REC_HANDSHAKE, bytes, len);
    drive_expect(&v, name, HB_MSG_KEY_UPDATE, code, alert);
}

static void updates(unsigned course, bool client)
{
    static const uint8_t request[] = {24, 0, 0, 1, 1};
    struct hb_span text = hb_span_str("text");

    (void)course;
    (void)client;
    wrong_update("T13-18 value 2", "\x18\0\0\1\2", 5, HB_E_TLS_ILLEGAL, 47);
    wrong_update("T13-18 no value", "\x18\0\0\0", 4, HB_E_TLS_DECODE, 50);
    wrong_update("HS-01 two bytes", "\x18\0\0\2\0\0", 6, HB_E_TLS_MESSAGE_TOO_LONG, 47);
    wrong_update("T13-18 bytes behind it", "\x18\0\0\1\0\x18", 6, HB_E_TLS_KEY_CHANGE_RESIDUE, 10);
    /* many requests, one answer, in front of the next data */
    drive_to(&v, v.num);
    tap_answer(&v.tap);
    for (unsigned i = 0; i < 10; i++) {
        tap_put(&v.tap, HB_REC_HANDSHAKE, request, sizeof request);
    }
    assert_false(v.tap.tested->failed);
    assert_int_equal(v.tap.tested->out.len, 0);
    uint8_t before[48];
    memcpy(before, tested()->secrets.v13.write, sizeof before);
    assert_int_equal(hb_tls_write(tested(), &text, 1, &v.tap.tested->out), HB_OK);
    assert_memory_not_equal(before, tested()->secrets.v13.write, sizeof before);
    memcpy(before, tested()->secrets.v13.write, sizeof before);
    assert_int_equal(hb_tls_write(tested(), &text, 1, &v.tap.tested->out), HB_OK);
    assert_memory_equal(before, tested()->secrets.v13.write, sizeof before);
    tap_answer(&v.tap);
    assert_int_equal(v.tap.other->got_len, 2 * text.len);
    /* 32 without data, not 33 */
    drive_to(&v, v.num);
    for (unsigned i = 0; i < 33; i++) {
        assert_false(v.tap.tested->failed);
        tap_put(&v.tap, HB_REC_HANDSHAKE, request, sizeof request);
    }
    drive_expect(&v, "T13-18", 0, HB_E_TLS_KEY_UPDATE_FLOOD, 10);
    /* crossing: both ask at once, in a session without a tap */
    duo_hang_up(&v.d);
    duo_connect(&v.d, "mail.test", hb_span(NULL, 0));
    duo_pump(&v.d);
    assert_int_equal(hb_tls_key_update(v.d.client.tls, true, &v.d.client.out), HB_OK);
    assert_int_equal(hb_tls_key_update(v.d.server.tls, true, &v.d.server.out), HB_OK);
    duo_chat(&v.d);
    duo_chat(&v.d);
}

static void key_updates(void **unused)
{
    (void)unused;
    each(C13, C13, updates);
}

/* ---- limits of keys (REC-15) and nonces (REC-10) ---- */

static void key_limit(unsigned course, bool client)
{
    struct hb_span text = hb_span_str("text");

    (void)course;
    (void)client;
    duo_hang_up(&v.d);
    duo_connect(&v.d, "mail.test", hb_span(NULL, 0));
    duo_pump(&v.d);
    struct duo_end *to = client ? &v.d.server : &v.d.client;
    struct duo_end *from = client ? &v.d.client : &v.d.server;
    uint64_t limit = from->tls->wr.suite->aead->record_limit;
    assert_true(limit <= (UINT64_C(1) << 24));
    from->tls->wr.seq = limit - 1; /* as if so many records had been sent */
    to->tls->rd.seq = limit - 1;
    assert_int_equal(hb_tls_write(from->tls, &text, 1, &from->out), HB_OK);
    assert_int_equal(from->tls->wr.seq, limit);
    enum hb_code code = hb_tls_write(from->tls, &text, 1, &from->out);
    assert_int_equal(code, is13() ? HB_OK : HB_E_TLS_KEY_LIMIT);
    assert_int_equal(from->tls->wr.seq,
                     is13() ? 1 : limit); /* new keys, or nothing more under the old ones */
    duo_pump(&v.d);
    assert_int_equal(to->got_len, is13() ? 8 : 4);
}

static void key_limits(void **unused)
{
    (void)unused;
    each(C13, C12, key_limit);
}

/* The explicit nonce of AES-GCM is the sequence number: it strictly increases. */
static void explicit_nonces(void **unused)
{
    struct hb_span text = hb_span_str("text");

    (void)unused;
    drive_start(&v, &courses[C12], false);
    uint64_t last = 0;
    for (unsigned i = 0; i < 20; i++) {
        struct hb_bld *out = &v.d.server.out;
        hb_bld_reset(out);
        assert_int_equal(hb_tls_write(v.d.server.tls, &text, 1, out), HB_OK);
        assert_int_equal(out->len, 5 + 8 + text.len + 16);
        uint64_t nonce = 0;
        for (unsigned k = 0; k < 8; k++) {
            nonce = nonce << 8 | out->p[5 + k];
        }
        assert_true(nonce > last); /* Finished was 0 */
        last = nonce;
    }
    drive_stop(&v);
}

/* ---- early data that is not taken (RES-09, ATK-44) ---- */

static void early_data(void **unused)
{
    static const unsigned kinds[] = {C13, C13_RETRY};

    (void)unused;
    for (unsigned i = 0; i < 2; i++) {
        drive_start(&v, &courses[kinds[i]], false);
        static struct tap_item hello;
        drive_to(&v, 0);
        assert_true(tap_next(&v.tap, &hello));
        uint8_t *p = hello.bytes + 4 + 34 + 33; /* suites, compression, then the list */
        p += 2 + ((size_t)p[0] << 8 | p[1]) + 2;
        size_t list = ((size_t)p[0] << 8 | p[1]) + 4;
        p[0] = (uint8_t)(list >> 8);
        p[1] = (uint8_t)list;
        memmove(p + 6, p + 2, hello.len - (size_t)(p + 2 - hello.bytes));
        memcpy(p + 2, "\0\x2a\0\0", 4); /* early_data, in front: pre_shared_key would be last */
        hello.len += 4;
        hello.bytes[2] = (uint8_t)((hello.len - 4) >> 8);
        hello.bytes[3] = (uint8_t)(hello.len - 4);
        drive_put(&v, &hello);
        assert_false(v.tap.tested->failed);
        for (unsigned k = 0; k < 16; k++) { /* 16 KiB are passed over, unread */
            tap_put_plain(&v.tap, HB_REC_DATA, zeros, 1024);
            if (v.tap.tested->failed) {
                fail_msg("early data of %u KiB: %s", k + 1, hb_err_name(v.tap.tested->failure.code));
            }
        }
        tap_put_plain(&v.tap, HB_REC_DATA, zeros, 1024);
        assert_int_equal(v.tap.tested->failure.code, HB_E_TLS_EARLY_DATA_FLOOD);
        assert_int_equal(v.tap.tested->failure.alert, 10);
        drive_stop(&v);
    }
}

/* ---- names that must be there (T13-21, SNI-01) ---- */

static void names(void **unused)
{
    static const struct {
        const char *name;
        bool strict, required;
        enum hb_code code;
        uint8_t alert;
    } rows[] = {
        {"mail.test", true, true, HB_OK, 255},
        {"MAIL.Test", true, true, HB_OK, 255},
        {"other.test", false, false, HB_OK, 255},
        {"other.test", true, false, HB_E_TLS_UNKNOWN_NAME, 112},
        {"127.0.0.1", false, false, HB_OK, 255},
        {"127.0.0.1", true, false, HB_OK, 255}, /* an address is no server_name: none is sent */
        {"127.0.0.1", false, true, HB_E_TLS_NAME_MISSING, 109},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        drive_start(&v, &courses[C13], false);
        hb_tls_config_verify(v.d.client.config, HB_VERIFY_CHAIN, v.d.trust);
        hb_tls_config_sni_strict(v.d.server.config, rows[i].strict);
        hb_tls_config_sni_required(v.d.server.config, rows[i].required);
        duo_hang_up(&v.d);
        memset(&v.d.server.failure, 0, sizeof v.d.server.failure);
        duo_connect(&v.d, rows[i].name, hb_span(NULL, 0));
        duo_pump(&v.d);
        if (v.d.server.failure.code != rows[i].code) {
            fail_msg("%s: %s", rows[i].name, hb_err_name(v.d.server.failure.code));
        }
        if (rows[i].code != HB_OK) {
            assert_int_equal(v.d.server.failure.alert, rows[i].alert);
        }
        drive_stop(&v);
    }
}

/* RES-07: what a resumed session negotiates anew: the record limit, here. */
static void negotiated_anew(unsigned course, bool client)
{
    (void)course;
    (void)client;
    assert_int_equal(v.d.server.tls->max_plain, HB_REC_PLAIN_MAX);
    assert_int_equal(hb_tls_config_size_limit(v.d.client.config, 512), HB_OK);
    duo_hang_up(&v.d);
    duo_connect(&v.d, "mail.test", hb_span(v.kept, v.kept_len));
    duo_pump(&v.d);
    assert_true(hb_tls_info(v.d.server.tls)->resumed);
    assert_int_equal(v.d.server.tls->max_plain, 512);
    duo_chat(&v.d);
}

static void resumed_limits(void **unused)
{
    (void)unused;
    each(C13_RESUMED, C12_RESUMED, negotiated_anew);
}

/* ATK-36: what the default profiles offer has forward secrecy, all of it; PRO-02: and no server suite is old.
 */
static void forward_secrecy(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < hb_num_suites; i++) {
        const struct hb_suite *s = &hb_suites[i];
        if (s->tier <= HB_TIER_INTERMEDIATE && !hb_kx_is_psk(s->kx)) {
            assert_true(s->kx == HB_KX_13 || s->kx == HB_KX_ECDHE);
            assert_non_null(s->aead);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(odd_records_of_both),
        cmocka_unit_test(empty_records),
        cmocka_unit_test(every_alert),
        cmocka_unit_test(warning_flood),
        cmocka_unit_test(half_close_of_both),
        cmocka_unit_test(write_after_peers_close),
        cmocka_unit_test(renegotiation_of_both),
        cmocka_unit_test(key_updates),
        cmocka_unit_test(key_limits),
        cmocka_unit_test(explicit_nonces),
        cmocka_unit_test(early_data),
        cmocka_unit_test(names),
        cmocka_unit_test(resumed_limits),
        cmocka_unit_test(forward_secrecy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
