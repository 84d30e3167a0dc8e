/* peer_words.c: XCLIENT's words (Postfix's XCLIENT_README; Dovecot's for POP3 and LMTP) and numbers, as the
 * client faces write them. */
#include "peer.h"

#include "words.h"

void hb_bld_number(struct hb_bld *b, unsigned n)
{
    uint8_t digits[12];
    size_t at = sizeof digits;

    do {
        digits[--at] = (uint8_t)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    hb_bld_put(b, hb_span(digits + at, sizeof digits - at));
}

static bool begin(const struct hb_peer *p, struct hb_bld *b, unsigned attribute, const char *name)
{
    if ((p->xclient & (attribute | HB_X_POP3)) == 0) {
        return false;
    }
    hb_bld_u8(b, ' ');
    hb_bld_str(b, name);
    hb_bld_u8(b, '=');
    return true;
}

void hb_xclient_word(const struct hb_peer *p, struct hb_bld *b, unsigned attribute, const char *name,
                     const char *value)
{
    if (value != NULL && begin(p, b, attribute, name)) {
        hb_xtext(b, value);
    }
}

void hb_xclient_number(const struct hb_peer *p, struct hb_bld *b, unsigned attribute, const char *name,
                       unsigned value)
{
    if (begin(p, b, attribute, name)) {
        hb_bld_number(b, value);
    }
}

static void address(const struct hb_peer *p, struct hb_bld *b, unsigned attribute, const char *name,
                    const char *prefix, const char *value)
{
    if (value != NULL && begin(p, b, attribute, name)) {
        hb_bld_str(b, prefix);
        hb_xtext(b, value);
    }
}

void hb_xclient_common(const struct hb_peer *p, struct hb_bld *b, const char *prefix)
{
    const struct hb_peer_client *c = p->set->client;

    address(p, b, HB_X_ADDR, "ADDR", c->ipv6 ? prefix : "", c->addr);
    if (c->addr != NULL) {
        hb_xclient_number(p, b, HB_X_PORT, "PORT", c->port);
    }
    address(p, b, HB_X_DESTADDR, "DESTADDR", c->dest_ipv6 ? prefix : "", c->dest_addr);
    if (c->dest_addr != NULL) {
        hb_xclient_number(p, b, HB_X_DESTPORT, "DESTPORT", c->dest_port);
    }
    hb_xclient_word(p, b, HB_X_SESSION, "SESSION", c->session);
    if (c->ttl > 0) {
        hb_xclient_number(p, b, HB_X_TTL, "TTL", c->ttl);
    }
    hb_xclient_word(p, b, HB_X_TRANSPORT, "CLIENT-TRANSPORT", c->tls ? "TLS" : "insecure");
}
