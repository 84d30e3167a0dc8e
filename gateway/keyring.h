/* keyring.h: the private keys of the keeper, and what may be asked of them. Pure: bytes come in, bytes go
 * out.
 *
 *   keys as bytes: u16 n, n times { u32 length, PEM }
 *
 * A request names a key by generation and number, says how it shall be used and on what; the answer is a
 * signature, or nothing, or, for RSA key transport, always 48 bytes (CT-03). A worker that was taken over is
 * who asks. Owns the keys; no more than GW_KEEPER_GENERATIONS generations beside the newest. */
#ifndef GW_KEYRING_H
#define GW_KEYRING_H

#include "bundle.h"
#include "ipc.h"
#include <hb/env.h>

/* Generations of keys kept beside the newest. */
#define GW_KEEPER_GENERATIONS 32u
#define GW_KEY_RESULT_MAX     1024u

struct gw_keyring;

struct gw_key_request {
    enum gw_msg type; /* GW_MSG_SIGN or GW_MSG_DECRYPT */
    uint32_t number;
    uint64_t handle;
    uint16_t scheme;
    struct hb_span input; /* borrowed from the message */
};

/* The private keys of b as bytes for GW_MSG_KEYS (wipe and free() them); NULL: out of memory. */
uint8_t *gw_keyring_pack(const struct gw_bundle *b, size_t *len);

/* NULL: out of memory. */
struct gw_keyring *gw_keyring_new(const struct hb_env *env);
/* Wipes and frees. */
void gw_keyring_free(struct gw_keyring **k);
/* A generation of keys; once more, it takes the place of the first. False: not such bytes, or no memory. */
bool gw_keyring_take(struct gw_keyring *k, uint32_t number, struct hb_span bytes);
/* Generations older than this one are not used any more. */
void gw_keyring_forget(struct gw_keyring *k, uint32_t number);
bool gw_keyring_has(const struct gw_keyring *k, uint64_t handle);
/* False: this is no request. */
bool gw_keyring_parse(enum gw_msg type, struct hb_span body, struct gw_key_request *r);
/* The body of a GW_MSG_DONE, which needs GW_KEY_RESULT_MAX + 6 bytes of room. */
void gw_keyring_answer(const struct gw_keyring *k, const struct gw_key_request *r, struct hb_bld *out);

#endif
