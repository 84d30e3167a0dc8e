/* cpu.c: what this machine can do. The one file that asks the processor. */
#include "crypto.h"

#if defined(__x86_64__)
bool hb_cpu_has_aes(void)
{
    return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
}

bool hb_cpu_has_clmul(void)
{
    return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("ssse3");
}
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
bool hb_cpu_has_aes(void)
{
    unsigned long caps = getauxval(AT_HWCAP);
    return (caps & HWCAP_AES) != 0 && (caps & HWCAP_PMULL) != 0;
}
#else
bool hb_cpu_has_aes(void)
{
    return false;
}
#endif

#if !defined(__x86_64__)
bool hb_cpu_has_clmul(void)
{
    return false;
}
#endif
