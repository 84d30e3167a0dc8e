/* What servers are known to have tripped over in a ClientHello: one case per intolerance (VER-01, HS-05,
 * HS-06, HS-07, REC-02). Each hello is that of our client, changed on its way; the server must answer with a
 * ServerHello of the version it would have chosen anyway. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "drive.h"

struct hello {
    uint8_t record[2]; /* version of the record */
    uint8_t legacy[2];
    const uint16_t *versions; /* in place of supported_versions, 0 at the end; NULL: as they are */
    unsigned more_suites, more_extensions, more_groups; /* unknown ones, in front */
    size_t to_len;                                      /* padded with extension 21 to this message length */
    size_t per_record;                                  /* bytes of the message in each record; 0: all */
    bool no_session_id, no_versions;
};

static const uint16_t unknown_first[] = {0x7f1c, 0x0a0a, 0x03ff, 0x0305, 0x0304, 0x0303, 0};
static const uint16_t backwards[] = {0x0300, 0x0301, 0x0302, 0x0303, 0x0304, 0};
static const uint16_t only_12_known[] = {0x0305, 0xfafa, 0x0303, 0};

/* clang-format off */
static const struct {
    const char *name;
    struct hello h;
    uint16_t want;
} rows[] = {
    {"as it is",                                   {{3, 1}, {3, 3}, NULL, 0, 0, 0, 0, 0, false, false}, 0x0304},
    {"record version of SSL 3.0",                  {{3, 0}, {3, 3}, NULL, 0, 0, 0, 0, 0, false, false}, 0x0304},
    {"record version 3.2",                         {{3, 2}, {3, 3}, NULL, 0, 0, 0, 0, 0, false, false}, 0x0304},
    {"record version 3.3",                         {{3, 3}, {3, 3}, NULL, 0, 0, 0, 0, 0, false, false}, 0x0304},
    {"record version 3.4",                         {{3, 4}, {3, 3}, NULL, 0, 0, 0, 0, 0, false, false}, 0x0304},
    {"record version 3.255",                       {{3, 255}, {3, 3}, NULL, 0, 0, 0, 0, 0, false, false}, 0x0304},
    {"versions nobody knows first",                {{3, 1}, {3, 3}, unknown_first, 0, 0, 0, 0, 0, false, false}, 0x0304},
    {"versions in the wrong order",                {{3, 1}, {3, 3}, backwards, 0, 0, 0, 0, 0, false, false}, 0x0304},
    {"1.2 the only version known",                 {{3, 1}, {3, 3}, only_12_known, 0, 0, 0, 0, 0, false, false}, 0x0303},
    {"no versions, legacy 3.3",                    {{3, 1}, {3, 3}, NULL, 0, 0, 0, 0, 0, false, true}, 0x0303},
    {"no versions, legacy 3.4",                    {{3, 1}, {3, 4}, NULL, 0, 0, 0, 0, 0, false, true}, 0x0303},
    {"no versions, legacy 3.5",                    {{3, 1}, {3, 5}, NULL, 0, 0, 0, 0, 0, false, true}, 0x0303},
    {"no versions, legacy 4.255",                  {{3, 1}, {4, 255}, NULL, 0, 0, 0, 0, 0, false, true}, 0x0303},
    {"180 unknown suites",                         {{3, 1}, {3, 3}, NULL, 180, 0, 0, 0, 0, false, false}, 0x0304},
    {"80 unknown extensions",                      {{3, 1}, {3, 3}, NULL, 0, 80, 0, 0, 0, false, false}, 0x0304},
    {"60 unknown groups",                          {{3, 1}, {3, 3}, NULL, 0, 0, 60, 0, 0, false, false}, 0x0304},
    {"no session id",                              {{3, 1}, {3, 3}, NULL, 0, 0, 0, 0, 0, true, false}, 0x0304},
    {"512 bytes, where some count to 255 and 511", {{3, 1}, {3, 3}, NULL, 0, 0, 0, 516, 0, false, false}, 0x0304},
    {"more than 1460 bytes, a packet",             {{3, 1}, {3, 3}, NULL, 0, 0, 0, 1800, 0, false, false}, 0x0304},
    {"4 KiB",                                      {{3, 1}, {3, 3}, NULL, 0, 0, 0, 4096, 0, false, false}, 0x0304},
    {"the longest there may be, 16 KiB",           {{3, 1}, {3, 3}, NULL, 0, 0, 0, 16388, 0, false, false}, 0x0304},
    {"in records of one byte",                     {{3, 1}, {3, 3}, NULL, 0, 0, 0, 0, 1, false, false}, 0x0304},
    {"in records of 100 bytes, version by version",{{3, 1}, {3, 3}, NULL, 0, 0, 0, 0, 100, false, false}, 0x0304},
    {"header and body in two records",             {{3, 1}, {3, 3}, NULL, 0, 0, 0, 0, 4, false, false}, 0x0304},
};
/* clang-format on */

static void copy_list(struct hb_bld *b, struct hb_cur list, unsigned more, uint16_t first)
{
    for (unsigned i = 0; i < more; i++) {
        hb_bld_u16(b, (uint16_t)(first + i));
    }
    hb_bld_put(b, hb_cur_rest(&list));
}

static void put_versions(struct hb_bld *b, const uint16_t *versions)
{
    struct hb_bld_mark list = hb_bld_open8(b);

    for (; *versions != 0; versions++) {
        hb_bld_u16(b, *versions);
    }
    hb_bld_close(b, list);
}

static void put_extensions(struct hb_bld *b, struct hb_cur from, const struct hello *h)
{
    struct hb_bld_mark all = hb_bld_open16(b);

    for (unsigned i = 0; i < h->more_extensions; i++) {
        hb_bld_u16(b, (uint16_t)(0x5000 + i));
        hb_bld_u16(b, 1);
        hb_bld_u8(b, 0);
    }
    while (hb_cur_left(&from) > 0) {
        uint16_t type = hb_cur_u16(&from);
        struct hb_cur ext = hb_cur_vec16(&from);
        if (type == HB_EXT_SUPPORTED_VERSIONS && h->no_versions) {
            continue;
        }
        hb_bld_u16(b, type);
        struct hb_bld_mark one = hb_bld_open16(b);
        if (type == HB_EXT_SUPPORTED_VERSIONS && h->versions != NULL) {
            put_versions(b, h->versions);
        } else if (type == HB_EXT_SUPPORTED_GROUPS) {
            struct hb_cur groups = hb_cur_vec16(&ext);
            struct hb_bld_mark list = hb_bld_open16(b);
            copy_list(b, groups, h->more_groups, 0x5000);
            hb_bld_close(b, list);
        } else {
            hb_bld_put(b, hb_cur_rest(&ext));
        }
        hb_bld_close(b, one);
    }
    if (h->to_len > 0) {
        hb_bld_u16(b, 21);
        hb_bld_u16(b, (uint16_t)(h->to_len - b->len - 2));
        while (b->len < h->to_len) {
            hb_bld_u8(b, 0);
        }
    }
    hb_bld_close(b, all);
}

static size_t change(const struct tap_item *m, const struct hello *h, uint8_t *dst, size_t cap)
{
    struct hb_bld b = hb_bld(dst, cap);
    struct hb_cur c = hb_cur(hb_span(m->bytes + 4, m->len - 4));

    hb_bld_u8(&b, HB_MSG_CLIENT_HELLO);
    struct hb_bld_mark message = hb_bld_open24(&b);
    (void)hb_cur_u16(&c);
    hb_bld_put(&b, hb_span(h->legacy, 2));
    hb_bld_put(&b, hb_cur_take(&c, 32));
    struct hb_cur id = hb_cur_vec8(&c);
    struct hb_bld_mark session = hb_bld_open8(&b);
    hb_bld_put(&b, h->no_session_id ? hb_span(NULL, 0) : hb_cur_rest(&id));
    hb_bld_close(&b, session);
    struct hb_cur suites = hb_cur_vec16(&c);
    struct hb_bld_mark list = hb_bld_open16(&b);
    copy_list(&b, suites, h->more_suites, 0x5000);
    hb_bld_close(&b, list);
    (void)hb_cur_vec8(&c);
    hb_bld_put(&b, hb_span("\1", 2));
    put_extensions(&b, hb_cur_vec16(&c), h);
    hb_bld_close(&b, message);
    assert_true(hb_bld_ok(&b));
    return b.len;
}

static void feed(struct duo *d, const uint8_t *message, size_t len, const struct hello *h)
{
    size_t part = h->per_record > 0 ? h->per_record : 16384;

    for (size_t at = 0; at < len && !d->server.failed; at += part) {
        size_t n = part < len - at ? part : len - at;
        uint8_t *record = malloc(5 + n);
        assert_non_null(record);
        memcpy(record,
               (const uint8_t[]){HB_REC_HANDSHAKE, h->record[0], h->record[1], (uint8_t)(n >> 8), (uint8_t)n},
               5);
        memcpy(record + 5, message + at, n);
        hb_tls_input(d->server.tls, record, 5 + n);
        duo_events(d, &d->server);
        free(record);
    }
}

static void tolerance(void **state)
{
    static struct duo d;
    static struct tap tap;
    static struct tap_item hello;
    static uint8_t message[20000];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        duo_start(&d, "ecdsa-p256", HB_PROFILE_INTERMEDIATE, NULL, HB_PROFILE_INTERMEDIATE);
        if (rows[i].h.to_len > 0 && rows[i].h.to_len < 1700) { /* a hello without the large share */
            static const uint16_t small[] = {0x001d, 0x0017};
            assert_int_equal(hb_tls_config_groups(d.client.config, small, 2), HB_OK);
        }
        duo_connect(&d, "mail.test", hb_span(NULL, 0));
        tap_start(&tap, &d, false);
        assert_true(tap_next(&tap, &hello));
        size_t len = change(&hello, &rows[i].h, message, sizeof message);
        feed(&d, message, len, &rows[i].h);
        if (d.server.failed || hb_tls_info(d.server.tls)->version != rows[i].want) {
            fail_msg("%s: %s, version %04x", rows[i].name, hb_err_name(d.server.failure.code),
                     hb_tls_info(d.server.tls)->version);
        }
        assert_true(d.server.out.len > 500 && d.server.out.p[5] == HB_MSG_SERVER_HELLO);
        duo_stop(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tolerance)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
