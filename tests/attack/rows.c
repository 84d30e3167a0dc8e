/* rows.c: the attacks, one row each, played for each protocol they concern. See attack.h for the words.
 *
 * behind: with B_STARTTLS or a trick it is the backend's network that says it, else the client's. apart:
 * where the cut falls exactly between the go-ahead and a byte that TLS may begin with, nobody can tell it
 * from TLS before more of it is there; then the handshake fails, for this reason. */
#include "attack.h"

#define MAIL   "imap pop3 smtp submission lmtp acap sieve nntp" /* all with STARTTLS on both legs */
#define DIALS  MAIL " http"                                     /* all with STARTTLS on the backend's leg */
#define INJECT HB_E_PROTO_INJECTION
#define GO     "%g%h%1" /* what the client hears up to the go-ahead */

/* clang-format off */
const struct row rows[] = {
    /* ---- the client's leg: bytes behind STARTTLS ---- */
    {"ATK-01 SEC-01 GEN-03", "a whole command behind STARTTLS", "", 0, "%H%S", "%N", "%I", 0, INJECT, 0, GO, "", NULL},
    {"ATK-01 ATK-31", "a login behind STARTTLS", "", 0, "%H%S", "%LBEHIND\r\n", "%I", 0, INJECT, 0, GO, "", NULL},
    {"ATK-01", "STARTTLS twice", "", 0, "%H%S", "%S", "%I", 0, INJECT, 0, GO, "", NULL},
    {"ATK-02", "half a command", "", 0, "%H%S", "BEHIND", "%I", 0, INJECT, 0, GO, "", NULL},
    {"ATK-02 SEC-04", "a literal, a chunk, an article announced", "", 0, "%H%S", "%P", "%I", 0, INJECT, 0, GO, "", NULL},
    {"ATK-02 SEC-05", "a bare LF", "", 0, "%H%S", "\nBEHIND\n", "%I", 0, INJECT, 0, GO, "", NULL},
    {"ATK-02", "a bare CR", "", 0, "%H%S", "\rBEHIND", "%I", 0, INJECT, 0, GO, "", NULL},
    {"ATK-02", "a NUL", "", 0, "%H%S", "%0BEHIND", "%I", 0, INJECT, 0, GO, "", NULL},
    {"ATK-02", "an empty line", "", 0, "%H%S", "\r\n", "%I", 0, INJECT, 0, GO, "", NULL},
    {"ATK-03 GEN-03", "the ClientHello behind STARTTLS", "", HELLO_BEHIND, "%H%S", "", "%I", 0, HB_OK, 0, GO, "%w%i", NULL},
    {"ATK-03 ATK-01", "a command behind the ClientHello", "", HELLO_BEHIND, "%H%S", "%N", "%I", 0, HB_E_TLS_RECORD_TYPE, 0, GO, "", NULL},
    {"ATK-04 GEN-02", "an honest client", "", 0, "%H%S", "", "%I", 0, HB_OK, 0, GO, "%w%i", NULL},
    /* ---- what was said in clear ---- */
    {"ATK-10 ATK-12 SEC-03", "logins, envelopes and mailboxes before TLS", "", 0, "%H%F%S", "", "%I", 0, HB_OK, 0, "%g%h%f%1", "%w%i", NULL},
    {"ATK-12 GEN-14", "a login is refused without a look", "", 0, "%H%L%S", "", "%I", 0, HB_OK, 0, "%g%h%l%1", "%w%i", NULL},
    {"ATK-14", "STARTTLS with an argument, then without", MAIL, 0, "%H%A%S", "", "%I", 0, HB_OK, 0, "%g%h%2%1", "%w%i", NULL},
    {"ATK-09 ATK-11", "STARTTLS inside TLS", MAIL, NOT_HEARD, "%H%S", "", "%S", 0, HB_OK, 0, GO, "%w%3", NULL},
    {"ATK-13 GEN-07", "a handshake that is none", "", NO_HANDSHAKE, "%H%S", "\x16\x03\x01%0\x05""BEHIN", NULL, 0, HB_E_TLS_UNEXPECTED_MESSAGE, 0, GO, "", NULL},
    {"ATK-08 SEC-03 GEN-06", "state from before TLS (optional)", MAIL, OPTIONAL, "%H%Z%S", "", "%I", 0, HB_OK, 0, NULL, "%w%i", NULL},
    {"ATK-08 SMTP-14", "an envelope without its hello", "smtp submission", OPTIONAL | NOT_HEARD, "%H%Z%S", "", "MAIL FROM:<a@b>\r\n", 0, HB_OK, 0, NULL, "503 5.5.1 Send EHLO first\r\n", NULL},
    {"ATK-01 ATK-07", "a command behind STARTTLS (optional)", MAIL, OPTIONAL, "%H%Z%S", "%N", "%I", 0, INJECT, 0, NULL, "", NULL},
    {"ATK-07 SEC-09 GEN-05", "the backend pushes before the upgrade", "imap acap", OPTIONAL, "%Z%S", "%R", "%I", TRICK_UPGRADING, HB_OK, 0, NULL, "%w%i", NULL},
    {"ATK-07 SEC-09 GEN-05", "the backend pushes half a line in the upgrade", "imap acap", OPTIONAL, "%Z%S", "* OK PUSHED", "%I", TRICK_UPGRADING, HB_OK, 0, NULL, "%w%i", NULL},
    {"ATK-14 GEN-17 SEC-05", "STARTTLS with a NUL in it", MAIL, 0, "%H%B%0\r\n%N", NULL, "%I", 0, HB_E_PROTO_BAD_CHARACTER, 0, "%g%h%c", "", NULL},
    {"ATK-14 GEN-17 SEC-05", "STARTTLS, a bare LF, a command", MAIL, 0, "%H%B\n%N", NULL, "%I", 0, HB_E_PROTO_BAD_CHARACTER, 0, "%g%h%c", "", NULL},
    {"ATK-14 GEN-17 SEC-05", "STARTTLS, a bare CR, a command", MAIL, 0, "%H%B\r%N", NULL, "%I", 0, HB_E_PROTO_BAD_CHARACTER, 0, "%g%h%c", "", NULL},
    {"SEC-04 ATK-46 ATK-11", "STARTTLS as the data of a command that is refused", "imap smtp submission lmtp acap sieve nntp", 0, "%H%D%S", "", "%I", 0, HB_OK, 0, "%g%h%d%1", "%w%i", NULL},
    {"SEC-05 ATK-29 GEN-18", "a line that is a byte too long", "imap pop3 smtp submission lmtp sieve nntp", 0, "%H%X%L%S", "", "%I", 0, HB_OK, 0, "%g%h%x%l%1", "%w%i", NULL},
    {"ATK-29 SEC-05 GEN-18", "a line without an end", MAIL, 0, "%H%E", NULL, "%I", 0, HB_E_PROTO_LINE_TOO_LONG, 0, "%g%h%x", "", NULL},
    {"ATK-29 SEC-05 GEN-18", "a line without an end", "http", 0, "%E", NULL, "%I", 0, HB_E_PROTO_LINE_TOO_LONG, 0, "%x", "", NULL},
    {"ATK-25 SEC-07 GEN-23", "a browser on the mail port", MAIL, 0, "POST / HTTP/1.1\r\nHost: mail.test\r\n\r\n%L", NULL, "%I", 0, HB_E_PROTO_HTTP, 0, "%g", "", NULL},
    {"ATK-27", "TLS before STARTTLS", DIALS, HELLO_BEHIND, "", NULL, "%I", 0, HB_E_PROTO_TLS_BEFORE_STARTTLS, 0, "%g", "", NULL},
    /* ---- the backend's leg ---- */
    {"ATK-04 ATK-19 CLI-02", "an honest backend", DIALS, B_STARTTLS, "%H%S", NULL, "%I", 0, HB_OK, 0, GO, NULL, NULL},
    {"ATK-05 SEC-01 CLI-01", "answers behind the go-ahead", DIALS, B_STARTTLS, "%H%S", "%R", "%I", TRICK_BEHIND, HB_E_PEER_INJECTION, 0, GO, NULL, NULL},
    {"ATK-06", "half a line behind the go-ahead", DIALS, B_STARTTLS, "%H%S", "PUSHED", "%I", TRICK_BEHIND, HB_E_PEER_INJECTION, 0, GO, NULL, NULL},
    {"ATK-06", "an empty line behind the go-ahead", DIALS, B_STARTTLS, "%H%S", "\r\n", "%I", TRICK_BEHIND, HB_E_PEER_INJECTION, 0, GO, NULL, NULL},
    {"ATK-06", "a go-ahead before STARTTLS is said", MAIL, B_STARTTLS, "%H%S", NULL, "%I", TRICK_EARLY, HB_E_PEER_REPLY, HB_E_PEER_INJECTION, GO, NULL, NULL},
    {"ATK-06", "an answer before anything is asked", "http", B_STARTTLS, "%H%S", "%R", "%I", TRICK_GREETING, HB_E_PEER_NO_STARTTLS, 0, GO, NULL, NULL},
    {"ATK-05 CLI-01", "a byte of TLS behind the go-ahead", DIALS, B_STARTTLS, "%H%S", "\x16", "%I", TRICK_BEHIND, HB_E_PEER_INJECTION, HB_E_TLS_RECORD_VERSION, GO, NULL, NULL},
    {"ATK-13 CLI-04", "something else than TLS", DIALS, B_STARTTLS, "%H%S", "%R", "%I", TRICK_NO_TLS, HB_E_PEER_INJECTION, 0, GO, NULL, NULL},
    {"ATK-15 SEC-02 CLI-04", "STARTTLS cut out of the list", DIALS, B_STARTTLS, "%H%S", NULL, "%I", TRICK_STRIPPED, HB_E_PEER_NO_STARTTLS, 0, GO, NULL, NULL},
    {"ATK-15 CLI-08", "EHLO refused", "smtp submission lmtp", B_STARTTLS, "%H%S", NULL, "%I", TRICK_NO_LIST, HB_E_PEER_NO_STARTTLS, 0, GO, NULL, NULL},
    {"ATK-15", "the list refused", "pop3 nntp", B_STARTTLS, "%H%S", NULL, "%I", TRICK_NO_LIST, HB_OK, 0, GO, NULL, NULL},
    {"ATK-16 SEC-02", "STARTTLS listed and refused", DIALS, B_STARTTLS, "%H%S", NULL, "%I", TRICK_REFUSED, HB_E_PEER_STARTTLS_REFUSED, 0, GO, NULL, NULL},
    {"ATK-16", "STARTTLS refused for now", "imap pop3 smtp submission lmtp acap sieve http", B_STARTTLS, "%H%S", NULL, "%I", TRICK_LATER, HB_E_PEER_STARTTLS_LATER, 0, GO, NULL, NULL},
    {"ATK-16", "the end instead of a go-ahead", "nntp", B_STARTTLS, "%H%S", NULL, "%I", TRICK_LATER, HB_E_PEER_BYE, 0, GO, NULL, NULL},
    {"ATK-17", "a go-ahead that is none", DIALS, B_STARTTLS, "%H%S", NULL, "%I", TRICK_ODD, HB_E_PEER_STARTTLS_ODD, 0, GO, NULL, NULL},
    {"ATK-17 CLI-13", "an answer of a megabyte", DIALS, B_STARTTLS, "%H%S", NULL, "%I", TRICK_ENDLESS, HB_E_PEER_TOO_LONG, 0, GO, NULL, NULL},
    {"ATK-18 SEC-02 CLI-06", "PREAUTH", "imap", B_STARTTLS, "%H%S", "* PREAUTH PUSHED\r\n", "%I", TRICK_GREETING, HB_E_PEER_PREAUTH, 0, GO, NULL, NULL},
    {"ATK-21 ATK-22 ATK-23 CLI-03", "mailbox data, alerts and referrals before TLS", "imap", B_STARTTLS, "%H%S", NULL, "%I", TRICK_NOISE, HB_OK, 0, GO, "%i", NULL},
    {"ATK-22 SEC-06", "a greeting that speaks to people", "imap", B_STARTTLS, "%H%S", "* OK [ALERT] PUSHED \x1b[31m\r\n", "%I", TRICK_GREETING, HB_OK, 0, GO, "%i", NULL},
    {"ATK-22", "a greeting that speaks to people", "pop3", B_STARTTLS, "%H%S", "+OK PUSHED <1.2@PUSHED>\r\n", "%I", TRICK_GREETING, HB_OK, 0, GO, "%i", NULL},
    {"ATK-22", "a greeting that speaks to people", "smtp submission lmtp", B_STARTTLS, "%H%S", "220-PUSHED\r\n220 PUSHED\r\n", "%I", TRICK_GREETING, HB_OK, 0, GO, "%i", NULL},
    {"ATK-22", "a greeting that speaks to people", "nntp", B_STARTTLS, "%H%S", "200 PUSHED\r\n", "%I", TRICK_GREETING, HB_OK, 0, GO, "%i", NULL},
    {"ATK-19 ATK-22", "a list in clear that is not the one inside", "sieve", B_STARTTLS, "%H%S", "\"IMPLEMENTATION\" \"PUSHED\"\r\n\"SASL\" \"PUSHED\"\r\n\"STARTTLS\"\r\nOK \"PUSHED\"\r\n", "%I", TRICK_GREETING, HB_OK, 0, GO, "%w%i", NULL},
    {"ATK-19 ATK-22", "a list in clear that is not the one inside", "acap", B_STARTTLS, "%H%S", "* ACAP (IMPLEMENTATION \"PUSHED\") (SASL \"PUSHED\") (STARTTLS)\r\n", "%I", TRICK_GREETING, HB_OK, 0, GO, "%w%i", NULL},
    {"ATK-23", "a greeting that sends elsewhere", "imap", B_STARTTLS, "%H%S", "* BYE [REFERRAL imap://PUSHED/] go\r\n", "%I", TRICK_GREETING, HB_E_PEER_REFUSED, 0, GO, NULL, NULL},
    {"ATK-43 SEC-11", "the link ends in the middle of the dialogue", DIALS, B_STARTTLS, "%H%S", NULL, "%I", TRICK_DIES, HB_E_PEER_CLOSED, 0, GO, NULL, NULL},
    {"CLI-12 ATK-04", "TLS first toward the backend", DIALS, B_IMPLICIT, "%H%S", NULL, "%I", 0, HB_OK, 0, GO, "%w%i", NULL},
    {"CLI-12 ATK-13", "plaintext where TLS comes first", DIALS, B_IMPLICIT, "%H%S", "%R", "%I", TRICK_GREETING, HB_E_PEER_PLAINTEXT, 0, GO, NULL, NULL},
    /* ---- both legs at once ---- */
    {"ATK-07 ATK-01", "a command behind the client's STARTTLS, a backend with STARTTLS", MAIL, B_STARTTLS | NOT_HEARD, "%H%S", NULL, "%S", 0, HB_OK, 0, GO, NULL, NULL},
};
/* clang-format on */
const size_t num_rows = sizeof rows / sizeof rows[0];
