/* name.h: host names in TLS and certificates. */
#ifndef HB_NAME_H
#define HB_NAME_H

#include <hb/span.h>

/* True for a DNS host name as server_name carries it (RFC 6066 3): 1..255 bytes of letters, digits, '-', '_'
 * and dots between labels of 1..63; no trailing dot, not an IPv4 address, nothing with a colon. */
bool hb_dns_name_ok(struct hb_span host);
/* True if a certificate's dNSName covers host: equal in any case, or "*." in place of exactly one left-most
 * label (RFC 9525 6.3). *wildcard tells which. A malformed pattern covers nothing. */
bool hb_dns_name_covers(struct hb_span pattern, struct hb_span host, bool *wildcard);
/* True if host is an IPv4 or IPv6 address as text; with dst not NULL its 4 or 16 bytes go there, *len tells.
 */
bool hb_name_ip(struct hb_span host, uint8_t dst[16], size_t *len);
bool hb_name_is_ip(struct hb_span host);

#endif
