/* fuzz_tls_session.c: what two ends remember. Any bytes as the blob a client was told to keep, as a ticket,
 * and as the contents of a ticket that is sealed with the right key.
 *
 *   how u8 | bytes
 *
 * Kept whatever comes: what is read is written as it was read; a ticket that was not sealed by us does not
 * open, nor does one of another context; a client with such a blob says a good hello, and a server that gets
 * such a ticket back says nothing of itself but an alert. */
#include "tls_tape.h"

#include <stdio.h>
#include <stdlib.h>

#define PROMISE(cond) ((cond) ? (void)0 : broken(#cond, __LINE__))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void broken(const char *what, int line)
{
    (void)fprintf(stderr, "fuzz_tls_session.c:%d: not kept: %s\n", line, what);
    abort();
}

static void same_again(const struct hb_session *s)
{
    uint8_t mem[HB_TLS_SESSION_MAX];
    uint8_t again_mem[HB_TLS_SESSION_MAX];
    struct hb_bld b = hb_bld(mem, sizeof mem);
    struct hb_bld again = hb_bld(again_mem, sizeof again_mem);
    struct hb_session other;

    hb_session_write(s, &b);
    struct hb_cur c = hb_cur(hb_bld_span(&b));
    PROMISE(hb_bld_ok(&b) && hb_session_read(&c, &other) && hb_cur_end(&c));
    hb_session_write(&other, &again);
    PROMISE(hb_span_eq(hb_bld_span(&b), hb_bld_span(&again)));
}

/* Everything one end says to the other; whether it failed. */
static bool turn(struct hb_tls *from, struct hb_tls *to, bool *ready, enum hb_code *code)
{
    static uint8_t mem[HB_TLS_FLIGHT_MAX];
    static uint8_t wire[HB_TLS_FLIGHT_MAX];
    struct hb_tls_event e;

    for (;;) {
        struct hb_bld out = hb_bld(mem, sizeof mem);
        enum hb_tls_ev ev = hb_tls_next(from, &out, &e);
        PROMISE(hb_bld_ok(&out));
        memcpy(wire, out.p, out.len);
        *ready = *ready || ev == HB_TLS_READY;
        *code = ev == HB_TLS_FAILED ? e.code : *code;
        if (out.len > 0 && to != NULL && ev != HB_TLS_FAILED) {
            hb_tls_input(to, wire, out.len);
            return true;
        }
        if (ev == HB_TLS_NONE || ev == HB_TLS_FAILED) {
            return false;
        }
    }
}

/* A whole connection with this blob; both configs know the ticket keys. */
static void connect_with(struct world *w, struct hb_span blob)
{
    struct testenv client_env;
    struct testenv server_env;
    bool ready[2] = {false, false};
    enum hb_code code[2] = {HB_OK, HB_OK};

    testenv_init(&client_env, 5);
    testenv_init(&server_env, 6);
    struct hb_tls *client = hb_tls_client_new(w->client, &client_env.env, w->lane, "mail.test", blob);
    struct hb_tls *server = hb_tls_server_new(w->server, &server_env.env, w->lane);
    PROMISE(client != NULL && server != NULL);
    for (unsigned i = 0; i < 200; i++) {
        bool moved = turn(client, server, &ready[0], &code[0]);
        if (!turn(server, client, &ready[1], &code[1]) && !moved) {
            break;
        }
    }
    for (unsigned i = 0; i < 2; i++) {
        PROMISE(code[i] < HB_NUM_CODES && code[i] != HB_E_INTERNAL && code[i] != HB_E_NO_MEMORY);
    }
    hb_tls_free(&client);
    hb_tls_free(&server);
    PROMISE(client_env.held == 0 && server_env.held == 0);
}

/* s as a client would keep it: with a ticket behind it that opens. */
static void offer(struct world *w, const struct hb_session *s)
{
    uint8_t mem[HB_TLS_SESSION_MAX];
    uint8_t ticket_mem[2048];
    struct hb_bld b = hb_bld(mem, sizeof mem);
    struct hb_bld ticket = hb_bld(ticket_mem, sizeof ticket_mem);
    struct hb_session opened;
    uint8_t other[32] = {1};

    hb_ticket_seal(w->keys, hb_span(w->server->context, 32), s, &ticket);
    PROMISE(hb_bld_ok(&ticket) &&
            hb_ticket_open(w->keys, hb_span(w->server->context, 32), hb_bld_span(&ticket), &opened));
    PROMISE(!hb_ticket_open(w->keys, hb_span(other, 32), hb_bld_span(&ticket), &opened));
    hb_session_write(s, &b);
    hb_bld_u16(&b, (uint16_t)ticket.len);
    hb_bld_put(&b, hb_bld_span(&ticket));
    connect_with(w, hb_bld_span(&b));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct hb_cur c = hb_cur(hb_span(data, len));
    uint8_t how = hb_cur_u8(&c);
    struct world *w = tape_world(how & 0x40 ? 11 : 5, true); /* 1.2 resumed, 1.3 resumed */
    struct hb_span bytes = hb_cur_rest(&c);
    struct hb_session s;

    w->shared.seed = 4;
    struct hb_cur blob = hb_cur(bytes);
    bool good = hb_session_read(&blob, &s);
    if (good) {
        same_again(&s);
    }
    switch (how % 3) {
    case 0:
        connect_with(w, hb_span_head(bytes, HB_TLS_SESSION_MAX));
        break;
    case 1: {
        struct hb_session opened;
        PROMISE(!hb_ticket_open(w->keys, hb_span(w->server->context, 32), bytes, &opened));
        break;
    }
    default:
        if (good) {
            offer(w, &s);
        }
        break;
    }
    return 0;
}
