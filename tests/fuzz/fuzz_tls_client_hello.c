/* fuzz_tls_client_hello.c: any bytes as a ClientHello: parsed, and if that went well negotiated. Invariants:
 * every span of the offer lies in the input; what is chosen was offered (PRO-04). */
#include "testenv.h"

#include "negotiate.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void inside(struct hb_span s, const uint8_t *data, size_t len)
{
    HB_INVARIANT(s.len == 0 || (s.p >= data && s.len <= len && s.p + s.len <= data + len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct testenv t;
    struct hb_offer o;
    uint16_t version;

    testenv_init(&t, 1);
    if (hb_hello_parse(hb_span(data, len), &o) != HB_OK) {
        return 0;
    }
    const struct hb_span spans[] = {o.random,     o.session_id,  o.suites,       o.compression,
                                    o.versions,   o.groups,      o.sigalgs,      o.alpn,
                                    o.key_shares, o.server_name, o.renegotiation};
    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
        inside(spans[i], data, len);
    }
    HB_INVARIANT(o.server_name.len <= 255 && o.session_id.len <= 32);
    struct hb_cred_store *creds = hb_cred_store_new(&t.env);
    struct hb_tls_config *config = hb_tls_config_new(&t.env, HB_PROFILE_INTERMEDIATE, creds);
    if (hb_negotiate_version(&o, config, &version) == HB_OK) {
        HB_INVARIANT(version == 0x0303 || version == 0x0304);
        HB_INVARIANT(o.has_versions ? hb_u16_list_has(o.versions, version) : version == 0x0303);
        struct hb_choice choice = {.version = version};
        HB_INVARIANT(hb_negotiate(&o, config, &choice) != HB_OK); /* there is no certificate to choose */
        HB_INVARIANT(choice.suite == NULL || hb_u16_list_has(o.suites, choice.suite->id));
    }
    hb_tls_config_free(&config);
    hb_cred_store_free(&creds);
    HB_INVARIANT(t.held == 0);
    return 0;
}
