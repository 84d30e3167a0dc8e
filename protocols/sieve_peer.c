/* sieve_peer.c: the client face of ManageSieve (RFC 5804).
 *
 *   "..." lines, OK  ->  STARTTLS  ~  "..." lines, OK
 *
 * The greeting is the list and is pushed again inside TLS. Servers older than the RFC push nothing: after two
 * seconds of silence NOOP with a tag tells where the silence ends, and the list is asked for (CLI-10). */
#include "peer.h"

#include "words.h"

#define SYNC "STARTTLS-SYNC-1"

static void say(struct hb_peer *p, struct hb_bld *b)
{
    if (p->at == HB_AT_LIST) {
        hb_bld_str(b, "CAPABILITY\r\n");
    }
}

static bool nudge(struct hb_peer *p, struct hb_bld *b)
{
    if (p->synced) {
        return false;
    }
    p->synced = true;
    hb_bld_str(b, "NOOP \"" SYNC "\"\r\n");
    return true;
}

/* OK, NO and BYE stand alone, or before a blank or a code. */
static bool status_is(struct hb_span text, const char *word)
{
    size_t n = strlen(word);

    return hb_has_prefix(text, word) && (text.len == n || text.p[n] == ' ');
}

static bool holds(struct hb_span text, const char *what)
{
    size_t n = strlen(what);

    for (size_t i = 0; i + n <= text.len; i++) {
        if (memcmp(text.p + i, what, n) == 0) {
            return true;
        }
    }
    return false;
}

/* The answer to NOOP: OK with the tag, or NO of a server that knows no NOOP. */
static enum hb_answer pushed(struct hb_peer *p, struct hb_span text, bool ok)
{
    if (!p->synced) {
        return ok ? HB_ANSWER_YES : HB_ANSWER_NO;
    }
    if (ok && p->in_list && !holds(text, SYNC)) {
        return HB_ANSWER_MORE; /* the list was late: NOOP's answer comes behind it */
    }
    p->quiet_line = true;
    return HB_ANSWER_YES;
}

static enum hb_answer line(struct hb_peer *p, struct hb_span text)
{
    bool lists = p->at == HB_AT_GREETING || p->at == HB_AT_REGREET || p->at == HB_AT_LIST;

    if (p->continues) {
        return HB_ANSWER_MORE;
    }
    if (text.len > 0 && (text.p[0] == '"' || text.p[0] == '{')) {
        if (!lists) {
            return HB_ANSWER_ODD;
        }
        p->in_list = true;
        if (hb_span_is(hb_trim_end(text), "\"STARTTLS\"")) {
            hb_peer_note_starttls(p);
        }
        return HB_ANSWER_MORE;
    }
    bool ok = status_is(text, "OK");
    bool no = status_is(text, "NO");
    if (status_is(text, "BYE")) {
        return HB_ANSWER_BYE;
    }
    if (!ok && !no) {
        return HB_ANSWER_ODD;
    }
    if (p->at == HB_AT_REGREET) {
        return pushed(p, text, ok);
    }
    if (no) {
        return hb_has_prefix(text, "NO (TRYLATER") ? HB_ANSWER_LATER : HB_ANSWER_NO;
    }
    return HB_ANSWER_YES;
}

const struct hb_peer_proto hb_peer_sieve = {
    .names = {"sieve", "managesieve"},
    .alpn = "managesieve",
    .goodbye = "LOGOUT\r\n",
    .starttls = "STARTTLS\r\n",
    .greets_again = true,
    .greeting_lists = true,
    .literals = true,
    .say = say,
    .line = line,
    .nudge = nudge,
};
