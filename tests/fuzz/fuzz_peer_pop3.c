/* fuzz_peer_pop3.c: what a server says to our client face of pop3 (peer_fuzz.h). */
#include "peer_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    peer_fuzz("pop3", data, len);
    return 0;
}
