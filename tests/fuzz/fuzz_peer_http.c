/* fuzz_peer_http.c: what a server says to our client face of http (peer_fuzz.h). */
#include "peer_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    peer_fuzz("http", data, len);
    return 0;
}
