/* sieve_grammar.c: what a client may write in ManageSieve (RFC 5804 4); no state, no policy.
 * Invariant: what is well formed here has one reading alone, and ends where every parser sees its end. */
#include "sieve.h"

#include "words.h"

/* "{n+}", and nothing behind it. */
bool hb_sieve_is_literal(struct hb_span token)
{
    size_t i = 1;

    if (token.len == 0 || token.p[0] != '{') {
        return false;
    }
    while (i < token.len && token.p[i] >= '0' && token.p[i] <= '9') {
        i++;
    }
    return i > 1 && i <= 11 && token.len == i + 2 && token.p[i] == '+' && token.p[i + 1] == '}';
}

/* The length of the quoted string that stands first; 0 if there is no end, or an escape nobody defined. */
size_t hb_sieve_quoted_len(struct hb_span token)
{
    for (size_t i = 1; i < token.len; i++) {
        if (token.p[i] == '"') {
            return i + 1;
        }
        if (token.p[i] == '\\') {
            i++;
            if (i >= token.len || (token.p[i] != '"' && token.p[i] != '\\')) {
                return 0;
            }
        }
    }
    return 0;
}

/* What stands behind a verb or a literal: nothing, or a blank and a string, a number or a word, and so on; a
 * literal at the end alone. */
bool hb_sieve_well_formed(struct hb_span rest)
{
    while (rest.len > 0) {
        size_t n = 0;
        if (rest.len < 2 || rest.p[0] != ' ') {
            return false;
        }
        rest = hb_span_skip(rest, 1);
        if (rest.p[0] == '{') {
            return hb_sieve_is_literal(rest);
        }
        if (rest.p[0] == '"') {
            n = hb_sieve_quoted_len(rest);
        } else {
            struct hb_span behind = rest;
            struct hb_span word = hb_word(&behind);
            n = hb_plain_word(word) ? word.len : 0;
        }
        if (n == 0) {
            return false;
        }
        rest = hb_span_skip(rest, n);
    }
    return true;
}

/* RFC 5804 2.1: base64, or "*" to cancel. No line end, no blank: no command with an argument hides in it. */
size_t hb_sieve_base64_len(struct hb_span octets)
{
    size_t n = 0;

    for (; n < octets.len; n++) {
        uint8_t c = hb_ascii_lower(octets.p[n]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/' || c == '=' ||
              c == '*')) {
            break;
        }
    }
    return n;
}

/* The first argument, if it is a quoted word that all parsers read alike; as a literal it is none. */
struct hb_span hb_sieve_mechanism(struct hb_span args)
{
    struct hb_span in = hb_span_skip(args, 1);
    struct hb_span raw;
    struct hb_span value;

    return in.len > 0 && in.p[0] == '"' && hb_take_string(&in, &raw, &value) && hb_plain_word(value)
               ? value
               : hb_span(NULL, 0);
}
