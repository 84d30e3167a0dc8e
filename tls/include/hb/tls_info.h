/* tls_info.h: what was negotiated, for logs and tests; and names for the numbers. */
#ifndef HB_TLS_INFO_H
#define HB_TLS_INFO_H

#include <stdbool.h>
#include <stdint.h>

struct hb_tls_info {
    uint16_t version;      /* 0x0304, 0x0303; 0 before it is decided */
    uint16_t suite;        /* IANA number */
    uint16_t group;        /* NamedGroup of the key exchange */
    uint16_t sigalg;       /* SignatureScheme of our signature */
    uint8_t alpn;          /* 1 + index into the config's list, 0 none */
    bool retried;          /* a HelloRetryRequest was sent */
    uint16_t peer_sigalg;  /* SignatureScheme of the peer's signature; 0: it made none */
    bool resumed;          /* a session was taken up */
    bool psk;              /* an external pre-shared key was used */
    bool peer_certificate; /* the peer showed a certificate (now or when the session began) that was accepted
                            */
    bool stapled;          /* the server stapled an OCSP response */
    bool etm;              /* encrypt-then-MAC (CBC) */
    bool ems;              /* extended master secret (1.2) */
    bool got_close;        /* close_notify received */
    uint8_t alert_sent, alert_got; /* 255: none */
};

/* True if the version or the suite is one that only profile legacy or antique has (PRO-03). */
bool hb_tls_is_legacy(const struct hb_tls_info *info);

/* "TLSv1.3", "TLS_AES_128_GCM_SHA256", "x25519", "ecdsa_secp256r1_sha256", "unexpected_message". Numbers we
 * do not know give "unknown". Never NULL. */
const char *hb_tls_version_name(uint16_t version);
const char *hb_tls_suite_name(uint16_t suite);
const char *hb_tls_group_name(uint16_t group);
const char *hb_tls_sigalg_name(uint16_t sigalg);
const char *hb_tls_alert_name(uint8_t alert);

#endif
