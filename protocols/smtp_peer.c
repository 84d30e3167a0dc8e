/* smtp_peer.c: the client face of SMTP, submission and LMTP (RFC 5321, RFC 3207, RFC 2033; XCLIENT as Postfix
 * documents it).
 *
 *   220 ...  ->  EHLO  ->  STARTTLS  ~  EHLO  ->  [XCLIENT -> a new 220]
 *
 * The go-ahead is one line of 220 (ATK-17). What EHLO said before TLS is never used behind it (RFC 3207 4.2).
 * XCLIENT resets the server's session: its 220 is the greeting that the client's session begins with. */
#include "peer.h"

#include "words.h"

static void hello(const struct hb_peer *p, struct hb_bld *b, const char *verb)
{
    hb_bld_str(b, verb);
    hb_bld_u8(b, ' ');
    hb_bld_str(b, p->set->host);
    hb_bld_str(b, "\r\n");
}

static void say_xclient(struct hb_peer *p, struct hb_bld *b)
{
    if ((p->xclient & HB_X_ADDR) == 0) {
        return;
    }
    hb_bld_str(b, "XCLIENT");
    hb_xclient_word(p, b, HB_X_NAME, "NAME", "[UNAVAILABLE]");
    hb_xclient_common(p, b, "IPV6:");
    hb_bld_str(b, "\r\n");
}

static void say_smtp(struct hb_peer *p, struct hb_bld *b)
{
    if (p->at == HB_AT_IDENTITY) {
        say_xclient(p, b);
    } else {
        hello(p, b, "EHLO");
    }
}

static void say_lmtp(struct hb_peer *p, struct hb_bld *b)
{
    if (p->at == HB_AT_IDENTITY) {
        say_xclient(p, b);
    } else {
        hello(p, b, "LHLO");
    }
}

static void attributes(struct hb_peer *p, struct hb_span rest)
{
    static const struct {
        const char *name;
        enum hb_xclient bit;
    } names[] = {
        {"ADDR", HB_X_ADDR},         {"PORT", HB_X_PORT},
        {"NAME", HB_X_NAME},         {"DESTADDR", HB_X_DESTADDR},
        {"DESTPORT", HB_X_DESTPORT}, {"SESSION", HB_X_SESSION},
        {"TTL", HB_X_TTL},           {"CLIENT-TRANSPORT", HB_X_TRANSPORT},
    };

    while (rest.len > 0) {
        struct hb_span word = hb_word_loose(&rest);
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
            p->xclient |= hb_span_is(word, names[i].name) ? (uint16_t)names[i].bit : 0u;
        }
    }
}

static void extension(struct hb_peer *p, struct hb_span text)
{
    struct hb_span rest = text;
    struct hb_span word = hb_word_loose(&rest);

    if (hb_span_is(word, "STARTTLS")) {
        hb_peer_note_starttls(p);
    } else if (hb_span_is(word, "XCLIENT")) {
        attributes(p, rest);
    }
}

static enum hb_answer line(struct hb_peer *p, struct hb_span whole)
{
    bool lists = p->at == HB_AT_HELLO || p->at == HB_AT_LIST;
    unsigned good = lists ? 250 : 220;
    unsigned code;
    bool last;
    struct hb_span text;

    if (!hb_smtp_reply_line(whole, &code, &last, &text) || (p->code != 0 && p->code != code) ||
        (code < 400 && code != good) || (p->at == HB_AT_STARTTLS && code == 220 && !last)) {
        return HB_ANSWER_ODD;
    }
    bool first = p->code == 0;
    p->code = last ? 0 : (uint16_t)code;
    if (lists && code == 250) {
        p->quiet_line = first; /* the server's name */
        if (!first) {
            extension(p, text);
        }
    }
    if (!last) {
        return HB_ANSWER_MORE;
    }
    return code == good  ? HB_ANSWER_YES
           : code == 421 ? HB_ANSWER_BYE
           : code < 500  ? HB_ANSWER_LATER
                         : HB_ANSWER_NO;
}

static void greet_smtp(const struct hb_peer *p, struct hb_bld *b)
{
    hb_bld_str(b, "220 ");
    hb_bld_str(b, p->set->host);
    hb_bld_str(b, " ESMTP\r\n");
}

static void greet_lmtp(const struct hb_peer *p, struct hb_bld *b)
{
    hb_bld_str(b, "220 ");
    hb_bld_str(b, p->set->host);
    hb_bld_str(b, " LMTP\r\n");
}

const struct hb_peer_proto hb_peer_smtp = {
    .names = {"smtp", "submission"},
    .goodbye = "QUIT\r\n",
    .starttls = "STARTTLS\r\n",
    .has_xclient = true,
    .identity_greets = true,
    .say = say_smtp,
    .line = line,
    .greet = greet_smtp,
};

const struct hb_peer_proto hb_peer_lmtp = {
    .names = {"lmtp"},
    .goodbye = "QUIT\r\n",
    .starttls = "STARTTLS\r\n",
    .has_xclient = true,
    .identity_greets = true,
    .say = say_lmtp,
    .line = line,
    .greet = greet_lmtp,
};
