/* fuzz_proto_sieve.c: conversations on a listener of sieve (proto_fuzz.h). */
#include "proto_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    proto_fuzz("sieve", data, len);
    return 0;
}
