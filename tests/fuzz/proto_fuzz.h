/* proto_fuzz.h: plays any bytes as a conversation with a protocol session: for the fuzz targets proto_*.
 *
 * The first byte sets up the listener; then everything is what the client says,
 * until a control byte. Control bytes are no part of UTF-8, so that a corpus
 * stays readable and mutations of its text stay text:
 *
 *   F8 the client speaks    F9 the backend speaks   FA the backend closes    FB shutdown
 *   FC idle                 FD a cut: what was said so far is one segment
 *   FE c n: the byte c, n * 512 times               FF the backend's link breaks */
#ifndef PROTO_FUZZ_H
#define PROTO_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Bits of the first byte. */
enum {
    PROTO_FUZZ_REQUIRED = 1,
    PROTO_FUZZ_IMPLICIT = 2,
    PROTO_FUZZ_NO_CERTIFICATE = 4,
    PROTO_FUZZ_NO_STARTTLS = 8,
    PROTO_FUZZ_PLAINTEXT_AUTH = 16,
    PROTO_FUZZ_NEEDS_EHLO = 32
};

/* Aborts if the session breaks one of its promises. */
void proto_fuzz(const char *scheme, const uint8_t *data, size_t len);

#endif
