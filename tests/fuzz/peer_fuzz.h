/* peer_fuzz.h: one server's side of a client face's dialogue, from bytes.
 * The first byte is flags (PEER_FUZZ_...); 0xfe ends a segment, 0xff is a silence; all else is what the
 * server says. TLS succeeds where it is asked for at the end of a segment. */
#ifndef PEER_FUZZ_H
#define PEER_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#define PEER_FUZZ_STARTTLS 1
#define PEER_FUZZ_IMPLICIT 2
#define PEER_FUZZ_LOOK     4
#define PEER_FUZZ_CLIENT   8
#define PEER_FUZZ_IPV6     16

void peer_fuzz(const char *face, const uint8_t *data, size_t len);

#endif
