/* proxyhdr.c: PROXY headers. v1 is read as strictly as it is written: one blank between words, no leading
 * zeros, no signs, numeric addresses of the announced family (ADDR-01). */
#include "proxyhdr.h"

#include "net.h"
#include <arpa/inet.h>
#include <hb/cursor.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const uint8_t signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

#define V1_MAX 107u

enum {
    CMD_LOCAL = 0x20,
    CMD_PROXY = 0x21,
    FAM_TCP4 = 0x11,
    FAM_TCP6 = 0x21,
    TLV_ALPN = 0x01,
    TLV_AUTHORITY = 0x02,
    TLV_UNIQUE_ID = 0x05,
    TLV_SSL = 0x20,
    SSL_VERSION = 0x21,
    SSL_CN = 0x22,
    SSL_CIPHER = 0x23,
    SSL_GROUP = 0x26,
    CLIENT_SSL = 1,
    CLIENT_CERT_CONN = 2,
    CLIENT_CERT_SESS = 4
};

/* ---- reading ---- */

static bool word(struct hb_span *rest, char *dst, size_t cap)
{
    const uint8_t *blank = rest->len > 0 ? memchr(rest->p, ' ', rest->len) : NULL;
    size_t len = blank != NULL ? (size_t)(blank - rest->p) : rest->len;

    if (len == 0 || len >= cap) {
        return false;
    }
    memcpy(dst, rest->p, len);
    dst[len] = 0;
    *rest = hb_span_skip(*rest, blank != NULL ? len + 1 : len);
    return strlen(dst) == len;
}

static bool port(struct hb_span *rest, in_port_t *dst)
{
    char text[6];
    unsigned n = 0;

    if (!word(rest, text, sizeof text) || (text[0] == '0' && text[1] != 0)) {
        return false;
    }
    for (const char *s = text; *s != 0; s++) {
        if (*s < '0' || *s > '9') {
            return false;
        }
        n = n * 10 + (unsigned)(*s - '0');
    }
    *dst = htons((uint16_t)n);
    return n <= 65535;
}

static void set4(struct sockaddr_storage *a, const void *addr, in_port_t port)
{
    struct sockaddr_in *in = (struct sockaddr_in *)a;

    in->sin_family = AF_INET;
    in->sin_port = port;
    memcpy(&in->sin_addr, addr, 4);
}

static void set6(struct sockaddr_storage *a, const void *addr, in_port_t port)
{
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)a;

    in6->sin6_family = AF_INET6;
    in6->sin6_port = port;
    memcpy(&in6->sin6_addr, addr, 16);
}

static enum gw_proxy_status parse_v1(struct hb_span in, size_t *used, struct gw_proxy_addrs *addrs)
{
    static const char start[] = "PROXY ";
    size_t common = in.len < strlen(start) ? in.len : strlen(start);
    char family[8];
    char text[2][46];
    uint8_t addr[2][16];
    in_port_t ports[2];

    if (memcmp(in.p, start, common) != 0) {
        return GW_PROXY_BAD;
    }
    struct hb_span head = hb_span_head(in, V1_MAX);
    const uint8_t *lf = memchr(head.p, '\n', head.len);
    if (lf == NULL) {
        return in.len >= V1_MAX ? GW_PROXY_BAD : GW_PROXY_MORE;
    }
    size_t len = (size_t)(lf - in.p) + 1;
    if (len < strlen(start) + 2 || lf[-1] != '\r') {
        return GW_PROXY_BAD;
    }
    *used = len;
    struct hb_span rest = hb_span(in.p + strlen(start), len - strlen(start) - 2);
    if (!word(&rest, family, sizeof family)) {
        return GW_PROXY_BAD;
    }
    if (strcmp(family, "UNKNOWN") == 0) { /* what follows is to be passed over */
        return GW_PROXY_OWN;
    }
    bool v6 = strcmp(family, "TCP6") == 0;
    if ((!v6 && strcmp(family, "TCP4") != 0) || !word(&rest, text[0], sizeof text[0]) ||
        !word(&rest, text[1], sizeof text[1]) || !port(&rest, &ports[0]) || !port(&rest, &ports[1]) ||
        rest.len > 0 || lf[-2] == ' ' || inet_pton(v6 ? AF_INET6 : AF_INET, text[0], addr[0]) != 1 ||
        inet_pton(v6 ? AF_INET6 : AF_INET, text[1], addr[1]) != 1) {
        return GW_PROXY_BAD;
    }
    (v6 ? set6 : set4)(&addrs->src, addr[0], ports[0]);
    (v6 ? set6 : set4)(&addrs->dst, addr[1], ports[1]);
    return GW_PROXY_OK;
}

static enum gw_proxy_status parse_v2(struct hb_span in, size_t *used, struct gw_proxy_addrs *addrs)
{
    size_t common = in.len < sizeof signature ? in.len : sizeof signature;
    struct hb_cur c = hb_cur(hb_span_skip(in, sizeof signature));

    if (memcmp(in.p, signature, common) != 0) {
        return GW_PROXY_BAD;
    }
    uint8_t command = hb_cur_u8(&c);
    uint8_t family = hb_cur_u8(&c);
    uint16_t len = hb_cur_u16(&c);
    if (in.len > sizeof signature && command != CMD_LOCAL && command != CMD_PROXY) {
        return GW_PROXY_BAD;
    }
    if (!hb_cur_ok(&c)) {
        return GW_PROXY_MORE;
    }
    if (sizeof signature + 4u + len > GW_PROXY_MAX) {
        return GW_PROXY_BAD;
    }
    if (hb_cur_left(&c) < len) {
        return GW_PROXY_MORE;
    }
    *used = sizeof signature + 4u + len;
    if (command == CMD_LOCAL || (family != FAM_TCP4 && family != FAM_TCP6)) {
        return GW_PROXY_OWN;
    }
    size_t width = family == FAM_TCP4 ? 4 : 16;
    struct hb_cur body = hb_cur(hb_cur_take(&c, len));
    struct hb_span src = hb_cur_take(&body, width);
    struct hb_span dst = hb_cur_take(&body, width);
    uint16_t src_port = hb_cur_u16(&body);
    uint16_t dst_port = hb_cur_u16(&body);
    if (!hb_cur_ok(&body)) {
        return GW_PROXY_BAD;
    }
    while (hb_cur_left(&body) > 0) { /* TLVs: nothing of them is used, but they must be ones */
        (void)hb_cur_u8(&body);
        (void)hb_cur_vec16(&body);
    }
    if (!hb_cur_end(&body)) {
        return GW_PROXY_BAD;
    }
    (width == 4 ? set4 : set6)(&addrs->src, src.p, htons(src_port));
    (width == 4 ? set4 : set6)(&addrs->dst, dst.p, htons(dst_port));
    return GW_PROXY_OK;
}

enum gw_proxy_status gw_proxy_parse(struct hb_span in, size_t *used, struct gw_proxy_addrs *addrs)
{
    *used = 0;
    memset(addrs, 0, sizeof *addrs);
    if (in.len == 0) {
        return GW_PROXY_MORE;
    }
    return in.p[0] == signature[0] ? parse_v2(in, used, addrs) : parse_v1(in, used, addrs);
}

/* ---- writing ---- */

/* Two addresses of one family. An IPv4 address beside one of IPv6 goes in IPv6's form (RFC 4291 2.5.5.2). */
struct pair {
    uint8_t bytes[2][16];
    size_t width; /* 4, 16; 0: there are no such */
};

static void put_address(struct pair *p, size_t i, struct hb_span bytes)
{
    if (bytes.len == p->width) {
        memcpy(p->bytes[i], bytes.p, bytes.len);
        return;
    }
    memset(p->bytes[i] + 10, 0xff, 2);
    memcpy(p->bytes[i] + 12, bytes.p, 4);
}

static struct pair both(const struct gw_proxy_addrs *addrs)
{
    struct hb_span src = gw_addr_bytes((const struct sockaddr *)&addrs->src);
    struct hb_span dst = gw_addr_bytes((const struct sockaddr *)&addrs->dst);
    struct pair p = {.width = 0};

    if (src.len > 0 && dst.len > 0) {
        p.width = src.len > dst.len ? src.len : dst.len;
        put_address(&p, 0, src);
        put_address(&p, 1, dst);
    }
    return p;
}

void gw_proxy_v1(struct hb_bld *b, const struct gw_proxy_addrs *addrs)
{
    struct pair p = both(addrs);
    int family = p.width == 4 ? AF_INET : AF_INET6;
    char text[2][INET6_ADDRSTRLEN];
    char line[2 * INET6_ADDRSTRLEN + 40];

    if (p.width == 0 || inet_ntop(family, p.bytes[0], text[0], sizeof text[0]) == NULL ||
        inet_ntop(family, p.bytes[1], text[1], sizeof text[1]) == NULL) {
        b->failed = true;
        return;
    }
    (void)snprintf(line, sizeof line, "PROXY TCP%c %s %s %u %u\r\n", p.width == 4 ? '4' : '6', text[0],
                   text[1], (unsigned)gw_addr_port((const struct sockaddr *)&addrs->src),
                   (unsigned)gw_addr_port((const struct sockaddr *)&addrs->dst));
    hb_bld_str(b, line);
}

static void put_tlv(struct hb_bld *b, uint8_t type, const char *text)
{
    if (text == NULL || text[0] == 0) {
        return;
    }
    hb_bld_u8(b, type);
    struct hb_bld_mark mark = hb_bld_open16(b);
    hb_bld_str(b, text);
    hb_bld_close(b, mark);
}

static void put_ssl(struct hb_bld *b, const struct gw_proxy_facts *f)
{
    hb_bld_u8(b, TLV_SSL);
    struct hb_bld_mark mark = hb_bld_open16(b);
    hb_bld_u8(b, (uint8_t)(CLIENT_SSL | (f->client_cert ? CLIENT_CERT_CONN | CLIENT_CERT_SESS : 0)));
    hb_bld_u32(b, f->verified ? 0 : 1);
    put_tlv(b, SSL_VERSION, f->version);
    put_tlv(b, SSL_CN, f->client_name);
    put_tlv(b, SSL_CIPHER, f->cipher);
    put_tlv(b, SSL_GROUP, f->group);
    hb_bld_close(b, mark);
}

void gw_proxy_v2(struct hb_bld *b, const struct gw_proxy_addrs *addrs, const struct gw_proxy_facts *facts)
{
    hb_bld_put(b, hb_span(signature, sizeof signature));
    if (addrs == NULL) {
        hb_bld_u8(b, CMD_LOCAL);
        hb_bld_u8(b, 0);
        hb_bld_u16(b, 0);
        return;
    }
    struct pair p = both(addrs);
    if (p.width == 0) {
        b->failed = true;
        return;
    }
    hb_bld_u8(b, CMD_PROXY);
    hb_bld_u8(b, p.width == 4 ? FAM_TCP4 : FAM_TCP6);
    struct hb_bld_mark mark = hb_bld_open16(b);
    hb_bld_put(b, hb_span(p.bytes[0], p.width));
    hb_bld_put(b, hb_span(p.bytes[1], p.width));
    hb_bld_u16(b, gw_addr_port((const struct sockaddr *)&addrs->src));
    hb_bld_u16(b, gw_addr_port((const struct sockaddr *)&addrs->dst));
    put_tlv(b, TLV_ALPN, facts->alpn);
    put_tlv(b, TLV_AUTHORITY, facts->sni);
    put_tlv(b, TLV_UNIQUE_ID, facts->id);
    if (facts->tls) {
        put_ssl(b, facts);
    }
    hb_bld_close(b, mark);
}
