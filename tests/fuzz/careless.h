/* careless.h: a mail server that reads what a session forwards in the most careless way, for fuzz_agree.c:
 * LF, CR or CRLF end a line, any blanks stand between words, a literal counts inside quotes, a message ends
 * with a dot between any of those line ends.  What it chooses (yes or no, challenges, when it answers) comes
 * of a seed. */
#ifndef CARELESS_H
#define CARELESS_H

#include "testenv.h"
#include <stddef.h>

#define CARELESS_NAME "joe@mail.test" /* who the client is by its certificate: XCLIENT LOGIN may say so */

enum careless_at { AT_COMMAND, AT_LITERAL, AT_REST, AT_ANSWER, AT_CONTENT, AT_CHUNK, AT_END };

struct careless {
    struct testenv choice;
    const char *scheme;
    bool tagged, smtp, lmtp, http, no_plus, last_counts, has_length;
    bool again;    /* the hello behind XCLIENT comes next */
    bool quiet_lf; /* the last byte was a CR that ended a line */
    enum careless_at at;
    char line[70000];
    size_t line_len;
    size_t octets;      /* of a literal or chunk still to come */
    unsigned rounds;    /* of an exchange still to come */
    unsigned rcpt, due; /* LMTP: accepted; replies behind the content */
    char tag[300], verb[32];
    unsigned char recent[5]; /* of the content */
    const char *accepted;    /* said behind content */
    char said[1u << 18];     /* not yet delivered */
    size_t said_len;
    const char *forbidden; /* a command that must never come here did */
    bool logged_in;
};

void careless_begin(struct careless *v, const char *scheme, uint64_t seed);
/* careless_http.c: the next byte, of a protocol without commands. */
void careless_http(struct careless *v, uint8_t c);
void careless_reads(struct careless *v, const uint8_t *bytes, size_t len);

#endif
