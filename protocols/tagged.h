/* tagged.h: protocols with tags and literals: IMAP and ACAP are two dialects of one machine.
 *
 * The machine keeps the framing of both directions: which octets are a command
 * line, which belong to a literal, which are SASL data. Gateway and backend
 * must agree on that for every byte; where they might not (braces inside
 * quotes, literals without permission) the session ends. */
#ifndef HB_TAGGED_H
#define HB_TAGGED_H

#include "external.h"

/* What a verb may do, and when. */
enum {
    HB_CMD_LOCAL_CLEAR = 1, /* answered here before TLS */
    HB_CMD_STARTTLS = 2,
    HB_CMD_CREDENTIALS = 4,  /* carries a password: refused in clear */
    HB_CMD_AUTHENTICATE = 8, /* an exchange of lines follows */
    HB_CMD_IDLE = 16,        /* likewise: "+", then one line */
    HB_CMD_NEVER = 32,       /* refused as unknown before login */
    HB_CMD_LOGOUT = 64,
    HB_CMD_LOCAL_ALWAYS = 128,  /* answered here in clear, whether TLS is required or not */
    HB_CMD_NO_ARGS = 256,       /* arguments are refused where it is answered here */
    HB_CMD_UNAUTHENTICATE = 512 /* takes the session back to before login (RFC 8437) */
};

enum hb_tagged_refusal {
    HB_REFUSE_NOTHING,
    HB_REFUSE_REQUIRED_AUTH,
    HB_REFUSE_REQUIRED,
    HB_REFUSE_ARGUMENTS,
    HB_REFUSE_UNKNOWN,
    HB_REFUSE_TOO_MANY_ARGUMENTS,
    HB_REFUSE_MECHANISM,
    HB_REFUSE_CANCELLED,
    HB_REFUSE_NOT_YOURS,
    HB_REFUSE_NO_RESPONSE
};

/* What a forwarded command is to the one who reads its answer. */
enum hb_tagged_kind { HB_KIND_OTHER = 1, HB_KIND_LOGIN, HB_KIND_EXCHANGE, HB_KIND_LOGOUT };

struct hb_tagged_verb {
    const char *verb; /* sorted is not needed: a dozen */
    unsigned flags;
    /* The lines of a local answer, without the tagged OK. */
    void (*local)(struct hb_proto_session *s, struct hb_span args);
    const char *ok; /* the tagged OK of a local answer */
};

/* Lines of the reply matrix; %t is the tag. */
struct hb_tagged_texts {
    const char *begin_tls, *takes_no_arguments, *already, *after_auth, *temporary, *unknown;
    const char *required_auth, *required; /* R8 for commands that log in, and for all others */
    const char *too_many_arguments, *mechanism;
    const char *too_long, *too_long_untagged, *invalid_tag, *empty;
    const char *bad_character, *shutdown, *idle, *backend, *insecure, *literal_too_long;
    const char *alert;                             /* to who logged in in clear */
    const char *not_yours, *cancelled, *no_base64; /* EXTERNAL */
};

struct hb_tagged_dialect {
    const struct hb_tagged_texts *texts;
    const struct hb_tagged_verb *verbs;
    size_t num_verbs;
    size_t max_line, max_tag;
    bool (*tag_char)(uint8_t c);
    bool (*never)(struct hb_span verb); /* further verbs refused before login */
    bool (*refuse_args)(struct hb_proto_session *s, const struct hb_tagged_verb *verb, struct hb_span args);
    /* Of AUTHENTICATE; empty if there is none, or if it is written so that parsers may differ about it. */
    struct hb_span (*mechanism)(struct hb_span args);
    bool exchange_literals;  /* lines of an AUTHENTICATE exchange may announce literals */
    const char *plain, *ask; /* "AUTHENTICATE PLAIN", and "+" with an empty challenge */
    /* What the client's response to EXTERNAL is worth: a line of an exchange, or what stands behind the
     * mechanism. */
    enum hb_external_verdict (*judge)(struct hb_proto_session *s, struct hb_span response);
    /* The backend's "+": sends the master's message. */
    void (*answer)(struct hb_proto_session *s);
    /* The backend's greeting, whole; says what the client shall see. */
    enum hb_unit (*greeting)(struct hb_proto_session *s, struct hb_span line);
    bool status_is_text;  /* OK, NO, BAD, BYE, PREAUTH and "+" end with words for people: never with a literal
                           */
    bool unauthenticates; /* a session may go back to before login */
    bool greeting_literals; /* the greeting may hold literals: wait for all of it */
    /* A backend line (not one behind a literal), to be edited for the client. */
    void (*pass)(struct hb_proto_session *s, struct hb_span line);
};

enum hb_unit hb_tagged_client(struct hb_proto_session *s, struct hb_span *in);
enum hb_unit hb_tagged_backend(struct hb_proto_session *s, struct hb_span *in);
void hb_tagged_bye(struct hb_proto_session *s, enum hb_goodbye kind);
void hb_tagged_too_long(struct hb_proto_session *s, struct hb_span head);
/* True while the client has seen the beginning of a backend's line, and not its end. */
bool hb_tagged_busy(const struct hb_proto_session *s);
/* True if the stream cannot go on without the line that was too long. */
bool hb_tagged_needs_line(const struct hb_proto_session *s);

/* True where nobody stops looking at login: our link to the backend shows who we are, and a client that went
 * back to before login could be taken for us (SASL-02). */
bool hb_tagged_looks_on(const struct hb_proto_session *s);

/* ---- between tagged.c and tagged_external.c ---- */

/* Refuses now, or when the command's literals are over. */
enum hb_unit hb_tagged_refuse_command(struct hb_proto_session *s, struct hb_span tag, struct hb_span line,
                                      enum hb_tagged_refusal why);
/* AUTHENTICATE EXTERNAL, in a line of the client's. */
enum hb_unit hb_tagged_external(struct hb_proto_session *s, struct hb_span tag, struct hb_span line,
                                struct hb_span response, bool has_response);
/* The line that was asked for; the tag was kept. */
enum hb_unit hb_tagged_external_line(struct hb_proto_session *s, struct hb_span line);
/* What follows the literal that holds the response: the command's end. */
enum hb_unit hb_tagged_external_over(struct hb_proto_session *s, struct hb_span line);

#endif
