/* pem.h: PEM armour (RFC 7468): blocks in a text, base64 inside. */
#ifndef HB_PEM_H
#define HB_PEM_H

#include <hb/err.h>
#include <hb/span.h>

struct hb_pem_block {
    struct hb_span label; /* borrowed from the text: "CERTIFICATE" */
    struct hb_span body;  /* borrowed: base64 lines, headers included if there are any */
    bool encrypted;       /* "Proc-Type: 4,ENCRYPTED", or the label says so */
};

/* The next block of *text, which is moved behind it; whatever stands between blocks is skipped.
 * HB_E_PEM_NONE at the end, HB_E_PEM_ARMOUR if a block has no proper end. */
HB_MUST_USE enum hb_code hb_pem_next(struct hb_span *text, struct hb_pem_block *block);
/* Decodes a block's base64 into dst. HB_E_PEM_ARMOUR on anything that is not base64, HB_E_OVERFLOW. */
HB_MUST_USE enum hb_code hb_pem_decode(const struct hb_pem_block *block, uint8_t *dst, size_t cap,
                                       size_t *len);

#endif
