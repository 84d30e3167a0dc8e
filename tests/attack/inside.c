/* inside.c: the attacks that come inside TLS, or from a backend without TLS: framing, smuggling, lists, ends.
 * What the client says inside TLS is cut before each byte, each piece a record of its own; with CUT_BACKEND
 * it is what the backend says. SMUGGLED must reach nobody. */
#include "attack.h"

#define MAIL    "imap pop3 smtp submission lmtp acap sieve nntp"
#define GO      "%g%h%1"
#define CHAR    HB_E_PROTO_BAD_CHARACTER
#define NEWLINE HB_E_PROTO_BARE_NEWLINE

/* A message of SMTP and LMTP up to its text, and how it is answered. */
#define ENVELOPE "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n"
#define OK2      "250 ok\r\n250 ok\r\n"
#define SMUGGLED "MAIL FROM:<SMUGGLED@b>\r\nRCPT TO:<SMUGGLED@d>\r\n.\r\n"
#define NO_BARE                                                                                              \
    "550 5.5.2 Bare <CR> or <LF> not allowed\r\n421 4.7.0 mail.test Closing transmission channel\r\n"
/* What: the text up to where nothing more may go on, and what follows it. */
#define DATA(what, good, bad)                                                                                \
    {                                                                                                        \
        "ATK-46 SEC-05 SMTP-06", "smuggling: " what, "smtp submission lmtp", CUT_INSIDE, "%H%S", "",         \
            "%I" ENVELOPE "DATA\r\nhello" good bad SMUGGLED, 0, NEWLINE, 0, GO,                              \
            "%w%i" OK2 "354 go\r\n" NO_BARE, "%I" ENVELOPE "DATA\r\nhello" good                              \
    }
#define POST(what, good, bad)                                                                                \
    {                                                                                                        \
        "ATK-46 SEC-05 NNTP-04", "smuggling: " what, "nntp", CUT_INSIDE, "%H%S", "",                         \
            "POST\r\nSubject: x\r\n\r\nhello" good bad "AUTHINFO USER SMUGGLED\r\n.\r\n", 0, NEWLINE, 0, GO, \
            "%w340 send it\r\n400 Invalid article data\r\n", "POST\r\nSubject: x\r\n\r\nhello" good          \
    }

/* clang-format off */
const struct row inside_rows[] = {
    {"ATK-04 GEN-02", "an honest client in pieces", MAIL " http", CUT_INSIDE, "%H%S", "", "%I", 0, HB_OK, 0, GO, "%w%i", NULL},
    {"ATK-09 ATK-11", "STARTTLS inside TLS", MAIL, CUT_INSIDE, "%H%S", "", "%S%I", 0, HB_OK, 0, GO, "%w%3%i", "%I"},
    {"ATK-25 SEC-07 GEN-23", "a browser inside TLS", MAIL, CUT_INSIDE, "%H%S", "", "POST / HTTP/1.1\r\nHost: SMUGGLED\r\n\r\n%I", 0, HB_E_PROTO_HTTP, 0, GO, "%w", NULL},
    /* ---- lines ---- */
    {"SEC-05 ATK-46 GEN-17", "a bare LF in a command", MAIL, CUT_INSIDE, "%H%S", "", "%J\nSMUGGLED\r\n", 0, CHAR, 0, GO, "%w%c", NULL},
    {"SEC-05 ATK-46 GEN-17", "a bare CR in a command", MAIL, CUT_INSIDE, "%H%S", "", "%J\rSMUGGLED\r\n", 0, CHAR, 0, GO, "%w%c", NULL},
    {"SEC-05 ATK-46 GEN-17", "a NUL in a command", MAIL, CUT_INSIDE, "%H%S", "", "%J%0SMUGGLED\r\n", 0, CHAR, 0, GO, "%w%c", NULL},
    {"SEC-05 ATK-29 GEN-18", "a line that is a byte too long", "imap pop3 smtp submission lmtp sieve nntp", CUT_INSIDE, "%H%S", "", "%X%I", 0, HB_OK, 0, GO, "%w%x%i", "%I"},
    {"ATK-29 SEC-05 GEN-18", "a line without an end", MAIL, CUT_INSIDE, "%H%S", "", "%E", 0, HB_E_PROTO_LINE_TOO_LONG, 0, GO, "%w%x", NULL},
    /* ---- messages and articles ---- */
    DATA("LF . LF", "", "\n.\n"),
    DATA("LF . CRLF", "", "\n.\r\n"),
    DATA("CRLF . LF", "\r\n.", "\n"),
    DATA("CR . CR", "\r", ".\r"),
    DATA("CRLF . CR", "\r\n.\r", ".\r\n"),
    DATA("CR CRLF . CRLF", "\r", "\r\n.\r\n"),
    POST("LF . LF", "", "\n.\n"),
    POST("LF . CRLF", "", "\n.\r\n"),
    POST("CRLF . LF", "\r\n.", "\n"),
    POST("CR . CR", "\r", ".\r"),
    POST("a NUL", "", "%0"),
    {"SEC-04 ATK-46 SMTP-05", "commands and dots in a message", "smtp submission", CUT_INSIDE, "%H%S", "", "%I" ENVELOPE "DATA\r\nSTARTTLS\r\n..\r\n. \r\nQUIT\r\n.\r\n%S", 0, HB_OK, 0, GO, "%w%i" OK2 "354 go\r\n250 taken\r\n%3", "%I" ENVELOPE "DATA\r\nSTARTTLS\r\n..\r\n. \r\nQUIT\r\n.\r\n"},
    {"SEC-04 ATK-46 NNTP-04", "commands and dots in an article", "nntp", CUT_INSIDE, "%H%S", "", "POST\r\nSTARTTLS\r\n..\r\n. \r\nQUIT\r\n.\r\n%S", 0, HB_OK, 0, GO, "%w340 send it\r\n240 taken\r\n%3", "POST\r\nSTARTTLS\r\n..\r\n. \r\nQUIT\r\n.\r\n"},
    {"SEC-04 ATK-46 NNTP-04", "an article nobody said is taken", "nntp", CUT_INSIDE, "%H%S", "", "TAKETHIS <a@b>\r\nAUTHINFO USER SMUGGLED\r\n.\r\n%I", 0, HB_OK, 0, GO, "%w500 Unknown command\r\n%i", "%I"},
    {"SEC-04 ATK-46 SMTP-07", "a chunk nobody said is taken", "smtp submission lmtp", CUT_INSIDE, "%H%S", "", "%IBDAT 24\r\nMAIL FROM:<SMUGGLED@b>\r\nNOOP\r\n", 0, HB_OK, 0, GO, "%w%i502 5.5.1 Command not implemented\r\n250 ok\r\n", "%INOOP\r\n"},
    {"SEC-05 ATK-46 SMTP-07", "chunks of two sizes", "smtp submission lmtp", CUT_INSIDE, "%H%S", "", "%IBDAT +1\r\nBDAT 1 1\r\nBDAT 0x1\r\n", 0, HB_OK, 0, GO, "%w%i501 5.5.4 Syntax error in BDAT\r\n501 5.5.4 Syntax error in BDAT\r\n501 5.5.4 Syntax error in BDAT\r\n", "%I"},
    /* ---- literals, exchanges ---- */
    {"SEC-04 ATK-46 IMAP-04", "a literal whose command the backend ends early", "imap", CUT_INSIDE, "%H%S", "", "n NOOP {18+}\r\nb LOGIN SMUGGLED\r\n x\r\n%I", 0, HB_OK, 0, GO, "%wn OK done\r\n%i", "n NOOP {18}\r\n%I"},
    {"SEC-04 ATK-46 ACAP-07", "a literal whose command the backend ends early", "acap", CUT_INSIDE, "%H%S", "", "n NOOP {18+}\r\nb XLOGI SMUGGLED\r\n x\r\n%I", 0, HB_OK, 0, GO, "%wn OK \"done\"\r\n%i", "n NOOP {18}\r\n%I"},
    {"SEC-04 ATK-46 IMAP-09", "STARTTLS in a literal", "imap", CUT_INSIDE, "%H%S", "", "a LOGIN {12+}\r\na STARTTLS\r\n x\r\n", 0, HB_OK, 0, GO, "%wa NO no\r\n", "a LOGIN {12}\r\na STARTTLS\r\n x\r\n"},
    {"SEC-05 ATK-46 IMAP-07", "braces in quotes are no literal", "imap", CUT_INSIDE, "%H%S", "", "a XYZZY \"{5}\"\r\n%I", 0, HB_OK, 0, GO, "%wa OK done\r\n%i", "a XYZZY \"{5}\"\r\n%I"},
    {"SEC-05 ATK-46 SIEVE-02", "a literal of a command that is refused", "sieve", CUT_INSIDE, "%H%S", "", "PUTSCRIPT \"x\" {17+}\r\nLOGOUT SMUGGLED\r\n\r\n%I", 0, HB_OK, 0, GO, "%wNO \"Authenticate first\"\r\n%i", "%I"},
    {"SEC-04 IMAP-08", "STARTTLS in an exchange", "imap", CUT_INSIDE, "%H%S", "", "a AUTHENTICATE X\r\ns STARTTLS\r\n%S", 0, HB_OK, 0, GO, "%w+ \r\na NO no\r\n%3", "a AUTHENTICATE X\r\ns STARTTLS\r\n"},
    {"SEC-04 POP-07", "STARTTLS in an exchange", "pop3", CUT_INSIDE, "%H%S", "", "AUTH X\r\nSTLS\r\n%S", 0, HB_OK, 0, GO, "%w+ \r\n-ERR no\r\n%3", "AUTH X\r\nSTLS\r\n"},
    {"SEC-04 SMTP-08", "STARTTLS in an exchange", "smtp submission lmtp", CUT_INSIDE, "%H%S", "", "%IAUTH X\r\nSTARTTLS\r\n%S", 0, HB_OK, 0, GO, "%w%i334 \r\n501 5.5.2 what\r\n%3", "%IAUTH X\r\nSTARTTLS\r\n"},
    {"SEC-04 NNTP-09", "STARTTLS in an exchange", "nntp", CUT_INSIDE, "%H%S", "", "AUTHINFO SASL X\r\nSTARTTLS\r\n%S", 0, HB_OK, 0, GO, "%w383 =\r\n482 no\r\n%3", "AUTHINFO SASL X\r\nSTARTTLS\r\n"},
    {"SEC-04 ACAP-08", "STARTTLS in an exchange", "acap", CUT_INSIDE, "%H%S", "", "a AUTHENTICATE \"X\"\r\ns STARTTLS\r\n%S", 0, HB_OK, 0, GO, "%w+ \"\"\r\na NO \"no\"\r\n%3", "a AUTHENTICATE \"X\"\r\ns STARTTLS\r\n"},
    {"SEC-04 ATK-11", "STARTTLS in an exchange (optional)", "imap", OPTIONAL, "a AUTHENTICATE X\r\ns STARTTLS\r\n", NULL, NULL, 0, HB_OK, 0, "* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] b\r\n+ \r\na NO no\r\n", "", "a AUTHENTICATE X\r\ns STARTTLS\r\n"},
    {"SEC-04 ATK-11", "STARTTLS in an exchange (optional)", "pop3", OPTIONAL, "AUTH X\r\nSTLS\r\n", NULL, NULL, 0, HB_OK, 0, "+OK b\r\n+ \r\n-ERR no\r\n", "", "AUTH X\r\nSTLS\r\n"},
    {"SEC-04 ATK-11", "STARTTLS in a message (optional)", "smtp submission", OPTIONAL, ENVELOPE "DATA\r\nSTARTTLS\r\n.\r\nNOOP\r\n", NULL, NULL, 0, HB_OK, 0, "220 b\r\n" OK2 "354 go\r\n250 taken\r\n250 ok\r\n", "", ENVELOPE "DATA\r\nSTARTTLS\r\n.\r\nNOOP\r\n"},
    {"SEC-04 ATK-11", "STARTTLS in an article (optional)", "nntp", OPTIONAL, "POST\r\nSTARTTLS\r\n.\r\n", NULL, NULL, 0, HB_OK, 0, "201 b\r\n340 send it\r\n240 taken\r\n", "", "POST\r\nSTARTTLS\r\n.\r\n"},
    {"SEC-04 ATK-11", "STARTTLS in a literal (optional)", "sieve", OPTIONAL, "NOOP {10+}\r\nSTARTTLS\r\n\r\n", NULL, NULL, 0, HB_OK, 0, NULL, "", ""},
    {"SEC-04 ATK-11", "STARTTLS in an exchange (optional)", "acap", OPTIONAL, "a AUTHENTICATE \"X\"\r\ns STARTTLS\r\n", NULL, NULL, 0, HB_OK, 0, NULL, "", "a AUTHENTICATE \"X\"\r\ns STARTTLS\r\n"},
    {"SEC-05 ATK-46 SMTP-06", "smuggling in clear (optional)", "smtp submission lmtp", OPTIONAL, ENVELOPE "DATA\r\nhello\n.\r\n" SMUGGLED, NULL, NULL, 0, NEWLINE, 0, "220 b\r\n" OK2 "354 go\r\n" NO_BARE, "", ENVELOPE "DATA\r\nhello"},
    {"ATK-14 SEC-05", "a bare LF in clear (optional)", MAIL, OPTIONAL, "%J\nSMUGGLED\r\n", NULL, NULL, 0, CHAR, 0, NULL, "", ""},
    /* ---- who somebody says to be ---- */
    {"SEC-08 SMTP-19", "XCLIENT and XFORWARD", "smtp submission lmtp", CUT_INSIDE, "%H%S", "", "%IXCLIENT ADDR=SMUGGLED\r\nxforward NAME=SMUGGLED\r\n", 0, HB_OK, 0, GO, "%w%i550 5.7.0 Not authorized\r\n550 5.7.0 Not authorized\r\n", "%I"},
    {"SEC-08 ADDR-21", "ID in somebody else's name", "imap", CUT_INSIDE, "%H%S", "", "d ID (\"X-Originating-IP\" \"SMUGGLED\")\r\n%I", 0, HB_OK, 0, GO, "%w* ID NIL\r\nd OK ID completed\r\n%i", "%I"},
    {"SEC-08", "XCLIENT", "pop3", CUT_INSIDE, "%H%S", "", "XCLIENT ADDR=SMUGGLED\r\n%I", 0, HB_OK, 0, GO, "%w-ERR Unknown command\r\n%i", "%I"},
    {"SEC-08", "XCLIENT", "imap", CUT_INSIDE, "%H%S", "", "x XCLIENT ADDR=SMUGGLED\r\n%I", 0, HB_OK, 0, GO, "%wx BAD Unknown command\r\n%i", "%I"},
    {"SEC-08", "XCLIENT", "sieve", CUT_INSIDE, "%H%S", "", "XCLIENT ADDR=SMUGGLED\r\n%I", 0, HB_OK, 0, GO, "%wNO \"Authenticate first\"\r\n%i", "%I"},
    /* ---- what a backend without TLS says ---- */
    {"ATK-18 SEC-02 IMAP-20", "PREAUTH behind the upgrade", "imap", CUT_BACKEND, "%H%S", "* PREAUTH PUSHED\r\n", "%I", TRICK_GREETING, HB_E_PROTO_BACKEND_PREAUTH, 0, GO, "* BYE Insufficient security\r\n", NULL},
    {"ATK-23", "a referral", "imap", CUT_BACKEND, "%H%S", "i NO [REFERRAL imap://PUSHED/] not here\r\n", "%I", TRICK_ANSWER, HB_OK, 0, GO, "i NO not here\r\n", NULL},
    {"SEC-06 IMAP-12", "a list of capabilities inside a literal", "imap", CUT_BACKEND, "%H%S", "* LIST () \"/\" {23}\r\n* CAPABILITY STARTTLS\r\n\r\ni OK [CAPABILITY IMAP4rev1 STARTTLS] done\r\n", "%I", TRICK_ANSWER, HB_OK, 0, GO, "* LIST () \"/\" {23}\r\n* CAPABILITY STARTTLS\r\n\r\ni OK [CAPABILITY IMAP4rev1] done\r\n", NULL},
    {"ATK-45 ATK-09 ATK-23 ATK-34", "what a list may not offer", "imap", CUT_BACKEND, "%H%S", "* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED LOGIN-REFERRALS MAILBOX-REFERRALS AUTH=EXTERNAL AUTH=PLAIN\r\ni OK\r\n", "i CAPABILITY\r\n", TRICK_ANSWER, HB_OK, 0, GO, "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\ni OK\r\n", NULL},
    {"ATK-45 ATK-09", "what a list may not offer", "pop3", CUT_BACKEND, "%H%S", "+OK\r\nSTLS\r\nSASL EXTERNAL PLAIN\r\nUIDL\r\n.\r\n", "CAPA\r\n", TRICK_ANSWER, HB_OK, 0, GO, "+OK\r\nSASL PLAIN\r\nUIDL\r\n.\r\n", NULL},
    {"ATK-45 ATK-09", "what a list may not offer", "smtp submission lmtp", CUT_BACKEND, "%H%S", "250-b\r\n250-XCLIENT ADDR\r\n250-XFORWARD ADDR\r\n250-REQUIRETLS\r\n250-AUTH EXTERNAL PLAIN\r\n250 STARTTLS\r\n", "%I", TRICK_ANSWER, HB_OK, 0, GO, "250-b\r\n250 AUTH PLAIN\r\n", NULL},
    {"ATK-45 ATK-09", "what a list may not offer", "nntp", CUT_BACKEND, "%H%S", "101 list\r\nVERSION 2\r\nSTARTTLS\r\nMODE-READER\r\nSASL EXTERNAL PLAIN\r\nREADER\r\n.\r\n", "CAPABILITIES\r\n", TRICK_ANSWER, HB_OK, 0, GO, "101 list\r\nVERSION 2\r\nSASL PLAIN\r\nREADER\r\n.\r\n", NULL},
    {"ATK-45 ATK-09", "what a list may not offer", "sieve", CUT_BACKEND, "%H%S", "\"IMPLEMENTATION\" \"b\"\r\n\"STARTTLS\"\r\n\"SASL\" \"EXTERNAL PLAIN\"\r\nOK\r\n", "%I", TRICK_GREETING, HB_OK, 0, GO, "\"IMPLEMENTATION\" \"b\"\r\n\"SASL\" \"PLAIN\"\r\nOK\r\n%i", NULL},
    {"ATK-45 ATK-09", "what a list may not offer", "acap", CUT_BACKEND, "%H%S", "* ACAP (IMPLEMENTATION \"b\") (STARTTLS) (SASL \"EXTERNAL\" \"PLAIN\")\r\n", "%I", TRICK_GREETING, HB_OK, 0, GO, "* ACAP (IMPLEMENTATION \"b\") (SASL \"PLAIN\")\r\n%i", NULL},
    {"ATK-43 SEC-11", "half an answer, and the end", "imap", CUT_BACKEND, "%H%S", "* LIST () \"/\" {20}\r\nhalf", "%I", TRICK_DIES, HB_E_PROTO_BACKEND_LOST, 0, GO, NULL, "%I"},
    {"ATK-43 SEC-11", "half an answer, and the end", "pop3", CUT_BACKEND, "%H%S", "+OK\r\nUIDL\r\nhal", "CAPA\r\n", TRICK_DIES, HB_E_PROTO_BACKEND_LOST, 0, GO, NULL, "CAPA\r\n"},
    {"ATK-43 SEC-11", "half an answer, and the end", "smtp submission lmtp", CUT_BACKEND, "%H%S", "250-b\r\n250-PIPEL", "%I", TRICK_DIES, HB_E_PROTO_BACKEND_LOST, 0, GO, NULL, "%I"},
    {"ATK-43 SEC-11", "half an answer, and the end", "nntp", CUT_BACKEND, "%H%S", "101 list\r\nVERSION 2\r\nREA", "CAPABILITIES\r\n", TRICK_DIES, HB_E_PROTO_BACKEND_LOST, 0, GO, NULL, "CAPABILITIES\r\n"},
    {"ATK-43 SEC-11", "half an answer, and the end", "sieve acap", CUT_BACKEND, "%H%S", "i OK (CO", "%I", TRICK_DIES, HB_E_PROTO_BACKEND_LOST, 0, GO, NULL, "%I"},
    {"ATK-29 SEC-05", "an answer without an end", "pop3 smtp submission lmtp sieve nntp", CUT_BACKEND, "%H%S", "%E", "%I", TRICK_ANSWER, HB_E_PROTO_BACKEND_REPLY, 0, GO, NULL, "%I"},
};
/* clang-format on */
const size_t num_inside_rows = sizeof inside_rows / sizeof inside_rows[0];
