/* der.h: strict DER over a cursor: definite, shortest lengths, nothing trailing.
 *
 * Each reader takes the next element of the wanted tag from c, or fails c.  So a
 * parser reads like the ASN.1 and asks hb_cur_end() once per level.  Nothing here
 * recurses: how deep a file may nest is how deep its parser was written, which for
 * a certificate is eight levels, below the sixteen of PKI-01. */
#ifndef HB_DER_H
#define HB_DER_H

#include <hb/cursor.h>

enum {
    HB_DER_BOOLEAN = 0x01,
    HB_DER_INTEGER = 0x02,
    HB_DER_BIT_STRING = 0x03,
    HB_DER_OCTET_STRING = 0x04,
    HB_DER_NULL = 0x05,
    HB_DER_OID = 0x06,
    HB_DER_UTF8 = 0x0c,
    HB_DER_PRINTABLE = 0x13,
    HB_DER_T61 = 0x14,
    HB_DER_IA5 = 0x16,
    HB_DER_UTC_TIME = 0x17,
    HB_DER_GENERALIZED_TIME = 0x18,
    HB_DER_SEQUENCE = 0x30,
    HB_DER_SET = 0x31,
    HB_DER_CONTEXT = 0x80,             /* | number: implicit primitive */
    HB_DER_CONTEXT_CONSTRUCTED = 0xa0, /* | number: explicit or constructed */
};

/* The tag of the next element without taking it; 0 at the end. */
uint8_t hb_der_peek(const struct hb_cur *c);
/* Contents of the next element, which must have this tag. */
struct hb_cur hb_der_take(struct hb_cur *c, uint8_t tag);
/* Whether a file is one SEQUENCE from its first byte to its last: DER, and no PEM text. */
bool hb_der_is_file(struct hb_span file);
/* The next element whole, tag and length included; any tag. */
struct hb_span hb_der_element(struct hb_cur *c);
/* An INTEGER in shortest form and of either sign, as its bytes stand. */
struct hb_span hb_der_integer(struct hb_cur *c);
/* A non-negative INTEGER in shortest form, without its sign byte (so zero gives one zero byte). */
struct hb_span hb_der_unsigned(struct hb_cur *c);
/* BIT STRING without unused bits: its bytes. */
struct hb_span hb_der_bits(struct hb_cur *c);
struct hb_span hb_der_oid(struct hb_cur *c);
/* Whether this is what an OID holds. */
bool hb_oid_is(struct hb_span oid, const char *bytes, size_t len);
/* BOOLEAN, 00 or FF only. */
bool hb_der_bool(struct hb_cur *c);
/* UTCTime or GeneralizedTime as RFC 5280 4.1.2.5 allows them: seconds since 1970. */
uint64_t hb_der_time(struct hb_cur *c);

#endif
