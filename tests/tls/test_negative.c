/* What a peer can do wrong: each row with its requirement, the bytes, and the code and alert that must come
 * of it, whole and byte by byte. (Every state with every message: test_hs_rows.c.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "alert.h"
#include "hs/hs.h"
#include "peer.h"

/* ---- a ClientHello to be spoilt ---- */

enum spoil {
    SOUND,
    NO_GROUPS,
    NO_SIGALGS,
    NO_SHARES,
    TWICE,
    GREASE,
    COMPRESSED,
    LEGACY_0304,
    BAD_POINT,
    SHORT_SHARE,
    ZERO_SHARE,
    SHARE_NOT_LISTED,
    SHARES_OUT_OF_ORDER,
    SHARE_TWICE,
    PSK_FIRST,
    FILTERS,
    SNI_TWO,
    SNI_BAD,
    SNI_IP,
    SNI_DOT,
    ALPN_EMPTY_NAME,
    ALPN_OTHER,
    SIZE_63,
    FRAGMENT_9,
    ONLY_1_1,
    FUTURE_ONLY,
    UNKNOWN_SUITES,
    UNKNOWN_GROUPS,
    UNKNOWN_SIGALGS,
    FALLBACK,
    SUITES_ODD,
    LONG_ID,
    TRAILING,
    V12,
    V12_POINTS,
    V12_COMPRESSED_ONLY,
    V12_RENEGOTIATION,
    V12_NO_SIGALGS,
    V12_LEGACY_0305,
    V12_LEGACY_0301,
    V12_NO_EXTENSIONS
};

static void ext_u16(struct hb_bld *b, uint16_t type, unsigned width, const uint16_t *ids, size_t n)
{
    hb_bld_u16(b, type);
    struct hb_bld_mark ext = hb_bld_open16(b);
    struct hb_bld_mark list = width == 1 ? hb_bld_open8(b) : hb_bld_open16(b);
    for (size_t i = 0; i < n; i++) {
        hb_bld_u16(b, ids[i]);
    }
    hb_bld_close(b, list);
    hb_bld_close(b, ext);
}

static void ext_raw(struct hb_bld *b, uint16_t type, const void *p, size_t len)
{
    hb_bld_u16(b, type);
    struct hb_bld_mark ext = hb_bld_open16(b);
    hb_bld_put(b, hb_span(p, len));
    hb_bld_close(b, ext);
}

static void one_share(struct hb_bld *b, uint16_t group, const uint8_t *p, size_t len)
{
    hb_bld_u16(b, group);
    struct hb_bld_mark key = hb_bld_open16(b);
    hb_bld_put(b, hb_span(p, len));
    hb_bld_close(b, key);
}

static void key_shares(struct hb_bld *b, enum spoil s)
{
    static const uint8_t base[32] = {9}; /* the base point: as good a share as any */
    static const uint8_t zero[32] = {0};
    static const uint8_t bad_point[65] = {4, 1, 2, 3};

    hb_bld_u16(b, HB_EXT_KEY_SHARE);
    struct hb_bld_mark ext = hb_bld_open16(b);
    struct hb_bld_mark list = hb_bld_open16(b);
    if (s == BAD_POINT) {
        one_share(b, 0x0017, bad_point, sizeof bad_point);
    } else if (s == SHARES_OUT_OF_ORDER) {
        one_share(b, 0x0017, bad_point, sizeof bad_point);
        one_share(b, 0x001d, base, 32);
    } else {
        one_share(b, s == SHARE_NOT_LISTED ? 0x0018 : 0x001d, s == ZERO_SHARE ? zero : base,
                  s == SHORT_SHARE ? 31 : 32);
        if (s == SHARE_TWICE) {
            one_share(b, 0x001d, base, 32);
        }
    }
    hb_bld_close(b, list);
    hb_bld_close(b, ext);
}

static void sni(struct hb_bld *b, enum spoil s)
{
    const char *name = s == SNI_BAD   ? "mail test"
                       : s == SNI_IP  ? "192.0.2.1"
                       : s == SNI_DOT ? "mail.test."
                                      : "mail.test";

    hb_bld_u16(b, HB_EXT_SERVER_NAME);
    struct hb_bld_mark ext = hb_bld_open16(b);
    struct hb_bld_mark list = hb_bld_open16(b);
    for (int i = 0; i < (s == SNI_TWO ? 2 : 1); i++) {
        hb_bld_u8(b, 0);
        struct hb_bld_mark host = hb_bld_open16(b);
        hb_bld_str(b, name);
        hb_bld_close(b, host);
    }
    hb_bld_close(b, list);
    hb_bld_close(b, ext);
}

static void extensions(struct hb_bld *b, enum spoil s)
{
    bool v12 = s >= V12;
    const uint16_t versions[] = {0x0a0a, 0x0304, 0x0303};
    const uint16_t old[] = {0x0302, 0x0301};
    const uint16_t future[] = {0x0305, 0x7f1c};
    const uint16_t groups[] = {0x1a1a, 0x001d, 0x0017};
    const uint16_t strange_groups[] = {0x0100, 0x6399};
    const uint16_t sigalgs[] = {0x2a2a, 0x0403, 0x0804};
    const uint16_t strange_sigalgs[] = {0x0203, 0x0201};

    if (s == PSK_FIRST) {
        static const uint8_t psk[] = {0, 7, 0, 1, 'x', 0, 0, 0, 0, 0, 33, 32, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                      1, 1, 1, 1, 1,   1, 1, 1, 1, 1, 1,  1,  1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
        ext_raw(b, HB_EXT_PRE_SHARED_KEY, psk, sizeof psk);
    }
    if (s == GREASE) {
        ext_raw(b, 0x3a3a, "", 0);
        ext_raw(b, 0xfe0d, "whatever", 8);
    }
    if (s == ONLY_1_1) {
        ext_u16(b, HB_EXT_SUPPORTED_VERSIONS, 1, old, 2);
    } else if (s == FUTURE_ONLY) {
        ext_u16(b, HB_EXT_SUPPORTED_VERSIONS, 1, future, 2);
    } else if (!v12 && s != FALLBACK) {
        ext_u16(b, HB_EXT_SUPPORTED_VERSIONS, 1, versions, 3);
    }
    if (s != NO_GROUPS) {
        ext_u16(b, HB_EXT_SUPPORTED_GROUPS, 2, s == UNKNOWN_GROUPS ? strange_groups : groups,
                s == UNKNOWN_GROUPS ? 2 : 3);
    }
    if (s != NO_SIGALGS && s != V12_NO_SIGALGS) {
        ext_u16(b, HB_EXT_SIGNATURE_ALGORITHMS, 2, s == UNKNOWN_SIGALGS ? strange_sigalgs : sigalgs,
                s == UNKNOWN_SIGALGS ? 2 : 3);
    }
    if (s != NO_SHARES && s != UNKNOWN_GROUPS && !v12) {
        key_shares(b, s);
    }
    if (s == TWICE) {
        ext_raw(b, 0x4a4a, "a", 1);
        ext_raw(b, 0x4a4a, "b", 1);
    }
    if (s == FILTERS) {
        ext_raw(b, HB_EXT_OID_FILTERS, "\0\0", 2);
    }
    if (s >= SNI_TWO && s <= SNI_DOT) {
        sni(b, s);
    }
    if (s == ALPN_EMPTY_NAME || s == ALPN_OTHER) {
        ext_raw(b, HB_EXT_ALPN, s == ALPN_OTHER ? "\0\3\2h2" : "\0\1\0", s == ALPN_OTHER ? 5 : 3);
    }
    if (s == SIZE_63) {
        ext_raw(b, HB_EXT_RECORD_SIZE_LIMIT, "\0\x3f", 2);
    }
    if (s == FRAGMENT_9) {
        ext_raw(b, HB_EXT_MAX_FRAGMENT_LENGTH, "\x09", 1);
    }
    if (s == V12_POINTS) {
        ext_raw(b, HB_EXT_EC_POINT_FORMATS, "\1\1", 2);
    }
    if (s == V12_RENEGOTIATION) {
        ext_raw(b, HB_EXT_RENEGOTIATION_INFO, "\3abc", 4);
    }
}

/* A ClientHello message with its header. */
static size_t make_hello(uint8_t *dst, size_t cap, enum spoil s)
{
    struct hb_bld b = hb_bld(dst, cap);
    bool v12 = s >= V12;

    hb_bld_u8(&b, 1);
    struct hb_bld_mark message = hb_bld_open24(&b);
    hb_bld_u16(&b, s == LEGACY_0304       ? 0x0304
                   : s == V12_LEGACY_0305 ? 0x04ff
                   : s == V12_LEGACY_0301 ? 0x0301
                                          : 0x0303);
    for (int i = 0; i < 32; i++) {
        hb_bld_u8(&b, (uint8_t)i);
    }
    struct hb_bld_mark id = hb_bld_open8(&b);
    for (int i = 0; i < (s == LONG_ID ? 33 : v12 ? 0 : 32); i++) {
        hb_bld_u8(&b, 7);
    }
    hb_bld_close(&b, id);
    struct hb_bld_mark suites = hb_bld_open16(&b);
    if (s == UNKNOWN_SUITES) {
        hb_bld_u16(&b, 0x0005);
        hb_bld_u16(&b, 0xc012);
    } else {
        hb_bld_u16(&b, 0x5a5a);
        hb_bld_u16(&b, 0x1301);
        hb_bld_u16(&b, 0xc02b);
        hb_bld_u16(&b, 0xc02f);
    }
    if (s == FALLBACK) {
        hb_bld_u16(&b, 0x5600);
    }
    if (s == SUITES_ODD) {
        hb_bld_u8(&b, 0);
    }
    hb_bld_close(&b, suites);
    hb_bld_put(&b, s == COMPRESSED            ? hb_span("\2\1\0", 3)
                   : s == V12_COMPRESSED_ONLY ? hb_span("\1\1", 2)
                                              : hb_span("\1\0", 2));
    if (s != V12_NO_EXTENSIONS) {
        struct hb_bld_mark list = hb_bld_open16(&b);
        extensions(&b, s);
        hb_bld_close(&b, list);
    }
    if (s == TRAILING) {
        hb_bld_u8(&b, 0);
    }
    hb_bld_close(&b, message);
    assert_true(hb_bld_ok(&b));
    return b.len;
}

static size_t make_record(uint8_t *dst, uint8_t type, const uint8_t *p, size_t len)
{
    dst[0] = type;
    dst[1] = 3;
    dst[2] = 1;
    dst[3] = (uint8_t)(len >> 8);
    dst[4] = (uint8_t)len;
    memcpy(dst + 5, p, len);
    return len + 5;
}

/* ---- running ---- */

static struct peer *new_peer(enum peer_cut cut)
{
    struct peer *p = calloc(1, sizeof *p);

    assert_non_null(p);
    peer_start(p, "ecdsa-p256", HB_PROFILE_INTERMEDIATE);
    peer_client(p);
    p->cut = cut;
    return p;
}

static void end_peer(struct peer *p)
{
    peer_stop(p);
    free(p);
}

static void expect_failure(struct peer *p, const char *name, enum hb_code code, enum hb_alert alert)
{
    if (!p->failed) {
        fail_msg("%s: went through", name);
    }
    if (p->failure.code != code ||
        (code != HB_E_TLS_PEER_ALERT && hb_tls_info(p->tls)->alert_sent != alert)) {
        fail_msg("%s: %s, alert %s", name, hb_err_name(p->failure.code),
                 hb_tls_alert_name(hb_tls_info(p->tls)->alert_sent));
    }
    struct hb_tls_event e; /* the first failure stays (ALR-03) */
    size_t len = p->out.len;
    assert_int_equal(hb_tls_next(p->tls, &p->out, &e), HB_TLS_FAILED);
    assert_int_equal(e.code, code);
    struct hb_span more = hb_span_str("x");
    assert_int_equal(hb_tls_write(p->tls, &more, 1, &p->out), code);
    assert_int_equal(p->out.len, len);
}

/* clang-format off */
static const struct {
    const char *name;
    enum spoil spoil;
    enum hb_code code; /* HB_OK: a flight is answered */
    enum hb_alert alert;
} hellos[] = {
    {"sound",                              SOUND,               HB_OK, HB_ALERT_NONE},
    {"GREASE everywhere (VER-01)",         GREASE,              HB_OK, HB_ALERT_NONE},
    {"T13-01 no groups",                   NO_GROUPS,           HB_E_TLS_MISSING_EXTENSION, HB_ALERT_MISSING_EXTENSION},
    {"T13-01 no signature_algorithms",     NO_SIGALGS,          HB_E_TLS_MISSING_EXTENSION, HB_ALERT_MISSING_EXTENSION},
    {"T13-01 no key_share",                NO_SHARES,           HB_E_TLS_MISSING_EXTENSION, HB_ALERT_MISSING_EXTENSION},
    {"T13-01 compression",                 COMPRESSED,          HB_E_TLS_COMPRESSION, HB_ALERT_ILLEGAL_PARAMETER},
    {"HS-04 duplicate, unknown to us",     TWICE,               HB_E_TLS_DUPLICATE_EXTENSION, HB_ALERT_ILLEGAL_PARAMETER},
    {"HS-04 of another message",           FILTERS,             HB_E_TLS_ILLEGAL, HB_ALERT_ILLEGAL_PARAMETER},
    {"T13-08, NET-04 not on the curve",    BAD_POINT,           HB_E_TLS_KEY_SHARE, HB_ALERT_ILLEGAL_PARAMETER},
    {"T13-08 short share",                 SHORT_SHARE,         HB_E_TLS_KEY_SHARE, HB_ALERT_ILLEGAL_PARAMETER},
    {"T13-08 zero share",                  ZERO_SHARE,          HB_E_TLS_KEY_SHARE, HB_ALERT_ILLEGAL_PARAMETER},
    {"T13-03 share of no listed group",    SHARE_NOT_LISTED,    HB_E_TLS_ILLEGAL, HB_ALERT_ILLEGAL_PARAMETER},
    {"T13-03 shares out of order",         SHARES_OUT_OF_ORDER, HB_E_TLS_ILLEGAL, HB_ALERT_ILLEGAL_PARAMETER},
    {"T13-03 share twice",                 SHARE_TWICE,         HB_E_TLS_ILLEGAL, HB_ALERT_ILLEGAL_PARAMETER},
    {"RES-02 pre_shared_key not last",     PSK_FIRST,           HB_E_TLS_ILLEGAL, HB_ALERT_ILLEGAL_PARAMETER},
    {"SNI-T1 two names",                   SNI_TWO,             HB_E_TLS_DECODE, HB_ALERT_DECODE_ERROR},
    {"SNI-T1 blank in the name",           SNI_BAD,             HB_E_TLS_SERVER_NAME, HB_ALERT_ILLEGAL_PARAMETER},
    {"SNI-T1 address",                     SNI_IP,              HB_E_TLS_SERVER_NAME, HB_ALERT_ILLEGAL_PARAMETER},
    {"SNI-T1 dot at the end",              SNI_DOT,             HB_E_TLS_SERVER_NAME, HB_ALERT_ILLEGAL_PARAMETER},
    {"ALPN empty name",                    ALPN_EMPTY_NAME,     HB_E_TLS_DECODE, HB_ALERT_DECODE_ERROR},
    {"ALPN-02 none of ours (ATK-26)",      ALPN_OTHER,          HB_E_TLS_NO_ALPN, HB_ALERT_NO_APPLICATION_PROTOCOL},
    {"REC-16 below 64",                    SIZE_63,             HB_E_TLS_ILLEGAL, HB_ALERT_ILLEGAL_PARAMETER},
    {"REC-17 unknown value",               FRAGMENT_9,          HB_E_TLS_ILLEGAL, HB_ALERT_ILLEGAL_PARAMETER},
    {"T13-10 only 1.1 and 1.0",            ONLY_1_1,            HB_E_TLS_VERSION, HB_ALERT_PROTOCOL_VERSION},
    {"T13-10 only versions to come",       FUTURE_ONLY,         HB_E_TLS_VERSION, HB_ALERT_PROTOCOL_VERSION},
    {"PRO-02 RC4 and 3DES",                UNKNOWN_SUITES,      HB_E_TLS_NO_SUITE, HB_ALERT_HANDSHAKE_FAILURE},
    {"T13-01 groups without a share",      UNKNOWN_GROUPS,      HB_E_TLS_MISSING_EXTENSION, HB_ALERT_MISSING_EXTENSION},
    {"T13-10 SHA-1 signatures alone",      UNKNOWN_SIGALGS,     HB_E_TLS_NO_SIGALG, HB_ALERT_HANDSHAKE_FAILURE},
    {"VER-03 fallback (ATK-42)",           FALLBACK,            HB_E_TLS_FALLBACK, HB_ALERT_INAPPROPRIATE_FALLBACK},
    {"HS-02 odd suites",                   SUITES_ODD,          HB_E_TLS_DECODE, HB_ALERT_DECODE_ERROR},
    {"HS-02 session id of 33",             LONG_ID,             HB_E_TLS_DECODE, HB_ALERT_DECODE_ERROR},
    {"HS-05 behind the extensions",        TRAILING,            HB_E_TLS_DECODE, HB_ALERT_DECODE_ERROR},
    {"1.2",                                V12,                 HB_OK, HB_ALERT_NONE},
    {"VER-01 legacy_version 04ff",         V12_LEGACY_0305,     HB_OK, HB_ALERT_NONE},
    {"T12-12 TLS 1.0",                     V12_LEGACY_0301,     HB_E_TLS_VERSION, HB_ALERT_PROTOCOL_VERSION},
    {"8422 no uncompressed points",        V12_POINTS,          HB_E_TLS_ILLEGAL, HB_ALERT_ILLEGAL_PARAMETER},
    {"ATK-T7 compression alone (ATK-34)",  V12_COMPRESSED_ONLY, HB_E_TLS_COMPRESSION, HB_ALERT_ILLEGAL_PARAMETER},
    {"REN-01 not empty (ATK-38)",          V12_RENEGOTIATION,   HB_E_TLS_RENEGOTIATION_INFO, HB_ALERT_HANDSHAKE_FAILURE},
    {"T12-06 no signature_algorithms",     V12_NO_SIGALGS,      HB_E_TLS_NO_SIGALG, HB_ALERT_HANDSHAKE_FAILURE},
    {"HS-05 no extensions: SHA-1 only",    V12_NO_EXTENSIONS,   HB_E_TLS_NO_SIGALG, HB_ALERT_HANDSHAKE_FAILURE},
};
/* clang-format on */

static void client_hellos(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * sizeof hellos / sizeof hellos[0]; i++) {
        uint8_t message[1024];
        uint8_t record[1100];
        struct peer *p = new_peer(i % 2 == 0 ? PEER_WHOLE : PEER_BYTES);
        size_t n = make_hello(message, sizeof message, hellos[i / 2].spoil);
        peer_feed(p, record, make_record(record, HB_REC_HANDSHAKE, message, n));
        if (hellos[i / 2].code == HB_OK) {
            if (p->failed) {
                fail_msg("%s: %s", hellos[i / 2].name, hb_err_name(p->failure.code));
            }
            assert_true(p->out.len > 100);
            assert_int_equal(p->out.p[0], HB_REC_HANDSHAKE);
        } else {
            expect_failure(p, hellos[i / 2].name, hellos[i / 2].code, hellos[i / 2].alert);
            static const uint8_t header[] = {HB_REC_ALERT, 3, 3, 0, 2, 2};
            assert_true(p->out.len >= 7); /* T13-17: in clear before there are keys */
            if (hellos[i / 2].spoil != BAD_POINT) {
                assert_memory_equal(p->out.p + p->out.len - 7, header, sizeof header);
            }
        }
        end_peer(p);
    }
}

/* HS-02: cut short at each byte, with the lengths around it made to fit, it can never be parsed. */
static void truncated_hellos(void **state)
{
    (void)state;
    uint8_t message[1024];
    uint8_t record[1100];
    size_t n = make_hello(message, sizeof message, GREASE);
    for (size_t cut = 0; cut < n - 4; cut++) {
        if (cut == 2 + 32 + 33 + 10 + 2) {
            continue; /* exactly in front of the extensions: that is a hello of an old client */
        }
        struct peer *p = new_peer(PEER_WHOLE);
        message[1] = 0;
        message[2] = (uint8_t)(cut >> 8);
        message[3] = (uint8_t)cut;
        peer_feed(p, record, make_record(record, HB_REC_HANDSHAKE, message, 4 + cut));
        expect_failure(p, "truncated", HB_E_TLS_DECODE, HB_ALERT_DECODE_ERROR);
        end_peer(p);
    }
}

/* HS-07, ATK-29: a hello in records of one byte; and what else may happen to records. */
static void hello_in_one_byte_records(void **state)
{
    (void)state;
    uint8_t message[1024];
    uint8_t record[16];
    size_t n = make_hello(message, sizeof message, SOUND);
    struct peer *p = new_peer(PEER_WHOLE);
    for (size_t i = 0; i < n; i++) {
        peer_feed(p, record, make_record(record, HB_REC_HANDSHAKE, message + i, 1));
    }
    assert_false(p->failed);
    assert_true(p->out.len > 100);
    end_peer(p);
}

static void first_records(void **state)
{
    (void)state;
    uint8_t message[1024];
    uint8_t hello_record[1100];
    size_t hello =
        make_record(hello_record, HB_REC_HANDSHAKE, message, make_hello(message, sizeof message, SOUND));
    hello_record[5] = message[0];
    /* clang-format off */
    const struct {
        const char *name;
        const char *bytes;
        size_t len;
        bool after_hello;
        enum hb_code code;
        enum hb_alert alert;
    } rows[] = {
        {"REC-03 text",                 "EHLO x\r\n", 8, false, HB_E_TLS_NOT_TLS, HB_ALERT_UNEXPECTED_MESSAGE},
        {"REC-03 SSLv2",                "\x80\x2e\1\0\2", 5, false, HB_E_TLS_NOT_TLS, HB_ALERT_UNEXPECTED_MESSAGE},
        {"REC-03 one byte is enough",   "N", 1, false, HB_E_TLS_NOT_TLS, HB_ALERT_UNEXPECTED_MESSAGE},
        {"REC-02 major 4",              "\x16\x04\1\0\4", 5, false, HB_E_TLS_RECORD_VERSION, HB_ALERT_PROTOCOL_VERSION},
        {"REC-01 too long",             "\x16\3\1\x40\1", 5, false, HB_E_TLS_RECORD_OVERFLOW, HB_ALERT_RECORD_OVERFLOW},
        {"REC-03 another message",      "\x16\3\1\0\4\2\0\0\0", 9, false, HB_E_TLS_UNEXPECTED_MESSAGE, HB_ALERT_UNEXPECTED_MESSAGE},
        {"REC-04 empty handshake",      "\x16\3\1\0\0", 5, false, HB_E_TLS_RECORD_EMPTY, HB_ALERT_UNEXPECTED_MESSAGE},
        {"HS-01 16 MiB (ATK-30)",       "\x16\3\1\0\4\1\xff\xff\xff", 9, false, HB_E_TLS_MESSAGE_TOO_LONG, HB_ALERT_ILLEGAL_PARAMETER},
        {"REC-05 alert inside a hello", "\x16\3\1\0\1\1\x15\3\1\0\2\2\0", 13, false, HB_E_TLS_INTERLEAVED, HB_ALERT_UNEXPECTED_MESSAGE},
        {"REC-07 CCS before the hello", "\x16\3\1\0\0", 0, false, HB_OK, HB_ALERT_NONE},
        {"REC-07 CCS of two bytes",     "\x14\3\3\0\2\1\1", 7, true, HB_E_TLS_CCS, HB_ALERT_UNEXPECTED_MESSAGE},
        {"REC-07 CCS with 2",           "\x14\3\3\0\1\2", 6, true, HB_E_TLS_CCS, HB_ALERT_UNEXPECTED_MESSAGE},
        {"REC-08 no such record",       "\x17\3\3\0\x20" "01234567890123456789012345678901", 37, true, HB_E_TLS_BAD_RECORD_MAC, HB_ALERT_BAD_RECORD_MAC},
        {"REC-08 too short to be one",  "\x17\3\3\0\x10" "0123456789012345", 21, true, HB_E_TLS_BAD_RECORD_MAC, HB_ALERT_BAD_RECORD_MAC},
        {"REC-01 ciphertext too long",  "\x17\3\3\x41\1", 5, true, HB_E_TLS_RECORD_OVERFLOW, HB_ALERT_RECORD_OVERFLOW},
        {"T13-17 hello in clear again", "\x16\3\3\0\4\1\0\0\0", 9, true, HB_E_TLS_RECORD_TYPE, HB_ALERT_UNEXPECTED_MESSAGE},
        {"ALR-01 alert in clear",       "\x15\3\3\0\2\2\x28", 7, true, HB_E_TLS_PEER_ALERT, HB_ALERT_NONE},
        {"REC-01 no such type",         "\x18\3\3\0\2\2\x28", 7, true, HB_E_TLS_RECORD_TYPE, HB_ALERT_UNEXPECTED_MESSAGE},
    };
    /* clang-format on */
    for (size_t i = 0; i < 2 * sizeof rows / sizeof rows[0]; i++) {
        struct peer *p = new_peer(i % 2 == 0 ? PEER_WHOLE : PEER_BYTES);
        if (rows[i / 2].after_hello) {
            peer_feed(p, hello_record, hello);
            assert_false(p->failed);
        }
        uint8_t copy[64];
        memcpy(copy, rows[i / 2].bytes, rows[i / 2].len);
        peer_feed(p, copy, rows[i / 2].len);
        if (rows[i / 2].code != HB_OK) {
            expect_failure(p, rows[i / 2].name, rows[i / 2].code, rows[i / 2].alert);
        }
        end_peer(p);
    }
}

static void floods(void **state)
{
    (void)state;
    uint8_t message[1024];
    uint8_t record[1100];
    uint8_t ccs[] = {HB_REC_CCS, 3, 3, 0, 1, 1};
    struct peer *p = new_peer(PEER_WHOLE);
    size_t n = make_hello(message, sizeof message, SOUND);
    peer_feed(p, ccs, sizeof ccs); /* REC-07: before the hello */
    expect_failure(p, "CCS first", HB_E_TLS_NOT_TLS, HB_ALERT_UNEXPECTED_MESSAGE);
    end_peer(p);
    p = new_peer(PEER_WHOLE);
    peer_feed(p, record, make_record(record, HB_REC_HANDSHAKE, message, n));
    for (int i = 0; i < 32; i++) {
        peer_feed(p, ccs, sizeof ccs);
    }
    assert_false(p->failed);
    peer_feed(p, ccs, sizeof ccs);
    expect_failure(p, "REC-07 33 CCS", HB_E_TLS_RECORD_FLOOD, HB_ALERT_UNEXPECTED_MESSAGE);
    end_peer(p);
}

/* ---- an open connection ---- */

/* Lets OpenSSL's records reach us, spoilt at one byte. */
static void tampered_record(void **state)
{
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        struct peer *p = new_peer(PEER_WHOLE);
        SSL_set_max_proto_version(p->ssl, version);
        peer_pump(p);
        assert_true(p->ready);
        assert_int_equal(SSL_write(p->ssl, "hello", 5), 5);
        uint8_t wire[256];
        int n = BIO_read(p->from_peer, wire, sizeof wire);
        wire[n - 1] ^= 1;
        peer_feed(p, wire, (size_t)n);
        expect_failure(p, "CT-02", HB_E_TLS_BAD_RECORD_MAC, HB_ALERT_BAD_RECORD_MAC);
        assert_int_equal(p->got_len, 0);
        end_peer(p);
    }
}

/* REN-02: a renegotiation is refused with a warning, and the connection goes on. */
static void renegotiation(void **state)
{
    (void)state;
    struct peer *p = new_peer(PEER_WHOLE);
    SSL_set_max_proto_version(p->ssl, TLS1_2_VERSION);
    peer_pump(p);
    assert_true(p->ready);
    assert_int_equal(SSL_renegotiate(p->ssl), 1);
    (void)SSL_do_handshake(p->ssl);
    uint8_t wire[2048];
    int n = BIO_read(p->from_peer, wire, sizeof wire);
    assert_true(n > 0);
    peer_feed(p, wire, (size_t)n);
    assert_false(p->failed);
    assert_true(p->out.len > 0); /* the warning, protected */
    struct hb_span still = hb_span_str("still here");
    assert_int_equal(hb_tls_write(p->tls, &still, 1, &p->out), HB_OK);
    end_peer(p);
}

/* T13-18: more key updates than anybody needs. */
static void key_update_flood(void **state)
{
    (void)state;
    struct peer *p = new_peer(PEER_WHOLE);
    peer_pump(p);
    assert_true(p->ready);
    for (int i = 0; i < 40 && !p->failed; i++) {
        assert_int_equal(SSL_key_update(p->ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        (void)SSL_do_handshake(p->ssl);
        uint8_t wire[256];
        int n = BIO_read(p->from_peer, wire, sizeof wire);
        assert_true(n > 0);
        peer_feed(p, wire, (size_t)n);
    }
    expect_failure(p, "T13-18", HB_E_TLS_KEY_UPDATE_FLOOD, HB_ALERT_UNEXPECTED_MESSAGE);
    end_peer(p);
}

/* REC-16, REC-17: records no longer than the client allows. */
static void small_records(void **state)
{
    (void)state;
    for (int bits = 9; bits <= 12; bits++) {
        struct peer *p = new_peer(PEER_WHOLE);
        static uint8_t data[20000];
        assert_int_equal(SSL_set_tlsext_max_fragment_length(p->ssl, (uint8_t)(bits - 8)), 1);
        peer_pump(p);
        assert_true(p->ready);
        struct hb_span s = hb_span(data, sizeof data);
        assert_int_equal(hb_tls_write(p->tls, &s, 1, &p->out), HB_OK);
        for (size_t at = 0; at < p->out.len;) {
            size_t len = (size_t)p->out.p[at + 3] << 8 | p->out.p[at + 4];
            assert_true(len <= (1u << bits) + 17);
            at += 5 + len;
        }
        peer_pump(p);
        static uint8_t back[20000];
        size_t got = 0;
        for (int n; (n = SSL_read(p->ssl, back + got, (int)(sizeof back - got))) > 0; got += (size_t)n) {
        }
        assert_int_equal(got, sizeof data);
        end_peer(p);
    }
}

static void every_tls_code_has_an_alert(void **state)
{
    (void)state;
    for (unsigned i = 1; i < HB_NUM_CODES; i++) {
        bool tls = strncmp(hb_err_name((enum hb_code)i), "TLS_", 4) == 0;
        bool silent = i == HB_E_TLS_PEER_ALERT || i == HB_E_TLS_TRUNCATED || i == HB_E_TLS_CLOSED;
        if (tls && !silent) {
            assert_int_not_equal(hb_alert_of((enum hb_code)i), HB_ALERT_NONE);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(client_hellos),
        cmocka_unit_test(truncated_hellos),
        cmocka_unit_test(hello_in_one_byte_records),
        cmocka_unit_test(first_records),
        cmocka_unit_test(floods),
        cmocka_unit_test(tampered_record),
        cmocka_unit_test(renegotiation),
        cmocka_unit_test(key_update_flood),
        cmocka_unit_test(small_records),
        cmocka_unit_test(every_tls_code_has_an_alert),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
