/* words.h: words, verbs and literals as the mail protocols write them. */
#ifndef HB_WORDS_H
#define HB_WORDS_H

#include <hb/span.h>

/* The next word up to a blank or the end; *rest is moved behind the word and one blank. */
struct hb_span hb_word(struct hb_span *rest);
/* Like hb_word, also taking tabs and runs of blanks for one separator. */
struct hb_span hb_word_loose(struct hb_span *rest);
bool hb_has_prefix(struct hb_span s, const char *prefix); /* any case */
bool hb_has_suffix(struct hb_span s, const char *suffix); /* any case */
struct hb_span hb_trim_end(struct hb_span s);             /* blanks and tabs */

/* A reply code: three digits at the beginning, then one of the separators or the end; which codes there are
 * is the caller's. */
bool hb_reply_code(struct hb_span line, const char *separators, unsigned *code);
/* A line of a reply of SMTP, 200 to 599: "250-text", "250 text", "250". last: no further line follows. */
bool hb_smtp_reply_line(struct hb_span line, unsigned *code, bool *last, struct hb_span *text);

enum hb_literal { HB_LITERAL_NONE, HB_LITERAL_SYNC, HB_LITERAL_PLUS, HB_LITERAL_BAD };

/* A literal announced at the end of a line: {n} or {n+}, also ~{n} (RFC 9051 4.3). BAD: braces that some
 * parsers would take for a literal and others would not: too large a number, or inside an unfinished quoted
 * string. */
enum hb_literal hb_literal_at_end(struct hb_span line, uint64_t *size);
/* The same for servers' lines and for ends of lines: quotes are not looked at. */
enum hb_literal hb_literal_announced(struct hb_span line, uint64_t *size);

/* A string at the beginning of *in, quoted or a literal with its octets: raw is its text on the wire, value
 * what it says (quoted strings with escapes keep their backslashes: no name that is looked for has one). */
bool hb_take_string(struct hb_span *in, struct hb_span *raw, struct hb_span *value);

/* Letters, digits, "-", "_" and "." only, and at least one: no parser can see another word in it. */
bool hb_plain_word(struct hb_span word);

/* True if a list of mechanisms has SCRAM with channel binding (SASL-06). */
bool hb_offers_plus(struct hb_span mechs);
/* Mechanisms: plain ones carry the password (GEN-14); layered ones may wrap the stream (GEN-15). */
bool hb_mech_plain(struct hb_span mech);
bool hb_mech_layered(struct hb_span mech);
/* Mechanisms known to leave the stream as it is. */
bool hb_mech_wraps_nothing(struct hb_span mech);

/* A request line of HTTP (GEN-23): by its method or its version; by its version alone. */
bool hb_looks_like_http(struct hb_span line);
bool hb_has_http_version(struct hb_span line);

struct hb_bld;
/* XCLIENT's values (RFC 3461 4): what is not printable, "+" and "=" as "+" and two digits. */
void hb_xtext(struct hb_bld *b, const char *s);

#endif
