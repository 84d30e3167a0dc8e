/* fuzz_proto_imap.c: conversations on a listener of imap (proto_fuzz.h). */
#include "proto_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    proto_fuzz("imap", data, len);
    return 0;
}
