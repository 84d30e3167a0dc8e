/* fuzz_peer_sieve.c: what a server says to our client face of sieve (peer_fuzz.h). */
#include "peer_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    peer_fuzz("sieve", data, len);
    return 0;
}
