/* ML-KEM-768 byte for byte (MLK-03, MLK-04, MLK-05, MLK-06), and X25519MLKEM768 on top (T13-09, MLK-01). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "crypto/crypto.h"
#include "crypto/mlkem.h"
#include "testenv.h"
#include "vectors.h"

static bool same(const uint8_t *p, struct hb_span want)
{
    return memcmp(p, want.p, want.len) == 0;
}

/* seed ek dk */
static bool keygen_case(const struct vector *v)
{
    uint8_t ek[HB_MLKEM_EK];
    uint8_t dk[HB_MLKEM_DK];

    assert_int_equal(v->field[0].len, HB_MLKEM_SEED);
    hb_mlkem_keygen(v->field[0].p, ek, dk);
    assert_true(hb_mlkem_ek_ok(ek));
    return v->field[1].len == sizeof ek && v->field[2].len == sizeof dk && same(ek, v->field[1]) &&
           same(dk, v->field[2]);
}

/* m ek c K; an invalid one has an ek of the wrong length or with a coefficient that is not below q */
static bool encaps_case(const struct vector *v)
{
    uint8_t ct[HB_MLKEM_CT];
    uint8_t ss[HB_MLKEM_SS];

    if (v->field[1].len != HB_MLKEM_EK || !hb_mlkem_ek_ok(v->field[1].p)) {
        return false;
    }
    hb_mlkem_encaps(v->field[1].p, v->field[0].p, ct, ss);
    return same(ct, v->field[2]) && same(ss, v->field[3]);
}

static bool decaps(const uint8_t *dk, struct hb_span ct, struct hb_span want)
{
    uint8_t ss[HB_MLKEM_SS];

    if (ct.len != HB_MLKEM_CT || want.len != sizeof ss) {
        return false;
    }
    hb_mlkem_decaps(dk, ct.p, ss);
    return same(ss, want);
}

/* dk c K */
static bool decaps_case(const struct vector *v)
{
    return decaps(v->field[0].p, v->field[1], v->field[2]);
}

/* seed c K */
static bool seed_case(const struct vector *v)
{
    uint8_t ek[HB_MLKEM_EK];
    uint8_t dk[HB_MLKEM_DK];

    if (v->field[0].len != HB_MLKEM_SEED) {
        return false;
    }
    hb_mlkem_keygen(v->field[0].p, ek, dk);
    return decaps(dk, v->field[1], v->field[2]);
}

static void mlk_04_05_vectors(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        unsigned num;
        bool (*run)(const struct vector *v);
    } rows[] = {
        {"mlkem_keygen.txt", 125, keygen_case},
        {"mlkem_encaps.txt", 326, encaps_case},
        {"mlkem_decaps.txt", 15, decaps_case},
        {"mlkem_seed.txt", 193, seed_case},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        FILE *f = vectors_open(rows[i].file);
        struct vector v;
        unsigned num = 0;
        while (vectors_next(f, &v)) {
            bool ok = rows[i].run(&v);
            num++;
            if (ok != (v.result == 'v')) {
                fail_msg("%s case %s: %s", rows[i].file, v.id, ok ? "accepted, but invalid" : "wrong");
            }
        }
        (void)fclose(f);
        print_message("%s: %u cases\n", rows[i].file, num);
        assert_true(num >= rows[i].num);
    }
}

/* A single flipped bit anywhere gives another secret, and the same one each time. */
static void mlk_05_implicit_rejection(void **state)
{
    (void)state;
    uint8_t seed[HB_MLKEM_SEED] = {1};
    uint8_t m[32] = {2};
    uint8_t ek[HB_MLKEM_EK];
    uint8_t dk[HB_MLKEM_DK];
    uint8_t ct[HB_MLKEM_CT];
    uint8_t ss[HB_MLKEM_SS];
    uint8_t got[HB_MLKEM_SS];
    uint8_t again[HB_MLKEM_SS];

    hb_mlkem_keygen(seed, ek, dk);
    hb_mlkem_encaps(ek, m, ct, ss);
    hb_mlkem_decaps(dk, ct, got);
    assert_memory_equal(ss, got, sizeof ss);
    for (unsigned at = 0; at < HB_MLKEM_CT; at += 17) {
        ct[at] ^= (uint8_t)(1u << at % 8);
        hb_mlkem_decaps(dk, ct, got);
        hb_mlkem_decaps(dk, ct, again);
        assert_memory_equal(got, again, sizeof got);
        assert_memory_not_equal(got, ss, sizeof got);
        ct[at] ^= (uint8_t)(1u << at % 8);
    }
}

/* MLK-02: the curve's part stands first, in both shares and in the secret. */
static void mlk_02_hybrid(void **state)
{
    const struct hb_kex *k = &hb_secp256r1mlkem768;
    struct testenv t;
    uint8_t priv[HB_KEX_PRIV_MAX];
    uint8_t share[HB_SHARE_MAX];
    uint8_t answer[HB_SHARE_MAX];
    uint8_t secret[HB_SHARED_MAX];
    uint8_t part[HB_SHARED_MAX];

    (void)state;
    testenv_init(&t, 6);
    assert_int_equal(k->id, 0x11eb);
    assert_int_equal(k->client_share_len, 1249);
    assert_int_equal(k->server_share_len, 1153);
    assert_int_equal(k->shared_len, 64);
    k->generate(&t.env, priv, share);
    assert_int_equal(share[0], 4);
    assert_true(hb_mlkem_ek_ok(share + 65));
    assert_int_equal(k->answer(&t.env, hb_span(share, 1249), answer, secret), HB_OK);
    assert_int_equal(hb_secp256r1.derive(priv + HB_MLKEM_DK, hb_span(answer, 65), part), HB_OK);
    assert_memory_equal(secret, part, 32);
    hb_mlkem_decaps(priv, answer + 65, part);
    assert_memory_equal(secret + 32, part, 32);
    share[3] ^= 1; /* MLK-03: off the curve; an ek that is none */
    assert_int_equal(k->answer(&t.env, hb_span(share, 1249), answer, secret), HB_E_TLS_KEY_SHARE);
    share[3] ^= 1;
    memset(share + 65, 0xff, 3);
    assert_int_equal(k->answer(&t.env, hb_span(share, 1249), answer, secret), HB_E_TLS_KEY_SHARE);
}

static void mlk_01_03_hybrid(void **state)
{
    (void)state;
    const struct hb_kex *k = &hb_x25519mlkem768;
    struct testenv t;
    uint8_t priv[HB_KEX_PRIV_MAX];
    uint8_t share[HB_SHARE_MAX];
    uint8_t answer[HB_SHARE_MAX];
    uint8_t a[HB_SHARED_MAX];
    uint8_t b[HB_SHARED_MAX];

    testenv_init(&t, 5);
    assert_int_equal(k->id, 0x11ec);
    assert_int_equal(k->client_share_len, 1216);
    assert_int_equal(k->server_share_len, 1120);
    assert_int_equal(k->shared_len, 64);
    k->generate(&t.env, priv, share);
    assert_int_equal(k->answer(&t.env, hb_span(share, 1216), answer, a), HB_OK);
    assert_int_equal(k->derive(priv, hb_span(answer, 1120), b), HB_OK);
    assert_memory_equal(a, b, 64);
    /* ML-KEM's part stands first */
    uint8_t ss[HB_MLKEM_SS];
    hb_mlkem_decaps(priv, answer, ss);
    assert_memory_equal(a, ss, sizeof ss);
    /* lengths */
    assert_int_equal(k->answer(&t.env, hb_span(share, 1215), answer, a), HB_E_TLS_KEY_SHARE);
    assert_int_equal(k->derive(priv, hb_span(answer, 1119), b), HB_E_TLS_KEY_SHARE);
    assert_int_equal(k->derive(priv, hb_span(answer, 0), b), HB_E_TLS_KEY_SHARE);
    /* a coefficient of q, and a zero X25519 share on either side */
    uint8_t bad[HB_SHARE_MAX];
    memcpy(bad, share, sizeof bad);
    bad[0] = 0x01;
    bad[1] = (uint8_t)((bad[1] & 0xf0) | 0x0d);
    assert_int_equal(k->answer(&t.env, hb_span(bad, 1216), answer, a), HB_E_TLS_KEY_SHARE);
    memcpy(bad, share, sizeof bad);
    memset(bad + HB_MLKEM_EK, 0, 32);
    assert_int_equal(k->answer(&t.env, hb_span(bad, 1216), answer, a), HB_E_TLS_KEY_SHARE);
    memset(answer + HB_MLKEM_CT, 0, 32);
    assert_int_equal(k->derive(priv, hb_span(answer, 1120), b), HB_E_TLS_KEY_SHARE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mlk_04_05_vectors),
        cmocka_unit_test(mlk_05_implicit_rejection),
        cmocka_unit_test(mlk_01_03_hybrid),
        cmocka_unit_test(mlk_02_hybrid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
