/* ends.c: TLS at the four ends of a run. Keyed by a pre-shared key, so handshakes are cheap; one
 * configuration for each kind of end, made once for a protocol.  What an honest end would not say is a kind
 * of its own. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OUT_SIZE (HB_TLS_FLIGHT_MAX + 65536u)

static struct testenv tls_env;
static struct hb_tls_lane *lane;
static struct hb_tls_config *config[NUM_ENDS];
static uint8_t sealed[OUT_SIZE];

static void must(enum hb_code code)
{
    if (code != HB_OK) {
        printf("no TLS: %s\n", hb_err_name(code));
        exit(2);
    }
}

static struct hb_tls_config *configure(const char *alpn)
{
    static const uint16_t x25519 = 29;
    struct hb_cred_store *none = hb_cred_store_new(&tls_env.env);
    struct hb_tls_config *c = hb_tls_config_new(&tls_env.env, HB_PROFILE_INTERMEDIATE, none);

    hb_tls_config_verify(c, HB_VERIFY_NONE, NULL);
    must(hb_tls_config_versions(c, 0x0304, 0x0304));
    must(hb_tls_config_groups(c, &x25519, 1));
    must(hb_tls_config_add_psk(c, hb_span_str("attack"), hb_span_str("0123456789abcdef0123456789abcdef")));
    if (alpn != NULL) {
        must(hb_tls_config_add_alpn(c, alpn));
    }
    hb_cred_store_free(&none);
    return c;
}

void ends_begin(const char *scheme)
{
    static const uint16_t both[] = {29, 23};
    static const uint16_t p256 = 23;
    bool implicit;
    const char *ours = hb_proto_alpn(hb_proto_find(scheme, &implicit), 0);
    const struct hb_peer_proto *face = hb_peer_find(scheme); /* NULL: there is only the client's leg */

    testenv_init(&tls_env, 11);
    lane = hb_tls_lane_new(&tls_env.env);
    config[END_GATE] = configure(ours);
    config[END_CLIENT] = configure(ours);
    config[END_STRANGER] = configure("h2");
    config[END_RETRY] = configure(ours);
    must(hb_tls_config_groups(config[END_RETRY], both, 2));
    must(hb_tls_config_shares(config[END_RETRY], &p256, 1));
    config[END_DIAL] = configure(face != NULL ? hb_peer_alpn(face) : NULL);
    config[END_BACKEND] = configure(ours);
    config[END_OTHER_BACKEND] = configure("h2");
}

void ends_end(void)
{
    for (size_t i = 0; i < NUM_ENDS; i++) {
        hb_tls_config_free(&config[i]);
    }
    hb_tls_lane_free(&lane);
}

struct hb_tls *tls_new(enum end end)
{
    bool client = end == END_CLIENT || end == END_STRANGER || end == END_RETRY || end == END_DIAL;

    return client ? hb_tls_client_new(config[end], &tls_env.env, lane, NULL, hb_span(NULL, 0))
                  : hb_tls_server_new(config[end], &tls_env.env, lane);
}

/* A block of its own, so that a sanitizer sees a byte too far; free() it. */
uint8_t *copy_of(struct hb_span bytes)
{
    uint8_t *exact = malloc(bytes.len > 0 ? bytes.len : 1);

    if (exact == NULL) {
        exit(2);
    }
    if (bytes.len > 0) {
        memcpy(exact, bytes.p, bytes.len);
    }
    return exact;
}

/* Takes input (perhaps none) and every event; what leaves is appended to wire, what came out to plain. */
enum tls_result tls_run(struct hb_tls *t, struct hb_span input, struct text *wire, struct text *plain,
                        struct hb_tls_event *event)
{
    struct hb_bld out = hb_bld(sealed, sizeof sealed);
    uint8_t *exact = copy_of(input);
    enum tls_result result = TLS_GOES_ON;

    hb_tls_input(t, exact, input.len);
    for (enum hb_tls_ev ev = HB_TLS_READY; ev != HB_TLS_NONE;) {
        ev = hb_tls_next(t, &out, event);
        if (ev == HB_TLS_DATA) {
            text_add(plain, event->data.p, event->data.len);
        } else if (ev == HB_TLS_READY) {
            result = TLS_READY;
        } else if (ev == HB_TLS_FAILED) {
            result = TLS_FAILED;
            break;
        }
    }
    text_add(wire, out.p, out.len);
    free(exact);
    return result;
}

void tls_say(struct hb_tls *t, struct hb_span plain, struct text *wire)
{
    struct hb_bld out = hb_bld(sealed, sizeof sealed);

    if (plain.len > 0 && hb_tls_write(t, &plain, 1, &out) == HB_OK) {
        text_add(wire, out.p, out.len);
    }
}

/* ATK-28: new keys, and new ones, without a byte of use. */
void tls_flood(struct hb_tls *t, struct text *wire)
{
    struct hb_bld out = hb_bld(sealed, sizeof sealed);

    for (unsigned i = 0; i < 34; i++) {
        must(hb_tls_key_update(t, false, &out));
    }
    text_add(wire, out.p, out.len);
}
