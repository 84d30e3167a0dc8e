/* main.c: the subcommands. Errors are lines on standard error and exit code 2. */
#include "admin.h"
#include "child.h"
#include "explain.h"
#include "places.h"
#include "probe.h"
#include "suggest.h"
#include "supervisor.h"
#include "version.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

static const char help[] =
    "hauberk: puts STARTTLS and modern TLS in front of mail servers that have none\n"
    "\n"
    "  hauberk run --listen imap://0.0.0.0:143 --backend 127.0.0.1:1143 \\\n"
    "              --cert chain.pem --key key.pem      one listener, one command\n"
    "  hauberk run --config FILE                       the same from a file\n"
    "  hauberk check --config FILE                     0: good, 1: warnings, 2: errors, each with place\n"
    "  hauberk explain [LISTENER] --config FILE        every setting, and who said it\n"
    "  hauberk simulate [LISTENER] --config FILE       what its clients read, before TLS and inside it\n"
    "  hauberk ctl status|health|metrics|reload|drain  talks to one that runs (control = \"PATH\")\n"
    "  hauberk probe smtp://mx.example.org             what a server's STARTTLS is like; --help\n"
    "  hauberk version [-v]                            version; -v: protocols and algorithms\n"
    "\n"
    "  hauberk run --help                              all options of run\n";

/* Up to the schemes, which the registry knows, and behind them. */
static const char run_help[] =
    "hauberk run [options]: serves until SIGTERM; then says goodbye and ends\n"
    "\n"
    "  --listen URL          scheme://address:port, e.g. imap://127.0.0.1:1143 or imaps://[::1]:993\n";
static const char run_help_options[] =
    "                        no TLS: tcp, for a backend with TLS; tls and tcp take any TCP\n"
    "  --backend B           the server of the --listen before it; pairs may repeat:\n"
    "                        HOST:PORT or unix:/PATH in plaintext; imap+starttls://HOST[:PORT];\n"
    "                        imaps://HOST[:PORT] or tls://HOST:PORT with TLS from the first byte\n"
    "  --cert F --key F      PEM chain (leaf first) and its key; pairs may repeat (RSA, ECDSA, names)\n"
    "  --certificate-folder D   D/NAME/fullchain.pem and privkey.pem for each NAME\n"
    "  --tls required        refuse everything but the upgrade before TLS (default)\n"
    "        optional        let clients go on in clear; passwords only inside TLS\n"
    "        observe, warn   likewise, logging logins in clear; warn tells the client, too\n"
    "  --profile P           intermediate (default: TLS 1.2, 1.3), modern (1.3), legacy\n"
    "  --host NAME           name in greetings (default: this machine's)\n"
    "  --trusted-network     backends on other machines may be reached in clear\n"
    "  --public-mx           this is port 25 of an MX: refuse settings that would lose mail\n"
    "  --plaintext-auth      with --tls optional: passwords in clear, too\n"
    "  --workers N           processes that serve (default 1); --user NAME: whose (hauberk, nobody)\n"
    "  --control PATH        socket for hauberk ctl; --metrics ADDRESS:PORT  /metrics and /healthz\n"
    "  --keys worker         no process of its own for private keys; --sandbox off: no sandbox\n"
    "  --log text|json       one line an event on standard error; --debug: more of them\n"
    "  --config FILE         read everything from FILE instead\n"
    "\n"
    "  hauberk run --help-tls   everything that can be said about TLS, toward clients and backends\n";

static const char tls_help[] =
    "hauberk run: TLS toward clients\n"
    "  --tls-min V, --tls-max V   1.0 (legacy) to 1.3\n"
    "  --groups G,...        key exchange groups in order, e.g. X25519MLKEM768,x25519,secp256r1\n"
    "  --starttls-residue handshake|discard   bytes behind STARTTLS: TLS's, or nobody's\n"
    "  --sni default|strict  a name no certificate has: show the first one, or refuse\n"
    "  --alpn strict|lenient an offer without our protocol: refuse, or go on\n"
    "  --alpn-protocols A,...   protocol names to answer with, instead of the scheme's\n"
    "  --staple F            OCSP response (DER) for the --cert before it\n"
    "  --client-auth off|request|require   ask clients for a certificate\n"
    "  --client-ca F|system  the CAs it must come from; or --client-verify none: any certificate\n"
    "  --external off|plain-master|xclient|proxy   SASL EXTERNAL by that certificate;\n"
    "                        --external-user N, --external-password-file F: the backend's master user\n"
    "  --client-identity email-or-cn|email|cn|san-dns   which of its names says who it is\n"
    "  --resumption on|off   session tickets; --tickets N of them (default 1), --ticket-lifetime SECONDS\n"
    "  --ticket-secret F     32 bytes or more, the same on all machines that share sessions\n"
    "  --psk-file F          lines of identity:hexkey (psktool's): sessions without certificates\n"
    "  --record-size-limit N content bytes of a record we take, 64 to 16384\n"
    "\n"
    "TLS toward backends (imap+starttls://, imaps://, tls:// and so on)\n"
    "  --backend-verify full|chain|pin|none   the default, full: CA and name\n"
    "  --backend-ca F|system CAs (default system); --backend-name N: the name its certificate must have\n"
    "  --backend-pin HEX     SHA-256 of its public key, for pin\n"
    "  --backend-cert F --backend-key F       our own certificate, if it asks for one\n"
    "  --backend-profile P   intermediate, modern, legacy, antique\n"
    "  --backend-tls-min V, --backend-tls-max V   1.0 (legacy, antique) to 1.3\n"
    "  --backend-alpn A,...  --backend-groups G,...  --backend-psk-file F\n";

/* The arguments of run, and of the commands that look at a configuration: problems are printed, and counted.
 */
static struct gw_conf *load(int argc, char **argv, struct gw_draft *draft, struct gw_problems *problems)
{
    const char *config;
    struct gw_conf *conf = NULL;

    gw_cli_parse(argc, argv, draft, &config, problems);
    if (problems->errors == 0 && config != NULL) {
        gw_conf_file(config, draft, problems);
    }
    if (problems->errors == 0) {
        conf = gw_conf_load(draft, problems);
    }
    (void)fputs(problems->text, stderr);
    return conf;
}

static int run(int argc, char **argv)
{
    struct gw_problems problems = {0};
    struct gw_snapshot *snap = gw_snapshot_record(argc, argv, NULL, 1, &problems);

    if (snap == NULL) {
        (void)fputs(problems.text, stderr);
        return 2;
    }
    gw_log_setup(snap->conf->log, snap->conf->debug);
    gw_log_prepare();
    return gw_run(argc, argv, snap, &problems);
}

static int check(int argc, char **argv)
{
    struct gw_problems problems = {0};
    struct gw_draft *draft = gw_draft_new();
    struct gw_conf *conf = load(argc, argv, draft, &problems);
    bool somebody = conf == NULL || conf->user == NULL || getpwnam(conf->user) != NULL;
    bool bad = conf == NULL || !somebody;
    const char *what = argc > 1 && strcmp(argv[0], "--config") == 0 ? argv[1] : "configuration";

    if (!somebody) { /* which run finds out as root, and then does not start */
        (void)fprintf(stderr, "%s: there is no such user on this machine: %s\n", draft->user_where,
                      conf->user);
    }
    if (!bad) {
        struct gw_problems places = {0};
        gw_look_at_places(draft, conf, &places);
        (void)fputs(places.text, stderr);
        problems.notices += places.notices;
    }
    if (bad) {
        (void)printf("%s: not usable\n", what);
    } else {
        (void)printf("%s: %s\n", what, problems.notices > 0 ? "usable, with warnings" : "good");
    }
    gw_conf_free(&conf);
    gw_draft_free(&draft);
    return bad ? 2 : problems.notices > 0;
}

/* [LISTENER] and the arguments of run: one look at the listener of that name or URL, or at each. */
static int look(int argc, char **argv, bool simulate)
{
    struct gw_problems problems = {0};
    struct gw_draft *draft = gw_draft_new();
    bool named = argc > 0 && strncmp(argv[0], "--", 2) != 0;
    struct gw_conf *conf = load(argc - named, argv + named, draft, &problems);
    int one = conf != NULL && named ? gw_find_listener(draft, argv[0]) : -1;
    bool good = conf != NULL && (one >= 0 || !named);
    int rc = good ? 0 : 2;

    for (unsigned i = 0; good && i < conf->num_listeners; i++) {
        if (one >= 0 && i != (unsigned)one) {
            continue;
        }
        if (!simulate) {
            gw_explain_listener(draft, conf, i);
        } else if (gw_simulate(draft, conf, i) != 0) {
            rc = 2;
        }
    }
    if (good && !simulate) {
        gw_explain_program(draft, conf);
    }
    gw_conf_free(&conf);
    gw_draft_free(&draft);
    return rc;
}

static void print_schemes(const char *what, bool from_first_byte)
{
    enum { INDENT = 24, WIDTH = 96 };
    int at = printf("%*s%s", INDENT, "", what);
    const char *scheme;
    bool implicit;

    for (unsigned i = 0; (scheme = hb_proto_scheme(i)) != NULL; i++) {
        if (hb_proto_find(scheme, &implicit) == NULL || implicit != from_first_byte) {
            continue;
        }
        if (at + 1 + (int)strlen(scheme) > WIDTH) {
            at = printf("\n%*s", INDENT - 1, "") - 1;
        }
        at += printf(" %s", scheme);
    }
    (void)putchar('\n');
}

static void print_run_help(void)
{
    (void)fputs(run_help, stdout);
    print_schemes("STARTTLS:", false);
    print_schemes("TLS from the first byte:", true);
    (void)fputs(run_help_options, stdout);
}

static int version(int argc, char **argv)
{
    const char *scheme;

    (void)printf("hauberk %s (libuv %s)\n", GW_VERSION, uv_version_string());
    if (argc == 1 && strcmp(argv[0], "-v") == 0) {
        (void)printf("schemes:");
        for (unsigned i = 0; (scheme = hb_proto_scheme(i)) != NULL; i++) {
            (void)printf(" %s", scheme);
        }
        (void)printf("\nTLS: 1.3, 1.2; client and server; profile legacy: 1.1, 1.0\n");
        gw_print_algorithms();
    }
    return 0;
}

int main(int argc, char **argv)
{
    static const char *const commands[] = {"run", "check", "explain", "simulate",
                                           "ctl", "probe", "version", "help"};
    const char *command = argc > 1 ? argv[1] : "";
    bool wants_help = argc > 2 && strcmp(argv[2], "--help") == 0;
    int rc;

    if (gw_child_main(argc, argv, &rc)) {
        return rc;
    }

    if (strcmp(command, "--help") == 0 || strcmp(command, "help") == 0) {
        (void)fputs(help, stdout);
        return 0;
    }
    if (strcmp(command, "run") == 0 && argc > 2 && strcmp(argv[2], "--help-tls") == 0) {
        (void)fputs(tls_help, stdout);
        return 0;
    }
    if (strcmp(command, "run") == 0) {
        if (wants_help) {
            print_run_help();
            return 0;
        }
        return run(argc - 2, argv + 2);
    }
    if (strcmp(command, "check") == 0) {
        return check(argc - 2, argv + 2);
    }
    if (strcmp(command, "explain") == 0 || strcmp(command, "simulate") == 0) {
        return look(argc - 2, argv + 2, strcmp(command, "simulate") == 0);
    }
    if (strcmp(command, "ctl") == 0) {
        return gw_ctl(argc - 2, argv + 2);
    }
    if (strcmp(command, "probe") == 0) {
        return gw_probe(argc - 2, argv + 2);
    }
    if (strcmp(command, "version") == 0 || strcmp(command, "--version") == 0) {
        return version(argc - 2, argv + 2);
    }
    const char *near = gw_suggest(command, commands, sizeof commands / sizeof commands[0]);
    if (argc < 2) {
        (void)fputs("hauberk: no command given; hauberk --help lists them\n", stderr);
    } else if (near != NULL) {
        (void)fprintf(stderr, "hauberk: unknown command \"%s\"; did you mean %s?\n", command, near);
    } else {
        (void)fprintf(stderr, "hauberk: unknown command \"%s\"; hauberk --help lists them\n", command);
    }
    return 2;
}
