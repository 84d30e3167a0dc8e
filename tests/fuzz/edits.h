/* edits.h: small changes to bytes, read from a fuzzer's input: a number of them, then each
 *
 *   0 | offset u16 | value u8          set        1 | offset u16 | length u8, bytes   insert
 *   2 | offset u16 | length u8         delete     3 | offset u16                      end here */
#ifndef EDITS_H
#define EDITS_H

#include <hb/builder.h>
#include <hb/cursor.h>

/* Writes old, changed as c says, to out (reset first; 64 KiB are always enough for 16 KiB of old). True if
 * what came out differs. */
bool edits(struct hb_cur *c, struct hb_span old, struct hb_bld *out);

#endif
