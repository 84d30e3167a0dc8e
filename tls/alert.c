/* alert.c: the only place where the alert column is read. */
#include "alert.h"

#include <hb/tls_info.h>
#include <stddef.h>

enum hb_alert hb_alert_of(enum hb_code code)
{
    switch (code) {
    case HB_OK:
    case HB_NUM_CODES:
        break;
#define HB_E(name, alert, sentence)                                                                          \
    case HB_E_##name:                                                                                        \
        return HB_ALERT_##alert;
#include <hb/err.def>
#undef HB_E
    }
    return HB_ALERT_NONE;
}

const char *hb_tls_alert_name(uint8_t alert)
{
    static const struct {
        uint8_t number;
        const char *name;
    } rows[] = {
#define HB_ALERT_ROW(name, number) {number, #name},
        HB_ALERTS(HB_ALERT_ROW)
#undef HB_ALERT_ROW
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].number == alert) {
            return rows[i].name;
        }
    }
    return "unknown";
}
