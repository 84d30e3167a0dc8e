/* fuzz_tls_client.c: whole handshakes of the client role against a recorded server: messages changed, left
 * out, repeated, out of order, from other handshakes, cut and joined; records spoilt; then data, key updates,
 * ends. What must hold is in tls_play.c. */
#include "play_ops.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    play_ops(hb_span(data, len), true);
    return 0;
}
