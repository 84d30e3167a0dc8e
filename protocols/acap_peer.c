/* acap_peer.c: the client face of ACAP (RFC 2244; STARTTLS: RFC 2595 5).
 *
 *   * ACAP (...)  ->  h1 STARTTLS  ~  * ACAP (...)
 *
 * The greeting is the list, and it comes again inside TLS: it is read before anything is said there (CLI-09).
 */
#include "peer.h"

#include "words.h"

static void say(struct hb_peer *p, struct hb_bld *b)
{
    (void)p;
    (void)b; /* there is nothing to ask for */
}

/* Parenthesised groups outside quotes: is one of them (STARTTLS...)? */
static void groups(struct hb_peer *p, struct hb_span text)
{
    bool quoted = false;

    for (size_t i = 0; i < text.len; i++) {
        if (quoted && text.p[i] == '\\') {
            i++;
        } else if (text.p[i] == '"') {
            quoted = !quoted;
        } else if (!quoted && text.p[i] == '(') {
            struct hb_span in = hb_span(text.p + i + 1, text.len - i - 1);
            struct hb_span word = hb_span_head(in, strlen("STARTTLS"));
            bool whole = in.len > word.len && (in.p[word.len] == ')' || in.p[word.len] == ' ');
            if (whole && hb_span_is(word, "STARTTLS")) {
                hb_peer_note_starttls(p);
            }
        }
    }
}

static enum hb_answer greeting(struct hb_peer *p, struct hb_span text, struct hb_span rest, bool untagged)
{
    struct hb_span word = hb_word(&rest);

    if (p->continues || (untagged && hb_span_is(word, "ACAP"))) {
        p->in_list = true;
        groups(p, text);
        return HB_ANSWER_YES;
    }
    return untagged && hb_span_is(word, "BYE") ? HB_ANSWER_BYE : HB_ANSWER_ODD;
}

static enum hb_answer line(struct hb_peer *p, struct hb_span text)
{
    struct hb_span rest = text;
    struct hb_span tag = hb_word(&rest);
    bool untagged = hb_span_is(tag, "*");

    if (p->at == HB_AT_GREETING || p->at == HB_AT_REGREET) {
        return greeting(p, text, rest, untagged);
    }
    if (p->continues) {
        return HB_ANSWER_MORE;
    }
    struct hb_span word = hb_word(&rest);
    if (untagged) {
        return hb_span_is(word, "BYE") ? HB_ANSWER_BYE : HB_ANSWER_MORE;
    }
    if (!hb_span_eq(tag, hb_span_str("h1"))) {
        return HB_ANSWER_ODD;
    }
    if (hb_span_is(word, "OK")) {
        return HB_ANSWER_YES;
    }
    bool no = hb_span_is(word, "NO");
    if (no && hb_has_prefix(rest, "(TRYLATER")) {
        return HB_ANSWER_LATER;
    }
    return no || hb_span_is(word, "BAD") ? HB_ANSWER_NO : HB_ANSWER_ODD;
}

const struct hb_peer_proto hb_peer_acap = {
    .names = {"acap"},
    .goodbye = "h2 LOGOUT\r\n",
    .starttls = "h1 STARTTLS\r\n",
    .greets_again = true,
    .greeting_lists = true,
    .literals = true,
    .say = say,
    .line = line,
};
