/* cli.c and conf_load.c: words to settings, and each mistake to its sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "conf.h"
#include <arpa/inet.h>
#include <netinet/in.h>

/* "@" in an argument is the folder of test certificates. */
static struct gw_conf *load(const char *line, struct gw_problems *p)
{
    static char words[20][300];
    char *argv[20];
    int argc = 0;
    char copy[2000];
    char *save = NULL;
    const char *config;

    memset(p, 0, sizeof *p);
    (void)snprintf(copy, sizeof copy, "%s", line);
    for (char *w = strtok_r(copy, " ", &save); w != NULL && argc < 20; w = strtok_r(NULL, " ", &save)) {
        (void)snprintf(words[argc], sizeof words[argc], "%s%s", w[0] == '@' ? getenv("CERTS") : "",
                       w[0] == '@' ? w + 1 : w);
        argv[argc] = words[argc];
        argc++;
    }
    struct gw_draft *d = gw_draft_new();
    gw_cli_parse(argc, argv, d, &config, p);
    struct gw_conf *conf = p->errors == 0 ? gw_conf_load(d, p) : NULL;
    gw_draft_free(&d);
    return conf;
}

#define CERT " --cert @/ecdsa-p256.crt --key @/ecdsa-p256.key"

static void settings(void **state)
{
    (void)state;
    struct gw_problems p;
    struct gw_conf *c =
        load("--listen imap://127.0.0.1:1143 --backend 127.0.0.1 --listen pop3s://[::1] --backend [::1]:1110 "
             "--workers 3 --log json --host mx.test" CERT,
             &p);
    assert_non_null(c);
    assert_int_equal(c->num_listeners, 2);
    assert_int_equal(c->workers, 3);
    assert_int_equal(c->log, GW_LOG_JSON);
    struct gw_listener_conf *l = &c->listeners[0];
    assert_int_equal(ntohs(((struct sockaddr_in *)&l->addr)->sin_port), 1143);
    assert_int_equal(ntohs(((struct sockaddr_in *)&l->backend)->sin_port), 143); /* PORT-01 */
    assert_true(l->proto_settings.tls_required && l->proto_settings.starttls_offered && !l->implicit);
    assert_string_equal(l->proto_settings.host, "mx.test");
    l = &c->listeners[1];
    assert_int_equal(l->addr.ss_family, AF_INET6);
    assert_int_equal(ntohs(((struct sockaddr_in6 *)&l->addr)->sin6_port), 995);
    assert_true(l->implicit && !l->proto_settings.starttls_offered);
    assert_string_equal(hb_tls_config_alpn(l->tls, 0), "pop3");
    gw_conf_free(&c);
    c = load("--listen imap://127.0.0.1:1143 --backend 127.0.0.1:143 --tls optional" CERT, &p);
    assert_non_null(c);
    assert_false(c->listeners[0].proto_settings.tls_required);
    assert_int_equal(p.notices, 1); /* every relaxation is said */
    assert_non_null(strstr(p.text, "clients may go on without TLS"));
    gw_conf_free(&c);
}

static void mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *line, *want;
    } rows[] = {
        {"--backend 127.0.0.1:1" CERT, "--backend: belongs behind a --listen of its own"},
        {"--listen imap://127.0.0.1:1 --backend a --backend b" CERT, "--backend: belongs behind"},
        {"--key k", "--key: belongs behind a --cert of its own"},
        {"--listen 127.0.0.1:1143 --backend 127.0.0.1:1" CERT, "needs a URL"},
        {"--listen imap://::1:143 --backend 127.0.0.1:1" CERT, "not an address"},
        {"--listen imap://127.0.0.1:0 --backend 127.0.0.1:1" CERT, "port from 1 to 65535"},
        {"--listen tls://127.0.0.1 --backend 127.0.0.1:1" CERT, "a port is needed"},
        {"--listen imap://127.0.0.1:1143 --backend imaps+starttls://127.0.0.1" CERT, "tls://HOST:PORT"},
        {"--listen imap://127.0.0.1:1143 --backend pop3s://127.0.0.1" CERT, "another protocol"},
        {"--listen imap://127.0.0.1:1143 --backend unix:x" CERT, "path from the root"},
        {"--listen lmtp://127.0.0.1:25 --backend 127.0.0.1:1" CERT, "forbids this port"}, /* LMTP-03 */
        {"--listen lmtp://127.0.0.1 --backend 127.0.0.1:1" CERT, "a port is needed"},     /* PORT-01 */
        {"--listen imap://127.0.0.1:1143 --backend 192.0.2.1:143" CERT, "trusted-network"},
        {"--listen imap://127.0.0.1:1143 --backend 127.0.0.1:1 --profile old" CERT,
         "intermediate or modern or legacy"},
        {"--listen imap://127.0.0.1:1143 --backend 127.0.0.1:1 --tls-max 1.4" CERT,
         "1.0 or 1.1 or 1.2 or 1.3"},
        {"--listen imap://127.0.0.1:1143 --backend 127.0.0.1:1 --tls-max 1.1" CERT, "leave no TLS version"},
        {"--listen tls://127.0.0.1:1143 --backend 127.0.0.1:1 --client-auth require" CERT,
         "client-auth needs a client-ca"},
        {"--listen tls://127.0.0.1:1143 --backend 127.0.0.1:1 --tickets 5" CERT,
         "tickets is a number from 0 to 4"},
        {"--listen tls://127.0.0.1:1143 --backend 127.0.0.1:1 --groups x25519,kyber" CERT, "kyber"},
        {"--listen tls://127.0.0.1:1143 --backend tls://127.0.0.1:1 --backend-ca /nowhere.pem" CERT,
         "/nowhere.pem"},
        {"--listen tls://127.0.0.1:1143 --backend tls://127.0.0.1:1 --backend-verify pin --backend-pin "
         "12" CERT,
         "64 hexadecimal digits"},
        /* SMTP-15, SNI-01 */
        {"--listen smtp://127.0.0.1:1025 --backend 127.0.0.1:1 --public-mx" CERT, "RFC 3207"},
        {"--listen smtp://127.0.0.1:1025 --backend 127.0.0.1:1 --public-mx --tls optional --sni strict" CERT,
         "RFC 8461"},
        {"--listen imap://127.0.0.1:1143 --backend 127.0.0.1:1 --workers x" CERT, "from 1 to 64"},
        {"--listen imap://127.0.0.1:1143 --backend 127.0.0.1:1143" CERT, "come back to it"},
        {"--listen imap://127.0.0.1:1143 --backend 127.0.0.1:1 --listen imaps://127.0.0.1:1143 --backend "
         "127.0.0.1:1" CERT,
         "has this address already"},
        {"--config x --listen imap://127.0.0.1:1 --backend 127.0.0.1:1", "goes without --listen"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gw_problems p;
        struct gw_conf *c = load(rows[i].line, &p);
        if (c != NULL || strstr(p.text, rows[i].want) == NULL) {
            fail_msg("%s: %s", rows[i].line, p.text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(settings), cmocka_unit_test(mistakes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
