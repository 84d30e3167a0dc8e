/* pool.c: who may be chosen, and who of those it is. Servers are letters: the first is A. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "pool.h"
#include <arpa/inet.h>
#include <netinet/in.h>

/* servers: what stands behind each address, separated by ",". */
static struct gw_pool *pool_of(enum gw_balance balance, const char *servers)
{
    struct gw_pool *p = gw_pool_new(GW_MAX_SERVERS);
    char copy[400];
    char *save = NULL;
    const char *bad;

    assert_non_null(p);
    p->balance = balance;
    (void)snprintf(copy, sizeof copy, "%s", servers);
    for (char *w = strtok_r(copy, ",", &save); w != NULL; w = strtok_r(NULL, ",", &save)) {
        struct gw_server *v = &p->servers[p->num++];
        assert_true(gw_server_words(v, w, &bad));
        (void)snprintf(v->text, sizeof v->text, "server-%c.test", 'A' + (int)p->num - 1);
    }
    return p;
}

static struct sockaddr_storage address(const char *text)
{
    struct sockaddr_storage a = {0};

    if (strchr(text, ':') != NULL) {
        a.ss_family = AF_INET6;
        assert_int_equal(inet_pton(AF_INET6, text, &((struct sockaddr_in6 *)&a)->sin6_addr), 1);
    } else {
        a.ss_family = AF_INET;
        assert_int_equal(inet_pton(AF_INET, text, &((struct sockaddr_in *)&a)->sin_addr), 1);
    }
    return a;
}

static char letter(unsigned i)
{
    return i == GW_POOL_NOBODY ? '-' : (char)('A' + i);
}

/* script: a lower-case letter fails at second 0, "+" and one is reached, "*" is a choice, "(ab" are tried
 * before the next choice, "@" lets 10 seconds go by. */
static void turns(void **state)
{
    (void)state;
    static const struct {
        const char *what, *servers, *sni, *script, *want;
    } rows[] = {
        {"in turn", " , , ", NULL, "*****", "ABCAB"},
        {"by weight, spread out", "weight=3,weight=1", NULL, "********", "AABAAABA"},
        {"one is down", " , , ", NULL, "b****", "ACAC"},
        {"and rests", " , ", NULL, "a*@**", "BAB"},
        {"and is back", " , ", NULL, "a*+a**", "BAB"},
        {"tried already", " , , ", NULL, "(a*(ab*(abc*", "BC-"},
        {"all are down: any is better than none", " , ", NULL, "ab**", "AB"},
        {"all are down: not again on this link", " , ", NULL, "ab(a*", "-"},
        {"backup waits", " ,backup", NULL, "**", "AA"},
        {"backup steps in", " ,backup", NULL, "a**", "BB"},
        {"backup on this link", " ,backup", NULL, "(a*", "B"},
        {"backup last, if all are down", "backup, ", NULL, "ab*", "B"},
        {"named", "sni=a.test, ", "A.test", "**", "AA"},
        {"another name", "sni=a.test, ", "b.test", "**", "BB"},
        {"no name", "sni=a.test, ", NULL, "**", "BB"},
        {"a name's only server is down: its clients are nobody else's", "sni=a.test, ", "a.test", "a*", "A"},
        {"a name's servers share", "sni=a.test,sni=a.test, ", "a.test", "***", "ABA"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gw_pool *p = pool_of(GW_ROUND_ROBIN, rows[i].servers);
        struct sockaddr_storage client = address("192.0.2.1");
        char got[32] = "";
        size_t n = 0;
        uint32_t tried = 0;
        uint32_t now = 0;
        for (const char *c = rows[i].script; *c != 0; c++) {
            if (*c == '*') {
                got[n++] =
                    letter(gw_pool_choose(p, rows[i].sni, (const struct sockaddr *)&client, tried, now));
                tried = 0;
            } else if (*c == '(') {
                for (; c[1] >= 'a' && c[1] <= 'z'; c++) {
                    tried |= UINT32_C(1) << (c[1] - 'a');
                }
            } else if (*c == '+') {
                assert_true(gw_pool_good(p, (unsigned)(*++c - 'a')));
            } else if (*c == '@') {
                now += GW_SERVER_REST;
            } else {
                assert_true(gw_pool_failed(p, (unsigned)(*c - 'a'), now));
                assert_false(gw_pool_failed(p, (unsigned)(*c - 'a'), now)); /* no news */
            }
        }
        if (strcmp(got, rows[i].want) != 0) {
            fail_msg("%s: got %s, want %s", rows[i].what, got, rows[i].want);
        }
        gw_pool_free(&p);
    }
}

static void fewest_links(void **state)
{
    (void)state;
    static const struct {
        const char *servers;
        unsigned links[3];
        const char *want;
    } rows[] = {
        {" , , ", {1, 0, 2}, "BB"},  {" , , ", {0, 0, 0}, "AB"},  {" , , ", {5, 5, 6}, "AB"},
        {"weight=3, ", {2, 1}, "A"}, {"weight=3, ", {4, 1}, "B"}, {"weight=2, ", {2, 1}, "A"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gw_pool *p = pool_of(GW_LEAST_CONNECTIONS, rows[i].servers);
        struct sockaddr_storage client = address("192.0.2.1");
        for (unsigned k = 0; k < p->num; k++) {
            p->servers[k].now->links = rows[i].links[k];
        }
        for (const char *c = rows[i].want; *c != 0; c++) {
            assert_int_equal(letter(gw_pool_choose(p, NULL, (const struct sockaddr *)&client, 0, 0)), *c);
        }
        gw_pool_free(&p);
    }
}

#define CLIENTS 4000u

static void by_client(void **state)
{
    (void)state;
    struct gw_pool *p = pool_of(GW_CLIENT_HASH, "weight=2, , ");
    static uint8_t before[CLIENTS];
    unsigned of[3] = {0};
    unsigned moved = 0;
    char text[64];

    for (unsigned i = 0; i < CLIENTS; i++) {
        (void)snprintf(text, sizeof text, "10.1.%u.%u", i >> 8, i & 255);
        struct sockaddr_storage client = address(text);
        before[i] = (uint8_t)gw_pool_choose(p, NULL, (const struct sockaddr *)&client, 0, 0);
        assert_int_equal(before[i], gw_pool_choose(p, NULL, (const struct sockaddr *)&client, 0, 0));
        of[before[i]]++;
    }
    assert_in_range(of[0], CLIENTS * 45 / 100, CLIENTS * 55 / 100); /* its weight: half */
    assert_in_range(of[1], CLIENTS * 20 / 100, CLIENTS * 30 / 100);
    (void)gw_pool_failed(p, 1, 0); /* nobody moves but its own clients */
    for (unsigned i = 0; i < CLIENTS; i++) {
        (void)snprintf(text, sizeof text, "10.1.%u.%u", i >> 8, i & 255);
        struct sockaddr_storage client = address(text);
        unsigned now = gw_pool_choose(p, NULL, (const struct sockaddr *)&client, 0, 0);
        assert_int_not_equal(now, 1);
        moved += now != before[i];
        assert_true(now == before[i] || before[i] == 1);
    }
    assert_int_equal(moved, of[1]);
    struct sockaddr_storage a = address("2001:db8:1:2::1");
    struct sockaddr_storage b = address("2001:db8:1:2:ffff::9"); /* the same /64 */
    assert_int_equal(gw_pool_choose(p, NULL, (const struct sockaddr *)&a, 0, 0),
                     gw_pool_choose(p, NULL, (const struct sockaddr *)&b, 0, 0));
    for (unsigned i = 0; i < 100; i++) { /* a client of a socket for both families is who it is */
        char both[2][32];
        (void)snprintf(both[0], sizeof both[0], "192.0.2.%u", i);
        (void)snprintf(both[1], sizeof both[1], "::ffff:192.0.2.%u", i);
        a = address(both[0]);
        b = address(both[1]);
        assert_int_equal(gw_pool_choose(p, NULL, (const struct sockaddr *)&a, 0, 0),
                         gw_pool_choose(p, NULL, (const struct sockaddr *)&b, 0, 0));
    }
    a.ss_family = AF_UNSPEC; /* gone already: anybody */
    assert_int_not_equal(gw_pool_choose(p, NULL, (const struct sockaddr *)&a, 0, 0), GW_POOL_NOBODY);
    gw_pool_free(&p);
}

/* Two failures in a row are down, one success is up; a session's failure is down at once, and only a check,
 * or a session that got through, brings the server back. */
static void checks(void **state)
{
    (void)state;
    struct gw_pool *p = pool_of(GW_ROUND_ROBIN, " , ");
    struct sockaddr_storage client = address("192.0.2.1");

    assert_int_equal(gw_pool_due(p, 100), GW_POOL_NOBODY); /* none wanted */
    p->check = 10;
    assert_int_equal(gw_pool_due(p, 100), 0);
    assert_int_equal(gw_pool_due(p, 100), 1);
    assert_int_equal(gw_pool_due(p, 200), GW_POOL_NOBODY); /* both under way */
    assert_false(gw_pool_checked(p, 0, true, 101));
    assert_false(gw_pool_checked(p, 1, false, 101));
    assert_int_equal(gw_pool_due(p, 110), GW_POOL_NOBODY);
    assert_int_equal(gw_pool_due(p, 111), 0);
    assert_int_equal(gw_pool_due(p, 111), 1);
    assert_false(gw_pool_checked(p, 0, true, 112));
    assert_true(gw_pool_checked(p, 1, false, 112));
    assert_false(gw_pool_checked(p, 1, false, 122)); /* no news */
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(gw_pool_choose(p, NULL, (const struct sockaddr *)&client, 0, 100000),
                         0); /* no rest that ends by itself */
    }
    assert_true(gw_pool_checked(p, 1, true, 132));
    assert_false(gw_pool_checked(p, 1, false, 142)); /* counted anew */
    assert_true(gw_pool_failed(p, 0, 150));
    assert_int_equal(gw_pool_choose(p, NULL, (const struct sockaddr *)&client, 0, 100000), 1);
    assert_true(gw_pool_good(p, 0));
    gw_pool_free(&p);
}

/* A reload: servers that stay stand as they did, whatever their weight and place; others begin anew. */
static void inherited(void **state)
{
    (void)state;
    struct gw_pool *old = pool_of(GW_LEAST_CONNECTIONS, " , , ");
    struct gw_pool *new = pool_of(GW_LEAST_CONNECTIONS, "weight=2, , ,sni=a.test");
    struct sockaddr_storage client = address("192.0.2.1");
    const struct sockaddr *sa = (const struct sockaddr *)&client;

    old->check = 10;
    assert_int_equal(gw_pool_due(old, 100), 0); /* its check is under way */
    assert_false(gw_pool_checked(old, 1, false, 100));
    assert_true(gw_pool_failed(old, 1, 100));
    old->servers[0].now->links = 3;
    (void)snprintf(new->servers[2].text, sizeof new->servers[2].text, "moved.test");
    gw_pool_inherit(new, old, 105);
    assert_int_equal(new->servers[0].now->links, 3);
    assert_true(new->servers[0].now->checking);
    assert_true(new->servers[1].now->down);
    assert_false(new->servers[2].now->down);
    assert_ptr_not_equal(new->servers[2].now, old->servers[2].now);
    assert_int_equal(gw_pool_choose(new, NULL, sa, 0, 109), 2); /* C is new and has no links, B rests */
    assert_int_equal(gw_pool_choose(new, NULL, sa, 4, 109),
                     0); /* B does not rest for ever: nobody checks now */
    assert_int_equal(gw_pool_choose(new, NULL, sa, 4, 115), 1);
    old->servers[0].now->links--; /* a session of the old configuration ends */
    gw_pool_free(&old);
    assert_int_equal(new->servers[0].now->links, 2);
    struct gw_pool *next = pool_of(GW_ROUND_ROBIN, " , ");
    next->check = 3;
    gw_pool_inherit(next, new, 200);
    assert_int_equal(gw_pool_choose(next, NULL, sa, 0, 100000), 0); /* now a check must bring B back */
    assert_int_equal(gw_pool_due(next, 200), 1);
    assert_true(gw_pool_checked(next, 1, true, 201));
    gw_pool_free(&new);
    gw_pool_free(&next);
}

static void words(void **state)
{
    (void)state;
    static const struct {
        const char *text, *bad;
        unsigned weight;
        bool backup;
        const char *sni;
    } rows[] = {
        {"", NULL, 1, false, ""},
        {"  weight=100\tbackup sni=a.test ", NULL, 100, true, "a.test"},
        {" weight=0", "weight=0", 0, false, ""},
        {" weight=101", "weight=101", 0, false, ""},
        {" weight=-1", "weight=-1", 0, false, ""},
        {" weight=1x", "weight=1x", 0, false, ""},
        {" weight=", "weight=", 0, false, ""},
        {" weight=1 weight=2", "weight=2", 0, false, ""},
        {" backup backup", "backup", 0, false, ""},
        {" sni=", "sni=", 0, false, ""},
        {" sni=a;b", "sni=a;b", 0, false, ""},
        {" backups", "backups", 0, false, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gw_server v;
        const char *bad = NULL;
        bool good = gw_server_words(&v, rows[i].text, &bad);
        assert_int_equal(good, rows[i].bad == NULL);
        if (good) {
            assert_int_equal(v.weight, rows[i].weight);
            assert_int_equal(v.backup, rows[i].backup);
            assert_string_equal(v.sni, rows[i].sni);
        } else {
            assert_string_equal(bad, rows[i].bad);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(turns),     cmocka_unit_test(fewest_links),
                                       cmocka_unit_test(by_client), cmocka_unit_test(checks),
                                       cmocka_unit_test(words),     cmocka_unit_test(inherited)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
