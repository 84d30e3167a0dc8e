/* err.h: one list of everything that can go wrong (err.def), and the two macros of the house.
 *
 * A function that can fail returns enum hb_code; ignoring it is a compiler
 * warning.  HB_OK is 0.  A code says which thing went wrong, never where: the
 * log adds the session, the caller adds the file's name.  If two situations
 * need two alerts or two sentences, they are two codes. */
#ifndef HB_ERR_H
#define HB_ERR_H

#include <stdint.h>

#define HB_MUST_USE __attribute__((warn_unused_result))

enum hb_code {
    HB_OK = 0,
#define HB_E(name, alert, sentence) HB_E_##name,
#include <hb/err.def>
#undef HB_E
    HB_NUM_CODES
};

/* The code's name without HB_E_, e.g. "TLS_NO_SUITE": what logs and tests show. Never NULL. */
const char *hb_err_name(enum hb_code code);
/* One English sentence without a full stop, for people. Never NULL. */
const char *hb_err_sentence(enum hb_code code);

/* Returns the code to the caller if it is not HB_OK. Only where the function owns nothing. */
#define HB_TRY(expr)                                                                                         \
    do {                                                                                                     \
        enum hb_code hb_try_code = (expr);                                                                   \
        if (hb_try_code != HB_OK) {                                                                          \
            return hb_try_code;                                                                              \
        }                                                                                                    \
    } while (0)

/* Our own mistakes, never a peer's: stays on in release builds, prints the site and aborts. */
#define HB_INVARIANT(cond) ((cond) ? (void)0 : hb_invariant_failed(#cond, __FILE__, __LINE__))
void hb_invariant_failed(const char *cond, const char *file, int line) __attribute__((noreturn));

#endif
