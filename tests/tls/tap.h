/* tap.h: a hand between our client and our server, which holds the keys of one of them. Tests only.
 *
 * What the other end sends is opened, cut into handshake messages, and given to the test one by one; what the
 * test puts in is sealed under the keys that the tested end reads with at that moment. So any message can be
 * left out, repeated, changed or invented in any state of a real session. */
#ifndef TAP_H
#define TAP_H

#include "conn/conn.h"
#include "duo.h"

struct tap_item {
    uint8_t type; /* of the record */
    size_t len;
    uint8_t bytes[20000]; /* a handshake message with its header, or the content of another record */
};

struct tap {
    struct duo *d;
    struct duo_end *tested, *other;
    uint8_t wire[65536];
    size_t wire_len, wire_at;
    uint8_t hand[65536]; /* handshake bytes that were opened */
    size_t hand_len, hand_at;
    uint64_t open_generation, open_seq;
};

/* Behind duo_connect(): from now on bytes move through the tap alone. */
void tap_start(struct tap *t, struct duo *d, bool test_client);
/* The next thing the other end has to say; false: nothing, or it cannot be read with the tested end's keys.
 */
bool tap_next(struct tap *t, struct tap_item *item);
/* Gives the tested end one record of these bytes, whatever its type, under its keys; plain: under none. Takes
 * its events. */
void tap_put(struct tap *t, uint8_t type, const void *bytes, size_t len);
void tap_put_plain(struct tap *t, uint8_t type, const void *bytes, size_t len);
/* Gives it everything else that comes, unchanged. */
void tap_finish(struct tap *t);
/* What the tested end said last reaches the other end. */
void tap_answer(struct tap *t);

#endif
