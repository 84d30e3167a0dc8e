/* judge.c: verify.c for a chain that came over the interface. */
#include <hb/judge.h>

#include "path.h"
#include "verify.h"
#include <hb/utf8.h>

enum hb_code hb_judge_server(const struct hb_env *env, const struct hb_trust *trust, struct hb_span bytes,
                             struct hb_span name, struct hb_span staple, uint64_t now)
{
    struct hb_span chain[HB_CHAIN_MAX + 1];
    size_t num = hb_chain_split(bytes, chain);
    const struct hb_verify_request request = {.verify = HB_VERIFY_FULL,
                                              .server = true,
                                              .signs = true,
                                              .trust = trust,
                                              .name = name,
                                              .staple = staple,
                                              .now = now};

    return num > 0 && num <= HB_CHAIN_MAX ? hb_verify_chain(env, &request, chain, num)
                                          : HB_E_X509_CHAIN_TOO_LONG;
}

enum hb_code hb_chain_facts(struct hb_span bytes, struct hb_chain_facts *facts)
{
    struct hb_span chain[HB_CHAIN_MAX + 1];
    struct hb_cert leaf;

    *facts = (struct hb_chain_facts){.num = (unsigned)hb_chain_split(bytes, chain)};
    if (facts->num == 0) {
        return HB_E_DER;
    }
    HB_TRY(hb_cert_parse(chain[0], &leaf));
    struct hb_cert_names names = hb_cert_names(&leaf);
    (void)hb_log_escape(hb_cert_next_name(&names), 255, facts->name, sizeof facts->name);
    facts->not_before = leaf.not_before;
    facts->not_after = leaf.not_after;
    return HB_OK;
}
