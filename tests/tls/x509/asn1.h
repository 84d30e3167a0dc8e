/* asn1.h: DER written as text, so that a test's table shows what it feeds. Tests only.
 *
 *     30{ 02{01} 13{'abc'} 05{} }      tag{contents}: the length is put in, in its shortest form
 *     3003 0201 01                     or bytes as they stand, right or wrong
 *     'text'  41*300                   characters; a byte 300 times over
 *
 * White space is free. */
#ifndef ASN1_H
#define ASN1_H

#include <hb/span.h>

/* The DER of text in dst, which must be large enough (asserted); returns its length. */
size_t asn1(const char *text, uint8_t *dst, size_t cap);
/* text with its first `find` (which must be there) replaced by `by`; find NULL: text as it is. */
void asn1_replace(const char *text, const char *find, const char *by, char *dst, size_t cap);
/* PEM of der under label; returns the length of the text in dst, which ends in a NUL. */
size_t armour(const char *label, struct hb_span der, char *dst, size_t cap);
/* A file of the folder CERTS (environment), a NUL behind it; the caller frees it. */
char *certs_file(const char *name);

#endif
