/* sieve.h: what the two halves of ManageSieve share (private to sieve.c and sieve_backend.c). */
#ifndef HB_SIEVE_H
#define HB_SIEVE_H

#include "session.h"

/* What an outstanding command's reply means. */
enum hb_sieve_kind {
    HB_SIEVE_OTHER = 1,
    HB_SIEVE_CAPABILITY,
    HB_SIEVE_AUTHENTICATE,
    HB_SIEVE_UNAUTHENTICATE,
    HB_SIEVE_LOGOUT
};

enum hb_unit hb_sieve_backend(struct hb_proto_session *s, struct hb_span *in);
void hb_sieve_bye(struct hb_proto_session *s, enum hb_goodbye kind);
/* True while the client has seen the beginning of a backend's line, and not its end. */
bool hb_sieve_midline(const struct hb_proto_session *s);
/* GEN-27: the list where TLS comes before the backend. */
void hb_sieve_own_list(struct hb_proto_session *s);

/* ---- grammar: sieve_grammar.c ---- */

/* What stands behind a verb or a literal, with the blank before it. */
bool hb_sieve_well_formed(struct hb_span rest);
/* "{n+}" and nothing else. */
bool hb_sieve_is_literal(struct hb_span token);
/* The length of the quoted string that stands first; 0: it has no end, or it is not one. */
size_t hb_sieve_quoted_len(struct hb_span token);
/* How many octets at the beginning are of base64, or "*". */
size_t hb_sieve_base64_len(struct hb_span octets);
/* AUTHENTICATE's mechanism; empty if it cannot be told at once. */
struct hb_span hb_sieve_mechanism(struct hb_span args);

#endif
