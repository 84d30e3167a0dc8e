/* play_ops.h: a fuzzer's input as a list of changes to a tape. */
#ifndef PLAY_OPS_H
#define PLAY_OPS_H

#include "tls_play.h"

/* Plays input (see play_ops.c) to a connection of this role. */
void play_ops(struct hb_span input, bool client);
/* One message of the tape replaced: scenario u8 | item u8 | flags u8 | the message's body. */
void play_body(struct hb_span input, bool client);

#endif
