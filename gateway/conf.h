/* conf.h: the checked, immutable settings of a running gateway, and how they are made.
 *
 * Two front doors, the command line (cli.c) and the configuration file
 * (conf_file.c), fill the same draft; conf_load.c checks it, reads certificates
 * and builds the snapshot. Every error names what, where and why; all of them
 * are collected before giving up. */
#ifndef GW_CONF_H
#define GW_CONF_H

#include "limit.h"
#include "log.h"
#include "net.h"
#include "pool.h"
#include <hb/peer.h>
#include <hb/proto.h>
#include <hb/tls_config.h>
#include <sys/socket.h>

#define GW_MAX_LISTENERS 64u
#define GW_MAX_BACKENDS  64u
#define GW_MAX_CERTS     256u
#define GW_MAX_NAMES     64u /* of certificates, in one listener */
#define GW_MAX_WORKERS   64u

/* Seconds. */
struct gw_timeouts {
#define T(field, name, otherwise, least) unsigned field;
#include "timeouts.def"
#undef T
};

/* The words of a listener by number, for where each of them was said. */
enum gw_word {
#define W(field, name, otherwise) GW_WORD_##field,
#define F(field, name)            GW_WORD_##field,
#include "words.def"
#undef W
#undef F
    GW_WORD_certificates, /* a list, in files alone */
    GW_NUM_WORDS
};

/* ---- the draft: words as the operator wrote them ---- */

struct gw_draft_cert {
    const char *name, *chain, *key, *staple; /* paths; staple: OCSP response in DER, or NULL */
    const char *where;                       /* "--cert" or "file:line" */
    bool from_folder;                        /* of certificate-folder: if it is not good, it is left out */
};

/* A word's value is NULL (a flag's: false) where nobody said it. origin[]: "--tls" or "file:line"; NULL:
 * nobody. */

struct gw_draft_listener {
    const char *name; /* the block's title, or NULL */
    const char *listen, *backend;
    const struct gw_draft_backend *pool; /* the backend block of that name, or NULL */
#define W(field, name, otherwise) const char *field;
#define F(field, name)            bool field;
#include "words.def"
#undef W
#undef F
    const char *certs[GW_MAX_NAMES]; /* names; none: all of them */
    unsigned num_certs;
    const char *origin[GW_NUM_WORDS];
    const char *where; /* "--listen", or "file:line" of the block's first word */
};

/* Where the operator said this word, or should have: for problems. */
#define GW_AT(dl, field) ((dl)->origin[GW_WORD_##field] != NULL ? (dl)->origin[GW_WORD_##field] : (dl)->where)

/* A backend block. */
struct gw_draft_backend {
    struct gw_draft_listener words; /* of words.def only those toward a backend */
    const char *servers[GW_MAX_SERVERS], *servers_where;
    unsigned num_servers;
    const char *balance, *balance_where, *check, *check_where;
};

struct gw_draft {
    struct gw_draft_listener listeners[GW_MAX_LISTENERS];
    struct gw_draft_cert certs[GW_MAX_CERTS];
    struct gw_draft_listener defaults; /* the defaults block: holds where a listener does not say otherwise */
    struct gw_draft_backend backends[GW_MAX_BACKENDS];
    unsigned num_listeners, num_certs, num_backends;
#define G(field, name, otherwise) const char *field, *field##_where;
#include "globals.def"
#undef G
    bool debug;
    struct gw_timeouts timeouts;
#define T(field, name, otherwise, least) const char *field##_timeout_where; /* NULL: nobody said it */
#include "timeouts.def"
#undef T
    const char *timeouts_where; /* of the block, if there was one */
    char *arena;                /* owned: every string that was not on the command line */
    size_t arena_len, arena_cap;
    bool too_long; /* the arena is full: not all of it is here */
};

/* ---- the snapshot ---- */

/* client-address: in what words a backend hears of the client (ADDR rows). */
enum gw_tell { GW_TELL_NOTHING, GW_TELL_COMMAND /* XCLIENT, ID */, GW_TELL_PROXY1, GW_TELL_PROXY2 };

struct gw_listener_conf {
    unsigned index;                 /* in the snapshot's list */
    const char *name;               /* the block's title; NULL on the command line */
    const char *url, *backend_text; /* as written */
    const struct hb_proto *proto;
    bool implicit;
    struct sockaddr_storage addr, backend; /* backend: the first server */
    struct hb_proto_settings proto_settings;
    bool discard_residue;                     /* starttls-residue = discard */
    bool watch_logins;                        /* tls = observe, warn: logins in clear are told of */
    bool plain;                               /* tcp://: no TLS toward the client at all */
    struct hb_tls_config *tls;                /* owned; NULL if plain */
    struct hb_tls_config *backend_tls;        /* owned; NULL: plaintext toward the backend */
    enum hb_peer_tls backend_link;            /* how the backend's link is protected */
    const struct hb_peer_proto *backend_peer; /* what the backend speaks; NULL: nobody needs to know */
    enum gw_tell client_address;              /* whether and how the backend is told whom we speak for */
    struct gw_nets allow, deny;               /* clients; allow empty: everybody */
    struct gw_nets proxies;                   /* who must say with a PROXY header whom he speaks for */
    char master_password[256];                /* external = plain-master; wiped at the end */
    bool client_verified;                     /* client certificates are checked against a CA */
    char backend_name[256];                   /* that its certificate must have: the first server's */
    struct gw_pool *pool;                     /* owned: the servers; what is known of them changes */
    struct hb_cred_store *creds;              /* owned */
    char host[256];
};

struct gw_conf {
    struct gw_listener_conf *listeners; /* owned */
    unsigned num_listeners, workers;
    enum gw_log_format log;
    bool debug;
    bool keys_in_workers; /* no keeper */
    bool sandbox;
    enum gw_log_to log_to;
    const char *log_path;            /* of the draft; NULL: where it usually is */
    const char *user, *control;      /* of the draft; NULL: nobody said it */
    const char *metrics_text;        /* likewise */
    struct sockaddr_storage metrics; /* where /metrics is; family 0: nowhere */
    struct gw_timeouts timeouts;
    struct gw_limit_settings limits;
    struct gw_nets limit_exempt;
};

/* ---- problems ---- */

/* Collected as lines; the caller prints them. */
struct gw_problems {
    char text[8192];
    size_t len;
    unsigned errors, notices; /* notices are warnings */
    bool lenient;             /* errors are said as notices */
};

/* where: "--listen", "hauberk.conf:12"; detail may be NULL. */
void gw_problem(struct gw_problems *p, const char *where, const char *what, const char *detail);
/* A relaxation of safety, or what will be an error soon: said each time, and `check` ends with 1. */
void gw_notice(struct gw_problems *p, const char *where, const char *what, const char *detail);

/* ---- making one ---- */

struct gw_draft *gw_draft_new(void); /* never NULL: out of memory ends the process */
void gw_draft_free(struct gw_draft **d);
/* Copies len bytes of s into the draft's arena; the result lives as long as the draft. "" if it
 * is full; gw_conf_load() tells. */
const char *gw_draft_keep(struct gw_draft *d, const char *s, size_t len);
/* Reads a configuration file, and what it includes, into the draft (conf_file.c). */
void gw_conf_file(const char *path, struct gw_draft *d, struct gw_problems *p);
/* Arguments of `hauberk run` into the draft (cli.c); *config becomes the --config file, if there is one. */
void gw_cli_parse(int argc, char **argv, struct gw_draft *d, const char **config, struct gw_problems *p);
/* Checks the draft and builds the snapshot; NULL if there were errors. */
struct gw_conf *gw_conf_load(const struct gw_draft *d, struct gw_problems *p);
void gw_conf_free(struct gw_conf **conf);

#endif
