/* conf_file.c, conf_words.c, conf_cert.c: files to a draft, and each mistake to its file and line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "conf.h"
#include <sys/stat.h>
#include <unistd.h>

#define CERT     "certificate c { chain = \"@/ecdsa-p256.crt\" key = \"@/ecdsa-p256.key\" }\n"
#define LISTENER "listener a {\n listen = \"imap://127.0.0.1:1143\"\n backend = \"127.0.0.1:143\"\n"

#define POOLED "listener a {\n listen = \"imap://127.0.0.1:1143\"\n backend = \"b\"\n}\n"

static char folder[48];

/* "@" in the text is the folder of test certificates, "#" the folder of this test. */
static void put(const char *name, const char *text)
{
    char path[400];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    for (char *slash = strchr(path + strlen(folder) + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = 0;
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (const char *c = text; *c != 0; c++) {
        (void)fprintf(f,
                      *c == '@'   ? "%s"
                      : *c == '#' ? "%s"
                                  : "%.1s",
                      *c == '@'   ? getenv("CERTS")
                      : *c == '#' ? folder
                                  : c);
    }
    assert_int_equal(fclose(f), 0);
}

static void copy(const char *from, const char *to)
{
    char command[700];

    (void)snprintf(command, sizeof command, "mkdir -p $(dirname %s/%s) && cp %s/%s %s/%s", folder, to,
                   getenv("CERTS"), from, folder, to);
    assert_int_equal(system(command), 0);
}

static void begin(void)
{
    char command[200];

    (void)snprintf(command, sizeof command, "rm -rf %s && mkdir %s", folder, folder);
    assert_int_equal(system(command), 0);
}

static struct gw_conf *load_draft(struct gw_draft *d, struct gw_problems *p)
{
    char path[200];

    memset(p, 0, sizeof *p);
    (void)snprintf(path, sizeof path, "%s/main.conf", folder);
    gw_conf_file(path, d, p);
    return p->errors == 0 ? gw_conf_load(d, p) : NULL;
}

static struct gw_conf *load(struct gw_problems *p)
{
    struct gw_draft *d = gw_draft_new();
    struct gw_conf *conf = load_draft(d, p);

    gw_draft_free(&d);
    return conf;
}

static void mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *other, *want; /* other: conf.d/x.conf */
    } rows[] = {
        {CERT LISTENER " frob = 1\n}\n", NULL, "main.conf:5: no such option 'frob'"},
        {CERT LISTENER " tls-mi = \"1.2\"\n}\n", NULL,
         "main.conf:5: no such option 'tls-mi': did you mean tls-min?"},
        {CERT LISTENER " tls = \"required\"\n tls = \"optional\"\n}\n", NULL,
         "main.conf:6: tls is said twice here; the first time in line 5"},
        {CERT LISTENER " certificates = {\"c\"}\n certificates = {\"c\"}\n}\n", NULL,
         "main.conf:6: certificates is said twice"},
        {CERT LISTENER " certificates = {\"d\"}\n}\n", NULL, "main.conf:5: no certificate has the name: d"},
        {CERT LISTENER " certificates = {\"*\", \"c\"}\n}\n", NULL, "can only be the last name"},
        {CERT LISTENER " trusted-network = maybe\n}\n", NULL, "main.conf:5: invalid boolean value"},
        {CERT LISTENER " tls = \"perhaps\"\n}\n", NULL, "main.conf:5: tls is required or optional"},
        {CERT LISTENER, NULL, "the file ends within a block"},
        {CERT LISTENER "}\n/* a comment\n", NULL, "main.conf"},
        {CERT LISTENER "}\nlistener a {\n}\n", NULL, "main.conf:6: found duplicate title 'a'"},
        {"log = \"text\"\nlog = \"json\"\n", NULL, "main.conf:2: log is said twice"},
        {"defaults { tls = \"required\" }\ndefaults { }\n", NULL, "main.conf:2: defaults is said twice"},
        {"defaults {\n profile = \"legacy\"\n}\n", NULL,
         "main.conf:2: not in defaults: say it for each listener"},
        {"defaults {\n backend-profile = \"antique\"\n}\n", NULL, "for each backend that needs it"},
        {"certificate c { chain = \"x\" }\n", NULL, "main.conf:1: a certificate needs both chain and key"},
        {CERT LISTENER " idle-timeout = 1799\n}\n", NULL, "main.conf:5: idle-timeout"}, /* GEN-19 */
        {CERT LISTENER " bad-commands = 0\n}\n", NULL, "main.conf:5: bad-commands is a number from 1 to 255"},
        {CERT LISTENER " preauth-timeout = 9\n}\n", NULL, "preauth-timeout is a number from 10"},
        {"timeouts {\n greeting = 4\n}\n", NULL, "main.conf:2: greeting is a number of seconds from 5"},
        {"timeouts {\n greeting = soon\n}\n", NULL, "main.conf:2: invalid integer value"},
        {"timeouts {\n greeting = 86401\n}\n", NULL, "from 5 to 86400, not 86401"},
        {"\n\ninclude(\"conf.d\", \"conf.e\")\n", NULL, "main.conf:3: include wants one file or folder"},
        {"\ninclude(\"absent\")\n", NULL, "main.conf:2: cannot list the folder"},
        {"include(\"conf.d\")\n" CERT LISTENER "}\n", "listener a { }\n",
         "a listener of this name is there already"},
        {"include(\"conf.d\")\n" CERT LISTENER "}\n", CERT, "a certificate of this name is there already"},
        {"include(\"conf.d\")\ndefaults { }\n", "\ndefaults { host = \"x\" }\n",
         "x.conf:2: there is a defaults block already: "},
        {"include(\"conf.d\")\ntimeouts { }\n", "timeouts { }\n", "there is a timeouts block already"},
        {"include(\"conf.d\")\nlog = \"text\"\n", "log = \"json\"\n", "x.conf:1: log is said twice"},
        {"include(\"conf.d\")\n", "\n\nlistener b {\n tls-max = \"1.9\"\n}\n", "x.conf:4: tls-max is 1.0 or"},
        {"backend b {\n balance = \"round-robin\"\n}\n", NULL, "main.conf:2: a backend needs servers"},
        {"backend b {\n tls = \"optional\"\n}\n", NULL, "main.conf:2: no such option 'tls'"},
        {"backend b { servers = {\"x\"} }\nbackend b { }\n", NULL, "main.conf:2: found duplicate title 'b'"},
        {"include(\"conf.d\")\n" CERT "backend b { servers = {\"127.0.0.1\"} }\n",
         "backend b { servers = {\"127.0.0.1\"} }\n", "a backend of this name is there already"},
        {CERT "backend b {\n servers = {\"127.0.0.1 heavy\"}\n}\n" POOLED, NULL,
         "main.conf:3: behind a server's"},
        {CERT "backend b {\n servers = {\"127.0.0.1 sni=a.test\"}\n}\n" POOLED, NULL,
         "main.conf:3: one server at least must be without sni="},
        {CERT "backend b {\n servers = {\"127.0.0.1\", \"imaps://127.0.0.1\"}\n}\n" POOLED, NULL,
         "main.conf:3: all servers of a backend speak the same protocol"},
        {CERT "backend b {\n servers = {\"127.0.0.1\", \"192.0.2.1\"}\n}\n" POOLED, NULL,
         "main.conf:3: backend is not on this machine"},
        {CERT "backend b {\n servers = {\"127.0.0.1\"}\n balance = \"fair\"\n}\n" POOLED, NULL,
         "main.conf:4: balance is round-robin or least-connections or client-hash"},
        {"include(\"main.conf\")\n", NULL, "main.conf:1: this file includes itself"},
        {"include(\"conf.d/../main.conf\")\n", "", "8 deep at most"},
        {"certificate-folder = \"main.conf\"\n", NULL, "main.conf:1: certificate-folder is not a folder"},
        {"certificate-folder = \"absent\"\n", NULL, "main.conf:1: cannot list the folder"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gw_problems p;
        begin();
        put("main.conf", rows[i].text);
        if (rows[i].other != NULL) {
            put("conf.d/x.conf", rows[i].other);
        }
        struct gw_conf *c = load(&p);
        if (c != NULL || strstr(p.text, rows[i].want) == NULL) {
            fail_msg("%zu: wanted \"%s\", got: %s", i, rows[i].want, p.text);
        }
    }
}

/* A backend block: its servers in order; its words hold for the listeners that name it, unless they say
 * otherwise, and go before the defaults block. */
static void backends(void **state)
{
    (void)state;
    struct gw_problems p;

    begin();
    put("main.conf",
        CERT "defaults {\n backend-verify = \"chain\"\n backend-tls-min = \"1.2\"\n}\n" POOLED
             "listener s {\n listen = \"imaps://127.0.0.1:1993\"\n backend = \"b\"\n backend-verify = "
             "\"full\"\n}\n"
             "listener x {\n listen = \"pop3://127.0.0.1:1110\"\n backend = \"127.0.0.1\"\n}\n"
             "backend b {\n balance = \"client-hash\"\n health-check = \"7\"\n backend-verify = \"none\"\n "
             "servers = {\n"
             "  \"imap+starttls://127.0.0.1 weight=3\", \"imap+starttls://127.0.0.2:2143 sni=a.test "
             "backup\"}\n}\n");
    struct gw_draft *d = gw_draft_new();
    struct gw_conf *c = load_draft(d, &p);
    if (c == NULL) {
        fail_msg("%s", p.text);
        return;
    }
    const struct gw_draft_listener *dl = d->listeners;
    assert_string_equal(dl[0].backend_verify, "none");
    assert_string_equal(dl[1].backend_verify, "full");
    assert_string_equal(dl[2].backend_verify, "chain");
    assert_string_equal(dl[0].backend_tls_min, "1.2");
    assert_non_null(strstr(dl[0].origin[GW_WORD_backend_verify], "main.conf:22"));
    for (unsigned i = 0; i < 2; i++) {
        const struct gw_listener_conf *lc = &c->listeners[i];
        assert_int_equal(lc->backend_link, HB_PEER_STARTTLS);
        assert_int_equal(lc->pool->num, 2);
        assert_int_equal(lc->pool->balance, GW_CLIENT_HASH);
        assert_int_equal(lc->pool->check, 7);
        assert_string_equal(lc->pool->servers[0].text, "imap+starttls://127.0.0.1");
        assert_int_equal(lc->pool->servers[0].weight, 3);
        assert_string_equal(lc->pool->servers[1].name, "127.0.0.2");
        assert_string_equal(lc->pool->servers[1].sni, "a.test");
        assert_true(lc->pool->servers[1].backup && !lc->pool->servers[0].backup);
    }
    assert_int_equal(c->listeners[2].pool->num, 1);
    gw_conf_free(&c);
    gw_draft_free(&d);
}

/* The defaults block, what a listener says itself, and where each was said. */
static void defaults_and_places(void **state)
{
    (void)state;
    struct gw_problems p;
    struct gw_draft *d = gw_draft_new();

    begin();
    put("main.conf",
        "include(\"conf.d\")\ndefaults {\n host = \"mx.test\"\n tls-max = \"1.2\"\n}\n" CERT LISTENER
        " tls-max = \"1.3\"\n}\ntimeouts {\n connect = 7\n}\n");
    put("conf.d/10-pop3.conf",
        "listener p {\n listen = \"pop3://127.0.0.1:1110\"\n backend = \"127.0.0.1:110\"\n}\n");
    put("conf.d/20-imaps.conf",
        "listener s {\n listen = \"imaps://127.0.0.1:1993\"\n backend = \"127.0.0.1:143\"\n}\n");
    put("conf.d/30.conf.dpkg-old", "frob\n");
    put("conf.d/.hidden.conf", "frob\n");
    struct gw_conf *c = load_draft(d, &p);
    if (c == NULL) {
        fail_msg("%s", p.text);
    }
    assert_int_equal(c->num_listeners, 3);
    assert_string_equal(d->listeners[0].name, "p"); /* in the order of the files */
    assert_string_equal(d->listeners[1].name, "s");
    assert_string_equal(d->listeners[2].name, "a");
    assert_string_equal(c->listeners[0].host, "mx.test");
    assert_string_equal(d->listeners[0].tls_max, "1.2");
    assert_string_equal(d->listeners[2].tls_max, "1.3");
    assert_non_null(strstr(d->listeners[0].origin[GW_WORD_tls_max], "main.conf:4"));
    assert_non_null(strstr(d->listeners[2].origin[GW_WORD_tls_max], "main.conf:10"));
    assert_null(d->listeners[2].origin[GW_WORD_tls_min]);
    assert_int_equal(c->timeouts.connect, 7);
    assert_int_equal(c->timeouts.greeting, 30); /* GEN-18 */
    gw_conf_free(&c);
    gw_draft_free(&d);
}

/* certbot's layout, pairs of both kinds under one name, a bad pair among good ones. */
static void certificate_folder(void **state)
{
    (void)state;
    struct gw_problems p;

    begin();
    put("main.conf",
        "certificate-folder = \"live\"\n" LISTENER "}\nlistener b {\n listen = \"pop3://127.0.0.1:1110\"\n"
        " backend = \"127.0.0.1:110\"\n certificates = {\"two\"}\n}\n");
    put("live/README", "This directory contains your keys and certificates.\n");
    copy("ecdsa-p256.crt", "live/one/fullchain.pem");
    copy("ecdsa-p256.key", "live/one/privkey.pem");
    copy("ecdsa-p256.crt", "live/two/ecdsa/fullchain.pem");
    copy("ecdsa-p256.key", "live/two/ecdsa/privkey.pem");
    copy("rsa2048.crt", "live/two/rsa/fullchain.pem");
    copy("rsa2048.key", "live/two/rsa/privkey.pem");
    copy("expired.crt", "live/bad/fullchain.pem");
    copy("expired.key", "live/bad/privkey.pem");
    put("live/empty/notes", "nothing\n");
    struct gw_conf *c = load(&p);
    if (c == NULL) {
        fail_msg("%s", p.text);
    }
    assert_int_equal(hb_cred_store_count(c->listeners[0].creds), 3);
    assert_int_equal(hb_cred_store_count(c->listeners[1].creds), 2);
    assert_non_null(strstr(p.text, "/live/bad: certificate"));
    assert_non_null(strstr(p.text, "/live/bad: this certificate is left out"));
    assert_non_null(strstr(p.text, "/live/empty: there is no fullchain.pem in it"));
    assert_true(c->listeners[0].proto_settings.tls_usable);
    gw_conf_free(&c);

    begin(); /* GEN-10: nothing usable: no STARTTLS, and said */
    put("main.conf", "certificate-folder = \"live\"\n" LISTENER "}\n");
    put("live/README", "\n");
    c = load(&p);
    assert_non_null(c);
    assert_false(c->listeners[0].proto_settings.tls_usable);
    assert_non_null(strstr(p.text, "STARTTLS is not offered"));
    gw_conf_free(&c);
}

/* PKI-08, and the days that are left. */
static void warnings(void **state)
{
    (void)state;
    struct gw_problems p;
    char path[200];

    begin();
    put("main.conf",
        "certificate c { chain = \"soon.crt\" key = \"soon.key\" }\n" LISTENER " profile = \"legacy\"\n}\n");
    copy("soon.crt", "soon.crt");
    copy("soon.key", "soon.key");
    (void)snprintf(path, sizeof path, "%s/soon.key", folder);
    assert_int_equal(chmod(path, 0644), 0);
    struct gw_conf *c = load(&p);
    if (c == NULL) {
        fail_msg("%s", p.text);
    }
    assert_non_null(strstr(p.text, "expires in "));
    assert_non_null(strstr(p.text, "chmod 640"));
    assert_non_null(strstr(p.text, "main.conf:5: profile legacy")); /* PRO-03 */
    assert_int_equal(p.notices, 3);
    gw_conf_free(&c);
}

/* OCSP-01: a response that nobody may be shown is a warning with the reason, and left out. */
static void staples(void **state)
{
    static const struct {
        const char *cert, *staple, *reason;
        unsigned notices;
    } rows[] = {
        {"ecdsa-p256", "@/ecdsa-p256.good.ocsp", NULL, 0},
        {"ecdsa-p256", "@/ecdsa-p256.revoked.ocsp", "(certificate has been revoked): ", 1},
        {"ecdsa-p256", "@/rsa-kex.good.ocsp", "(OCSP response is about another certificate): ", 1},
        {"ecdsa-p256", "@/ca.crt", "(OCSP response is malformed, or says that it could not be made): ", 1},
        {"must-staple", "@/must-staple.good.ocsp", NULL, 0},
        {"must-staple", "@/must-staple.revoked.ocsp", "clients refuse this certificate without", 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gw_problems p;
        char text[600];
        begin();
        (void)snprintf(text, sizeof text,
                       "certificate c { chain = \"@/%s.crt\" key = \"@/%s.key\" staple = \"%s\" }\n" LISTENER
                       "}\n",
                       rows[i].cert, rows[i].cert, rows[i].staple);
        put("main.conf", text);
        struct gw_conf *c = load(&p);
        if (c == NULL || p.notices != rows[i].notices ||
            (rows[i].reason != NULL &&
             (strstr(p.text, rows[i].reason) == NULL || strstr(p.text, "main.conf:1: ") == NULL))) {
            fail_msg("%s %s: %s", rows[i].cert, rows[i].staple, p.text);
        }
        gw_conf_free(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes),           cmocka_unit_test(staples),
        cmocka_unit_test(backends),           cmocka_unit_test(defaults_and_places),
        cmocka_unit_test(certificate_folder), cmocka_unit_test(warnings)};
    (void)snprintf(folder, sizeof folder, "/tmp/hauberk-conf-%ld", (long)getpid());
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    char command[200];
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) == 0 ? rc : 1;
}
