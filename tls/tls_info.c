/* tls_info.c: names for the numbers of a connection. */
#include "crypto/group.h"
#include "crypto/suite.h"
#include <hb/tls_info.h>

const char *hb_tls_version_name(uint16_t version)
{
    switch (version) {
    case 0x0304:
        return "TLSv1.3";
    case 0x0303:
        return "TLSv1.2";
    case 0x0302:
        return "TLSv1.1";
    case 0x0301:
        return "TLSv1";
    default:
        return "unknown";
    }
}

bool hb_tls_is_legacy(const struct hb_tls_info *info)
{
    const struct hb_suite *suite = hb_suite_find(info->suite);

    return suite != NULL && (info->version < 0x0303 || suite->tier >= HB_TIER_LEGACY);
}

const char *hb_tls_suite_name(uint16_t suite)
{
    const struct hb_suite *s = hb_suite_find(suite);
    return s != NULL ? s->name : "unknown";
}

const char *hb_tls_group_name(uint16_t group)
{
    const struct hb_kex *k = hb_group_find(group);
    return k != NULL ? k->name : "unknown";
}

const char *hb_tls_sigalg_name(uint16_t sigalg)
{
    const struct hb_sigalg *a = hb_sigalg_find(sigalg);
    return a != NULL ? a->name : "unknown";
}
