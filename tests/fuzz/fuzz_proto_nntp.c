/* fuzz_proto_nntp.c: conversations on a listener of nntp (proto_fuzz.h). */
#include "proto_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    proto_fuzz("nntp", data, len);
    return 0;
}
