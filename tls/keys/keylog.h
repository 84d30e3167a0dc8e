/* keylog.h: secrets in the lines of NSS (SSLKEYLOGFILE), so that a packet dump can be read while debugging.
 *
 * Only in builds with -Dkeylog=true, which cannot be release builds (ENG-07). In all others these are
 * nothing, and keylog.c, which alone knows the labels, is not compiled. */
#ifndef HB_KEYLOG_H
#define HB_KEYLOG_H

#include "../hs/hs.h"

#ifdef HB_KEYLOG

/* TLS 1.3: the handshake traffic secrets have just been derived. */
void hb_keylog_handshake13(const struct hb_tls *t);
/* TLS 1.3: application traffic secrets and the exporter's. Later generations follow from them (RFC 8446 7.2).
 */
void hb_keylog_application13(const struct hb_tls *t);
/* TLS 1.2 and before: the master secret, new or resumed. */
void hb_keylog_master12(const struct hb_tls *t);

#else

static inline void hb_keylog_handshake13(const struct hb_tls *t)
{
    (void)t;
}

static inline void hb_keylog_application13(const struct hb_tls *t)
{
    (void)t;
}

static inline void hb_keylog_master12(const struct hb_tls *t)
{
    (void)t;
}

#endif
#endif
