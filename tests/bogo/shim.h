/* shim.h: the parts of the BoGo shim. */
#ifndef SHIM_H
#define SHIM_H

#include <hb/tls.h>
#include <stdbool.h>

#define SHIM_LIST 24

struct shim_list {
    uint16_t v[SHIM_LIST];
    size_t n;
};

struct shim_flags {
#define B(field, name) bool field;
#define I(field, name) int field;
#define S(field, name) const char *field;
#define L(field, name) struct shim_list field;
#define N(name)
#include "flags.def"
#undef B
#undef I
#undef S
#undef L
#undef N
};

/* The first connection's, and that of the later ones. */
struct shim_side {
    struct hb_cred_store *creds;
    struct hb_tls_config *config;
};

struct shim {
    struct shim_flags flags[2];
    struct shim_side side[2];
    struct hb_tls_lane *lane;
    struct hb_ticket_keys *tickets;
    struct hb_trust *trust;
    uint8_t *out_mem;
    uint16_t peer_sigalg; /* of the last full handshake */
};

extern const struct hb_env shim_env, shim_load_env;
extern uint64_t shim_load_time; /* of shim_load_env; 0: now */

/* Fills both sets of flags. 0, or the exit code: 89 for a flag we do not know. */
int shim_parse(int argc, char **argv, struct shim *shim);
int shim_configure(struct shim *shim, unsigned which);
void shim_free(struct shim *shim);
/* BoGo's word for what went wrong. */
const char *shim_error_name(enum hb_code code, uint8_t alert);
/* Decoded into memory that stays. */
struct hb_span shim_base64(const char *text);
struct hb_span shim_first_certificate(const char *path);

#endif
