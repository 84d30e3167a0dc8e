/* tls_play.h: plays a tape to a connection, with the changes a fuzzer's input asks for, and watches it. */
#ifndef TLS_PLAY_H
#define TLS_PLAY_H

#include "tls_tape.h"

/* What the peer makes right again in the messages it changed: it then is one that knows the secrets and the
 * private key, and changes go deeper than the first MAC or signature. */
enum play_fix { PLAY_FIX_FINISHED = 1, PLAY_FIX_SIGNATURES = 2, PLAY_FIX_BINDERS = 4 };

struct player {
    struct world *w;
    bool client; /* the connection under test is one */
    struct hb_tls *t;
    unsigned fix; /* enum play_fix */
    unsigned cut; /* 0: a record at once; else pieces of so many bytes */
    bool reclaim; /* input as the gateway gives it: the engine's rest in front */
    bool changed; /* something on the tape was not played as it stood */
    bool ready, failed, told_closed;
    enum hb_code code;
    uint8_t last_words[64]; /* all that left with the failure */
    size_t last_words_len;
    unsigned at;                               /* the next item */
    struct hb_legacy_dir *sealer;              /* owned: CBC and stream suites, the peer's side */
    const struct hb_legacy_dir *sealer_is_for; /* compared, never followed */
};

void play_begin(struct player *p, struct world *w, bool client);
/* One record with this content, protected as the connection expects it now. */
void play_record(struct player *p, uint8_t type, struct hb_span content);
/* The same with a handshake message, which is made right first (p->fix). */
void play_message(struct player *p, struct hb_span message);
/* Item i as it stands; the rest of the tape. */
void play_item(struct player *p, unsigned i);
void play_rest(struct player *p);
/* Bytes as they are on the wire. */
void play_wire(struct player *p, const uint8_t *bytes, size_t len);
/* Sealed content, for those who spoil it before play_wire(). dst: HB_TLS_RECORD_MAX. */
size_t play_seal(struct player *p, uint8_t type, struct hb_span content, uint8_t *dst);
/* Does something on the connection's own side: writes, changes keys, closes, exports. */
void play_own(struct player *p, uint8_t what);
/* Checks what must hold at the end, and frees. */
void play_end(struct player *p);

#endif
