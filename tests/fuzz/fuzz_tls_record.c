/* fuzz_tls_record.c: any bytes as the wire of a server connection, in one or two pieces. Invariants: nothing
 * comes after FAILED, no DATA before READY (which no input reaches without keys), at most one alert, no
 * memory left. */
#include "testenv.h"

#include <hb/tls.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct testenv t;
static struct hb_tls_lane *lane;
static struct hb_tls_config *config;
static uint8_t out_mem[HB_TLS_FLIGHT_MAX];

/* A store without certificates: everything up to the choice of one is reached. */
static void start(void)
{
    testenv_init(&t, 1);
    lane = hb_tls_lane_new(&t.env);
    struct hb_cred_store *creds = hb_cred_store_new(&t.env);
    if (lane == NULL || creds == NULL) {
        abort();
    }
    config = hb_tls_config_new(&t.env, HB_PROFILE_INTERMEDIATE, creds);
    hb_cred_store_free(&creds);
}

static bool take(struct hb_tls *c)
{
    struct hb_bld out = hb_bld(out_mem, sizeof out_mem);
    struct hb_tls_event e;

    for (;;) {
        switch (hb_tls_next(c, &out, &e)) {
        case HB_TLS_NONE:
            return true;
        case HB_TLS_FAILED:
            HB_INVARIANT(out.len == 0 || out.p[out.len - 7] == 0x15);
            HB_INVARIANT(hb_tls_next(c, &out, &e) == HB_TLS_FAILED);
            return false;
        case HB_TLS_CLOSED:
            break;
        case HB_TLS_READY:
        case HB_TLS_DATA:
        case HB_TLS_SIGN:
        case HB_TLS_DECRYPT:
        case HB_TLS_VERIFY:
        case HB_TLS_SESSION:
            HB_INVARIANT(false);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (lane == NULL) {
        start();
    }
    size_t before = t.held;
    struct hb_tls *c = hb_tls_server_new(config, &t.env, lane);
    uint8_t *copy = malloc(len > 0 ? len : 1);
    if (c == NULL || copy == NULL) {
        abort();
    }
    memcpy(copy, data, len);
    size_t cut = len > 0 ? data[len - 1] % len : 0;
    hb_tls_input(c, copy, cut);
    if (take(c)) {
        hb_tls_input(c, copy + cut, len - cut);
        (void)take(c);
    }
    hb_tls_free(&c);
    free(copy);
    HB_INVARIANT(t.held == before);
    return 0;
}
