/* imap_peer.c: the client face of IMAP (RFC 9051 6.2.1; ID: RFC 2971).
 *
 *   * OK ...  ->  h1 CAPABILITY  ->  h2 STARTTLS  ~  h3 CAPABILITY  ->  [h4 ID]
 *
 * Untagged lines between are passed over, whatever they say (CLI-03, ATK-21): only CAPABILITY is read, and
 * only where it was asked for. A tag that is not the one due is an answer nobody asked for (ATK-06). */
#include "peer.h"

#include "words.h"

static const char *tag_of(enum hb_peer_at at)
{
    return at == HB_AT_HELLO ? "h1" : at == HB_AT_STARTTLS ? "h2" : at == HB_AT_LIST ? "h3" : "h4";
}

static void field(struct hb_bld *b, const char *name, const char *value)
{
    if (value == NULL) {
        return;
    }
    hb_bld_str(b, b->p[b->len - 1] == '(' ? "\"" : " \"");
    hb_bld_str(b, name);
    hb_bld_str(b, "\" \"");
    for (; *value != 0; value++) {
        if (*value == '"' || *value == '\\') {
            hb_bld_u8(b, '\\');
        }
        hb_bld_u8(b, (uint8_t)*value);
    }
    hb_bld_u8(b, '"');
}

static void number(struct hb_bld *b, const char *name, unsigned n)
{
    char text[12] = "";
    struct hb_bld t = hb_bld(text, sizeof text - 1);

    hb_bld_number(&t, n);
    field(b, name, text);
}

/* As Dovecot's proxies announce a client (ADDR-20). */
static void say_id(const struct hb_peer *p, struct hb_bld *b)
{
    const struct hb_peer_client *c = p->set->client;

    hb_bld_str(b, "h4 ID (");
    field(b, "x-session-id", c->session);
    field(b, "x-originating-ip", c->addr);
    if (c->addr != NULL) {
        number(b, "x-originating-port", c->port);
    }
    field(b, "x-connected-ip", c->dest_addr);
    if (c->dest_addr != NULL) {
        number(b, "x-connected-port", c->dest_port);
    }
    if (c->ttl > 0) {
        number(b, "x-proxy-ttl", c->ttl);
    }
    field(b, "x-client-transport", c->tls ? "TLS" : "insecure");
    field(b, "x-connected-name", c->sni);
    hb_bld_str(b, ")\r\n");
}

static void say(struct hb_peer *p, struct hb_bld *b)
{
    if (p->at == HB_AT_IDENTITY) {
        if (p->has_id) {
            say_id(p, b);
        }
        return;
    }
    hb_bld_str(b, tag_of((enum hb_peer_at)p->at));
    hb_bld_str(b, " CAPABILITY\r\n");
}

static void capabilities(struct hb_peer *p, struct hb_span rest)
{
    while (rest.len > 0) {
        struct hb_span word = hb_word_loose(&rest);
        if (hb_span_is(word, "STARTTLS")) {
            hb_peer_note_starttls(p);
        }
        p->has_id = p->has_id || hb_span_is(word, "ID");
    }
}

static enum hb_answer greeting(struct hb_span rest)
{
    struct hb_span word = hb_word_loose(&rest);

    return hb_span_is(word, "OK")        ? HB_ANSWER_YES
           : hb_span_is(word, "PREAUTH") ? HB_ANSWER_PREAUTH
           : hb_span_is(word, "BYE")     ? HB_ANSWER_BYE
                                         : HB_ANSWER_ODD;
}

static enum hb_answer untagged(struct hb_peer *p, struct hb_span rest)
{
    struct hb_span word = hb_word_loose(&rest);
    bool list = p->at == HB_AT_HELLO || p->at == HB_AT_LIST;

    if (hb_span_is(word, "BYE")) {
        return HB_ANSWER_BYE;
    }
    if (hb_span_is(word, "PREAUTH")) {
        return HB_ANSWER_PREAUTH;
    }
    if (list && hb_span_is(word, "CAPABILITY")) {
        capabilities(p, rest);
    } else {
        p->quiet_line = true;
    }
    return HB_ANSWER_MORE;
}

static enum hb_answer line(struct hb_peer *p, struct hb_span text)
{
    struct hb_span rest = text;
    struct hb_span tag = hb_word(&rest);

    if (p->continues) {
        return HB_ANSWER_MORE;
    }
    if (p->at == HB_AT_GREETING) {
        return hb_span_is(tag, "*") ? greeting(rest) : HB_ANSWER_ODD;
    }
    if (hb_span_is(tag, "*")) {
        return untagged(p, rest);
    }
    p->quiet_line = true;
    if (!hb_span_eq(tag, hb_span_str(tag_of((enum hb_peer_at)p->at)))) {
        return HB_ANSWER_ODD; /* "+", too */
    }
    struct hb_span status = hb_word_loose(&rest);
    if (hb_span_is(status, "OK")) {
        return HB_ANSWER_YES;
    }
    bool no = hb_span_is(status, "NO");
    if (no && hb_has_prefix(rest, "[UNAVAILABLE]")) {
        return HB_ANSWER_LATER;
    }
    return no || hb_span_is(status, "BAD") ? HB_ANSWER_NO : HB_ANSWER_ODD;
}

/* What was listed inside TLS is all that a session need know. */
static void greet(const struct hb_peer *p, struct hb_bld *b)
{
    struct hb_span list = hb_buf_span(&p->list[1]);
    const uint8_t *end = list.len > 0 ? memchr(list.p, '\r', list.len) : NULL;

    hb_bld_str(b, "* OK ");
    if (end != NULL && list.len > 2) {
        hb_bld_u8(b, '[');
        hb_bld_put(b, hb_span(list.p + 2, (size_t)(end - list.p) - 2));
        hb_bld_str(b, "] ");
    }
    hb_bld_str(b, p->set->host);
    hb_bld_str(b, " ready\r\n");
}

const struct hb_peer_proto hb_peer_imap = {
    .names = {"imap"},
    .alpn = "imap",
    .goodbye = "h5 LOGOUT\r\n",
    .starttls = "h2 STARTTLS\r\n",
    .literals = true,
    .has_id = true,
    .say = say,
    .line = line,
    .greet = greet,
};
