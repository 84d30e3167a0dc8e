/* engine.c: what the engine's primitives and records cost on this machine, in thread CPU time; the median of
 * eleven runs of some 20 ms each. Not a test: nothing here can fail for being slow. */
#include "crypto/group.h"
#include "crypto/suite.h"
#include "keys/schedule13.h"
#include "testenv.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define RUNS 11

static struct testenv env;
static uint8_t buf[1 << 15];
static union hb_aead_ctx keyed;
static const struct hb_aead *aead;
static size_t record_len;
static const struct hb_kex *kex;
static struct hb_privkey *key;
static const struct hb_sigalg *sigalg;

static double cpu_us(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* Median microseconds of one call. */
static double measure(void (*fn)(void))
{
    double runs[RUNS];
    unsigned per_run = 1;

    fn();
    for (double t = 0; t < 20000 && per_run < 1u << 20; per_run *= 2) {
        double from = cpu_us();
        for (unsigned i = 0; i < per_run; i++) {
            fn();
        }
        t = cpu_us() - from;
    }
    for (unsigned r = 0; r < RUNS; r++) {
        double from = cpu_us();
        for (unsigned i = 0; i < per_run; i++) {
            fn();
        }
        runs[r] = (cpu_us() - from) / per_run;
    }
    qsort(runs, RUNS, sizeof runs[0], compare);
    return runs[RUNS / 2];
}

static void set_key(void)
{
    aead->set_key(&keyed, buf);
}

static void seal(void)
{
    static const uint8_t nonce[12];

    aead->seal(&keyed, nonce, hb_span(nonce, 5), buf, buf, record_len);
}

static void answer(void)
{
    uint8_t share[HB_SHARE_MAX];
    uint8_t shared[HB_SHARED_MAX];
    static uint8_t peer[HB_SHARE_MAX];
    static const struct hb_kex *made_for;

    if (made_for != kex) {
        uint8_t priv[HB_KEX_PRIV_MAX];
        kex->generate(&env.env, priv, peer);
        made_for = kex;
    }
    if (kex->answer(&env.env, hb_span(peer, kex->client_share_len), share, shared) != HB_OK) {
        abort();
    }
}

static void sign(void)
{
    uint8_t sig[HB_SIG_MAX];
    size_t len;

    if (hb_sign(key, &env.env, sigalg, hb_span(buf, 130), sig, sizeof sig, &len) != HB_OK) {
        abort();
    }
}

static void expand(void)
{
    uint8_t out[32];

    hb_ks13_expand(&hb_sha256, buf, "c hs traffic", hb_span(buf, 32), out, sizeof out);
}

static void signatures(void)
{
    static const struct {
        const char *name;
        enum hb_key_kind kind;
        uint16_t scheme;
    } rows[] = {{"ECDSA P-256", HB_KEY_P256, 0x0403},
                {"ECDSA P-384", HB_KEY_P384, 0x0503},
                {"Ed25519", HB_KEY_ED25519, 0x0807}};
    uint8_t secret[48] = {0, 1, 2, 3};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum hb_code code = rows[i].kind == HB_KEY_ED25519
                                ? hb_privkey_ed25519(&env.env, hb_span(secret, 32), &key)
                                : hb_privkey_ec(&env.env, rows[i].kind, hb_span(secret, 32), &key);
        if (code != HB_OK) {
            abort();
        }
        sigalg = hb_sigalg_find(rows[i].scheme);
        printf("%-28s sign %18.2f us\n", rows[i].name, measure(sign));
        hb_privkey_free(&env.env, &key);
    }
}

int main(void)
{
    static const struct hb_aead *const aeads[] = {&hb_aes128_gcm, &hb_aes256_gcm, &hb_chacha20_poly1305};
    static const size_t lens[] = {256, 1400, 16384};

    testenv_init(&env, 1);
    for (size_t i = 0; i < 3; i++) {
        aead = aeads[i];
        printf("%-28s key %19.3f us\n", aead->name, measure(set_key));
        for (size_t k = 0; k < 3; k++) {
            record_len = lens[k];
            double us = measure(seal);
            printf("%-28s seal %5zu bytes %6.2f us %6.2f GB/s\n", aead->name, record_len, us,
                   (double)record_len / us / 1e3);
        }
    }
    for (size_t i = 0; i < hb_num_groups; i++) {
        kex = hb_groups[i];
        printf("%-28s share and secret %6.2f us\n", kex->name, measure(answer));
    }
    signatures();
    printf("%-28s %22.2f us\n", "HKDF-Expand-Label", measure(expand));
    return 0;
}
