/* trust.h (private to tls/): looking into a trust store. */
#ifndef HB_X509_TRUST_H
#define HB_X509_TRUST_H

#include "cert.h"
#include <hb/trust.h>

struct hb_anchor {
    struct hb_anchor *next;
    size_t memory_len;
    struct hb_cert cert; /* views into der */
    uint8_t der[];
};

/* The next anchor of this name behind `after` (NULL: the first one); NULL if there is none. */
const struct hb_anchor *hb_trust_find(const struct hb_trust *trust, struct hb_span subject,
                                      const struct hb_anchor *after);

#endif
