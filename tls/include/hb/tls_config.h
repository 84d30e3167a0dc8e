/* tls_config.h: the settings of one side of TLS, immutable once connections use them.
 *
 * Made by the thread that reads the configuration, shared by reference count
 * (not atomic: one process, one thread), freed with the last connection.  One
 * config serves one role: a listener's or an upstream's. */
#ifndef HB_TLS_CONFIG_H
#define HB_TLS_CONFIG_H

#include <hb/cred.h>
#include <hb/env.h>
#include <hb/err.h>
#include <hb/ticket.h>
#include <hb/trust.h>
#include <stdbool.h>

struct hb_tls_config;

/* ANTIQUE is for the client role alone: RC4 and 3DES for servers nobody can update. */
enum hb_tls_profile { HB_PROFILE_MODERN, HB_PROFILE_INTERMEDIATE, HB_PROFILE_LEGACY, HB_PROFILE_ANTIQUE };

/* Server: is the client asked for a certificate? */
enum hb_tls_auth { HB_AUTH_OFF, HB_AUTH_REQUEST, HB_AUTH_REQUIRE };

/* How a peer's certificate is judged (PKI-09). Its signature over the handshake is always checked. */
enum hb_tls_verify {
    HB_VERIFY_FULL,  /* path to a trust anchor; client role: and the name */
    HB_VERIFY_CHAIN, /* path only */
    HB_VERIFY_PIN,   /* SHA-256 of its public key is among the pins; nothing else */
    HB_VERIFY_NONE   /* the signature only */
};

/* Server: which of a client certificate's names is its identity (hb_tls_peer_identity()): the first
 * rfc822Name, else the subject's last CN; one of the two alone; the first dNSName. */
enum hb_tls_identity { HB_IDENTITY_EMAIL_OR_CN, HB_IDENTITY_EMAIL, HB_IDENTITY_CN, HB_IDENTITY_DNS };

#define HB_TLS_SHARES_MAX 3u

/* A config with the profile's versions, suites, groups and schemes (tls.md section 1), no ALPN. Starts with
 * one reference. NULL: out of memory. creds is shared by reference; a client without a certificate has an
 * empty store or NULL. */
struct hb_tls_config *hb_tls_config_new(const struct hb_env *env, enum hb_tls_profile profile,
                                        struct hb_cred_store *creds);
struct hb_tls_config *hb_tls_config_ref(struct hb_tls_config *config);
/* Drops one reference; *config becomes NULL. */
void hb_tls_config_free(struct hb_tls_config **config);

/* Narrows the profile's versions: 0x0301 to 0x0304. HB_E_TLS_VERSION if the result is empty. */
HB_MUST_USE enum hb_code hb_tls_config_versions(struct hb_tls_config *config, uint16_t lowest,
                                                uint16_t highest);
/* Appends a protocol name (1..255 bytes) in order of our preference; at most 8. */
HB_MUST_USE enum hb_code hb_tls_config_add_alpn(struct hb_tls_config *config, const char *name);
/* Lenient: an ALPN offer without any of ours goes on without ALPN instead of alert 120. Default: strict, also
 * with an empty list (ALPN-02). */
void hb_tls_config_alpn_lenient(struct hb_tls_config *config, bool lenient);
/* Strict: a server_name that no certificate covers is refused with alert 112 (SNI-01). Default: the first
 * certificate is shown. */
void hb_tls_config_sni_strict(struct hb_tls_config *config, bool strict);
/* A TLS 1.3 client without server_name is refused with alert 109 (T13-21). Default: not. */
void hb_tls_config_sni_required(struct hb_tls_config *config, bool required);
/* A peer that speaks TLS 1.2 or less without extended_master_secret is refused with alert 40 (EMS-01).
 * Default: not, but its sessions are not resumed and give neither exporter nor channel binding. */
void hb_tls_config_require_ems(struct hb_tls_config *config, bool required);
/* Order ChaCha20 first (a machine without AES instructions, NET-02). Default: what the CPU says. */
void hb_tls_config_prefer_chacha(struct hb_tls_config *config, bool prefer);
/* The name of ALPN entry i (0-based); NULL beyond the end. */
const char *hb_tls_config_alpn(const struct hb_tls_config *config, unsigned i);

/* Replace a list of the profile, n numbers in our order; numbers we do not know are HB_E_TLS_NO_GROUP,
 * HB_E_TLS_NO_SIGALG. What the profile leaves out may be named here: the caller answers for it. */
HB_MUST_USE enum hb_code hb_tls_config_groups(struct hb_tls_config *config, const uint16_t *ids, size_t n);
/* Client: groups with a share in the first hello, at most HB_TLS_SHARES_MAX; default: the first of the list
 * and the first classical one. 0: none, which costs a HelloRetryRequest. */
HB_MUST_USE enum hb_code hb_tls_config_shares(struct hb_tls_config *config, const uint16_t *ids, size_t n);
HB_MUST_USE enum hb_code hb_tls_config_sign_schemes(struct hb_tls_config *config, const uint16_t *ids,
                                                    size_t n);
HB_MUST_USE enum hb_code hb_tls_config_verify_schemes(struct hb_tls_config *config, const uint16_t *ids,
                                                      size_t n);

/* The largest record content the peer may send us, 64..16384 (record_size_limit, REC-16). Default 16384. */
HB_MUST_USE enum hb_code hb_tls_config_size_limit(struct hb_tls_config *config, unsigned limit);

/* How a peer's certificate is judged, and against which anchors (shared by reference; may be NULL for PIN and
 * NONE). Default: FULL without anchors, which no certificate passes. */
void hb_tls_config_verify(struct hb_tls_config *config, enum hb_tls_verify verify, struct hb_trust *trust);
/* Server: is a client certificate asked for. Default off. */
void hb_tls_config_client_auth(struct hb_tls_config *config, enum hb_tls_auth auth);
/* Default: HB_IDENTITY_EMAIL_OR_CN. A ticket keeps the identity that its session began with: what tickets are
 * bound to must differ where this does. */
void hb_tls_config_identity(struct hb_tls_config *config, enum hb_tls_identity identity);
/* Adds a pin: SHA-256 of a SubjectPublicKeyInfo; at most 8. */
HB_MUST_USE enum hb_code hb_tls_config_add_pin(struct hb_tls_config *config, const uint8_t pin[32]);
/* Names of authorities for the CertificateRequest: encoded DNs, each with its u16 length, behind one another.
 * Copied. */
HB_MUST_USE enum hb_code hb_tls_config_ca_names(struct hb_tls_config *config, struct hb_span names);
/* The caller judges too: HB_TLS_VERIFY asks it once our own judgement was good. Default off. */
void hb_tls_config_verify_later(struct hb_tls_config *config, bool later);
/* Client: ask for a stapled OCSP response. Server: send ours to who asks. Default on. */
void hb_tls_config_staple(struct hb_tls_config *config, bool staple);

/* Server: issue and accept tickets under these keys (shared by reference; NULL: off). context: what tickets
 * are bound to beyond name, ALPN and client identity: listener and protocol. num: tickets after a full
 * TLS 1.3 handshake, 0..4. life: seconds, at most 604800. Client: any keys switch resumption on; they are not
 * used. */
void hb_tls_config_tickets(struct hb_tls_config *config, struct hb_ticket_keys *keys, struct hb_span context,
                           unsigned num, uint32_t life);

/* Adds an external PSK (RES-11): identity 1..255 bytes, secret 16..64 bytes; at most 16, copied. It is used
 * in TLS 1.3 with SHA-256, and in TLS 1.2 if suites with PSK are in the list (hb_tls_config_psk12()). */
HB_MUST_USE enum hb_code hb_tls_config_add_psk(struct hb_tls_config *config, struct hb_span identity,
                                               struct hb_span secret);
/* Puts the TLS 1.2 PSK suites into the list, before or instead of those with certificates: they cannot be had
 * otherwise (RES-12). */
HB_MUST_USE enum hb_code hb_tls_config_psk12(struct hb_tls_config *config);

/* Client: a TLS 1.2 server without renegotiation_info is taken (probes). Default: refused (REN-01). */
void hb_tls_config_lax_renegotiation(struct hb_tls_config *config, bool lax);
/* Client: a HelloRequest is passed over in silence instead of being refused (REN-02). */
void hb_tls_config_ignore_hello_request(struct hb_tls_config *config, bool ignore);

#ifdef HB_KEYLOG
/* Debug builds alone (-Dkeylog=true): line is called with each secret of a connection as it is derived, in
 * the format of SSLKEYLOGFILE, without a line's end. Whoever has them reads everything. */
void hb_tls_config_keylog(struct hb_tls_config *config, void (*line)(void *ctx, const char *line), void *ctx);
#endif

#endif
