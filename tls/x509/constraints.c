/* constraints.c: dNSName, rfc822Name, iPAddress and directoryName are compared; a constraint on another type
 * that the certificate has a name of refuses the certificate, since we cannot tell (RFC 5280 4.2.1.10). */
#include "constraints.h"

#include "der.h"

enum { EMAIL = 1, DNS = 2, DIRECTORY = 4, IP = 7 };

static bool ends_with(struct hb_span name, struct hb_span tail)
{
    return name.len >= tail.len && hb_span_caseeq(hb_span_skip(name, name.len - tail.len), tail);
}

/* The domain itself or anything below it. */
static bool in_domain(struct hb_span name, struct hb_span domain)
{
    if (domain.len > 0 && domain.p[0] == '.') { /* below it only */
        return name.len > domain.len && ends_with(name, domain);
    }
    return domain.len == 0 || hb_span_caseeq(name, domain) ||
           (name.len > domain.len && ends_with(name, domain) && name.p[name.len - domain.len - 1] == '.');
}

static bool email_in(struct hb_span name, struct hb_span base)
{
    const uint8_t *at = name.len > 0 ? memchr(name.p, '@', name.len) : NULL;

    if (at == NULL) {
        return false;
    }
    if (base.len > 0 && memchr(base.p, '@', base.len) != NULL) { /* one mailbox */
        return hb_span_caseeq(name, base);
    }
    struct hb_span host = hb_span_skip(name, (size_t)(at - name.p) + 1);
    return base.len > 0 && base.p[0] == '.' ? in_domain(host, base) : hb_span_caseeq(host, base);
}

static bool ip_in(struct hb_span address, struct hb_span base)
{
    if (address.p == NULL || base.p == NULL || address.len == 0 || base.len != 2 * address.len) {
        return false;
    }
    for (size_t i = 0; i < address.len; i++) {
        if (((address.p[i] ^ base.p[i]) & base.p[address.len + i]) != 0) {
            return false;
        }
    }
    return true;
}

/* base is a prefix of the name's sequence of RDNs, byte by byte. */
static bool directory_in(struct hb_span name, struct hb_span base)
{
    struct hb_cur n = hb_cur(name);
    struct hb_cur b = hb_cur(base);
    struct hb_cur names = hb_der_take(&n, HB_DER_SEQUENCE);
    struct hb_cur wanted = hb_der_take(&b, HB_DER_SEQUENCE);

    while (hb_cur_left(&wanted) > 0) {
        if (!hb_span_eq(hb_der_element(&names), hb_der_element(&wanted)) || !hb_cur_ok(&names)) {
            return false;
        }
    }
    return hb_cur_ok(&wanted);
}

static bool matches(unsigned type, struct hb_span name, struct hb_span base)
{
    switch (type) {
    case DNS:
        return in_domain(name, base);
    case EMAIL:
        return email_in(name, base);
    case IP:
        return ip_in(name, base);
    case DIRECTORY:
        return directory_in(name, base);
    default:
        return false;
    }
}

/* One list of subtrees: *any: one of this type is in it; *hit: one of them covers the name. */
static enum hb_code search(struct hb_cur list, unsigned type, struct hb_span name, bool *any, bool *hit,
                           unsigned *work)
{
    while (hb_cur_left(&list) > 0) {
        struct hb_cur subtree = hb_der_take(&list, HB_DER_SEQUENCE);
        uint8_t tag = hb_der_peek(&subtree);
        struct hb_cur base = hb_der_take(&subtree, tag);
        if (!hb_cur_end(&subtree) || !hb_cur_ok(&list)) {
            return HB_E_X509_NAME_CONSTRAINTS; /* minimum and maximum are not used (4.2.1.10) */
        }
        if (*work == 0) {
            return HB_E_X509_TOO_MUCH_WORK;
        }
        --*work;
        if ((tag & 0x1fu) == type) {
            *any = true;
            *hit = *hit || matches(type, name, hb_cur_rest(&base));
        }
    }
    return hb_cur_end(&list) ? HB_OK : HB_E_X509_NAME_CONSTRAINTS;
}

static enum hb_code judge(const struct hb_cert *ca, unsigned type, struct hb_span name, unsigned *work)
{
    struct hb_cur c = hb_cur(ca->name_constraints);
    bool any = false;
    bool hit = false;

    if (hb_der_peek(&c) == (HB_DER_CONTEXT_CONSTRUCTED | 0)) {
        HB_TRY(search(hb_der_take(&c, HB_DER_CONTEXT_CONSTRUCTED | 0), type, name, &any, &hit, work));
        if (any && !hit) {
            return HB_E_X509_NAME_CONSTRAINTS;
        }
    }
    any = hit = false;
    if (hb_der_peek(&c) == (HB_DER_CONTEXT_CONSTRUCTED | 1)) {
        HB_TRY(search(hb_der_take(&c, HB_DER_CONTEXT_CONSTRUCTED | 1), type, name, &any, &hit, work));
        bool known = type == DNS || type == EMAIL || type == IP || type == DIRECTORY;
        if (hit || (any && !known)) {
            return HB_E_X509_NAME_CONSTRAINTS;
        }
    }
    return hb_cur_end(&c) ? HB_OK : HB_E_X509_NAME_CONSTRAINTS;
}

enum hb_code hb_constraints_check(const struct hb_cert *ca, const struct hb_cert *cert, unsigned *work)
{
    struct hb_cur san = hb_cur(cert->san);

    if (!ca->has_name_constraints) {
        return HB_OK;
    }
    if (cert->subject.len > 2) { /* not the empty name */
        HB_TRY(judge(ca, DIRECTORY, cert->subject, work));
    }
    while (hb_cur_left(&san) > 0) {
        uint8_t tag = hb_der_peek(&san);
        struct hb_cur value = hb_der_take(&san, tag);
        HB_TRY(judge(ca, tag & 0x1fu, hb_cur_rest(&value), work));
    }
    if (!cert->has_san) { /* a CN that will be used as a name is one */
        struct hb_cert_names names = hb_cert_names(cert);
        struct hb_span cn = hb_cert_next_name(&names);
        if (cn.len > 0 && memchr(cn.p, '.', cn.len) != NULL && memchr(cn.p, ' ', cn.len) == NULL) {
            HB_TRY(judge(ca, memchr(cn.p, '@', cn.len) != NULL ? EMAIL : DNS, cn, work));
        }
    }
    return HB_OK;
}
