/* old_cpu.c: what tls/crypto/cpu.c says on a machine without instructions for AES and carry-less
 * multiplication; linked in its place, so that GCM runs on Nettle's GHASH and the server's order is the other
 * one (NET-02). */
#include "crypto/crypto.h"

bool hb_cpu_has_aes(void)
{
    return false;
}

bool hb_cpu_has_clmul(void)
{
    return false;
}
