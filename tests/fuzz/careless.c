/* careless.c: one small machine for all protocols with lines: a row a verb says what follows it. */
#include "careless.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum what {
    SIMPLE,   /* yes or no */
    LOGIN,    /* the same, and if yes somebody is logged in */
    EXCHANGE, /* challenges, each wants a line; then like LOGIN */
    IDLE,     /* one challenge, one line, yes */
    LIST,     /* lines, if yes */
    CONTENT,  /* if yes, content up to a dot */
    UNASKED,  /* the content comes without a word of ours */
    CHUNK,    /* its octets come */
    ENVELOPE, /* yes or no, counted */
    OVER,     /* the last one */
    NEVER     /* not for a backend */
};

struct verb {
    const char *schemes, *verb, *arg;
    enum what what;
    const char *yes, *no; /* %t: the tag */
};

#define MAILS "smtp submission lmtp"
/* clang-format off */
static const struct verb verbs[] = {
    {"imap acap " MAILS " sieve nntp", "STARTTLS", NULL, NEVER, NULL, NULL},
    {"imap pop3 " MAILS " sieve nntp",      "XCLIENT",  NULL, NEVER, NULL, NULL},
    {"pop3", "STLS", NULL, NEVER, NULL, NULL},
    {MAILS,  "XFORWARD", NULL, NEVER, NULL, NULL},
    {"imap", "CAPABILITY", NULL, SIMPLE, "* CAPABILITY IMAP4rev1 LITERAL+ AUTH=PLAIN STARTTLS\r\n%t OK\r\n", "%t NO\r\n"},
    {"imap", "LOGIN", NULL, LOGIN, "%t OK in\r\n", "%t NO no\r\n"},
    {"imap", "AUTHENTICATE", NULL, EXCHANGE, "%t OK in\r\n", "%t NO no\r\n"},
    {"imap", "IDLE", NULL, IDLE, "%t OK\r\n", "%t NO\r\n"},
    {"imap", "LOGOUT", NULL, OVER, "* BYE\r\n%t OK\r\n", ""},
    {"imap", "FETCH", NULL, SIMPLE, "* 1 FETCH (X {12}\r\nx OK STARTTL)\r\n%t OK\r\n", "%t BAD\r\n"},
    {"imap", "", NULL, SIMPLE, "%t OK\r\n", "%t BAD\r\n"},
    {"acap", "AUTHENTICATE", NULL, EXCHANGE, "%t OK \"in\"\r\n", "%t NO \"no\"\r\n"},
    {"acap", "LOGOUT", NULL, OVER, "* BYE \"x\"\r\n%t OK \"\"\r\n", ""},
    {"acap", "", NULL, SIMPLE, "%t OK \"\"\r\n", "%t BAD \"\"\r\n"},
    {"pop3", "CAPA", NULL, LIST, "+OK\r\nUSER\r\nSTLS\r\n.\r\n", "-ERR\r\n"},
    {"pop3", "PASS", NULL, LOGIN, "+OK in\r\n", "-ERR no\r\n"},
    {"pop3", "APOP", NULL, LOGIN, "+OK in\r\n", "-ERR no\r\n"},
    {"pop3", "AUTH", "", LIST, "+OK\r\nPLAIN\r\n.\r\n", "-ERR\r\n"},
    {"pop3", "AUTH", NULL, EXCHANGE, "+OK in\r\n", "-ERR no\r\n"},
    {"pop3", "LIST", "", LIST, "+OK\r\n1 2\r\n.\r\n", "-ERR\r\n"},
    {"pop3", "UIDL", "", LIST, "+OK\r\n1 x\r\n.\r\n", "-ERR\r\n"},
    {"pop3", "LANG", "", LIST, "+OK\r\nen English\r\n.\r\n", "-ERR\r\n"},
    {"pop3", "RETR", NULL, LIST, "+OK\r\nx\r\n..\r\n.\r\n", "-ERR\r\n"},
    {"pop3", "TOP",  NULL, LIST, "+OK\r\nx\r\n.\r\n", "-ERR\r\n"},
    {"pop3", "QUIT", NULL, OVER, "+OK bye\r\n", ""},
    {"pop3", "", NULL, SIMPLE, "+OK\r\n", "-ERR\r\n"},
    {MAILS, "EHLO", NULL, ENVELOPE, "250-b\r\n250-CHUNKING\r\n250-XCLIENT LOGIN\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n", "502 no\r\n"},
    {MAILS, "LHLO", NULL, ENVELOPE, "250-b\r\n250-CHUNKING\r\n250 AUTH PLAIN\r\n", "502 no\r\n"},
    {MAILS, "HELO", NULL, ENVELOPE, "250 b\r\n", "502 no\r\n"},
    {MAILS, "MAIL", NULL, ENVELOPE, "250 ok\r\n", "550 no\r\n"},
    {MAILS, "RSET", NULL, ENVELOPE, "250 ok\r\n", "500 no\r\n"},
    {MAILS, "RCPT", NULL, ENVELOPE, "250 ok\r\n", "550 no\r\n"},
    {MAILS, "DATA", NULL, CONTENT, "354 go\r\n", "503 no\r\n"},
    {MAILS, "BDAT", NULL, CHUNK, "250 ok\r\n", "503 no\r\n"},
    {MAILS, "AUTH", NULL, EXCHANGE, "235 in\r\n", "535 no\r\n"},
    {MAILS, "QUIT", NULL, OVER, "221 bye\r\n", ""},
    {MAILS, "", NULL, SIMPLE, "250 ok\r\n", "500 what\r\n"},
    {"sieve", "AUTHENTICATE", NULL, EXCHANGE, "OK\r\n", "NO\r\n"},
    {"sieve", "CAPABILITY", NULL, SIMPLE, "\"IMPLEMENTATION\" \"b\"\r\n\"SASL\" \"PLAIN\"\r\n\"STARTTLS\"\r\nOK\r\n", "NO\r\n"},
    {"sieve", "GETSCRIPT", NULL, SIMPLE, "{9}\r\nOK \"x\"\r\nx\r\nOK\r\n", "NO {3}\r\nOK \r\n"},
    {"sieve", "LOGOUT", NULL, OVER, "OK\r\n", ""},
    {"sieve", "", NULL, SIMPLE, "OK\r\n", "NO\r\n"},
    {"nntp", "CAPABILITIES", NULL, SIMPLE, "101 l\r\nVERSION 2\r\nSTREAMING\r\nSTARTTLS\r\n.\r\n", "500 no\r\n"},
    {"nntp", "MODE", "STREAM", SIMPLE, "203 ok\r\n", "501 no\r\n"},
    {"nntp", "MODE", NULL, SIMPLE, "200 ok\r\n", "502 no\r\n"},
    {"nntp", "POST", NULL, CONTENT, "340 go\r\n", "440 no\r\n"},
    {"nntp", "IHAVE", NULL, CONTENT, "335 go\r\n", "435 no\r\n"},
    {"nntp", "TAKETHIS", NULL, UNASKED, "239 <x>\r\n", "439 <x>\r\n"},
    {"nntp", "ARTICLE", NULL, LIST, "220 1 <x>\r\nx\r\n..\r\n.\r\n", "430 no\r\n"},
    {"nntp", "LISTGROUP", NULL, LIST, "211 1 1 1 g\r\n1\r\n.\r\n", "411 no\r\n"},
    {"nntp", "HELP", NULL, LIST, "100 help\r\n.\r\n", "500 no\r\n"},
    {"nntp", "AUTHINFO", "SASL", EXCHANGE, "281 in\r\n", "481 no\r\n"},
    {"nntp", "AUTHINFO", "USER", SIMPLE, "381 more\r\n", "482 no\r\n"},
    {"nntp", "AUTHINFO", NULL, LOGIN, "281 in\r\n", "481 no\r\n"},
    {"nntp", "QUIT", NULL, OVER, "205 bye\r\n", ""},
    {"nntp", "", NULL, SIMPLE, "223 1 <x>\r\n", "500 what\r\n"},
};
/* clang-format on */

static void say(struct careless *v, const char *text)
{
    for (; *text != 0 && v->said_len + sizeof v->tag < sizeof v->said; text++) {
        if (text[0] == '%' && text[1] == 't') {
            size_t n = strlen(v->tag);
            memcpy(v->said + v->said_len, v->tag, n);
            v->said_len += n;
            text++;
        } else {
            v->said[v->said_len++] = *text;
        }
    }
}

static bool speaks(const char *schemes, const char *scheme)
{
    const char *p = strstr(schemes, scheme);

    return p != NULL && (p == schemes || p[-1] == ' ');
}

void careless_begin(struct careless *v, const char *scheme, uint64_t seed)
{
    static const struct {
        const char *scheme, *greeting;
    } rows[] = {{"imap", "* OK [CAPABILITY IMAP4rev1 LITERAL+ STARTTLS] b\r\n"},
                {"acap", "* ACAP (IMPLEMENTATION \"b\") (SASL \"PLAIN\") (STARTTLS)\r\n"},
                {"pop3", "+OK b\r\n"},
                {"sieve", "\"IMPLEMENTATION\" \"b\"\r\n\"SASL\" \"PLAIN\"\r\n\"STARTTLS\"\r\nOK\r\n"},
                {"nntp", "200 b\r\n"},
                {"http", ""},
                {"", "220 b\r\n"}};
    size_t i = 0;

    memset(v, 0, offsetof(struct careless, line));
    memset((char *)v + offsetof(struct careless, line_len), 0,
           sizeof *v - offsetof(struct careless, line_len));
    testenv_init(&v->choice, seed);
    v->scheme = scheme;
    v->tagged = strcmp(scheme, "imap") == 0 || strcmp(scheme, "acap") == 0;
    v->lmtp = strcmp(scheme, "lmtp") == 0;
    v->smtp = v->lmtp || strcmp(scheme, "smtp") == 0 || strcmp(scheme, "submission") == 0;
    v->http = strcmp(scheme, "http") == 0;
    v->last_counts = v->http && testenv_below(&v->choice, 2) == 0;
    v->no_plus = v->tagged && testenv_below(&v->choice, 2) == 0;
    while (rows[i].scheme[0] != 0 && strcmp(rows[i].scheme, scheme) != 0) {
        i++;
    }
    say(v, rows[i].greeting);
}

static bool yes(struct careless *v)
{
    return testenv_below(&v->choice, 4) != 0;
}

/* The next word, cut off at any blank. */
static const char *word(char **rest)
{
    while (**rest != 0 && isspace((unsigned char)**rest)) {
        (*rest)++;
    }
    char *from = *rest;
    while (**rest != 0 && !isspace((unsigned char)**rest)) {
        (*rest)++;
    }
    if (**rest != 0) {
        *(*rest)++ = 0;
    }
    return from;
}

/* {n} or {n+} at the line's end, in quotes or not. */
static bool literal(const struct careless *v, size_t *n, bool *unasked)
{
    const char *open = strrchr(v->line, '{');
    char *end;

    if (open == NULL || !isdigit((unsigned char)open[1])) {
        return false;
    }
    *n = strtoul(open + 1, &end, 10);
    *unasked = *end == '+' || strcmp(v->scheme, "sieve") == 0;
    if (*end == '+' && v->no_plus && !v->logged_in) {
        return false; /* text, to a server that never heard of it */
    }
    end += *end == '+';
    return end[0] == '}' && end[1] == 0;
}

static void ask(struct careless *v)
{
    v->at = AT_ANSWER;
    say(v, strcmp(v->scheme, "imap") == 0   ? "+ \r\n"
           : strcmp(v->scheme, "acap") == 0 ? "+ \"x\"\r\n"
           : strcmp(v->scheme, "sieve") == 0
               ? (testenv_below(&v->choice, 2) == 0 ? "\"eA==\"\r\n" : "{4}\r\neA==\r\n")
           : strcmp(v->scheme, "pop3") == 0 ? "+ \r\n"
           : v->smtp                        ? "334 \r\n"
                                            : "383 =\r\n");
}

static const struct verb *find(const struct careless *v, const char *arg)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        const struct verb *b = &verbs[i];
        bool any = b->verb[0] == 0 || strcasecmp(v->verb, b->verb) == 0;
        if (speaks(b->schemes, v->scheme) && any && (b->arg == NULL || strcasecmp(arg, b->arg) == 0)) {
            return b;
        }
    }
    return &verbs[0];
}

/* Who ends a command: the reply, and what it counts. */
static void finish(struct careless *v, const struct verb *b)
{
    bool ok = yes(v) || v->again || strcasecmp(v->verb, "RSET") == 0; /* which nobody refuses */

    v->again = false;

    v->at = b->what == OVER ? AT_END : AT_COMMAND;
    if (b->what == ENVELOPE && ok) {
        v->rcpt = strcasecmp(v->verb, "RCPT") == 0 ? v->rcpt + 1 : 0;
    }
    v->logged_in = v->logged_in || (ok && (b->what == LOGIN || b->what == EXCHANGE));
    say(v, ok || b->what == OVER || b->what == IDLE ? b->yes : b->no);
}

static void command_over(struct careless *v, const char *arg)
{
    const struct verb *b = find(v, arg);

    switch (b->what) {
    case NEVER:
        v->forbidden = b->verb;
        break;
    case EXCHANGE:
    case IDLE:
        v->rounds = b->what == IDLE ? 1 : testenv_below(&v->choice, 3);
        if (v->rounds > 0) {
            ask(v);
            return;
        }
        finish(v, b);
        return;
    case CONTENT:
        if (!yes(v) || (v->lmtp && v->rcpt == 0)) {
            say(v, b->no);
            v->at = AT_COMMAND;
            return;
        }
        say(v, b->yes);
        v->at = AT_CONTENT;
        v->due = v->lmtp ? v->rcpt : 1;
        v->accepted = v->smtp                            ? "250 taken\r\n"
                      : strcasecmp(v->verb, "POST") == 0 ? "240 ok\r\n"
                                                         : "235 ok\r\n";
        break;
    case UNASKED:
        v->at = AT_CONTENT;
        v->due = 1;
        v->accepted = b->yes;
        break;
    case SIMPLE:
    case LOGIN:
    case LIST:
    case CHUNK:
    case ENVELOPE:
    case OVER:
        finish(v, b);
        return;
    }
    memcpy(v->recent, "\0\0\0\r\n", 5);
}

/* BDAT: its octets are read, whatever becomes of them; LAST has a reply for each recipient of LMTP. */
static void chunk(struct careless *v, char *rest)
{
    const char *last;

    v->octets = strtoul(word(&rest), NULL, 10);
    last = word(&rest);
    v->due = v->lmtp && strcasecmp(last, "LAST") == 0 && v->rcpt > 0 ? v->rcpt : 1;
    v->rcpt = strcasecmp(last, "LAST") == 0 ? 0 : v->rcpt;
    v->at = AT_CHUNK;
}

static void take_literal(struct careless *v, size_t n, bool unasked, char *rest)
{
    if (!unasked && !yes(v)) { /* it has done with the command */
        v->at = AT_COMMAND;
        say(v, find(v, rest)->no != NULL ? find(v, rest)->no : "");
        return;
    }
    say(v, unasked ? "" : strcmp(v->scheme, "acap") == 0 ? "+ \"go\"\r\n" : "+ go\r\n");
    v->octets = n;
    v->at = n > 0 ? AT_LITERAL : AT_REST;
}

static void command(struct careless *v)
{
    size_t n = 0;
    bool unasked = false;
    bool more = (v->tagged || strcmp(v->scheme, "sieve") == 0) && literal(v, &n, &unasked);
    char *rest = v->line;

    if (v->tagged) {
        (void)snprintf(v->tag, sizeof v->tag, "%s", word(&rest));
    }
    (void)snprintf(v->verb, sizeof v->verb, "%s", word(&rest));
    if (v->smtp && strcmp(v->verb, "XCLIENT") == 0 && strcmp(rest, "LOGIN=" CARELESS_NAME) == 0) {
        v->rcpt = 0;
        v->again = yes(v);
        say(v, v->again ? "220 b\r\n" : "550 no\r\n");
        return;
    }
    if (find(v, "")->what == NEVER) {
        v->forbidden = find(v, "")->verb;
        v->at = AT_END; /* where it may pass at all, behind the login, what comes of it is the server's */
        return;
    }
    if (more) {
        take_literal(v, n, unasked, rest);
    } else if (v->smtp && strcasecmp(v->verb, "BDAT") == 0) {
        chunk(v, rest);
    } else {
        command_over(v, word(&rest));
    }
}

static void answered(struct careless *v)
{
    const struct verb *b = find(v, "SASL");

    if (strcmp(v->line, "*") == 0 || --v->rounds == 0) {
        v->rounds = 0;
        finish(v, b);
    } else {
        ask(v);
    }
}

static void line_over(struct careless *v)
{
    size_t n = 0;
    bool unasked = false;

    v->line[v->line_len] = 0;
    v->line_len = 0;
    if (v->at == AT_COMMAND) {
        command(v);
    } else if (v->at == AT_ANSWER) {
        bool strings = strcmp(v->scheme, "acap") == 0 || strcmp(v->scheme, "sieve") == 0;
        if (strings && literal(v, &n, &unasked)) {
            say(v, unasked ? "" : "+ \"go\"\r\n");
            v->octets = n;
            v->at = n > 0 ? AT_LITERAL : AT_REST;
        } else {
            answered(v);
        }
    } else if (v->at == AT_REST) {
        if (literal(v, &n, &unasked)) {
            char none[] = "";
            take_literal(v, n, unasked, none);
        } else if (v->rounds > 0) {
            answered(v);
        } else {
            command_over(v, "");
        }
    }
}

/* A dot between two line ends of any kind. One that is a CR may be half of a CRLF: the next byte tells. */
static bool ends_content(const struct careless *v)
{
    const unsigned char *r = v->recent;
    bool before = r[2] == '\n' || r[2] == '\r';

    return before && r[3] == '.' && r[4] == '\n'
               ? true
               : (r[1] == '\n' || r[1] == '\r') && r[2] == '.' && r[3] == '\r';
}

static void byte(struct careless *v, uint8_t c);

static void content(struct careless *v, uint8_t c)
{
    memmove(v->recent, v->recent + 1, 4);
    v->recent[4] = c;
    if (!ends_content(v)) {
        return;
    }
    bool next = v->recent[3] == '\r' && c != '\n'; /* the message ended before this one */
    v->at = AT_COMMAND;
    v->rcpt = 0;
    for (; v->due > 0; v->due--) {
        say(v, v->accepted);
    }
    if (next) {
        byte(v, c);
    }
}

static void byte(struct careless *v, uint8_t c)
{
    if (v->at == AT_CONTENT) {
        content(v, c);
    } else if (v->at == AT_LITERAL) {
        v->at = --v->octets == 0 ? AT_REST : AT_LITERAL;
    } else if (v->at == AT_CHUNK) {
        v->octets--;
    } else if (c == '\n' || c == '\r') {
        v->quiet_lf = c == '\r';
        if (v->at != AT_END) {
            line_over(v);
        }
    } else if (v->line_len + 1 < sizeof v->line && v->at != AT_END) {
        v->line[v->line_len++] = (char)(c == 0 ? ' ' : c);
    }
}

static void chunk_over(struct careless *v)
{
    if (v->at == AT_CHUNK && v->octets == 0) {
        v->at = AT_COMMAND;
        for (; v->due > 0; v->due--) {
            say(v, yes(v) ? "250 ok\r\n" : "550 no\r\n");
        }
    }
}

void careless_reads(struct careless *v, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; v->http && i < len && v->forbidden == NULL; i++) {
        careless_http(v, bytes[i]);
    }
    for (size_t i = 0; !v->http && i < len && v->forbidden == NULL; i++) {
        bool second = v->quiet_lf && bytes[i] == '\n'; /* of a CRLF whose CR ended the line */
        v->quiet_lf = false;
        if (!second) {
            byte(v, bytes[i]);
        }
        chunk_over(v);
    }
}
