/* pop3_peer.c: the client face of POP3 (RFC 1939, CAPA of RFC 2449, STLS of RFC 2595 4).
 *
 *   +OK ...  ->  CAPA  ->  STLS  ~  CAPA  ->  [XCLIENT]
 *
 * A server without CAPA is served all the same (CLI-07). The challenge for APOP stands in a greeting said in
 * clear: behind STLS nobody is shown it (ATK-22), so a session has no APOP then. */
#include "peer.h"

#include "words.h"

#define XCLIENT_CODE "[XCLIENT] "

static void say(struct hb_peer *p, struct hb_bld *b)
{
    if (p->at != HB_AT_IDENTITY) {
        hb_bld_str(b, "CAPA\r\n");
        return;
    }
    /* The offer stands in the greeting; behind STLS that was the network's word, and the answer decides. */
    p->xclient = p->set->tls == HB_PEER_STARTTLS ? HB_X_POP3 : p->xclient;
    if (p->xclient != 0) {
        hb_bld_str(b, "XCLIENT");
        hb_xclient_common(p, b, "");
        hb_bld_str(b, "\r\n");
    }
}

static enum hb_answer greeting(struct hb_peer *p, struct hb_span rest)
{
    if (!hb_has_prefix(rest, XCLIENT_CODE)) {
        return HB_ANSWER_YES;
    }
    p->xclient = HB_X_POP3;
    p->cut_at = (uint8_t)strlen("+OK "); /* for us, not for the client (ADDR-13) */
    p->cut = (uint8_t)strlen(XCLIENT_CODE);
    return HB_ANSWER_YES;
}

static enum hb_answer line(struct hb_peer *p, struct hb_span text)
{
    struct hb_span rest = text;
    bool lists = p->at == HB_AT_HELLO || p->at == HB_AT_LIST;

    if (p->in_list) {
        p->quiet_line = hb_span_is(text, ".");
        if (hb_span_is(hb_trim_end(text), "STLS")) {
            hb_peer_note_starttls(p);
        }
        return p->quiet_line ? HB_ANSWER_YES : HB_ANSWER_MORE;
    }
    struct hb_span status = hb_word(&rest);
    if (hb_span_is(status, "-ERR")) {
        p->quiet_line = true; /* no part of any list */
        return hb_has_prefix(rest, "[SYS/TEMP]") || hb_has_prefix(rest, "[IN-USE]") ? HB_ANSWER_LATER
                                                                                    : HB_ANSWER_NO;
    }
    if (!hb_span_is(status, "+OK")) {
        return HB_ANSWER_ODD;
    }
    p->in_list = lists;
    p->quiet_line = lists;
    if (lists) {
        return HB_ANSWER_MORE;
    }
    return p->at == HB_AT_GREETING ? greeting(p, rest) : HB_ANSWER_YES;
}

static void greet(const struct hb_peer *p, struct hb_bld *b)
{
    hb_bld_str(b, "+OK ");
    hb_bld_str(b, p->set->host);
    hb_bld_str(b, " ready\r\n");
}

const struct hb_peer_proto hb_peer_pop3 = {
    .names = {"pop3"},
    .alpn = "pop3",
    .goodbye = "QUIT\r\n",
    .starttls = "STLS\r\n",
    .list_optional = true,
    .has_xclient = true,
    .say = say,
    .line = line,
    .greet = greet,
};
