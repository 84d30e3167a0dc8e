/* RFC 8448 and the PRF: the key schedule, record protection, signatures and Finished of real handshakes
 * (KS-01, REC-08, T13-07, T13-14, T13-15, T12-01). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "crypto/group.h"
#include "keys/prf12.h"
#include "keys/schedule13.h"
#include "keys/transcript.h"
#include "record/record.h"
#include "testenv.h"
#include "vectors.h"
#include "wire/hello.h"
#include "x509/cert.h"

#define FILE_8448 "rfc8448/transcripts.vec"

static struct hb_rec_cache cache;
static uint64_t generation;

/* Decrypts one record of the trace in a copy; returns its content. */
static struct hb_span open_record(struct hb_rec_dir *d, struct hb_span record, uint8_t want_type)
{
    uint8_t *copy = vectors_memory(record.len);
    struct hb_rec_header h;
    struct hb_span plain;
    uint8_t type = 0;

    if (record.p[0] == HB_REC_CCS) { /* middlebox compatibility: one in front of the protected record */
        record = hb_span_skip(record, 6);
    }
    memcpy(copy, record.p, record.len);
    assert_int_equal(hb_rec_parse(copy, HB_REC_CIPHER13_MAX, &h), HB_OK);
    assert_int_equal(HB_REC_HEADER + (size_t)h.len, record.len);
    assert_int_equal(hb_rec_open(d, &cache, copy, &h, &type, &plain), HB_OK);
    assert_int_equal(type, want_type);
    return plain;
}

static void install(struct hb_rec_dir *d, const struct hb_suite *suite, const uint8_t *traffic)
{
    uint8_t key[32];
    uint8_t iv[12];

    hb_ks13_record_keys(suite->hash, traffic, key, suite->aead->key_len, iv);
    hb_rec_install(d, suite, ++generation, key, iv);
}

static struct hb_span body_of(struct hb_span record) /* the handshake message in a plaintext record */
{
    return hb_span_skip(record, 5);
}

static void check_server_flight(struct hb_span flight, const char *section, struct hb_transcript *t,
                                const struct hb_ks13_handshake *ks, bool has_request)
{
    struct hb_span ee = vec_value(FILE_8448, section, "Message_EncryptedExtensions");
    struct hb_span cr =
        has_request ? vec_value(FILE_8448, section, "Message_CertificateRequest") : hb_span(NULL, 0);
    struct hb_span ct = vec_value(FILE_8448, section, "Message_Server_Certificate");
    struct hb_span cv = vec_value(FILE_8448, section, "Message_Server_CertificateVerify");
    struct hb_span fin = vec_value(FILE_8448, section, "Message_Server_Finished");
    const struct hb_span all[] = {ee, cr, ct, cv, fin};
    size_t at = 0;

    for (size_t i = 0; i < 5; i++) { /* what we decrypted is what they sent */
        assert_true(at + all[i].len <= flight.len);
        if (all[i].len > 0) {
            assert_memory_equal(flight.p + at, all[i].p, all[i].len);
        }
        at += all[i].len;
    }
    assert_int_equal(at, flight.len);
    hb_transcript_add(t, ee);
    hb_transcript_add(t, cr);
    hb_transcript_add(t, ct);

    uint8_t input[64 + 34 + 32]; /* the bytes CertificateVerify signs */
    struct hb_span want = vec_value(FILE_8448, section, "Server_MessageToSign");
    memset(input, 0x20, 64);
    memcpy(input + 64, "TLS 1.3, server CertificateVerify", 34);
    hb_transcript_now(t, input + 98);
    assert_int_equal(want.len, sizeof input);
    assert_memory_equal(input, want.p, sizeof input);

    struct hb_cur c =
        hb_cur(hb_span_skip(ct, 4)); /* and the signature over them verifies with their certificate */
    (void)hb_cur_u8(&c);
    struct hb_cur list = hb_cur_vec24(&c);
    struct hb_cur der = hb_cur_vec24(&list);
    struct hb_cert cert;
    struct hb_pubkey *key = NULL;
    struct testenv env;
    testenv_init(&env, 1);
    assert_int_equal(hb_cert_parse(hb_cur_rest(&der), &cert), HB_OK);
    assert_int_equal(hb_cert_pubkey(&cert, &env.env, &key), HB_OK);
    uint16_t scheme = (uint16_t)(cv.p[4] << 8 | cv.p[5]);
    struct hb_span sig = hb_span_skip(cv, 8);
    assert_int_equal(hb_verify(key, hb_sigalg_find(scheme), hb_span(input, sizeof input), sig), HB_OK);
    input[100] ^= 1;
    assert_int_equal(hb_verify(key, hb_sigalg_find(scheme), hb_span(input, sizeof input), sig),
                     HB_E_TLS_BAD_SIGNATURE);
    hb_pubkey_free(&env.env, &key);

    uint8_t digest[64];
    uint8_t mac[64];
    hb_transcript_add(t, cv);
    hb_transcript_now(t, digest);
    hb_ks13_finished(ks->hash, ks->server, digest, mac);
    assert_int_equal(fin.len, 4u + ks->hash->len);
    assert_memory_equal(mac, fin.p + 4, ks->hash->len);
    hb_transcript_add(t, fin);
}

static void trace(const char *section, bool retried, bool has_request)
{
    const struct hb_suite *suite = hb_suite_find(0x1301);
    struct hb_span hello = body_of(vec_value(FILE_8448, section, "Record_ClientHello_1"));
    struct hb_span server_hello = vec_value(FILE_8448, section, "Message_ServerHello");
    struct hb_span pool = vec_value(FILE_8448, section, "Server_RNG_Pool");
    struct hb_transcript t;
    struct hb_offer offer;
    struct hb_ks13_handshake ks;
    struct hb_ks13_application app;
    uint8_t early[48];
    uint8_t shared[48];
    uint8_t digest[64];
    struct hb_rec_dir server = {0};
    struct hb_rec_dir client = {0};

    hb_transcript_start(&t, suite->hash);
    hb_transcript_add(&t, hello);
    if (retried) { /* T13-07 */
        hb_transcript_retry(&t);
        hb_transcript_add(&t, body_of(vec_value(FILE_8448, section, "Record_HelloRetryRequest")));
        hello = body_of(vec_value(FILE_8448, section, "Record_ClientHello_2"));
        hb_transcript_add(&t, hello);
    }
    hb_transcript_add(&t, server_hello);
    assert_int_equal(hb_hello_parse(hb_span_skip(hello, 4), &offer), HB_OK);
    const struct hb_kex *group = retried ? &hb_secp256r1 : &hb_x25519;
    struct hb_span share;
    assert_true(hb_offer_share(&offer, group->id, &share));
    assert_int_equal(group->derive(pool.p + 32, share, shared), HB_OK); /* the pool: random, then the key */

    hb_ks13_early_derived(suite->hash, early);
    hb_transcript_now(&t, digest);
    hb_ks13_to_handshake(suite->hash, early, hb_span(shared, group->shared_len), digest, &ks);
    install(&server, suite, ks.server);
    install(&client, suite, ks.client);
    struct hb_span flight = open_record(
        &server, vec_value(FILE_8448, section, "Record_ServerHandshakeMessages"), HB_REC_HANDSHAKE);
    check_server_flight(flight, section, &t, &ks, has_request);

    hb_transcript_now(&t, digest);
    hb_ks13_to_application(&ks, digest, &app);
    if (has_request) {
        return; /* the client's flight with its certificate belongs to another role */
    }
    uint8_t mac[64];
    hb_ks13_finished(suite->hash, ks.client, digest, mac);
    struct hb_span fin =
        open_record(&client, vec_value(FILE_8448, section, "Record_ClientFinished"), HB_REC_HANDSHAKE);
    assert_int_equal(fin.len, 36);
    assert_memory_equal(fin.p + 4, mac, 32);

    install(&client, suite, app.client);
    install(&server, suite, app.server);
    if (strcmp(section, "Simple_1RTT_Handshake") == 0) {
        (void)open_record(&server, vec_value(FILE_8448, section, "Record_NewSessionTicket"),
                          HB_REC_HANDSHAKE);
        struct hb_span want = vec_value(FILE_8448, section, "Client_AppData");
        struct hb_span got =
            open_record(&client, vec_value(FILE_8448, section, "Record_Client_AppData"), HB_REC_DATA);
        assert_true(hb_span_eq(got, want));
        got = open_record(&server, vec_value(FILE_8448, section, "Record_Server_AppData"), HB_REC_DATA);
        assert_true(hb_span_eq(got, vec_value(FILE_8448, section, "Server_AppData")));
    }
    struct hb_span bye =
        open_record(&client, vec_value(FILE_8448, section, "Record_Client_CloseNotify"), HB_REC_ALERT);
    assert_memory_equal(bye.p, "\1\0", 2);
    bye = open_record(&server, vec_value(FILE_8448, section, "Record_Server_CloseNotify"), HB_REC_ALERT);
    assert_memory_equal(bye.p, "\1\0", 2);
}

static void simple(void **state)
{
    (void)state;
    trace("Simple_1RTT_Handshake", false, false);
}

static void retry(void **state)
{
    (void)state;
    trace("HelloRetryRequest_Handshake", true, false);
}

static void client_authentication(void **state)
{
    (void)state;
    trace("Client_Authentication_Handshake", false, true);
}

static void middlebox(void **state)
{
    (void)state;
    trace("Middlebox_Compatibility_Mode", false, false);
}

static void prf12(void **state)
{
    (void)state;
    static const struct {
        const char *section;
        const struct hb_hash *hash;
    } rows[] = {{"TLS-12-PRF(HMAC(SHA-256))", &hb_sha256},
                {"TLS-12-PRF(HMAC(SHA-384))", &hb_sha384},
                {"TLS-12-PRF(HMAC(SHA-512))", &hb_sha512}};
    for (size_t i = 0; i < 3; i++) {
        struct hb_span secret = vec_value("tls_prf.vec", rows[i].section, "Secret");
        struct hb_span label = vec_value("tls_prf.vec", rows[i].section, "Label");
        struct hb_span seed = vec_value("tls_prf.vec", rows[i].section, "Salt");
        struct hb_span want = vec_value("tls_prf.vec", rows[i].section, "Output");
        uint8_t got[512];
        char text[64] = {0};
        assert_true(want.len > 0 && want.len <= sizeof got && label.len < sizeof text);
        memcpy(text, label.p, label.len);
        hb_prf12(rows[i].hash, secret, text, hb_span_head(seed, 7), hb_span_skip(seed, 7), got, want.len);
        assert_memory_equal(got, want.p, want.len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(simple),    cmocka_unit_test(retry), cmocka_unit_test(client_authentication),
        cmocka_unit_test(middlebox), cmocka_unit_test(prf12),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
