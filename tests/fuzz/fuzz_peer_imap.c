/* fuzz_peer_imap.c: what a server says to our client face of imap (peer_fuzz.h). */
#include "peer_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    peer_fuzz("imap", data, len);
    return 0;
}
