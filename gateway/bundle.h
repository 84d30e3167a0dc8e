/* bundle.h: what configuration asked the world, and what it was told, as a value: kept, packed, sent,
 * unpacked.
 *
 * Made by a process that loads a configuration for others (source.h records into
 * one); a worker replays it.  Invariant: bytes packed without keys hold no
 * private key, neither in a key file's answer nor in another file that has one
 * beside its certificates. */
#ifndef GW_BUNDLE_H
#define GW_BUNDLE_H

#include <hb/err.h>
#include <hb/span.h>

#define GW_ANSWERS_MAX 4096u
#define GW_BUNDLE_MAX  (256u << 20) /* bytes of all answers */

enum gw_source_kind {
    GW_SRC_FILE,          /* certificates, authorities, secrets, staples: watched, a change loads them anew */
    GW_SRC_CONFIG,        /* text of the configuration itself: read anew only when the operator says so */
    GW_SRC_CONFIG_FOLDER, /* likewise, the names in a folder of it */
    GW_SRC_FOLDER,        /* names in a folder, sorted, a NUL behind each; watched */
    GW_SRC_KEY,           /* a private key file; watched */
    GW_SRC_MODE,          /* st_mode, four bytes */
    GW_SRC_ADDRESS,       /* "host port": addresses, each behind its length in one byte */
    GW_SRC_HOST,          /* this machine's name */
    GW_SRC_VERDICT,       /* "chain\nkey": nothing; the status is what became of the pair, an hb_code */
    GW_SRC_SECRET,        /* random bytes, the same for all processes and across reloads */
    GW_NUM_SOURCES
};

struct gw_answer {
    uint8_t kind;      /* enum gw_source_kind */
    bool absent;       /* a key that stayed with the keeper */
    int status;        /* 0, or an errno (GW_SRC_ADDRESS: getaddrinfo's code) */
    uint32_t key;      /* GW_SRC_KEY: which one, from 1 */
    uint32_t lifetime; /* GW_SRC_ADDRESS: seconds it may be believed; 0: for ever */
    char *name;        /* owned */
    char *bytes;       /* owned, a NUL behind it */
    size_t len;
};

struct gw_bundle;

/* generation: stands in front of handles of keys that are not in it. NULL: out of memory. */
struct gw_bundle *gw_bundle_new(uint32_t generation);
/* Wipes and frees. */
void gw_bundle_free(struct gw_bundle **b);
/* Wipes the answers; the words stay. */
void gw_bundle_forget(struct gw_bundle *b);
/* What b was told; NULL: it was not asked. b may be NULL. */
const struct gw_answer *gw_bundle_find(const struct gw_bundle *b, enum gw_source_kind kind, const char *name);
/* Adds a copy; NULL: no room for it. */
const struct gw_answer *gw_bundle_add(struct gw_bundle *b, enum gw_source_kind kind, struct hb_span name,
                                      int status, struct hb_span bytes);
/* Likewise an address, and how long it may be believed (seconds; 0: for ever). */
const struct gw_answer *gw_bundle_add_address(struct gw_bundle *b, struct hb_span name, int status,
                                              struct hb_span bytes, unsigned lifetime);
/* The shortest lifetime of its addresses, seconds; 0: they are good for ever. */
unsigned gw_bundle_lifetime(const struct gw_bundle *b);
/* True if both were told the same, lifetimes aside. What is compared of keys takes as long wherever they
 * differ. */
bool gw_bundle_same(const struct gw_bundle *a, const struct gw_bundle *b);
/* The words of the command line that b belongs to. */
HB_MUST_USE enum hb_code gw_bundle_add_word(struct gw_bundle *b, const char *word);
unsigned gw_bundle_num_words(const struct gw_bundle *b);
const char *gw_bundle_word(const struct gw_bundle *b, unsigned i);
/* Key number i (from 0), in the order they were asked for: the keeper's i + 1. NULL beyond the end. */
const char *gw_bundle_key(const struct gw_bundle *b, unsigned i, size_t *len);
/* File or folder number i to be watched; NULL beyond the end. */
const char *gw_bundle_watched(const struct gw_bundle *b, unsigned i, enum gw_source_kind *kind);
uint32_t gw_bundle_generation(const struct gw_bundle *b);

/* b as bytes (wipe and free() them); NULL: out of memory. keys: with the private keys in it. */
uint8_t *gw_bundle_pack(const struct gw_bundle *b, bool keys, size_t *len);
/* And back. HB_E_INTERNAL: not such bytes. */
HB_MUST_USE enum hb_code gw_bundle_unpack(struct hb_span bytes, uint32_t generation, struct gw_bundle **b);

#endif
