/* ENG-07: the lines of a debug build's key log: format, both ends the same, and that they are the keys in
 * use. Compiled with -Dkeylog=true alone; tests/e2e compares them with OpenSSL's, and looks for them in the
 * release. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "conn/conn.h"
#include "duo.h"
#include "keys/schedule13.h"

#define LINES_MAX 8u

struct log {
    char line[LINES_MAX][256];
    unsigned num;
};

static void keep(void *ctx, const char *line)
{
    struct log *log = ctx;

    assert_true(log->num < LINES_MAX && strlen(line) < sizeof log->line[0]);
    memcpy(log->line[log->num++], line, strlen(line) + 1);
}

/* The line with this label; its secret goes to dst. */
static size_t secret_of(const struct log *log, const char *label, uint8_t *dst, size_t cap)
{
    for (unsigned i = 0; i < log->num; i++) {
        const char *line = log->line[i];
        if (strncmp(line, label, strlen(label)) == 0 && line[strlen(label)] == ' ') {
            const char *hex = strrchr(line, ' ') + 1;
            assert_int_equal(hex - line, strlen(label) + 1 + 64 + 1); /* LABEL client_random secret */
            struct hb_bld b = hb_bld(dst, cap);
            for (; hex[0] != 0; hex += 2) {
                unsigned byte;
                assert_int_equal(sscanf(hex, "%2x", &byte), 1);
                hb_bld_u8(&b, (uint8_t)byte);
            }
            return b.len;
        }
    }
    fail_msg("no %s", label);
    return 0;
}

static bool has(const struct log *log, const char *line)
{
    for (unsigned i = 0; i < log->num; i++) {
        if (strcmp(log->line[i], line) == 0) {
            return true;
        }
    }
    return false;
}

static void check13(struct duo *d, const struct log *log)
{
    static const char *const labels[] = {"CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET",
                                         "CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0",
                                         "EXPORTER_SECRET"};
    const struct hb_tls *t = d->client.tls;
    const struct hb_hash *hash = t->wr.suite->hash;
    uint8_t secret[64];
    uint8_t ours[32];
    uint8_t theirs[32];
    uint8_t key[HB_KEY_MAX];
    uint8_t iv[HB_IV_LEN];

    assert_int_equal(log->num, 5);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(secret_of(log, labels[i], secret, sizeof secret), hash->len);
        if (i == 2) {
            hb_ks13_record_keys(hash, secret, key, t->wr.suite->aead->key_len, iv);
            assert_memory_equal(t->wr.key, key, t->wr.suite->aead->key_len);
            assert_memory_equal(t->wr.iv, iv, sizeof iv);
        }
    }
    hb_ks13_export(hash, secret, "EXPORTER-test", hb_span_str("x"), theirs, sizeof theirs);
    assert_int_equal(hb_tls_export(d->client.tls, "EXPORTER-test", hb_span_str("x"), ours, sizeof ours),
                     HB_OK);
    assert_memory_equal(ours, theirs, sizeof ours);
}

static void lines(void **state)
{
    static struct duo d;

    (void)state;
    for (unsigned i = 0; i < 4; i++) { /* 1.3, 1.3 resumed, 1.2, 1.2 resumed */
        struct hb_ticket_keys *tickets;
        duo_start(&d, "ecdsa-p256", HB_PROFILE_INTERMEDIATE, NULL, HB_PROFILE_INTERMEDIATE);
        uint16_t version = i < 2 ? 0x0304 : 0x0303;
        assert_int_equal(hb_tls_config_versions(d.client.config, version, version), HB_OK);
        assert_int_equal(hb_ticket_keys_new(&d.t.env, hb_span(NULL, 0), &tickets), HB_OK);
        hb_tls_config_tickets(d.client.config, tickets, hb_span(NULL, 0), 1, 7200);
        hb_tls_config_tickets(d.server.config, tickets, hb_span(NULL, 0), 1, 7200);
        for (unsigned turn = 0; turn <= i % 2; turn++) {
            struct log log[2] = {{.num = 0}, {.num = 0}};
            uint8_t master[64];
            hb_tls_config_keylog(d.client.config, keep, &log[0]);
            hb_tls_config_keylog(d.server.config, keep, &log[1]);
            duo_hang_up(&d);
            duo_connect(&d, "mail.test", hb_span(d.client.session, d.client.session_len));
            duo_pump(&d);
            assert_true(d.client.ready && d.server.ready);
            assert_int_equal(hb_tls_info(d.client.tls)->resumed, turn);
            assert_int_equal(log[0].num, log[1].num);
            for (unsigned k = 0; k < log[0].num; k++) {
                assert_true(has(&log[1], log[0].line[k]));
            }
            if (version == 0x0304) {
                check13(&d, &log[0]);
            } else {
                assert_int_equal(log[0].num, 1);
                assert_int_equal(secret_of(&log[0], "CLIENT_RANDOM", master, sizeof master), 48);
                assert_memory_equal(d.client.tls->secrets.v12.master, master, 48);
            }
            duo_chat(&d); /* its tickets come with the first data */
        }
        hb_ticket_keys_free(&tickets);
        duo_stop(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lines)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
