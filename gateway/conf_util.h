/* conf_util.h: what the files that check a draft share. */
#ifndef GW_CONF_UTIL_H
#define GW_CONF_UTIL_H

#include "conf.h"

/* The position of word among words; the first one if it is NULL or (told as a problem) none of them. */
size_t gw_choose(const char *word, const char *const *words, size_t n, const char *what, const char *where,
                 struct gw_problems *p);
/* A whole number from low to high; otherwise if word is NULL or (told as a problem) not one. */
unsigned gw_number(const char *word, unsigned low, unsigned high, unsigned otherwise, const char *what,
                   const char *where, struct gw_problems *p);
/* A whole file, with a NUL behind it; free() it. NULL after saying why. Goes through source.h, as everything
 * must that is read while a configuration is loaded: workers have no file system. */
char *gw_read_file(const char *path, size_t *len, const char *where, struct gw_problems *p);
/* The same for text of the configuration itself. */
char *gw_read_config(const char *path, size_t *len, const char *where, struct gw_problems *p);
/* The names in a folder that do not begin with a dot, sorted, a NUL behind each; free() it. NULL after saying
 * why, or without a word if *other: it is there, and no folder. The one place where configuration looks into
 * a folder. */
char *gw_list_folder(const char *path, size_t *len, bool *other, const char *where, struct gw_problems *p);
/* The same for a folder of the configuration itself. */
char *gw_list_config(const char *path, size_t *len, bool *other, const char *where, struct gw_problems *p);
/* Adds a certificate chain and its key to store; in a worker, the chain and the keeper's number of the key.
 * False after saying why; facts may be NULL. A key that others may read is a notice. */
bool gw_load_pair(struct hb_cred_store *store, const char *chain, const char *key,
                  struct hb_cred_facts *facts, const char *where, struct gw_problems *p);
/* A notice if others may read a file that holds a secret (PKI-08), which is called `what`. */
void gw_warn_of_mode(const char *what, const char *path, const char *where, struct gw_problems *p);

/* conf_whole.c: what holds for the listeners together, when each of them is good by itself. */
void gw_conf_whole(const struct gw_draft *d, const struct gw_conf *conf, struct gw_problems *p);

/* conf_cert.c: the pairs of certificate-folder, into the draft; a listener's certificates. */
void gw_conf_cert_folder(struct gw_draft *d, struct gw_problems *p);
void gw_conf_certs(const struct gw_draft *d, const struct gw_draft_listener *dl, struct gw_listener_conf *lc,
                   struct gw_problems *p);

/* The certificates that a listener names, in the order in which they are looked at. */
unsigned gw_num_certs_of(const struct gw_draft *d, const struct gw_draft_listener *dl);
const struct gw_draft_cert *gw_cert_of(const struct gw_draft *d, const struct gw_draft_listener *dl,
                                       unsigned i);
/* Reads the pair once more. False: it is not good. *staple_until: until when its OCSP response is stapled,
 * seconds since 1970; 0: it has none, or none that may be shown. */
bool gw_cert_facts(const struct gw_draft_cert *dc, struct hb_cred_facts *facts, uint64_t *staple_until);

/* conf_tls.c: TLS toward clients and toward the backend. */
/* Toward servers: "intermediate", "modern", ...; NULL is the first. */
enum hb_tls_profile gw_client_profile(const char *word, const char *what, const char *where,
                                      struct gw_problems *p);
/* The CA certificates of a file, or of the system ("system"); NULL after saying why. */
struct hb_trust *gw_load_trust(const char *path, const char *where, struct gw_problems *p);
void gw_conf_tls(const struct gw_draft_listener *dl, struct gw_listener_conf *lc, struct gw_problems *p);
void gw_conf_backend_tls(const struct gw_draft_listener *dl, struct gw_listener_conf *lc,
                         struct gw_problems *p);

/* Splits "host:port", "[v6]:port" or "host" (port stays 0 if absent). */
bool gw_split_host_port(const char *text, char *host, size_t cap, unsigned *port);
/* The first address of host; false: *why says what the system said. */
bool gw_resolve(const char *host, unsigned port, struct sockaddr_storage *dst, const char **why);
bool gw_is_loopback(const struct sockaddr_storage *a);

/* conf_external.c: logins by client certificate. Behind gw_conf_tls() and what fills lc->proto_settings. */
void gw_conf_external(const struct gw_draft_listener *dl, struct gw_listener_conf *lc, struct gw_problems *p);

/* conf_limit.c: who may come, and how often. */
void gw_conf_lists(const struct gw_draft_listener *dl, struct gw_listener_conf *lc, struct gw_problems *p);
void gw_conf_limits(const struct gw_draft *d, struct gw_conf *conf, struct gw_problems *p);

/* conf_backend.c: what `backend` says. */
/* Scheme of a server's URL: "tls", "imap", "imaps", "imap+starttls", ...; false: none of them. peer: NULL if
 * the protocol has no client face. */
bool gw_peer_scheme(const char *scheme, enum hb_peer_tls *link, const struct hb_peer_proto **peer,
                    unsigned *port);
void gw_conf_backend(const struct gw_draft_listener *dl, struct gw_listener_conf *lc, struct gw_problems *p);

#endif
