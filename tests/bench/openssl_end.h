/* openssl_end.h: OpenSSL as a server, over memory, with an OpenSSL client that is not timed. */
#ifndef OPENSSL_END_H
#define OPENSSL_END_H

#include <stdbool.h>

struct openssl_end;

/* rsa: with the RSA certificate of tls_tape.c's PKI instead of the P-256 one. resumed: sessions are. */
struct openssl_end *openssl_end_new(bool is13, bool rsa, bool resumed);
void openssl_end_free(struct openssl_end **end);
/* Microseconds of the server's calls, its object's making and freeing among them. */
double openssl_end_handshake(void *end);

#endif
