/* session.c and the registry: what holds for every protocol, whatever it says.
 * Memory, copies, life and death; the conversations themselves are in fixtures/dialogues. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "session.h"
#include "testenv.h"
#include <stdio.h>

#define SAID_MAX 65536u

struct world {
    struct testenv t;
    struct hb_proto_settings set;
    struct hb_proto_session *s;
    struct hb_proto_sink sink;
    uint8_t client[SAID_MAX], backend[SAID_MAX];
    size_t client_len, backend_len;
    struct hb_span fed; /* what is being fed: spans into it were not copied */
    size_t not_copied;
};

static void keep(struct world *w, uint8_t *mem, size_t *len, struct hb_span bytes)
{
    assert_true(bytes.len <= SAID_MAX - *len);
    memcpy(mem + *len, bytes.p, bytes.len);
    *len += bytes.len;
    if (w->fed.len > 0 && bytes.p >= w->fed.p && bytes.p + bytes.len <= w->fed.p + w->fed.len) {
        w->not_copied += bytes.len;
    }
}

static void to_client(void *ctx, struct hb_span bytes)
{
    struct world *w = ctx;
    keep(w, w->client, &w->client_len, bytes);
}

static void to_backend(void *ctx, struct hb_span bytes)
{
    struct world *w = ctx;
    keep(w, w->backend, &w->backend_len, bytes);
}

static struct world *world(const char *scheme, bool required, bool implicit)
{
    static struct world w;
    bool of_scheme;

    memset(&w, 0, sizeof w);
    testenv_init(&w.t, 1);
    w.set = (struct hb_proto_settings){
        .host = "mail.test",
        .implicit = implicit,
        .tls_required = required,
        .tls_usable = true,
        .starttls_offered = true,
        .plaintext_auth = !required,
    };
    w.sink = (struct hb_proto_sink){&w, to_client, to_backend, NULL};
    w.s = hb_proto_new(hb_proto_find(scheme, &of_scheme), &w.set, &w.t.env);
    return &w;
}

static struct hb_proto_step feed(struct world *w, enum hb_proto_side side, struct hb_span bytes)
{
    w->fed = bytes;
    struct hb_proto_step step = hb_proto_feed(w->s, side, bytes, &w->sink);
    w->fed = hb_span(NULL, 0);
    assert_true(step.used <= bytes.len);
    return step;
}

static struct hb_proto_step says(struct world *w, enum hb_proto_side side, const char *text)
{
    return feed(w, side, hb_span_str(text));
}

static void connected(struct world *w, const char *greeting)
{
    assert_int_equal(hb_proto_start(w->s, &w->sink).want, HB_WANT_CONNECT);
    assert_int_equal(hb_proto_backend_open(w->s, &w->sink).want, HB_WANT_MORE);
    assert_int_equal(says(w, HB_FROM_BACKEND, greeting).want, HB_WANT_MORE);
}

/* clang-format off */
static const struct {
    const char *scheme, *name, *alpn;
    bool implicit, strict;
    uint16_t port;
} schemes[] = { /* PORT-01 ALPN-01 */
    { "imap",        "imap",       "imap", false, true,  143 },
    { "imaps",       "imap",       "imap", true,  true,  993 },
    { "pop3",        "pop3",       "pop3", false, true,  110 },
    { "pop3s",       "pop3",       "pop3", true,  true,  995 },
    { "smtp",        "smtp",       "smtp", false, true,  25 },
    { "submission",  "submission", "smtp", false, true,  587 },
    { "submissions", "submission", "smtp", true,  true,  465 },
    { "lmtp",        "lmtp",       NULL,   false, true,  0 },
    { "lmtps",       "lmtp",       NULL,   true,  true,  0 },
    { "sieve",       "sieve",      "managesieve", false, true, 4190 },
    { "sieves",      "sieve",      "managesieve", true,  true, 0 },
    { "nntp",        "nntp",       "nntp",        false, true, 119 },
    { "nntps",       "nntp",       "nntp",        true,  true, 563 },
    { "http",        "http",       "http/1.1",    false, true, 80 },
    { "https",       "http",       "http/1.1",    true,  true, 443 },
    { "acap",        "acap",       NULL,   false, true,  674 },
    { "tls",         "tls",        NULL,   true,  false, 0 },
};
/* clang-format on */

static void the_registry_knows_ports_and_alpn(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        bool implicit;
        const struct hb_proto *p = hb_proto_find(schemes[i].scheme, &implicit);
        assert_non_null(p);
        assert_int_equal(implicit, schemes[i].implicit);
        assert_string_equal(hb_proto_name(p), schemes[i].name);
        assert_int_equal(hb_proto_port(p, implicit), schemes[i].port);
        assert_int_equal(hb_proto_alpn_strict(p), schemes[i].strict);
        if (schemes[i].alpn != NULL) {
            assert_string_equal(hb_proto_alpn(p, 0), schemes[i].alpn);
        } else {
            assert_null(hb_proto_alpn(p, 0));
        }
        assert_null(hb_proto_alpn(p, 99));
    }
    bool implicit;
    assert_null(hb_proto_find("IMAP", &implicit));
    assert_null(hb_proto_find("", &implicit));
    unsigned n = 0;
    while (hb_proto_scheme(n) != NULL) {
        assert_non_null(hb_proto_find(hb_proto_scheme(n), &implicit));
        n++;
    }
    assert_true(n >= sizeof schemes / sizeof schemes[0]);
}

static void a_quiet_session_owns_its_struct_only(void **state)
{
    (void)state;
    printf("a session takes %zu bytes\n", sizeof(struct hb_proto_session));
    assert_true(sizeof(struct hb_proto_session) <= 256);
    for (unsigned i = 0; hb_proto_scheme(i) != NULL; i++) {
        struct world *w = world(hb_proto_scheme(i), false, true);
        assert_int_equal(w->t.held, 1);
        hb_proto_free(&w->s);
        assert_null(w->s);
        assert_int_equal(w->t.held, 0);
        hb_proto_free(&w->s); /* nothing there: nothing happens */
        hb_proto_free(NULL);
    }
    struct world *w = world("imap", false, true);
    connected(w, "* OK hi\r\n");
    assert_int_equal(w->t.held, 1);
    assert_int_equal(says(w, HB_FROM_CLIENT, "a NO").want, HB_WANT_MORE);
    assert_true(w->t.held > 1); /* half a line */
    assert_int_equal(says(w, HB_FROM_CLIENT, "OP\r\n").want, HB_WANT_MORE);
    assert_true(w->t.held > 1); /* an answer is awaited */
    assert_int_equal(says(w, HB_FROM_BACKEND, "a OK\r\n").want, HB_WANT_MORE);
    assert_int_equal(w->t.held, 1);
    hb_proto_free(&w->s);
    assert_int_equal(w->t.held, 0);
}

static void large_data_is_not_copied(void **state)
{
    (void)state;
    static char text[40000];
    struct world *w = world("imap", false, false);
    connected(w, "* PREAUTH hi\r\n");
    int n = snprintf(text, sizeof text, "a APPEND x {30000+}\r\n%030000d\r\n", 7);
    assert_int_equal(feed(w, HB_FROM_CLIENT, hb_span(text, (size_t)n)).want, HB_WANT_MORE);
    assert_int_equal(w->backend_len, n);
    assert_true(w->not_copied >= 30000);
    size_t before = w->t.num_allocs;
    w->not_copied = 0;
    w->client_len = 0;
    n = snprintf(text, sizeof text, "* 1 FETCH (BODY[] {30000}\r\n%030000d)\r\n", 7);
    assert_int_equal(feed(w, HB_FROM_BACKEND, hb_span(text, (size_t)n)).want, HB_WANT_MORE);
    assert_int_equal(w->client_len, n);
    assert_true(w->not_copied >= 30000);
    assert_int_equal(w->t.num_allocs, before);
    hb_proto_free(&w->s);
}

static void the_client_waits_for_the_backend(void **state) /* IMAP-01 */
{
    (void)state;
    struct world *w = world("imap", false, true);
    assert_int_equal(hb_proto_start(w->s, &w->sink).want, HB_WANT_CONNECT);
    struct hb_proto_step step = says(w, HB_FROM_CLIENT, "a NOOP\r\n");
    assert_int_equal(step.want, HB_WANT_WAIT);
    assert_int_equal(step.used, 0);
    (void)hb_proto_backend_open(w->s, &w->sink);
    step = says(w, HB_FROM_CLIENT, "a NOOP\r\n");
    assert_int_equal(step.want, HB_WANT_WAIT);
    assert_int_equal(step.used, 0);
    assert_int_equal(w->backend_len, 0);
    hb_proto_free(&w->s);
}

static void the_residue_begins_right_behind_the_line(void **state) /* GEN-02 GEN-03 */
{
    (void)state;
    static const char input[] = "a NOOP\r\nb STARTTLS\r\nc NOOP\r\n";
    struct world *w = world("imap", true, false);
    (void)hb_proto_start(w->s, &w->sink);
    struct hb_proto_step step = says(w, HB_FROM_CLIENT, input);
    assert_int_equal(step.want, HB_WANT_UPGRADE);
    assert_int_equal(step.used, strlen("a NOOP\r\nb STARTTLS\r\n"));
    assert_int_equal(hb_proto_secured(w->s, &w->sink).want, HB_WANT_CONNECT);
    assert_int_equal(w->t.held, 1); /* nothing of the time before is kept (GEN-06) */
    hb_proto_free(&w->s);
}

static void nothing_happens_after_the_close(void **state)
{
    (void)state;
    struct world *w = world("imap", true, false);
    (void)hb_proto_start(w->s, &w->sink);
    struct hb_proto_step step = says(w, HB_FROM_CLIENT, "a LOGOUT\r\nb NOOP\r\n");
    assert_int_equal(step.want, HB_WANT_CLOSE);
    assert_int_equal(step.why, HB_E_PROTO_QUIT);
    size_t said = w->client_len;
    assert_int_equal(says(w, HB_FROM_CLIENT, "b NOOP\r\n").want, HB_WANT_CLOSE);
    assert_int_equal(says(w, HB_FROM_BACKEND, "* OK\r\n").want, HB_WANT_CLOSE);
    assert_int_equal(hb_proto_backend_lost(w->s, true, &w->sink).want, HB_WANT_CLOSE);
    assert_int_equal(hb_proto_bye(w->s, HB_E_GW_SHUTDOWN, true, &w->sink).want, HB_WANT_CLOSE);
    assert_int_equal(hb_proto_bye(w->s, HB_E_GW_IDLE, true, &w->sink).want, HB_WANT_CLOSE);
    assert_int_equal(w->client_len, said);
    assert_int_equal(w->backend_len, 0);
    hb_proto_free(&w->s);
}

static void a_held_half_line_goes_along_into_the_relay(void **state)
{
    (void)state;
    struct world *w = world("imap", false, true);
    connected(w, "* OK hi\r\n");
    (void)says(w, HB_FROM_CLIENT, "a LOGIN joe x\r\nb NO");
    w->backend_len = 0;
    struct hb_proto_step step = says(w, HB_FROM_BACKEND, "a OK in\r\n* 1 EXI");
    assert_int_equal(step.want, HB_WANT_OPAQUE);
    assert_int_equal(step.used, strlen("a OK in\r\n"));
    assert_true(hb_span_eq(hb_span(w->backend, w->backend_len), hb_span_str("b NO")));
    assert_true(hb_proto_authenticated(w->s));
    assert_int_equal(says(w, HB_FROM_CLIENT, "OP\r\n").used, 0); /* the gateway relays by itself now */
    assert_int_equal(w->t.held, 1);
    hb_proto_free(&w->s);
}

static void time_to_be_silent(void **state) /* GEN-18 GEN-19 */
{
    (void)state;
    static const struct {
        const char *scheme, *greeting, *login, *answer;
        unsigned at_least;
    } rows[] = {
        {"imap", "* OK\r\n", "a LOGIN x y\r\n", "a OK\r\n", 1800},
        {"acap", "* ACAP (SASL \"PLAIN\")\r\n", "a AUTHENTICATE \"PLAIN\" \"x\"\r\n", "a OK \"x\"\r\n", 1800},
        {"pop3", "+OK\r\n", "AUTH PLAIN AHgAeQ==\r\n", "+OK\r\n", 600},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world *w = world(rows[i].scheme, false, true);
        connected(w, rows[i].greeting);
        assert_int_equal(hb_proto_idle_seconds(w->s), 60);
        (void)says(w, HB_FROM_CLIENT, rows[i].login);
        assert_int_equal(hb_proto_idle_seconds(w->s), 60);
        assert_int_equal(says(w, HB_FROM_BACKEND, rows[i].answer).want, HB_WANT_OPAQUE);
        assert_true(hb_proto_idle_seconds(w->s) >= rows[i].at_least);
        hb_proto_free(&w->s);
    }
    struct world *w = world("smtp", false, true);
    connected(w, "220 hi\r\n");
    assert_true(hb_proto_idle_seconds(w->s) >= 300);
    hb_proto_free(&w->s);
    w = world("tls", false, true);
    assert_true(hb_proto_idle_seconds(w->s) >= 1800);
    hb_proto_free(&w->s);
}

/* Every allocation fails once: the session ends, says why, and gives everything back. */
static void out_of_memory(void **state)
{
    (void)state;
    static const char client[] = "a LOGIN joe secret\r\nb NOOP\r\nc CAPABILITY\r\n";
    static const char backend[] = "a NO [CAPABILITY X]\r\nb OK\r\n* CAPABILITY IMAP4rev1\r\nc OK\r\n";
    bool failed = true;
    size_t n = 1;

    for (; failed; n++) {
        struct world *w = world("imap", false, true);
        w->t.num_allocs = 0;
        w->t.fail_at = n;
        connected(w, "* OK hi\r\n");
        enum hb_proto_want want = HB_WANT_MORE;
        enum hb_code why = HB_OK;
        for (size_t i = 0; client[i] != 0 && want == HB_WANT_MORE; i++) {
            struct hb_proto_step step = feed(w, HB_FROM_CLIENT, hb_span(client + i, 1));
            want = step.want;
            why = step.why;
        }
        for (size_t i = 0; backend[i] != 0 && want == HB_WANT_MORE; i++) {
            struct hb_proto_step step = feed(w, HB_FROM_BACKEND, hb_span(backend + i, 1));
            want = step.want;
            why = step.why;
        }
        failed = want == HB_WANT_CLOSE;
        if (failed) {
            assert_true(why != HB_OK);
        } else {
            assert_int_equal(want, HB_WANT_MORE);
        }
        hb_proto_free(&w->s);
        assert_int_equal(w->t.held, 0);
    }
    assert_true(n > 5); /* it did fail a few times */
}

static void no_session_without_memory(void **state)
{
    (void)state;
    struct testenv t;
    struct hb_proto_settings set = {.host = "mail.test"};
    bool implicit;
    testenv_init(&t, 1);
    t.fail_at = 1;
    assert_null(hb_proto_new(hb_proto_find("imap", &implicit), &set, &t.env));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_registry_knows_ports_and_alpn),
        cmocka_unit_test(a_quiet_session_owns_its_struct_only),
        cmocka_unit_test(large_data_is_not_copied),
        cmocka_unit_test(the_client_waits_for_the_backend),
        cmocka_unit_test(the_residue_begins_right_behind_the_line),
        cmocka_unit_test(nothing_happens_after_the_close),
        cmocka_unit_test(a_held_half_line_goes_along_into_the_relay),
        cmocka_unit_test(time_to_be_silent),
        cmocka_unit_test(out_of_memory),
        cmocka_unit_test(no_session_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
