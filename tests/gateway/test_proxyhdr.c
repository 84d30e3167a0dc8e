/* proxyhdr.c: headers as the specification spells them, read at every cut, and what is none (ADDR-01,
 * ADDR-02, ADDR-03, ADDR-04).
 */
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
#include "net.h"
#include "proxyhdr.h"

#define SIG "\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a"
#define BYTES(s)                                                                                             \
    {                                                                                                        \
        (const uint8_t *)(s), sizeof(s) - 1                                                                  \
    }

static void text_of(const struct sockaddr_storage *a, char *dst, size_t cap)
{
    char ip[INET6_ADDRSTRLEN] = "?";
    const struct sockaddr_in *in = (const struct sockaddr_in *)a;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)a;

    if (a->ss_family == AF_INET6) {
        (void)inet_ntop(AF_INET6, &in6->sin6_addr, ip, sizeof ip);
    } else {
        (void)inet_ntop(AF_INET, &in->sin_addr, ip, sizeof ip);
    }
    (void)snprintf(dst, cap, "%s %u", ip, ntohs(a->ss_family == AF_INET6 ? in6->sin6_port : in->sin_port));
}

static void headers(void **state)
{
    (void)state;
    static const struct {
        struct hb_span in;
        enum gw_proxy_status status;
        const char *src, *dst;
    } rows[] = {
        {BYTES("PROXY TCP4 192.0.2.1 198.51.100.7 4711 143\r\n"), GW_PROXY_OK, "192.0.2.1 4711",
         "198.51.100.7 143"},
        {BYTES("PROXY TCP6 2001:db8::1 ::1 65535 1\r\n"), GW_PROXY_OK, "2001:db8::1 65535", "::1 1"},
        {BYTES("PROXY UNKNOWN\r\n"), GW_PROXY_OWN, NULL, NULL},
        {BYTES("PROXY UNKNOWN ff:: whatever 1 2\r\n"), GW_PROXY_OWN, NULL, NULL},
        {BYTES("PROXY TCP4 192.0.2.1 198.51.100.7 4711 143\n"), GW_PROXY_BAD, NULL, NULL},
        {BYTES("PROXY TCP4 192.0.2.1 198.51.100.7 04711 143\r\n"), GW_PROXY_BAD, NULL, NULL},
        {BYTES("PROXY TCP4 192.0.2.1 198.51.100.7 4711 65536\r\n"), GW_PROXY_BAD, NULL, NULL},
        {BYTES("PROXY TCP4 192.0.2.1 198.51.100.7 -1 143\r\n"), GW_PROXY_BAD, NULL, NULL},
        {BYTES("PROXY TCP4 192.0.2.1 198.51.100.7 4711 143 \r\n"), GW_PROXY_BAD, NULL, NULL},
        {BYTES("PROXY TCP4  192.0.2.1 198.51.100.7 4711 143\r\n"), GW_PROXY_BAD, NULL, NULL},
        {BYTES("PROXY TCP4 192.0.2.1 198.51.100.7 4711 143 x\r\n"), GW_PROXY_BAD, NULL, NULL},
        {BYTES("PROXY TCP4 192.0.2.1 198.51.100.7 4711\r\n"), GW_PROXY_BAD, NULL, NULL},
        {BYTES("PROXY TCP4 ::1 ::1 4711 143\r\n"), GW_PROXY_BAD, NULL, NULL},
        {BYTES("PROXY TCP6 192.0.2.1 198.51.100.7 4711 143\r\n"), GW_PROXY_BAD, NULL, NULL},
        {BYTES("PROXY TCP4 192.0.2.01 198.51.100.7 4711 143\r\n"), GW_PROXY_BAD, NULL, NULL},
        {BYTES("PROXY UDP4 192.0.2.1 198.51.100.7 4711 143\r\n"), GW_PROXY_BAD, NULL, NULL},
        {BYTES("PROXY \r\n"), GW_PROXY_BAD, NULL, NULL},
        {BYTES("proxy TCP4 192.0.2.1 198.51.100.7 4711 143\r\n"), GW_PROXY_BAD, NULL, NULL},
        {BYTES("EHLO x\r\n"), GW_PROXY_BAD, NULL, NULL},
        {BYTES("\x16\x03\x01\x02\x00\x01"), GW_PROXY_BAD, NULL, NULL},
        {BYTES(
             "PROXY TCP4 1.1.1.1 1.1.1.1 1 1                                                                "
             "                  \r\n"),
         GW_PROXY_BAD, NULL, NULL},
        {BYTES(SIG "\x21\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x07\x12\x67\x00\x8f"), GW_PROXY_OK,
         "192.0.2.1 4711", "198.51.100.7 143"},
        {BYTES(SIG "\x21\x11\x00\x14\xc0\x00\x02\x01\xc6\x33\x64\x07\x12\x67\x00\x8f\x05\x00\x05hello"),
         GW_PROXY_OK, "192.0.2.1 4711", "198.51.100.7 143"},
        {BYTES(SIG "\x20\x00\x00\x00"), GW_PROXY_OWN, NULL, NULL},
        {BYTES(SIG "\x21\x00\x00\x00"), GW_PROXY_OWN, NULL, NULL},
        {BYTES(SIG "\x21\x11\x00\x0b\xc0\x00\x02\x01\xc6\x33\x64\x07\x12\x67\x00"), GW_PROXY_BAD, NULL, NULL},
        {BYTES(SIG "\x21\x11\x00\x0f\xc0\x00\x02\x01\xc6\x33\x64\x07\x12\x67\x00\x8f\x05\x00\x05"),
         GW_PROXY_BAD, NULL, NULL},
        {BYTES(SIG "\x22\x11\x00\x0c"), GW_PROXY_BAD, NULL, NULL},
        {BYTES(SIG "\x31\x11\x00\x0c"), GW_PROXY_BAD, NULL, NULL},
        {BYTES(SIG "\x21\x11\xff\xff"), GW_PROXY_BAD, NULL, NULL},
        {BYTES("\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0d"), GW_PROXY_BAD, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gw_proxy_addrs a;
        size_t used = 0;
        enum gw_proxy_status status = gw_proxy_parse(rows[i].in, &used, &a);
        if (status != rows[i].status) {
            fail_msg("row %zu: status %d", i, status);
        }
        if (rows[i].status == GW_PROXY_BAD) {
            continue;
        }
        assert_int_equal(used, rows[i].in.len);
        for (size_t cut = 0; cut < rows[i].in.len; cut++) { /* never decided too early */
            assert_int_equal(gw_proxy_parse(hb_span_head(rows[i].in, cut), &used, &a), GW_PROXY_MORE);
            assert_int_equal(used, 0);
        }
        uint8_t more[256]; /* bytes behind it are the client's */
        memcpy(more, rows[i].in.p, rows[i].in.len);
        memcpy(more + rows[i].in.len, "a NOOP\r\n", 8);
        assert_int_equal(gw_proxy_parse(hb_span(more, rows[i].in.len + 8), &used, &a), rows[i].status);
        assert_int_equal(used, rows[i].in.len);
        if (rows[i].src != NULL) {
            char text[64];
            text_of(&a.src, text, sizeof text);
            assert_string_equal(text, rows[i].src);
            text_of(&a.dst, text, sizeof text);
            assert_string_equal(text, rows[i].dst);
        }
    }
}

static void written(void **state)
{
    (void)state;
    struct gw_proxy_addrs a;
    struct gw_proxy_addrs back;
    uint8_t mem[GW_PROXY_MAX];
    size_t used;
    static const char v1[] = "PROXY TCP6 2001:db8::1 ::1 65535 1\r\n";
    static const uint8_t v2[] = SIG "\x21\x11\x00\x49\xc0\x00\x02\x01\xc6\x33\x64\x07\x12\x67\x00\x8f"
                                    "\x01\x00\x04imap"
                                    "\x02\x00\x09mail.test"
                                    "\x05\x00\x01"
                                    "7"
                                    "\x20\x00\x23\x07\x00\x00\x00\x00"
                                    "\x21\x00\x07TLSv1.3"
                                    "\x22\x00\x05"
                                    "alice"
                                    "\x23\x00\x03xyz"
                                    "\x26\x00\x03"
                                    "448";
    struct gw_proxy_facts facts = {.alpn = "imap",
                                   .sni = "mail.test",
                                   .id = "7",
                                   .tls = true,
                                   .version = "TLSv1.3",
                                   .cipher = "xyz",
                                   .group = "448",
                                   .client_cert = true,
                                   .verified = true,
                                   .client_name = "alice"};

    assert_int_equal(gw_proxy_parse(hb_span(v1, strlen(v1)), &used, &a), GW_PROXY_OK);
    struct hb_bld b = hb_bld(mem, sizeof mem);
    gw_proxy_v1(&b, &a);
    assert_true(hb_bld_ok(&b) && hb_span_eq(hb_bld_span(&b), hb_span(v1, strlen(v1))));
    assert_int_equal(
        gw_proxy_parse(hb_span(SIG "\x21\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x07\x12\x67\x00\x8f", 28),
                       &used, &a),
        GW_PROXY_OK);
    hb_bld_reset(&b);
    gw_proxy_v2(&b, &a, &facts);
    assert_true(hb_bld_ok(&b));
    assert_int_equal(b.len, sizeof v2 - 1);
    assert_memory_equal(b.p, v2, sizeof v2 - 1);
    assert_int_equal(gw_proxy_parse(hb_bld_span(&b), &used, &back), GW_PROXY_OK);
    assert_memory_equal(&a, &back, sizeof a);
    hb_bld_reset(&b);
    gw_proxy_v2(&b, NULL, NULL); /* our own connections: probes, health checks */
    assert_true(hb_span_eq(hb_bld_span(&b), hb_span(SIG "\x20\x00\x00\x00", 16)));
    static const char mapped[] =
        "PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 5 6\r\n"; /* one of a socket for both */
    static const char plain[] = "PROXY TCP4 192.0.2.1 192.0.2.2 5 6\r\n";
    assert_int_equal(gw_proxy_parse(hb_span(mapped, strlen(mapped)), &used, &a), GW_PROXY_OK);
    hb_bld_reset(&b);
    gw_proxy_v1(&b, &a);
    assert_true(hb_span_eq(hb_bld_span(&b), hb_span(plain, strlen(plain))));
    memset(&a.src, 0, sizeof a.src);
    hb_bld_reset(&b);
    gw_proxy_v1(&b, &a);
    assert_false(hb_bld_ok(&b));
    hb_bld_reset(&b);
    gw_proxy_v2(&b, &a, &facts);
    assert_false(hb_bld_ok(&b));
}

static void networks(void **state)
{
    (void)state;
    static const struct {
        const char *nets, *addr;
        bool holds;
    } rows[] = {
        {"192.0.2.0/24", "192.0.2.255", true},       {"192.0.2.0/24", "192.0.3.0", false},
        {"192.0.2.4/30", "192.0.2.7", true},         {"192.0.2.4/30", "192.0.2.8", false},
        {"0.0.0.0/0", "203.0.113.1", true},          {"0.0.0.0/0", "::1", false},
        {"2001:db8::/33", "2001:db8:7fff::1", true}, {"2001:db8::/33", "2001:db8:8000::1", false},
        {"::1,10.0.0.1", "10.0.0.1", true},          {"::1,10.0.0.1", "::1", true},
        {"10.0.0.1", "::ffff:10.0.0.1", true},       {"::/0", "10.0.0.1", false},
    };
    static const char *const wrong[] = {"192.0.2.0/33", "192.0.2.0/",       "192.0.2",   "x", ",",
                                        "::1/129",      "1.1.1.1,,2.2.2.2", "1.1.1.1/-1"};
    struct gw_nets nets;
    const char *bad;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sockaddr_storage a = {0};
        bool v6 = strchr(rows[i].addr, ':') != NULL;
        a.ss_family = v6 ? AF_INET6 : AF_INET;
        assert_int_equal(inet_pton(a.ss_family, rows[i].addr,
                                   v6 ? (void *)&((struct sockaddr_in6 *)&a)->sin6_addr
                                      : (void *)&((struct sockaddr_in *)&a)->sin_addr),
                         1);
        assert_true(gw_nets_parse(rows[i].nets, &nets, &bad));
        if (gw_nets_hold(&nets, (const struct sockaddr *)&a) != rows[i].holds) {
            fail_msg("%s in %s", rows[i].addr, rows[i].nets);
        }
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (gw_nets_parse(wrong[i], &nets, &bad)) {
            fail_msg("%s was taken", wrong[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers),
        cmocka_unit_test(written),
        cmocka_unit_test(networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
