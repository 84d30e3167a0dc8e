/* fuzz_proto_lmtp.c: conversations on a listener of lmtp (proto_fuzz.h). */
#include "proto_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    proto_fuzz("lmtp", data, len);
    return 0;
}
