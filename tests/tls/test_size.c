/* test_size.c: what a connection holds, counted by the allocator (NET-03, REC-19): scratch while it shakes
 * hands, one block of at most 512 bytes once it is open, nothing for a record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conn/conn.h"
#include "duo.h"

/* Handshake scratch is one block for a server and two for a client, certificates that come are a third. */
#define HANDSHAKE_ALLOCS 16u

static struct duo d;

static void open_one(uint16_t version)
{
    duo_start(&d, "ecdsa-p256", HB_PROFILE_INTERMEDIATE, "", HB_PROFILE_INTERMEDIATE);
    assert_int_equal(hb_tls_config_versions(d.server.config, version, version), HB_OK);
}

static void one_version(uint16_t version)
{
    open_one(version);
    size_t held = d.t.held;
    size_t bytes = d.t.held_bytes;
    size_t allocs = d.t.num_allocs;

    duo_connect(&d, "mail.test", hb_span(NULL, 0));
    assert_true(d.t.held_bytes - bytes > 2 * sizeof(struct hb_tls)); /* the scratch of both */
    duo_pump(&d);
    assert_true(d.client.ready && d.server.ready);
    assert_int_equal(hb_tls_info(d.server.tls)->version, version);
    assert_int_equal(d.t.held - held, 2); /* the two connections, and nothing of the handshake */
    assert_int_equal(d.t.held_bytes - bytes, 2 * sizeof(struct hb_tls));
    assert_true(sizeof(struct hb_tls) <= 512);
    assert_true(d.t.num_allocs - allocs <= HANDSHAKE_ALLOCS);
    allocs = d.t.num_allocs;
    for (unsigned i = 0; i < 50; i++) {
        duo_chat(&d);
    }
    assert_int_equal(d.t.num_allocs, allocs);
    assert_int_equal(d.t.held - held, 2);
    duo_hang_up(&d);
    assert_int_equal(d.t.held, held);
    assert_int_equal(d.t.held_bytes, bytes);
    duo_stop(&d);
}

static void test_open_13(void **state)
{
    (void)state;
    one_version(0x0304);
}

static void test_open_12(void **state)
{
    (void)state;
    one_version(0x0303);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_open_13), cmocka_unit_test(test_open_12)};

    return cmocka_run_group_tests_name("size", tests, NULL, NULL);
}
