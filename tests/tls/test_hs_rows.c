/* Every state with every message, in real sessions: both roles, TLS 1.3 and 1.2 (HS-03, ATK-41, ATK-T5).
 *
 * The state graphs of RFC 8446 appendix A and RFC 5246 section 7.3 (with RFC 5077 and 6066) are written down
 * here once more, apart from the code; tls/hs must say the same, row by row. Then sessions are driven to each
 * state and given each message under the right keys. What the graph does not name is answered with
 * unexpected_message, and the other end can read that alert (T13-17). Messages are left out, repeated and
 * swapped, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "hs/hs.h"
#include "drive.h"

#define TO(s) HB_TO(HB_##s)

/* In this state, on this message or happening, to one of these (T13-19, T12-08, T12-10). */
/* clang-format off */
static const struct edge {
    enum hb_hs_state in;
    unsigned on;
    uint64_t to;
} graph[] = {
    /* RFC 8446 A.2; both versions begin alike */
    {HB_S_HELLO,                HB_MSG_CLIENT_HELLO,        TO(S13_SEND_RETRY) | TO(S13_SEND_FLIGHT) | TO(S12_SEND_FLIGHT) | TO(S12_SEND_RESUMED)},
    {HB_S13_SEND_RETRY,         HB_MSG_NONE,                TO(S13_HELLO_AGAIN)},
    {HB_S13_HELLO_AGAIN,        HB_MSG_CLIENT_HELLO,        TO(S13_SEND_FLIGHT)},
    {HB_S13_SEND_FLIGHT,        HB_MSG_NONE,                TO(S13_SIGNING) | TO(S13_SEND_FINISHED)},
    {HB_S13_SIGNING,            HB_MSG_SIGNED,              TO(S13_SEND_FINISHED)},
    {HB_S13_SEND_FINISHED,      HB_MSG_NONE,                TO(S13_CERTIFICATE) | TO(S13_FINISHED)},
    {HB_S13_CERTIFICATE,        HB_MSG_CERTIFICATE,         TO(S13_VERIFYING) | TO(S13_CERTIFICATE_VERIFY) | TO(S13_FINISHED)},
    {HB_S13_VERIFYING,          HB_MSG_VERIFIED,            TO(S13_CERTIFICATE_VERIFY)},
    {HB_S13_CERTIFICATE_VERIFY, HB_MSG_CERTIFICATE_VERIFY,  TO(S13_FINISHED)},
    {HB_S13_FINISHED,           HB_MSG_FINISHED,            TO(S13_OPEN)},
    {HB_S13_OPEN,               HB_MSG_KEY_UPDATE,          TO(S13_OPEN)},
    /* RFC 8446 A.1 */
    {HB_C_SEND_HELLO,           HB_MSG_NONE,                TO(C_HELLO)},
    {HB_C_HELLO,                HB_MSG_SERVER_HELLO,        TO(C13_SEND_HELLO_AGAIN) | TO(C13_EXTENSIONS) | TO(C12_CERTIFICATE) |
                                                            TO(C12_KEY_EXCHANGE) | TO(C12_REQUEST_OR_DONE) | TO(C12_TICKET) | TO(C12_CCS)},
    {HB_C13_SEND_HELLO_AGAIN,   HB_MSG_NONE,                TO(C13_HELLO_AGAIN)},
    {HB_C13_HELLO_AGAIN,        HB_MSG_SERVER_HELLO,        TO(C13_EXTENSIONS)},
    {HB_C13_EXTENSIONS,         HB_MSG_ENCRYPTED_EXTENSIONS, TO(C13_REQUEST_OR_CERTIFICATE) | TO(C13_FINISHED)},
    {HB_C13_REQUEST_OR_CERTIFICATE, HB_MSG_CERTIFICATE_REQUEST, TO(C13_CERTIFICATE)},
    {HB_C13_REQUEST_OR_CERTIFICATE, HB_MSG_CERTIFICATE,     TO(C13_VERIFYING) | TO(C13_CERTIFICATE_VERIFY)},
    {HB_C13_CERTIFICATE,        HB_MSG_CERTIFICATE,         TO(C13_VERIFYING) | TO(C13_CERTIFICATE_VERIFY)},
    {HB_C13_VERIFYING,          HB_MSG_VERIFIED,            TO(C13_CERTIFICATE_VERIFY)},
    {HB_C13_CERTIFICATE_VERIFY, HB_MSG_CERTIFICATE_VERIFY,  TO(C13_FINISHED)},
    {HB_C13_FINISHED,           HB_MSG_FINISHED,            TO(C13_SEND_CERTIFICATE)},
    {HB_C13_SEND_CERTIFICATE,   HB_MSG_NONE,                TO(C13_SIGNING) | TO(C13_SEND_FINISHED)},
    {HB_C13_SIGNING,            HB_MSG_SIGNED,              TO(C13_SEND_FINISHED)},
    {HB_C13_SEND_FINISHED,      HB_MSG_NONE,                TO(C13_OPEN)},
    {HB_C13_OPEN,               HB_MSG_KEY_UPDATE,          TO(C13_OPEN)},
    /* RFC 5246 7.3, server; a session ticket goes out with what is sent */
    {HB_S12_SEND_FLIGHT,        HB_MSG_NONE,                TO(S12_SIGNING) | TO(S12_SEND_DONE)},
    {HB_S12_SIGNING,            HB_MSG_SIGNED,              TO(S12_SEND_DONE)},
    {HB_S12_SEND_DONE,          HB_MSG_NONE,                TO(S12_CERTIFICATE) | TO(S12_KEY_EXCHANGE)},
    {HB_S12_CERTIFICATE,        HB_MSG_CERTIFICATE,         TO(S12_VERIFYING) | TO(S12_KEY_EXCHANGE)},
    {HB_S12_VERIFYING,          HB_MSG_VERIFIED,            TO(S12_KEY_EXCHANGE)},
    {HB_S12_KEY_EXCHANGE,       HB_MSG_CLIENT_KEY_EXCHANGE, TO(S12_DECRYPTING) | TO(S12_CERTIFICATE_VERIFY) | TO(S12_CCS)},
    {HB_S12_DECRYPTING,         HB_MSG_DECRYPTED,           TO(S12_CERTIFICATE_VERIFY) | TO(S12_CCS)},
    {HB_S12_CERTIFICATE_VERIFY, HB_MSG_CERTIFICATE_VERIFY,  TO(S12_CCS)},
    {HB_S12_CCS,                HB_MSG_CCS,                 TO(S12_FINISHED)},
    {HB_S12_FINISHED,           HB_MSG_FINISHED,            TO(S12_OPEN)},
    {HB_S12_SEND_RESUMED,       HB_MSG_NONE,                TO(S12_CCS)},
    /* RFC 5246 7.3 with RFC 6066 8 and RFC 5077 3.1, client; RSA key transport has no ServerKeyExchange */
    {HB_C12_CERTIFICATE,        HB_MSG_CERTIFICATE,         TO(C12_STATUS) | TO(C12_VERIFYING) | TO(C12_KEY_EXCHANGE) | TO(C12_REQUEST_OR_DONE)},
    {HB_C12_STATUS,             HB_MSG_CERTIFICATE_STATUS,  TO(C12_VERIFYING) | TO(C12_KEY_EXCHANGE) | TO(C12_REQUEST_OR_DONE)},
    {HB_C12_STATUS,             HB_MSG_NO_STATUS,           TO(C12_VERIFYING) | TO(C12_KEY_EXCHANGE) | TO(C12_REQUEST_OR_DONE)},
    {HB_C12_VERIFYING,          HB_MSG_VERIFIED,            TO(C12_KEY_EXCHANGE) | TO(C12_REQUEST_OR_DONE)},
    {HB_C12_KEY_EXCHANGE,       HB_MSG_SERVER_KEY_EXCHANGE, TO(C12_REQUEST_OR_DONE)},
    {HB_C12_REQUEST_OR_DONE,    HB_MSG_CERTIFICATE_REQUEST, TO(C12_DONE)},
    {HB_C12_REQUEST_OR_DONE,    HB_MSG_SERVER_HELLO_DONE,   TO(C12_SEND_FLIGHT)},
    {HB_C12_DONE,               HB_MSG_SERVER_HELLO_DONE,   TO(C12_SEND_FLIGHT)},
    {HB_C12_SEND_FLIGHT,        HB_MSG_NONE,                TO(C12_SIGNING) | TO(C12_SEND_FINISHED)},
    {HB_C12_SIGNING,            HB_MSG_SIGNED,              TO(C12_SEND_FINISHED)},
    {HB_C12_SEND_FINISHED,      HB_MSG_NONE,                TO(C12_TICKET) | TO(C12_CCS) | TO(C12_OPEN)},
    {HB_C12_TICKET,             HB_MSG_NEW_SESSION_TICKET,  TO(C12_CCS)},
    {HB_C12_CCS,                HB_MSG_CCS,                 TO(C12_FINISHED)},
    {HB_C12_FINISHED,           HB_MSG_FINISHED,            TO(C12_SEND_FINISHED) | TO(C12_OPEN)},
};
/* clang-format on */

#define NUM_GRAPH (sizeof graph / sizeof graph[0])

static bool in_graph(unsigned state, unsigned msg)
{
    for (size_t i = 0; i < NUM_GRAPH; i++) {
        if (graph[i].in == state && graph[i].on == msg) {
            return true;
        }
    }
    return false;
}

static void graph_is_the_tables(void **unused)
{
    const struct hb_hs_row *tables[] = {hb_server_rows, hb_server13_rows, hb_server12_rows,
                                        hb_client_rows, hb_client13_rows, hb_client12_rows};
    const size_t nums[] = {hb_num_server_rows, hb_num_server13_rows, hb_num_server12_rows,
                           hb_num_client_rows, hb_num_client13_rows, hb_num_client12_rows};
    size_t rows = 0;

    (void)unused;
    for (unsigned t = 0; t < 6; t++) {
        rows += nums[t];
        for (size_t i = 0; i < nums[t]; i++) {
            const struct hb_hs_row *row = &tables[t][i];
            unsigned same = 0;
            assert_true(i == 0 || row[-1].in <= row->in); /* what the interpreter counts on */
            assert_true(row->in <= tables[t][0].in + i);
            bool outside = row->on >= HB_MSG_SIGNED && row->on <= HB_MSG_DECRYPTED;
            assert_true(outside == ((HB_TO(row->in) & HB_WAITING_STATES) != 0));
            for (size_t k = 0; k < NUM_GRAPH; k++) {
                if (graph[k].in == row->in && graph[k].on == row->on) {
                    same++;
                    if (graph[k].to != row->may) {
                        fail_msg("state %u, message %u: leaves to %#llx, the RFC says %#llx", row->in,
                                 row->on, (unsigned long long)row->may, (unsigned long long)graph[k].to);
                    }
                }
            }
            if (same != 1) {
                fail_msg("state %u, message %u: not in the graph", row->in, row->on);
            }
        }
    }
    assert_int_equal(rows, NUM_GRAPH);
}

static void every_pair_without_a_row(void **unused)
{
    (void)unused;
    for (unsigned in = 0; in < HB_NUM_STATES; in++) {
        for (unsigned on = 0; on <= 256; on++) {
            unsigned msg = on == 256 ? HB_MSG_CCS : on;
            struct hb_tls t = {.state = (uint8_t)in};
            assert_int_equal(hb_hs_expects(&t, msg), in_graph(in, msg));
            if (!in_graph(in, msg)) {
                assert_int_equal(hb_hs_deliver(&t, msg, hb_span(NULL, 0), hb_span(NULL, 0)),
                                 msg == HB_MSG_CCS ? HB_E_TLS_CCS : HB_E_TLS_UNEXPECTED_MESSAGE);
            }
        }
    }
}

/* ---- every message in every state ---- */

static bool visited[HB_NUM_STATES];

static void go(struct drive *v, unsigned n)
{
    drive_to(v, n);
    visited[v->tap.tested->tls->state] = true;
}

/* What the tested end takes although its table has no row: conn/ looks at open connections itself. */
static bool taken_when_open(unsigned state, unsigned msg)
{
    return (state == HB_S12_OPEN && msg == HB_MSG_CLIENT_HELLO) ||          /* REN-02: refused, and on */
           (state == HB_C12_STATUS && msg == HB_MSG_SERVER_KEY_EXCHANGE) || /* as HB_MSG_NO_STATUS says */
           (state == HB_C12_OPEN && msg == HB_MSG_HELLO_REQUEST) ||         /* REN-02 */
           (state == HB_C13_OPEN && msg == HB_MSG_NEW_SESSION_TICKET);      /* a row of RFC 8446 A.1 */
}

static size_t make_message(const struct drive *v, unsigned msg, uint8_t *dst)
{
    static const uint8_t lengths[256] = {
        [HB_MSG_KEY_UPDATE] = 1, [HB_MSG_FINISHED] = 12, [HB_MSG_CLIENT_KEY_EXCHANGE] = 33};
    size_t len = lengths[msg];

    for (unsigned i = 0; i < v->num; i++) { /* a real one, where this session has one */
        if (v->items[i].type == HB_REC_HANDSHAKE && v->items[i].bytes[0] == msg) {
            memcpy(dst, v->items[i].bytes, v->items[i].len);
            return v->items[i].len;
        }
    }
    memset(dst, 0, 4 + len);
    dst[0] = (uint8_t)msg;
    dst[3] = (uint8_t)len;
    return 4 + len;
}

static void messages_in_state(struct drive *v, unsigned n)
{
    static const uint8_t types[] = {0,  1,  2,  3,  4,  5,  6,  8,  11,  12,  13, 14,
                                    15, 16, 20, 21, 22, 23, 24, 25, 203, 254, 255};
    static uint8_t message[20000];

    for (size_t i = 0; i < sizeof types; i++) {
        go(v, n);
        unsigned state = v->tap.tested->tls->state;
        if (in_graph(state, types[i]) || taken_when_open(state, types[i])) {
            continue;
        }
        tap_put(&v->tap, HB_REC_HANDSHAKE, message, make_message(v, types[i], message));
        bool ignored = v->test_client && types[i] == HB_MSG_HELLO_REQUEST && v->course->version != 0x0304;
        if (ignored) { /* RFC 5246 7.4.1.1: a client that is negotiating passes over it, and hashes nothing */
            tap_finish(&v->tap);
            assert_true(v->d.client.ready && v->d.server.ready);
            continue;
        }
        drive_expect(v, "message", types[i], HB_E_TLS_UNEXPECTED_MESSAGE, 10);
    }
}

/* Records that are no handshake: data before Finished (T12-11, REC-09), change_cipher_spec (T12-08, REC-07,
 * ATK-T8). */
static void other_records_in_state(struct drive *v, unsigned n)
{
    static const uint8_t ccs[] = {1};

    go(v, n);
    unsigned state = v->tap.tested->tls->state;
    bool keys = v->tap.tested->tls->rd.suite != NULL;
    bool first = n == 0; /* not one byte of the peer's has been seen */
    bool open = v->tap.tested->ready;
    bool tls13 = v->course->version == 0x0304;
    if (!open) {
        tap_put(&v->tap, HB_REC_DATA, "data", 4);
        drive_expect(v, "data", 0, first ? HB_E_TLS_NOT_TLS : HB_E_TLS_RECORD_TYPE, 10);
        go(v, n);
    }
    if (state == HB_S12_CCS || state == HB_C12_CCS) {
        return;
    }
    if (tls13) {
        tap_put_plain(&v->tap, HB_REC_CCS, ccs, 1);
        if (open) {
            drive_expect(v, "CCS", 0, HB_E_TLS_CCS, 10);
            return;
        }
        if (!v->test_client && first) {
            drive_expect(v, "CCS", 0, HB_E_TLS_NOT_TLS, 10);
            return;
        }
        tap_finish(&v->tap);
        if (!v->d.client.ready || !v->d.server.ready) {
            fail_msg("%s, state %u: a CCS was not passed over: %s", v->course->name, state,
                     hb_err_name(v->tap.tested->failure.code));
        }
        go(v, n);
        if (keys) { /* one that is protected */
            tap_put(&v->tap, HB_REC_CCS, ccs, 1);
            drive_expect(v, "protected CCS", 0, HB_E_TLS_INNER_TYPE, 10);
        }
        return;
    }
    tap_put(&v->tap, HB_REC_CCS, ccs, 1);
    drive_expect(v, "CCS", 0,
                 first && !v->test_client ? HB_E_TLS_NOT_TLS
                 : keys                   ? HB_E_TLS_INNER_TYPE
                                          : HB_E_TLS_CCS,
                 10);
}

/* Left out, twice, or before the one in front of it. */
static void order_in_state(struct drive *v, unsigned n)
{
    const struct tap_item *next = n + 1 < v->num ? &v->items[n + 1] : NULL;
    unsigned msg = v->items[n].type == HB_REC_CCS ? HB_MSG_CCS : v->items[n].bytes[0];

    if (v->items[n].type == HB_REC_CCS && v->course->version == 0x0304) {
        return; /* no message */
    }
    if (next != NULL && next->type == HB_REC_HANDSHAKE) {
        go(v, n);
        unsigned state = v->tap.tested->tls->state;
        drive_put(v, next);
        if (!in_graph(state, next->bytes[0]) && !taken_when_open(state, next->bytes[0])) {
            drive_expect(v, "left out", msg, HB_E_TLS_UNEXPECTED_MESSAGE, 10);
        } else if (!v->tap.tested->failed) { /* CertificateRequest may be left out, but not come later */
            drive_put(v, &v->items[n]);
            assert_int_equal(v->tap.tested->failure.code, HB_E_TLS_UNEXPECTED_MESSAGE);
            assert_int_equal(v->tap.tested->failure.alert, 10);
        } else { /* CertificateStatus may be left out; ServerKeyExchange is that of another session */
            drive_expect(v, "left out", msg, HB_E_TLS_BAD_SIGNATURE, 51);
        }
    }
    go(v, n + 1);
    unsigned state = v->tap.tested->tls->state;
    bool keys = v->tap.tested->tls->rd.suite != NULL;
    if (!in_graph(state, msg) && !taken_when_open(state, msg)) {
        drive_put(v, &v->items[n]);
        drive_expect(v, "twice", msg,
                     msg != HB_MSG_CCS ? HB_E_TLS_UNEXPECTED_MESSAGE
                     : keys            ? HB_E_TLS_INNER_TYPE
                                       : HB_E_TLS_CCS,
                     10);
    }
}

static void every_state(void **unused)
{
    static struct drive v;

    (void)unused;
    for (size_t i = 0; i < 2u * NUM_COURSES; i++) {
        drive_start(&v, &courses[i / 2], i % 2 == 0);
        for (unsigned n = 0; n <= v.num; n++) {
            messages_in_state(&v, n);
            other_records_in_state(&v, n);
            if (n < v.num) {
                order_in_state(&v, n);
            }
        }
        print_message("%s, %s: %u messages\n", courses[i / 2].name, i % 2 == 0 ? "client" : "server", v.num);
        drive_stop(&v);
    }
    for (size_t i = 0; i < NUM_GRAPH; i++) { /* nowhere a state that waits for the peer and was not reached */
        bool waits = graph[i].on < HB_MSG_NONE || graph[i].on == HB_MSG_CCS;
        if (waits && !visited[graph[i].in]) {
            fail_msg("state %u was not reached", graph[i].in);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(graph_is_the_tables),
        cmocka_unit_test(every_pair_without_a_row),
        cmocka_unit_test(every_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
