/* source.h: the one way by which configuration looks at the world.
 *
 * Files, folders, modes, host names, addresses, the process' random secret: what
 * the files that check a draft want to know, they ask here, and nowhere else.
 * Usually the system answers (live).  A process that loads a configuration for
 * others records what was answered into a bundle; a worker, which has no file
 * system and no resolver, builds the same snapshot with the same code by
 * replaying that bundle.
 * Invariants: one question has one answer in a bundle, however often it is
 * asked, so a file that changes while it is read twice cannot give half of each.
 * One thread: which bundle is recorded or replayed is a static. */
#ifndef GW_SOURCE_H
#define GW_SOURCE_H

#include "bundle.h"
#include <stdbool.h>
#include <sys/socket.h>

#define GW_FILE_MAX   (1u << 20) /* bytes of a file */
#define GW_SECRET_LEN 32u

/* ---- questions ---- */

/* Asks. Returns 0 and the answer (free() it; a NUL stands behind it, *len does not count it), or the errno
 * that came of it (for GW_SRC_ADDRESS: getaddrinfo's code). */
int gw_source_ask(enum gw_source_kind kind, const char *name, char **answer, size_t *len);
/* A private key. *handle 0: *answer is the PEM text (free() it, wiped). Else the key is not here: *handle
 * says which one of the keeper's it is, and *answer is NULL. Returns 0 or an errno. */
int gw_source_key(const char *path, char **answer, size_t *len, uint64_t *handle);
/* What became of a pair of files when the bundle that answers now was recorded: HB_OK, or the code. Without
 * such a bundle HB_OK. */
enum hb_code gw_source_judged(const char *chain, const char *key);
/* Tells it to whoever will replay. */
void gw_source_judge(const char *chain, const char *key, enum hb_code code);
/* The first address of a host (name or number) and port: 0 or getaddrinfo's code. */
int gw_source_address(const char *host, unsigned port, struct sockaddr_storage *dst);

/* ---- who answers ---- */

/* From here on the system answers, and what it says is kept in b. base (NULL: nothing) is what was kept
 * before: addresses that are the same in another order stay in that order, and see gw_source_renew(). b NULL:
 * nothing is kept any more. Both borrowed. */
void gw_source_record(struct gw_bundle *b, const struct gw_bundle *base);
/* Whether the text of the configuration is read anew (true, the default) or comes from the base. */
void gw_source_renew(bool config);
/* From here on b (borrowed) alone answers. NULL: the system again. */
void gw_source_replay(const struct gw_bundle *b);
/* A bundle answers now: what it holds was judged when it was recorded, and a certificate that has expired
 * since is no reason not to serve. */
bool gw_source_replaying(void);
/* The answer to GW_SRC_SECRET from here on; without it, a process makes one for itself. */
void gw_source_secret(const uint8_t secret[GW_SECRET_LEN]);

/* The handle of the keeper's key `number` (from 1) of a generation of the configuration. */
static inline uint64_t gw_key_handle(uint32_t generation, uint32_t number)
{
    return (uint64_t)generation << 32 | number;
}

#endif
