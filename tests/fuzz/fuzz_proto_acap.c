/* fuzz_proto_acap.c: conversations on a listener of acap (proto_fuzz.h). */
#include "proto_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    proto_fuzz("acap", data, len);
    return 0;
}
