/* tls_config.h: the settings of a listener's TLS side, immutable once connections use them.
 *
 * Made by the thread that reads the configuration, shared by reference count
 * (not atomic: one process, one thread), freed with the last connection. */
#ifndef HB_TLS_CONFIG_H
#define HB_TLS_CONFIG_H

#include <hb/cred.h>
#include <hb/env.h>
#include <hb/err.h>
#include <stdbool.h>

struct hb_tls_config;

enum hb_tls_profile { HB_PROFILE_MODERN, HB_PROFILE_INTERMEDIATE, HB_PROFILE_LEGACY };

/* A config with the profile's versions, suites, groups and schemes (tls.md section 1), no certificates, no
 * ALPN. Starts with one reference. NULL: out of memory. creds is shared by reference. */
struct hb_tls_config *hb_tls_config_new(const struct hb_env *env, enum hb_tls_profile profile,
                                        struct hb_cred_store *creds);
struct hb_tls_config *hb_tls_config_ref(struct hb_tls_config *config);
/* Drops one reference; *config becomes NULL. */
void hb_tls_config_free(struct hb_tls_config **config);

/* Narrows the profile's versions: 0x0303 or 0x0304. HB_E_TLS_VERSION if the result is empty. */
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
/* Order ChaCha20 first (a machine without AES instructions, NET-02). Default: what the CPU says. */
void hb_tls_config_prefer_chacha(struct hb_tls_config *config, bool prefer);
/* The name of ALPN entry i (0-based); NULL beyond the end. */
const char *hb_tls_config_alpn(const struct hb_tls_config *config, unsigned i);

#endif
