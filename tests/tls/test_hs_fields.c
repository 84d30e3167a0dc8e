/* Messages of real sessions with one thing wrong: each row with its requirement, and the code and alert that
 * must come of it (HS-02, HS-04, ENG-03). And every message cut short at many places, and one byte too long.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "drive.h"

/* ---- edits ---- */

enum op {
    PATCH, /* bytes over what is at an offset; negative: from the end */
    FLIP,  /* a bit at an offset */
    SIZE,  /* body cut or filled to so many bytes */
    ADD,   /* an extension behind the others */
    SET,   /* an extension's content */
    DROP,  /* an extension */
    DOUBLE /* an extension once more */
};

static void fix_length(struct tap_item *m)
{
    m->bytes[1] = (uint8_t)((m->len - 4) >> 16);
    m->bytes[2] = (uint8_t)((m->len - 4) >> 8);
    m->bytes[3] = (uint8_t)(m->len - 4);
}

/* Where the list of extensions begins, its length's two bytes first. */
static size_t extensions_at(const struct tap_item *m)
{
    const uint8_t *b = m->bytes;
    size_t at = 4;

    switch (b[0]) {
    case HB_MSG_CLIENT_HELLO:
        at += 34;
        at += 1u + b[at];
        at += 2u + ((size_t)b[at] << 8 | b[at + 1]);
        return at + 1u + b[at];
    case HB_MSG_SERVER_HELLO:
        return at + 34 + 1u + b[at + 34] + 3u;
    case HB_MSG_CERTIFICATE_REQUEST:
        return at + 1u + b[at];
    case HB_MSG_CERTIFICATE: /* of the first entry */
        at += 1u + 3u;
        return at + 3u + ((size_t)b[at] << 16 | (size_t)b[at + 1] << 8 | b[at + 2]);
    default:
        return at;
    }
}

static void put_bytes(struct tap_item *m, size_t at, size_t old, const void *bytes, size_t len)
{
    assert_true(m->len + len <= sizeof m->bytes && at + old <= m->len);
    memmove(m->bytes + at + len, m->bytes + at + old, m->len - at - old);
    if (len > 0) {
        memcpy(m->bytes + at, bytes, len);
    }
    m->len = m->len + len - old;
}

static void grow_list(struct tap_item *m, size_t at, long by)
{
    size_t n = ((size_t)m->bytes[at] << 8 | m->bytes[at + 1]) + (size_t)by;

    m->bytes[at] = (uint8_t)(n >> 8);
    m->bytes[at + 1] = (uint8_t)n;
    if (m->bytes[0] == HB_MSG_CERTIFICATE) { /* the list of certificates around it */
        size_t all = ((size_t)m->bytes[6] << 8 | m->bytes[7]) + (size_t)by;
        m->bytes[6] = (uint8_t)(all >> 8);
        m->bytes[7] = (uint8_t)all;
    }
}

static void edit_extension(struct tap_item *m, enum op op, uint16_t type, const void *bytes, size_t len)
{
    uint8_t ext[600] = {(uint8_t)(type >> 8), (uint8_t)type, (uint8_t)(len >> 8), (uint8_t)len};
    size_t list = extensions_at(m);
    size_t end = list + 2 + ((size_t)m->bytes[list] << 8 | m->bytes[list + 1]);
    size_t at = list + 2;
    size_t old = 0;

    while (op != ADD && at < end) {
        old = 4 + ((size_t)m->bytes[at + 2] << 8 | m->bytes[at + 3]);
        if (m->bytes[at] == type >> 8 && m->bytes[at + 1] == (type & 0xff)) {
            break;
        }
        at += old;
    }
    if (op == ADD) {
        at = end;
    } else if (at >= end) {
        fail_msg("message %u has no extension %u", m->bytes[0], type);
    }
    if (len > 0) {
        memcpy(ext + 4, bytes, len);
    }
    if (op == DOUBLE) {
        assert_true(old <= sizeof ext);
        memcpy(ext, m->bytes + at, old);
        put_bytes(m, at, 0, ext, old);
        grow_list(m, list, (long)old);
    } else {
        size_t new = op == DROP ? 0 : 4 + len;
        put_bytes(m, at, old, ext, new);
        grow_list(m, list, (long)new - (long)old);
    }
}

static void edit(struct tap_item *m, enum op op, int where, const void *bytes, size_t len)
{
    size_t at = where >= 0 ? (size_t)where : m->len - (size_t)-where;

    switch (op) {
    case PATCH:
        memcpy(m->bytes + at, bytes, len);
        break;
    case FLIP:
        m->bytes[at] ^= 1;
        break;
    case SIZE:
        for (size_t i = m->len; i < 4 + at; i++) {
            m->bytes[i] = 0;
        }
        m->len = 4 + at;
        break;
    case ADD:
    case SET:
    case DROP:
    case DOUBLE:
        edit_extension(m, op, (uint16_t)where, bytes, len);
        break;
    }
    fix_length(m);
}

/* ---- rows ---- */

struct field_row {
    const char *name;
    unsigned course, nth; /* the nth message of this type */
    uint8_t msg;
    enum op op;
    int where; /* offset in the message, size, or extension */
    const char *bytes;
    size_t len;
    enum hb_code code;
    unsigned alert;
};

#define B(s)  s, sizeof(s) - 1
#define NIL   NULL, 0
#define ZEROS "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define SH    HB_MSG_SERVER_HELLO
#define CH    HB_MSG_CLIENT_HELLO
#define EE    HB_MSG_ENCRYPTED_EXTENSIONS
#define CR    HB_MSG_CERTIFICATE_REQUEST
#define CT    HB_MSG_CERTIFICATE
#define CV    HB_MSG_CERTIFICATE_VERIFY
#define FIN   HB_MSG_FINISHED
#define SKE   HB_MSG_SERVER_KEY_EXCHANGE
#define CKE   HB_MSG_CLIENT_KEY_EXCHANGE
#define SHD   HB_MSG_SERVER_HELLO_DONE
#define NST   HB_MSG_NEW_SESSION_TICKET

/* clang-format off */
/* what a client is sent; the server's random lies at 6, its session id at 38, in TLS 1.3 suite at 71, compression at 73 */
static const struct field_row to_client[] = {
    {"T13-20 version of SSL 3",             C13, 0, SH, PATCH, 4, B("\3\0"),                 HB_E_TLS_EXTENSION_PLACE, 47},
    {"T13-20 no supported_versions",        C13, 0, SH, DROP, HB_EXT_SUPPORTED_VERSIONS, NIL, HB_E_TLS_EXTENSION_PLACE, 47},
    {"VER-04 1.2 in supported_versions",    C13, 0, SH, SET, HB_EXT_SUPPORTED_VERSIONS, B("\3\3"), HB_E_TLS_ILLEGAL, 47},
    {"T13-20 version never offered",        C13, 0, SH, SET, HB_EXT_SUPPORTED_VERSIONS, B("\3\5"), HB_E_TLS_VERSION_CHANGED, 70},
    {"HS-02 version of one byte",           C13, 0, SH, SET, HB_EXT_SUPPORTED_VERSIONS, B("\3"), HB_E_TLS_DECODE, 50},
    {"T13-20 suite never offered",          C13, 0, SH, PATCH, 71, B("\x13\4"),              HB_E_TLS_SUITE_CHANGED, 47},
    {"T13-20 suite of 1.2",                 C13, 0, SH, PATCH, 71, B("\xc0\x2b"),            HB_E_TLS_SUITE_CHANGED, 47},
    {"T13-20 compression (ATK-T7)",         C13, 0, SH, PATCH, 73, B("\1"),                  HB_E_TLS_COMPRESSION, 47},
    {"T13-02 another session id",           C13, 0, SH, FLIP, 39, NIL,                       HB_E_TLS_SESSION_ID, 47},
    {"T13-20 EMS, which only 1.2 has",      C13, 0, SH, ADD, HB_EXT_EXTENDED_MASTER_SECRET, NIL, HB_E_TLS_UNSUPPORTED_EXTENSION, 110},
    {"T13-20 unknown extension",            C13, 0, SH, ADD, 0x1234, NIL,                    HB_E_TLS_UNSUPPORTED_EXTENSION, 110},
    {"HS-04 server_name in a ServerHello",  C13, 0, SH, ADD, HB_EXT_SERVER_NAME, NIL,        HB_E_TLS_EXTENSION_PLACE, 47},
    {"HS-04 signature_algorithms",          C13, 0, SH, ADD, HB_EXT_SIGNATURE_ALGORITHMS, NIL, HB_E_TLS_EXTENSION_PLACE, 47},
    {"HS-04 key_share twice",               C13, 0, SH, DOUBLE, HB_EXT_KEY_SHARE, NIL,       HB_E_TLS_DUPLICATE_EXTENSION, 47},
    {"T13-20 no key_share",                 C13, 0, SH, DROP, HB_EXT_KEY_SHARE, NIL,         HB_E_TLS_MISSING_EXTENSION, 109},
    {"PRO-04 a group without our share",    C13, 0, SH, SET, HB_EXT_KEY_SHARE, B("\0\x18\0\1x"), HB_E_TLS_GROUP_CHANGED, 47},
    {"T13-08 31 bytes of x25519",           C13, 0, SH, SET, HB_EXT_KEY_SHARE, B("\0\x1d\0\x1f" "1234567890123456789012345678901"), HB_E_TLS_KEY_SHARE, 47},
    {"T13-08 zero share",                   C13, 0, SH, SET, HB_EXT_KEY_SHARE, B("\0\x1d\0\x20" ZEROS), HB_E_TLS_KEY_SHARE, 47},
    {"T13-03 behind the share",             C13, 0, SH, SET, HB_EXT_KEY_SHARE, B("\0\x1d\0\1x" "y"), HB_E_TLS_DECODE, 50},
    {"HS-04 PSK not offered",               C13, 0, SH, ADD, HB_EXT_PRE_SHARED_KEY, B("\0\0"), HB_E_TLS_UNSUPPORTED_EXTENSION, 110},
    {"RES-02 PSK out of range",             C13_PSK, 0, SH, SET, HB_EXT_PRE_SHARED_KEY, B("\0\1"), HB_E_TLS_PSK_INDEX, 47},
    {"RES-09 early_data never offered (ATK-44)", C13_PSK, 0, EE, ADD, HB_EXT_EARLY_DATA, NIL, HB_E_TLS_UNSUPPORTED_EXTENSION, 110},
    /* HelloRetryRequest */
    {"T13-06 group never offered",          C13_RETRY, 0, SH, SET, HB_EXT_KEY_SHARE, B("\1\2"), HB_E_TLS_GROUP_CHANGED, 47},
    {"T13-06 group already there",          C13_RETRY, 0, SH, SET, HB_EXT_KEY_SHARE, B("\0\x1d"), HB_E_TLS_RETRY_USELESS, 47},
    {"T13-06 asks for nothing",             C13_RETRY, 0, SH, DROP, HB_EXT_KEY_SHARE, NIL,   HB_E_TLS_RETRY_USELESS, 47},
    {"T13-06 empty cookie",                 C13_RETRY, 0, SH, ADD, HB_EXT_COOKIE, B("\0\0"), HB_E_TLS_DECODE, 50},
    {"T13-06 a share in it",                C13_RETRY, 0, SH, SET, HB_EXT_KEY_SHARE, B("\0\x18\0\1x"), HB_E_TLS_DECODE, 50},
    {"T13-06 suite changed since",          C13_RETRY, 1, SH, PATCH, 71, B("\x13\1"),        HB_E_TLS_SUITE_CHANGED, 47},
    {"T13-06 version changed since",        C13_RETRY, 1, SH, SET, HB_EXT_SUPPORTED_VERSIONS, B("\3\3"), HB_E_TLS_ILLEGAL, 47},
    {"T13-06 second retry, with a share",   C13_RETRY, 1, SH, PATCH, 6, B("\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91"
                                            "\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c"), HB_E_TLS_DECODE, 50},
    /* EncryptedExtensions */
    {"T13-11 key_share",                    C13, 0, EE, ADD, HB_EXT_KEY_SHARE, NIL,          HB_E_TLS_EXTENSION_PLACE, 47},
    {"T13-11 supported_versions",           C13, 0, EE, ADD, HB_EXT_SUPPORTED_VERSIONS, B("\3\4"), HB_E_TLS_EXTENSION_PLACE, 47},
    {"T13-11 status_request",               C13, 0, EE, ADD, HB_EXT_STATUS_REQUEST, NIL,     HB_E_TLS_EXTENSION_PLACE, 47},
    {"T13-11 unknown extension",            C13, 0, EE, ADD, 0x1234, NIL,                    HB_E_TLS_UNSUPPORTED_EXTENSION, 110},
    {"T13-11 GREASE is no answer",          C13, 0, EE, ADD, 0x1a1a, NIL,                    HB_E_TLS_UNSUPPORTED_EXTENSION, 110},
    {"T13-11 ALPN never offered",           C13, 0, EE, ADD, HB_EXT_ALPN, B("\0\3\2h2"),     HB_E_TLS_UNSUPPORTED_EXTENSION, 110},
    {"REC-16 limit of 63",                  C13, 0, EE, SET, HB_EXT_RECORD_SIZE_LIMIT, B("\0\x3f"), HB_E_TLS_ILLEGAL, 47},
    {"REC-16 limit of 16386",               C13, 0, EE, SET, HB_EXT_RECORD_SIZE_LIMIT, B("\x40\2"), HB_E_TLS_ILLEGAL, 47},
    {"REC-17 never offered",                C13, 0, EE, ADD, HB_EXT_MAX_FRAGMENT_LENGTH, B("\1"), HB_E_TLS_UNSUPPORTED_EXTENSION, 110},
    {"HS-02 server_name with a name",       C13, 0, EE, SET, HB_EXT_SERVER_NAME, B("x"),     HB_E_TLS_DECODE, 50},
    {"T13-11 supported_groups is fine, but changes the transcript", C13, 0, EE, ADD, HB_EXT_SUPPORTED_GROUPS, B("\0\2\0\x1d"), HB_E_TLS_BAD_SIGNATURE, 51},
    /* CertificateRequest, Certificate, CertificateVerify, Finished */
    {"T13-12 a context",                    C13_AUTH, 0, CR, PATCH, 4, B("\1"),              HB_E_TLS_DECODE, 50},
    {"T13-12 no signature_algorithms",      C13_AUTH, 0, CR, DROP, HB_EXT_SIGNATURE_ALGORITHMS, NIL, HB_E_TLS_MISSING_EXTENSION, 109},
    {"HS-04 signature_algorithms twice",    C13_AUTH, 0, CR, DOUBLE, HB_EXT_SIGNATURE_ALGORITHMS, NIL, HB_E_TLS_DUPLICATE_EXTENSION, 47},
    {"HS-02 schemes of one byte",           C13_AUTH, 0, CR, SET, HB_EXT_SIGNATURE_ALGORITHMS, B("\0\1\4"), HB_E_TLS_DECODE, 50},
    {"T13-13 a context",                    C13, 0, CT, PATCH, 4, B("\1"),                   HB_E_TLS_DECODE, 50},
    {"T13-13 no certificate",               C13, 0, CT, PATCH, 5, B("\0\0\0"),               HB_E_TLS_DECODE, 50},
    {"T13-13 SCT never asked for",          C13, 0, CT, ADD, 18, B("\0\0"),                  HB_E_TLS_UNSUPPORTED_EXTENSION, 110},
    {"T13-13 staple that is none",          C13, 0, CT, ADD, HB_EXT_STATUS_REQUEST, B("\1\0\0\1x"), HB_E_X509_STAPLE, 113},
    {"T13-13 staple of another kind",       C13, 0, CT, ADD, HB_EXT_STATUS_REQUEST, B("\2\0\0\1x"), HB_E_TLS_DECODE, 50},
    {"ALR-01 not DER",                      C13, 0, CT, PATCH, 11, B("\x31"),                HB_E_DER, 42},
    {"T13-14 flipped bit",                  C13, 0, CV, FLIP, -3, NIL,                       HB_E_TLS_BAD_SIGNATURE, 51},
    {"T13-14 PKCS #1 in 1.3",               C13, 0, CV, PATCH, 4, B("\4\1"),                 HB_E_TLS_SIGALG_CHANGED, 47},
    {"T13-14 SHA-1 (ATK-T4)",               C13, 0, CV, PATCH, 4, B("\2\3"),                 HB_E_TLS_SIGALG_CHANGED, 47},
    {"T13-14 another curve's hash",         C13, 0, CV, PATCH, 4, B("\5\3"),                 HB_E_TLS_SIGALG_CHANGED, 47},
    {"T13-14 scheme of another key",        C13, 0, CV, PATCH, 4, B("\x08\4"),               HB_E_TLS_SIGALG_CHANGED, 47},
    {"T13-15 flipped bit",                  C13, 0, FIN, FLIP, 9, NIL,                       HB_E_TLS_BAD_FINISHED, 51},
    {"T13-15 too short",                    C13, 0, FIN, SIZE, 47, NIL,                      HB_E_TLS_DECODE, 50},
    {"HS-01 too long for any",              C13, 0, FIN, SIZE, 49, NIL,                      HB_E_TLS_MESSAGE_TOO_LONG, 47},
    /* TLS 1.2 */
    {"VER-04 TLS 1.1",                      C12, 0, SH, PATCH, 4, B("\3\2"),                 HB_E_TLS_VERSION_CHANGED, 70},
    {"VER-04 0304 without the extension",   C12, 0, SH, PATCH, 4, B("\3\4"),                 HB_E_TLS_VERSION_CHANGED, 70},
    {"VER-04 supported_versions",           C12, 0, SH, ADD, HB_EXT_SUPPORTED_VERSIONS, B("\3\3"), HB_E_TLS_UNSUPPORTED_EXTENSION, 110},
    {"PRO-04 suite never offered (ATK-33)", C12, 0, SH, PATCH, 39, B("\0\5"),                HB_E_TLS_SUITE_CHANGED, 47},
    {"PRO-04 RSA key transport never offered", C12, 0, SH, PATCH, 39, B("\0\x9d"),           HB_E_TLS_SUITE_CHANGED, 47},
    {"PRO-04 suite of 1.3",                 C12, 0, SH, PATCH, 39, B("\x13\1"),              HB_E_TLS_SUITE_CHANGED, 47},
    {"ATK-T7 compression",                  C12, 0, SH, PATCH, 41, B("\1"),                  HB_E_TLS_COMPRESSION, 47},
    {"REN-01 no renegotiation_info (ATK-38)", C12, 0, SH, DROP, HB_EXT_RENEGOTIATION_INFO, NIL, HB_E_TLS_NO_SECURE_RENEGOTIATION, 40},
    {"REN-01 not empty",                    C12, 0, SH, SET, HB_EXT_RENEGOTIATION_INFO, B("\1x"), HB_E_TLS_RENEGOTIATION_INFO, 40},
    {"REC-12 never offered",                C12, 0, SH, ADD, HB_EXT_ENCRYPT_THEN_MAC, NIL,   HB_E_TLS_UNSUPPORTED_EXTENSION, 110},
    {"RES-10 ticket never asked for",       C12, 0, SH, ADD, HB_EXT_SESSION_TICKET, NIL,     HB_E_TLS_UNSUPPORTED_EXTENSION, 110},
    {"T12-03 points never uncompressed",    C12, 0, SH, SET, HB_EXT_EC_POINT_FORMATS, B("\1\1"), HB_E_TLS_ILLEGAL, 47},
    {"EMS-01 not empty",                    C12, 0, SH, SET, HB_EXT_EXTENDED_MASTER_SECRET, B("x"), HB_E_TLS_DECODE, 50},
    {"HS-04 EMS twice",                     C12, 0, SH, DOUBLE, HB_EXT_EXTENDED_MASTER_SECRET, NIL, HB_E_TLS_DUPLICATE_EXTENSION, 47},
    {"EMS-02 resumed without it (ATK-T3)",  C12_RESUMED, 0, SH, DROP, HB_EXT_EXTENDED_MASTER_SECRET, NIL, HB_E_TLS_EMS_CHANGED, 40},
    {"RES-10 resumed with another suite",   C12_RESUMED, 0, SH, PATCH, 71, B("\xc0\x2b"),    HB_E_TLS_SUITE_CHANGED, 47},
    {"T12-07 no certificate",               C12, 0, CT, PATCH, 4, B("\0\0\0"),               HB_E_TLS_DECODE, 50},
    {"T12-03 explicit curve",               C12, 0, SKE, PATCH, 4, B("\1"),                  HB_E_TLS_GROUP_CHANGED, 47},
    {"T12-03 group never offered",          C12, 0, SKE, PATCH, 5, B("\0\x1e"),              HB_E_TLS_GROUP_CHANGED, 47},
    {"T12-03 ffdhe in ECDHE",               C12, 0, SKE, PATCH, 5, B("\1\0"),                HB_E_TLS_GROUP_CHANGED, 47},
    {"T12-03 post-quantum in 1.2",          C12, 0, SKE, PATCH, 5, B("\x11\xec"),            HB_E_TLS_GROUP_CHANGED, 47},
    {"T12-06 flipped bit",                  C12, 0, SKE, FLIP, -3, NIL,                      HB_E_TLS_BAD_SIGNATURE, 51},
    {"T12-03 flipped bit in the point",     C12, 0, SKE, FLIP, 20, NIL,                      HB_E_TLS_BAD_SIGNATURE, 51},
    {"T12-06 SHA-1 (ATK-T4)",               C12, 0, SKE, PATCH, 40, B("\2\3"),               HB_E_TLS_SIGALG_CHANGED, 47},
    {"T12-06 MD5 (ATK-T4)",                 C12, 0, SKE, PATCH, 40, B("\1\3"),               HB_E_TLS_SIGALG_CHANGED, 47},
    {"T12-06 scheme of another key",        C12, 0, SKE, PATCH, 40, B("\4\1"),               HB_E_TLS_SIGALG_CHANGED, 47},
    {"T12-07 no types",                     C12_AUTH, 0, CR, PATCH, 4, B("\0"),              HB_E_TLS_DECODE, 50},
    {"HS-01 ServerHelloDone with a body",   C12, 0, SHD, SIZE, 1, NIL,                       HB_E_TLS_MESSAGE_TOO_LONG, 47},
    {"T12-11 flipped bit",                  C12, 0, FIN, FLIP, 9, NIL,                       HB_E_TLS_BAD_FINISHED, 51},
    {"T12-11 too short",                    C12, 0, FIN, SIZE, 11, NIL,                      HB_E_TLS_DECODE, 50},
    {"T12-11 too long",                     C12, 0, FIN, SIZE, 13, NIL,                      HB_E_TLS_DECODE, 50},
};

/* what a server is sent (first hellos: test_negative.c) */
static const struct field_row to_server[] = {
    {"T13-05 random",                       C13_RETRY, 1, CH, FLIP, 10, NIL,                 HB_E_TLS_HELLO_CHANGED, 47},
    {"T13-05 session id",                   C13_RETRY, 1, CH, FLIP, 40, NIL,                 HB_E_TLS_HELLO_CHANGED, 47},
    {"T13-05 suites",                       C13_RETRY, 1, CH, FLIP, 74, NIL,                 HB_E_TLS_HELLO_CHANGED, 47},
    {"T13-05 no share",                     C13_RETRY, 1, CH, SET, HB_EXT_KEY_SHARE, B("\0\0"), HB_E_TLS_KEY_SHARE, 47},
    {"T13-05 another group's share",        C13_RETRY, 1, CH, SET, HB_EXT_KEY_SHARE, B("\0\x24\0\x1d\0\x20" "12345678901234567890123456789012"), HB_E_TLS_KEY_SHARE, 47},
    {"T13-05 early_data again (RES-09)",    C13_RETRY, 1, CH, ADD, HB_EXT_EARLY_DATA, NIL,   HB_E_TLS_HELLO_CHANGED, 47},
    {"HS-04 SNI twice",                     C13, 0, CH, DOUBLE, HB_EXT_SERVER_NAME, NIL,     HB_E_TLS_DUPLICATE_EXTENSION, 47},
    {"T13-13 a context",                    C13_AUTH, 0, CT, PATCH, 4, B("\1"),              HB_E_TLS_DECODE, 50},
    {"T13-13 a staple never asked for",     C13_AUTH, 0, CT, ADD, HB_EXT_STATUS_REQUEST, B("\1\0\0\1x"), HB_E_TLS_UNSUPPORTED_EXTENSION, 110},
    {"T13-14 flipped bit",                  C13_AUTH, 0, CV, FLIP, -3, NIL,                  HB_E_TLS_BAD_SIGNATURE, 51},
    {"T13-14 PKCS #1 in 1.3",               C13_AUTH, 0, CV, PATCH, 4, B("\4\1"),            HB_E_TLS_SIGALG_CHANGED, 47},
    {"T13-14 SHA-1 (ATK-T4)",               C13_AUTH, 0, CV, PATCH, 4, B("\2\3"),            HB_E_TLS_SIGALG_CHANGED, 47},
    {"T13-15 flipped bit",                  C13, 0, FIN, FLIP, 9, NIL,                       HB_E_TLS_BAD_FINISHED, 51},
    {"T13-15 too short",                    C13, 0, FIN, SIZE, 47, NIL,                      HB_E_TLS_DECODE, 50},
    {"T12-03 point too short",              C12, 0, CKE, PATCH, 4, B("\0"),                  HB_E_TLS_DECODE, 50},
    {"T12-03 zero point (ATK-37)",          C12, 0, CKE, PATCH, 5, B(ZEROS),                 HB_E_TLS_KEY_SHARE, 47},
    {"T12-07 flipped bit",                  C12_AUTH, 0, CV, FLIP, -3, NIL,                  HB_E_TLS_BAD_SIGNATURE, 51},
    {"T12-06 SHA-1 (ATK-T4)",               C12_AUTH, 0, CV, PATCH, 4, B("\2\3"),            HB_E_TLS_SIGALG_CHANGED, 47},
    {"T12-11 flipped bit",                  C12, 0, FIN, FLIP, 9, NIL,                       HB_E_TLS_BAD_FINISHED, 51},
    {"T12-11 too short",                    C12, 0, FIN, SIZE, 11, NIL,                      HB_E_TLS_DECODE, 50},
};
/* clang-format on */

/* Drives to the row's message, changes it, delivers it and, if it was taken, what follows. */
static void play(struct drive *v, const struct field_row *r)
{
    static struct tap_item item;
    unsigned n = 0;
    unsigned nth = r->nth;

    for (;; n++) {
        if (n >= v->num) {
            fail_msg("%s: no such message", r->name);
        }
        if (v->items[n].type == HB_REC_HANDSHAKE && v->items[n].bytes[0] == r->msg && nth-- == 0) {
            break;
        }
    }
    drive_to(v, n);
    assert_true(tap_next(&v->tap, &item));
    edit(&item, r->op, r->where, r->bytes, r->len);
    drive_put(v, &item);
    while (!v->tap.tested->failed && tap_next(&v->tap, &item)) {
        drive_put(v, &item);
    }
    drive_expect(v, r->name, r->msg, r->code, r->alert);
}

static void fields(void **unused)
{
    static struct drive v;
    const struct field_row *tables[] = {to_server, to_client};
    const size_t nums[] = {sizeof to_server / sizeof to_server[0], sizeof to_client / sizeof to_client[0]};

    (void)unused;
    for (unsigned client = 0; client < 2; client++) {
        for (unsigned c = 0; c < NUM_COURSES; c++) {
            drive_start(&v, &courses[c], client);
            for (size_t i = 0; i < nums[client]; i++) {
                if (tables[client][i].course == c) {
                    play(&v, &tables[client][i]);
                }
            }
            drive_stop(&v);
        }
    }
}

/* ALPN-03: a client that offered a protocol aborts when the server chooses another. */
static void another_protocol(void **unused)
{
    static const struct field_row rows[] = {
        {"ALPN-03 another than offered", C13, 0, EE, SET, HB_EXT_ALPN, B("\0\3\2h2"), HB_E_TLS_ALPN_CHANGED,
         47},
        {"ALPN-03 1.2", C12, 0, SH, SET, HB_EXT_ALPN, B("\0\3\2h2"), HB_E_TLS_ALPN_CHANGED, 47},
        {"ALPN-03 two", C13, 0, EE, SET, HB_EXT_ALPN, B("\0\10\4imap\2h2"), HB_E_TLS_DECODE, 50},
    };
    static struct drive v;

    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        drive_start(&v, &courses[rows[i].course], true);
        assert_int_equal(hb_tls_config_add_alpn(v.d.client.config, "imap"), HB_OK);
        assert_int_equal(hb_tls_config_add_alpn(v.d.server.config, "imap"), HB_OK);
        play(&v, &rows[i]);
        drive_stop(&v);
    }
}

/* HS-02: every message cut at 48 places, or with one byte more. */
static void truncation(void **unused)
{
    static struct drive v;

    (void)unused;
    for (unsigned i = 0; i < 2u * NUM_COURSES; i++) {
        drive_start(&v, &courses[i / 2], i % 2 == 0);
        for (unsigned n = 0; n < v.num; n++) {
            size_t len = v.items[n].len - 4;
            size_t step = len > 48 ? len / 48 : 1;
            if (v.items[n].type != HB_REC_HANDSHAKE) {
                continue;
            }
            for (size_t to = 0; to <= len + 1; to += to < len && to + step > len ? len + 1 - to : step) {
                static struct tap_item item;
                uint8_t msg = v.items[n].bytes[0];
                drive_to(&v, n);
                assert_true(tap_next(&v.tap, &item));
                if (4 + to == item.len) { /* signatures differ in length */
                    continue;
                }
                if ((msg == SH || msg == CH) && 4 + to == extensions_at(&item)) {
                    continue; /* HS-05: a hello without extensions */
                }
                edit(&item, SIZE, (int)to, NULL, 0);
                drive_put(&v, &item);
                bool too_long = to > hb_hs_body_max(msg);
                drive_expect(&v, "cut or grown", msg, too_long ? HB_E_TLS_MESSAGE_TOO_LONG : HB_E_TLS_DECODE,
                             too_long ? 47 : 50);
            }
        }
        drive_stop(&v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields),
        cmocka_unit_test(another_protocol),
        cmocka_unit_test(truncation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
