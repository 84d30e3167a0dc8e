/* fuzz_proxy_header.c: any bytes where a PROXY header belongs: read the same at every cut, never beyond the
 * end, and what was read and written again reads the same. */
#include "net.h"
#include "proxyhdr.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void promise(int kept)
{
    if (!kept) {
        abort();
    }
}

/* The same address and port, in whatever form. */
static int alike(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    const struct sockaddr *x = (const struct sockaddr *)a;
    const struct sockaddr *y = (const struct sockaddr *)b;

    return hb_span_eq(gw_addr_bytes(x), gw_addr_bytes(y)) && gw_addr_port(x) == gw_addr_port(y);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct gw_proxy_addrs a;
    struct gw_proxy_addrs b;
    struct gw_proxy_facts facts = {0};
    uint8_t mem[GW_PROXY_MAX];
    size_t used;
    size_t again;
    enum gw_proxy_status status = gw_proxy_parse(hb_span(data, len), &used, &a);

    promise(used <= len && used <= GW_PROXY_MAX &&
            (status == GW_PROXY_OK || status == GW_PROXY_OWN || used == 0 || status == GW_PROXY_BAD));
    promise(status != GW_PROXY_MORE || len < GW_PROXY_MAX);
    for (size_t cut = 0; cut < len && cut < 128; cut++) {
        enum gw_proxy_status early = gw_proxy_parse(hb_span(data, cut), &again, &b);
        promise(early == GW_PROXY_MORE || early == status);
    }
    if (status == GW_PROXY_OK) {
        struct hb_bld out = hb_bld(mem, sizeof mem);
        gw_proxy_v1(&out, &a);
        promise(hb_bld_ok(&out) && gw_proxy_parse(hb_bld_span(&out), &again, &b) == GW_PROXY_OK);
        promise(alike(&a.src, &b.src) && alike(&a.dst, &b.dst));
        hb_bld_reset(&out);
        gw_proxy_v2(&out, &a, &facts);
        promise(hb_bld_ok(&out) && gw_proxy_parse(hb_bld_span(&out), &again, &b) == GW_PROXY_OK);
        promise(alike(&a.src, &b.src) && alike(&a.dst, &b.dst));
    }
    return 0;
}
