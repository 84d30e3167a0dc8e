/* fuzz_peer_lmtp.c: what a server says to our client face of lmtp (peer_fuzz.h). */
#include "peer_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    peer_fuzz("lmtp", data, len);
    return 0;
}
