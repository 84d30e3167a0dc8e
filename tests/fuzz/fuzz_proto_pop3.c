/* fuzz_proto_pop3.c: conversations on a listener of pop3 (proto_fuzz.h). */
#include "proto_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    proto_fuzz("pop3", data, len);
    return 0;
}
