/* words.c: what each protocol says in the rows: the client's words, the gateway's own, and a small backend.
 * The gateway's are those of the reply matrix (R1, R2, R3, R8), whole. */
#include "attack.h"

#include <string.h>

#define IMAP_NO   " NO [PRIVACYREQUIRED] TLS required, use STARTTLS\r\n"
#define POP3_NO   "-ERR TLS required, use STLS first\r\n"
#define SMTP_NO   "530 5.7.0 Must issue a STARTTLS command first\r\n"
#define NNTP_NO   "483 Encryption or stronger authentication required\r\n"
#define SIEVE_NO  "NO (ENCRYPT-NEEDED) \"TLS required, use STARTTLS\"\r\n"
#define ACAP_NO   " NO (ENCRYPT-NEEDED) \"TLS required, use STARTTLS\"\r\n"
#define HTTP_OK   "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define HTTP_HEAD " HTTP/1.1\r\nHost: mail.test\r\n"
#define HTTP_426                                                                                             \
    "HTTP/1.1 426 Upgrade Required\r\nUpgrade: TLS/1.2, HTTP/1.1\r\nConnection: Upgrade\r\n"                 \
    "Content-Length: 22\r\nContent-Type: text/plain\r\n\r\n426 Upgrade Required\r\n"
#define SIEVE_LIST(implementation, more)                                                                     \
    "\"IMPLEMENTATION\" \"" implementation "\"\r\n\"SASL\" \"PLAIN\"\r\n\"SIEVE\" \"fileinto\"\r\n"          \
    "\"VERSION\" \"1.0\"\r\n" more "OK\r\n"

/* SMTP, submission and LMTP differ in little. */
#define SMTP_WORDS(name, verb, greets, list)                                                                 \
    {                                                                                                        \
        .scheme = (name), .hello = verb " c.test\r\n", .starttls = "STARTTLS\r\n",                           \
        .bad_starttls = "STARTTLS now\r\n", .login = "AUTH PLAIN Q0xFQVI=\r\n",                              \
        .fixation = "MAIL FROM:<CLEAR@b>\r\nRCPT TO:<CLEAR@c>\r\nDATA\r\nBDAT 5 LAST\r\nCLEARRSET\r\nAUTH "  \
                    "LOGIN\r\n",                                                                             \
        .state = "MAIL FROM:<CLEAR@b>\r\nRSET\r\n", .harmless = "NOOP BEHIND\r\n", .half = "BDAT 100\r\n",   \
        .ask = verb " INSIDE.test\r\n", .command = "NOOP", .hidden = "BDAT 10\r\nSTARTTLS\r\n",              \
        .hidden_no = SMTP_NO, .long_head = "", .long_max = 2048, .too_long = "500 5.5.2 Line too long\r\n",  \
        .bad_char = "500 5.5.2 Invalid character in command\r\n421 4.7.0 mail.test Closing transmission "    \
                    "channel\r\n",                                                                           \
        .greeting = "220 mail.test " greets "\r\n",                                                          \
        .hello_answer = "250-mail.test\r\n" list "250 STARTTLS\r\n",                                         \
        .go = "220 2.0.0 Ready to start TLS\r\n",                                                            \
        .argument = "501 5.5.4 Syntax error (no parameters allowed)\r\n",                                    \
        .again = "503 5.5.1 TLS already active\r\n", .login_no = SMTP_NO,                                    \
        .fixation_no = SMTP_NO SMTP_NO SMTP_NO SMTP_NO SMTP_NO SMTP_NO, .inside = "",                        \
        .answer = "250-b\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250 AUTH PLAIN\r\n",                \
        .b_greeting = "220 b\r\n", .b_inside = "", .b_lists = "250-STARTTLS\r\n", .b_go = "220 go\r\n",      \
        .b_no = "502 5.5.1 no\r\n", .b_later = "454 4.7.0 later\r\n", .b_odd = "354 go on\r\n",              \
        .b_noise = "", .b_injected = "250-PUSHED\r\n250 AUTH PUSHED\r\n",                                    \
        .replies = {{verb, "250-b\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n%s250 AUTH PLAIN\r\n"},    \
                    {"AUTH", "334 \r\n"},                                                                    \
                    {"DATA", "354 go\r\n"},                                                                  \
                    {NULL, "250 ok\r\n"}},                                                                   \
        .b_taken = "250 taken\r\n", .b_unknown = "501 5.5.2 what\r\n",                                       \
        .dial_clear = verb " mail.test\r\nSTARTTLS\r\n", .dial_inside = verb " mail.test\r\n",               \
    }

static const struct words all[] = {
    {
        .scheme = "imap",
        .tagged = true,
        .hello = "",
        .starttls = "s STARTTLS\r\n",
        .bad_starttls = "s STARTTLS now\r\n",
        .login = "l LOGIN CLEAR CLEAR\r\n",
        .fixation = "f1 LOGIN CLEAR {5}\r\nf2 AUTHENTICATE PLAIN CLEAR=\r\nf3 SELECT CLEAR\r\n"
                    "f4 APPEND CLEAR {5+}\r\nCLEAR\r\nf5 ENABLE CLEAR\r\n",
        .state = "z XCLEAR\r\n",
        .harmless = "n XBEHIND\r\n",
        .half = "h LOGIN BEHIND {100}\r\n",
        .ask = "i LIST \"\" INSIDE\r\n",
        .command = "n NOOP",
        .hidden = "d XYZZY {12+}\r\ns STARTTLS\r\n\r\n",
        .hidden_no = "d" IMAP_NO,
        .long_head = "x ",
        .long_max = 8192,
        .too_long = "x BAD Command line too long\r\n",
        .bad_char = "* BYE Invalid character in command\r\n",
        .greeting = "* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] mail.test ready\r\n",
        .hello_answer = "",
        .go = "s OK Begin TLS negotiation now\r\n",
        .argument = "s BAD STARTTLS takes no arguments\r\n",
        .again = "s BAD TLS already active\r\n",
        .login_no = "l" IMAP_NO,
        .fixation_no = "f1" IMAP_NO "f2" IMAP_NO "f3" IMAP_NO "f4" IMAP_NO "f5" IMAP_NO,
        .inside = "",
        .answer = "* LIST () \"/\" INSIDE\r\ni OK done\r\n",
        .b_greeting = "* OK [CAPABILITY IMAP4rev1%s] b\r\n",
        .b_inside = "",
        .b_lists = " STARTTLS LOGINDISABLED",
        .b_go = "%t OK go\r\n",
        .b_no = "%t BAD no\r\n",
        .b_later = "%t NO [UNAVAILABLE] later\r\n",
        .b_odd = "+ go on\r\n",
        .b_noise = "* LIST () \"/\" PUSHED\r\n* 9 EXISTS\r\n* OK [ALERT] PUSHED\r\n* OK [REFERRAL "
                   "imap://PUSHED/] go\r\n",
        .b_injected = "* CAPABILITY IMAP4rev1 AUTH=PUSHED\r\nh3 OK done\r\n",
        .replies = {{"CAPABILITY", "* CAPABILITY IMAP4rev1%s AUTH=PLAIN\r\n%t OK done\r\n"},
                    {"LIST", "* LIST () \"/\" INSIDE\r\n%t OK done\r\n"},
                    {"AUTHENTICATE", "+ \r\n"},
                    {"LOGIN", "+ \r\n"},
                    {NULL, "%t OK done\r\n"}},
        .b_unknown = "%t NO no\r\n",
        .dial_clear = "h1 CAPABILITY\r\nh2 STARTTLS\r\n",
        .dial_inside = "h3 CAPABILITY\r\n",
    },
    {
        .scheme = "pop3",
        .hello = "CAPA\r\n",
        .starttls = "STLS\r\n",
        .bad_starttls = "STLS now\r\n",
        .login = "USER CLEAR\r\n",
        .fixation = "USER CLEAR\r\nPASS CLEAR\r\nAPOP CLEAR 0123\r\nAUTH PLAIN Q0xFQVI=\r\nUTF8\r\n",
        .state = "LANG CLEAR\r\n",
        .harmless = "XBEHIND\r\n",
        .half = "AUTH PLAIN\r\n",
        .ask = "USER INSIDE\r\n",
        .command = "NOOP",
        .hidden = "",
        .hidden_no = "",
        .long_head = "",
        .long_max = 255,
        .too_long = "-ERR Command line too long\r\n",
        .bad_char = "-ERR Invalid character in command\r\n",
        .greeting = "+OK mail.test ready\r\n",
        .hello_answer = "+OK Capability list follows\r\nSTLS\r\n.\r\n",
        .go = "+OK Begin TLS negotiation\r\n",
        .argument = "-ERR STLS takes no arguments\r\n",
        .again = "-ERR Command not permitted when TLS active\r\n",
        .login_no = POP3_NO,
        .fixation_no = POP3_NO POP3_NO POP3_NO POP3_NO POP3_NO,
        .inside = "",
        .answer = "+OK INSIDE\r\n",
        .b_greeting = "+OK b\r\n",
        .b_inside = "",
        .b_lists = "STLS\r\n",
        .b_go = "+OK go\r\n",
        .b_no = "-ERR no\r\n",
        .b_later = "-ERR [SYS/TEMP] later\r\n",
        .b_odd = "+ go on\r\n",
        .b_noise = "",
        .b_injected = "+OK PUSHED\r\nSASL PUSHED\r\n.\r\n",
        .replies = {{"CAPA", "+OK list\r\nUSER\r\n%s.\r\n"},
                    {"USER", "+OK INSIDE\r\n"},
                    {"AUTH", "+ \r\n"},
                    {NULL, "+OK done\r\n"}},
        .b_unknown = "-ERR no\r\n",
        .dial_clear = "CAPA\r\nSTLS\r\n",
        .dial_inside = "CAPA\r\n",
    },
    SMTP_WORDS("smtp", "EHLO", "ESMTP", ""),
    SMTP_WORDS("submission", "EHLO", "ESMTP", ""),
    SMTP_WORDS("lmtp", "LHLO", "LMTP", "250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n"),
    {
        .scheme = "acap",
        .tagged = true,
        .hello = "",
        .starttls = "s STARTTLS\r\n",
        .bad_starttls = "s STARTTLS \"now\"\r\n",
        .login = "l AUTHENTICATE \"PLAIN\" \"CLEAR\"\r\n",
        .fixation = "f1 AUTHENTICATE \"PLAIN\" {5+}\r\nCLEAR\r\nf2 SEARCH \"/CLEAR\" DEPTH 1\r\n",
        .state = "z LANG \"CLEAR\"\r\n",
        .harmless = "n XBEHIND\r\n",
        .half = "h AUTHENTICATE \"BEHIND\" {100+}\r\n",
        .ask = "i XINSIDE\r\n",
        .command = "n NOOP",
        .hidden = "d SEARCH {12+}\r\ns STARTTLS\r\n\r\n",
        .hidden_no = "d BAD \"Command not valid in this state\"\r\n",
        .long_head = "x ",
        .long_max = 65536,
        .too_long = "x BAD \"Command line too long\"\r\n",
        .bad_char = "* BYE \"Invalid character in command\"\r\n",
        .greeting = "* ACAP (IMPLEMENTATION \"hauberk\") (STARTTLS)\r\n",
        .hello_answer = "",
        .go = "s OK \"Begin TLS negotiation now\"\r\n",
        .argument = "s BAD \"STARTTLS takes no arguments\"\r\n",
        .again = "s BAD \"TLS already active\"\r\n",
        .login_no = "l" ACAP_NO,
        .fixation_no = "f1" ACAP_NO "f2 BAD \"Command not valid in this state\"\r\n",
        .inside = "* ACAP (IMPLEMENTATION \"b\") (SASL \"PLAIN\")\r\n",
        .answer = "i OK \"done\"\r\n",
        .b_greeting = "* ACAP (IMPLEMENTATION \"b\") (SASL \"PLAIN\")%s\r\n",
        .b_inside = "* ACAP (IMPLEMENTATION \"b\") (SASL \"PLAIN\")\r\n",
        .b_lists = " (STARTTLS)",
        .b_go = "%t OK \"go\"\r\n",
        .b_no = "%t BAD \"no\"\r\n",
        .b_later = "%t NO (TRYLATER) \"later\"\r\n",
        .b_odd = "+ \"go on\"\r\n",
        .b_noise = "",
        .b_injected = "* ACAP (IMPLEMENTATION \"PUSHED\") (SASL \"PUSHED\")\r\n",
        .replies = {{"AUTHENTICATE", "+ \"\"\r\n"}, {NULL, "%t OK \"done\"\r\n"}},
        .b_unknown = "%t NO \"no\"\r\n",
        .dial_clear = "h1 STARTTLS\r\n",
        .dial_inside = "",
    },
    {
        .scheme = "sieve",
        .hello = "",
        .starttls = "STARTTLS\r\n",
        .bad_starttls = "STARTTLS \"now\"\r\n",
        .login = "AUTHENTICATE \"PLAIN\" \"Q0xFQVI=\"\r\n",
        .fixation = "AUTHENTICATE \"PLAIN\" \"Q0xFQVI=\"\r\nPUTSCRIPT \"CLEAR\" {5+}\r\nCLEAR\r\n",
        .state = "NOOP \"CLEAR\"\r\n",
        .harmless = "NOOP \"BEHIND\"\r\n",
        .half = "NOOP {100+}\r\n",
        .ask = "AUTHENTICATE \"XINSIDE\" \"YQ==\"\r\n",
        .command = "NOOP",
        .hidden = "PUTSCRIPT \"x\" {10+}\r\nSTARTTLS\r\n\r\n",
        .hidden_no = "NO \"Authenticate first\"\r\n",
        .long_head = "",
        .long_max = 12288,
        .too_long = "NO \"Command line too long\"\r\n",
        .bad_char = "BYE \"Invalid character in command\"\r\n",
        .greeting =
            "\"IMPLEMENTATION\" \"hauberk\"\r\n\"SASL\" \"\"\r\n\"SIEVE\" \"\"\r\n\"VERSION\" \"1.0\"\r\n"
            "\"STARTTLS\"\r\nOK \"mail.test ready\"\r\n",
        .hello_answer = "",
        .go = "OK \"Begin TLS negotiation now\"\r\n",
        .argument = "NO \"STARTTLS takes no arguments\"\r\n",
        .again = "NO \"TLS already active\"\r\n",
        .login_no = SIEVE_NO,
        .fixation_no = SIEVE_NO "NO \"Authenticate first\"\r\n",
        .inside = SIEVE_LIST("b", ""),
        .answer = "NO \"INSIDE\"\r\n",
        .b_greeting = SIEVE_LIST("b", "%s"),
        .b_inside = SIEVE_LIST("b", ""),
        .b_lists = "\"STARTTLS\"\r\n",
        .b_go = "OK \"go\"\r\n",
        .b_no = "NO \"no\"\r\n",
        .b_later = "NO (TRYLATER) \"later\"\r\n",
        .b_odd = "go on\r\n",
        .b_noise = "",
        .b_injected = SIEVE_LIST("PUSHED", ""),
        .replies = {{"AUTHENTICATE", "NO \"INSIDE\"\r\n"}, {NULL, "OK\r\n"}},
        .dial_clear = "STARTTLS\r\n",
        .dial_inside = "",
    },
    {
        .scheme = "nntp",
        .hello = "CAPABILITIES\r\n",
        .starttls = "STARTTLS\r\n",
        .bad_starttls = "STARTTLS now\r\n",
        .login = "AUTHINFO USER CLEAR\r\n",
        .fixation = "AUTHINFO USER CLEAR\r\nAUTHINFO SASL PLAIN Q0xFQVI=\r\nGROUP CLEAR\r\nPOST\r\n",
        .state = "GROUP CLEAR\r\n",
        .harmless = "HELP BEHIND\r\n",
        .half = "TAKETHIS <BEHIND>\r\n",
        .ask = "GROUP INSIDE\r\n",
        .command = "DATE",
        .hidden = "TAKETHIS <d@d>\r\nSTARTTLS\r\n.\r\n",
        .hidden_no = NNTP_NO,
        .long_head = "",
        .long_max = 512,
        .too_long = "501 Command line too long\r\n",
        .bad_char = "501 Invalid character in command\r\n",
        .greeting = "200 mail.test ready\r\n",
        .hello_answer = "101 Capability list:\r\nVERSION 2\r\nSTARTTLS\r\n.\r\n",
        .go = "382 Continue with TLS negotiation\r\n",
        .argument = "501 STARTTLS takes no arguments\r\n",
        .again = "502 STARTTLS not allowed with active TLS layer\r\n",
        .login_no = NNTP_NO,
        .fixation_no = NNTP_NO NNTP_NO NNTP_NO NNTP_NO,
        .inside = "",
        .answer = "211 1 1 1 INSIDE\r\n",
        .b_greeting = "201 b\r\n",
        .b_inside = "",
        .b_lists = "STARTTLS\r\n",
        .b_go = "382 go\r\n",
        .b_no = "502 no\r\n",
        .b_later = "400 later\r\n",
        .b_odd = "340 go on\r\n",
        .b_noise = "",
        .b_injected = "101 list\r\nVERSION 2\r\nSASL PUSHED\r\n.\r\n",
        .replies = {{"CAPABILITIES", "101 list\r\nVERSION 2\r\nREADER\r\n%s.\r\n"},
                    {"GROUP", "211 1 1 1 INSIDE\r\n"},
                    {"POST", "340 send it\r\n"},
                    {"TAKETHIS", "335 \r\n"},
                    {"AUTHINFO", "383 =\r\n"},
                    {NULL, "281 done\r\n"}},
        .b_taken = "240 taken\r\n",
        .b_unknown = "482 no\r\n",
        .dial_clear = "CAPABILITIES\r\nSTARTTLS\r\n",
        .dial_inside = "CAPABILITIES\r\n",
    },
    {
        .scheme = "http",
        .hello = "",
        .starttls = "OPTIONS *" HTTP_HEAD "Upgrade: TLS/1.0\r\nConnection: Upgrade\r\n\r\n",
        .login = "GET /CLEAR" HTTP_HEAD "Authorization: Basic CLEAR\r\n\r\n",
        .fixation = "GET /CLEAR" HTTP_HEAD "Authorization: Basic CLEAR\r\n\r\n",
        .harmless = "GET /BEHIND" HTTP_HEAD "\r\n",
        .half = "GET /BEHIND" HTTP_HEAD,
        .ask = "GET /INSIDE" HTTP_HEAD "\r\n",
        .greeting = "",
        .hello_answer = "",
        .go = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: TLS/1.0, HTTP/1.1\r\nConnection: Upgrade\r\n\r\n",
        .long_head = "",
        .too_long = "HTTP/1.1 414 URI Too Long\r\nConnection: close\r\nContent-Length: 18\r\n"
                    "Content-Type: text/plain\r\n\r\n414 URI Too Long\r\n",
        .login_no = HTTP_426,
        .fixation_no = HTTP_426,
        .inside = HTTP_OK,
        .answer = HTTP_OK,
        .b_greeting = "",
        .b_inside = HTTP_OK,
        .b_lists = "Upgrade: TLS/1.0, HTTP/1.1\r\nConnection: Upgrade\r\n",
        .b_go =
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: TLS/1.2, HTTP/1.1\r\nConnection: Upgrade\r\n\r\n",
        .b_no = "HTTP/1.1 200 OK\r\n%sContent-Length: 0\r\n\r\n",
        .b_later = "HTTP/1.1 503 Service Unavailable\r\n\r\n",
        .b_odd = "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        .b_noise = "",
        .b_injected = "HTTP/1.1 200 PUSHED\r\nContent-Length: 0\r\n\r\n",
        .replies = {{"", HTTP_OK}, {NULL, ""}},
        .b_hears = "OPTIONS *" HTTP_HEAD "\r\nGET /INSIDE" HTTP_HEAD "\r\n",
        .b_asked = "",
        .dial_clear =
            "OPTIONS *" HTTP_HEAD "Upgrade: TLS/1.2, TLS/1.1, TLS/1.0\r\nConnection: Upgrade\r\n\r\n",
        .dial_inside = "",
    },
};

const struct words *words_of(const char *scheme)
{
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (strcmp(all[i].scheme, scheme) == 0) {
            return &all[i];
        }
    }
    return NULL;
}

static const char *word(const struct words *w, char c)
{
    const struct {
        char c;
        const char *is;
    } named[] = {{'H', w->hello},    {'S', w->starttls}, {'A', w->bad_starttls}, {'L', w->login},
                 {'F', w->fixation}, {'Z', w->state},    {'N', w->harmless},     {'P', w->half},
                 {'I', w->ask},      {'g', w->greeting}, {'h', w->hello_answer}, {'1', w->go},
                 {'2', w->argument}, {'3', w->again},    {'l', w->login_no},     {'f', w->fixation_no},
                 {'w', w->inside},   {'i', w->answer},   {'R', w->b_injected},   {'O', w->b_noise},
                 {'J', w->command},  {'D', w->hidden},   {'d', w->hidden_no},    {'c', w->bad_char},
                 {'x', w->too_long}};

    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        if (named[i].c == c) {
            return named[i].is;
        }
    }
    return NULL;
}

static void add_long(const struct words *w, size_t len, struct text *out)
{
    text_str(out, w->long_head);
    for (size_t i = strlen(w->long_head); i < len; i++) {
        text_add(out, "x", 1);
    }
}

void words_expand(const struct words *w, const char *s, struct text *out)
{
    for (; *s != 0; s++) {
        const char *is = *s == '%' ? word(w, s[1]) : NULL;
        if (*s == '%' && s[1] == 'B') { /* STARTTLS without its CRLF */
            text_add(out, w->starttls, strlen(w->starttls) - 2);
            s++;
        } else if (*s == '%' && s[1] == 'X') { /* one byte too long */
            add_long(w, w->long_max - 1, out);
            text_str(out, "\r\n");
            s++;
        } else if (*s == '%' && s[1] == 'E') { /* without an end */
            add_long(w, 66000, out);
            s++;
        } else if (is != NULL) {
            text_str(out, is);
            s++;
        } else if (*s == '%' && s[1] == '0') { /* NUL */
            text_add(out, "", 1);
            s++;
        } else {
            text_add(out, s, 1);
        }
    }
}
