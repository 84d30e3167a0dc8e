/* ct.c: constant-time comparison and the one memory eraser. */
#include <hb/ct.h>

#include <string.h>

bool hb_ct_eq(const void *a, const void *b, size_t len)
{
    const volatile uint8_t *x = a;
    const volatile uint8_t *y = b;
    uint8_t diff = 0;

    for (size_t i = 0; i < len; i++) {
        diff = (uint8_t)(diff | (x[i] ^ y[i]));
    }
    HB_CT_PUBLIC(&diff, sizeof diff); /* whether they are equal is what the caller wants to know */
    return diff == 0;
}

bool hb_ct_is_zero(const void *a, size_t len)
{
    const volatile uint8_t *x = a;
    uint8_t any = 0;

    for (size_t i = 0; i < len; i++) {
        any = (uint8_t)(any | x[i]);
    }
    HB_CT_PUBLIC(&any, sizeof any);
    return any == 0;
}

void hb_wipe(void *p, size_t len)
{
    if (len > 0) {
        memset(p, 0, len);
        __asm__ volatile("" : : "r"(p) : "memory"); /* the stores above must be seen */
    }
}
