/* limit.c: what is counted, what is forgotten, and that a full table lets people in; the clock is moved by
 * hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include "limit.h"
#include "testenv.h"

static struct sockaddr_storage addr_of(const char *text)
{
    struct sockaddr_storage a = {0};

    a.ss_family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
    assert_int_equal(inet_pton(a.ss_family, text,
                               a.ss_family == AF_INET6 ? (void *)&((struct sockaddr_in6 *)&a)->sin6_addr
                                                       : (void *)&((struct sockaddr_in *)&a)->sin_addr),
                     1);
    return a;
}

static const struct gw_limit_settings limits = {.per_address = 2,
                                                .per_network = 3,
                                                .rate_network = 1,
                                                .rate_total = 2,
                                                .handshakes = 100,
                                                .failed_logins = 4,
                                                .tarpit = 7};

enum op { ENTER, LEAVE, SHAKE, OVER, FAILED, TARPIT, TELL };

static void rows_in_order(void **state)
{
    (void)state;
    static const struct {
        uint32_t now;
        enum op op;
        const char *addr;
        int want; /* verdict, seconds, or TELL's answer */
    } rows[] = {
        /* two of an address, three of its network */
        {100, ENTER, "192.0.2.1", GW_LIMIT_PASS},
        {100, ENTER, "192.0.2.1", GW_LIMIT_PASS},
        {100, ENTER, "192.0.2.1", GW_LIMIT_ADDRESS},
        {100, ENTER, "::ffff:192.0.2.1", GW_LIMIT_ADDRESS}, /* the same one */
        {100, ENTER, "192.0.2.2", GW_LIMIT_PASS},
        {100, ENTER, "192.0.2.3", GW_LIMIT_NETWORK},
        {100, ENTER, "192.0.3.3", GW_LIMIT_PASS},
        {100, LEAVE, "192.0.2.1", 0},
        {100, ENTER, "192.0.2.3", GW_LIMIT_PASS},
        {100, ENTER, "2001:db8::1", GW_LIMIT_PASS},
        {100, ENTER, "2001:db8::2", GW_LIMIT_PASS},
        {100, ENTER, "2001:db8::3", GW_LIMIT_PASS},
        {100, ENTER, "2001:db8::4", GW_LIMIT_NETWORK},
        {100, ENTER, "2001:db8:0:1::4", GW_LIMIT_PASS},
        /* ten at once of a network, then one a second */
        {200, SHAKE, "198.51.100.1", GW_LIMIT_PASS},
        {200, SHAKE, "198.51.100.2", GW_LIMIT_PASS},
        {200, SHAKE, "198.51.100.3", GW_LIMIT_PASS},
        {200, SHAKE, "198.51.100.4", GW_LIMIT_PASS},
        {200, SHAKE, "198.51.100.5", GW_LIMIT_PASS},
        {200, SHAKE, "198.51.100.6", GW_LIMIT_PASS},
        {200, SHAKE, "198.51.100.7", GW_LIMIT_PASS},
        {200, SHAKE, "198.51.100.8", GW_LIMIT_PASS},
        {200, SHAKE, "198.51.100.9", GW_LIMIT_PASS},
        {200, SHAKE, "198.51.100.1", GW_LIMIT_PASS},
        {200, SHAKE, "198.51.100.1", GW_LIMIT_RATE},
        {201, SHAKE, "198.51.100.1", GW_LIMIT_PASS},
        {201, SHAKE, "198.51.100.1", GW_LIMIT_RATE},
        {201, SHAKE, "203.0.113.1", GW_LIMIT_PASS},
        /* four failed logins in ten minutes; who had three waits */
        {300, FAILED, "203.0.113.9", 0},
        {300, FAILED, "203.0.113.9", 0},
        {300, TARPIT, "203.0.113.9", 0},
        {310, FAILED, "203.0.113.9", 0},
        {310, TARPIT, "203.0.113.9", 7},
        {310, TARPIT, "203.0.113.8", 0},
        {320, ENTER, "203.0.113.9", GW_LIMIT_PASS},
        {330, FAILED, "203.0.113.9", 0},
        {899, ENTER, "203.0.113.9", GW_LIMIT_LOGINS},
        {899, ENTER, "203.0.113.8", GW_LIMIT_PASS},
        {899, TARPIT, "203.0.113.9", 7},
        {900, TARPIT, "203.0.113.9", 0},
        {900, ENTER, "203.0.113.9", GW_LIMIT_PASS},
        /* told once a minute */
        {1000, TELL, "192.0.2.1", 1},
        {1059, TELL, "192.0.2.1", 0},
        {1059, TELL, "192.0.2.2", 1},
        {1060, TELL, "192.0.2.1", 1},
    };
    struct testenv t;
    testenv_init(&t, 7);
    struct gw_limiter *l = gw_limiter_new(&t.env);

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sockaddr_storage a = addr_of(rows[i].addr);
        int got = 0;
        switch (rows[i].op) {
        case ENTER:
            got = (int)gw_limit_enter(l, &limits, (const struct sockaddr *)&a, rows[i].now);
            break;
        case LEAVE:
            gw_limit_leave(l, (const struct sockaddr *)&a);
            break;
        case SHAKE:
            got = (int)gw_limit_handshake(l, &limits, (const struct sockaddr *)&a, rows[i].now);
            break;
        case OVER:
            gw_limit_handshake_over(l);
            break;
        case FAILED:
            gw_limit_failed_logins(l, (const struct sockaddr *)&a, 1, rows[i].now);
            break;
        case TARPIT:
            got = (int)gw_limit_tarpit(l, &limits, (const struct sockaddr *)&a, rows[i].now);
            break;
        case TELL:
            got = gw_limit_tell(l, (const struct sockaddr *)&a, rows[i].now);
            break;
        }
        if (got != rows[i].want) {
            fail_msg("row %zu (%s): %d, not %d", i, rows[i].addr, got, rows[i].want);
        }
    }
    gw_limiter_free(&l, &t.env);
    assert_int_equal(t.held, 0);
}

static void handshakes_under_way(void **state)
{
    (void)state;
    struct testenv t;
    testenv_init(&t, 7);
    struct gw_limiter *l = gw_limiter_new(&t.env);
    const struct gw_limit_settings few = {.handshakes = 2};
    struct sockaddr_storage a = addr_of("192.0.2.1");

    assert_int_equal(gw_limit_handshake(l, &few, (const struct sockaddr *)&a, 1), GW_LIMIT_PASS);
    assert_int_equal(gw_limit_handshake(l, &few, (const struct sockaddr *)&a, 1), GW_LIMIT_PASS);
    assert_int_equal(gw_limit_handshake(l, &few, (const struct sockaddr *)&a, 1), GW_LIMIT_HANDSHAKES);
    gw_limit_handshake_over(l);
    assert_int_equal(gw_limit_handshake(l, &few, (const struct sockaddr *)&a, 1), GW_LIMIT_PASS);
    gw_limiter_free(&l, &t.env);
}

/* A hundred thousand addresses at a time, more than there are entries: everybody gets in, and out again. */
static void a_full_table(void **state)
{
    (void)state;
    struct testenv t;
    testenv_init(&t, 7);
    struct gw_limiter *l = gw_limiter_new(&t.env);
    struct sockaddr_storage a = addr_of("2001:db8::1");
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&a;

    for (int leave = 0; leave < 2; leave++) {
        for (unsigned i = 0; i < 100000; i++) {
            memcpy(&in6->sin6_addr.s6_addr[4], &i, sizeof i);
            if (leave) {
                gw_limit_leave(l, (const struct sockaddr *)&a);
            } else {
                assert_int_equal(gw_limit_enter(l, &limits, (const struct sockaddr *)&a, i / 1000),
                                 GW_LIMIT_PASS);
            }
        }
    }
    for (int i = 0; i < 2; i++) { /* and the table is as good as new */
        assert_int_equal(gw_limit_enter(l, &limits, (const struct sockaddr *)&a, 500), GW_LIMIT_PASS);
    }
    assert_int_equal(gw_limit_enter(l, &limits, (const struct sockaddr *)&a, 500), GW_LIMIT_ADDRESS);
    gw_limiter_free(&l, &t.env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_in_order),
        cmocka_unit_test(handshakes_under_way),
        cmocka_unit_test(a_full_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
