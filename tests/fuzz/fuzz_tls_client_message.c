/* fuzz_tls_client_message.c: any bytes as the body of one message to the client role, in the place where the
 * real handler waits for it. What must hold is in tls_play.c. */
#include "play_ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    play_body(hb_span(data, len), true);
    return 0;
}
