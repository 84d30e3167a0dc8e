/* alert.h: alert numbers, and which alert belongs to which error (the alert column of err.def). */
#ifndef HB_ALERT_H
#define HB_ALERT_H

#include <hb/err.h>
#include <stdint.h>

/* clang-format off */
#define HB_ALERTS(A)                                                                                         \
    A(CLOSE_NOTIFY, 0) A(UNEXPECTED_MESSAGE, 10) A(BAD_RECORD_MAC, 20) A(RECORD_OVERFLOW, 22)                \
    A(HANDSHAKE_FAILURE, 40) A(BAD_CERTIFICATE, 42) A(UNSUPPORTED_CERTIFICATE, 43)                           \
    A(CERTIFICATE_REVOKED, 44) A(CERTIFICATE_EXPIRED, 45) A(CERTIFICATE_UNKNOWN, 46)                         \
    A(ILLEGAL_PARAMETER, 47) A(UNKNOWN_CA, 48) A(ACCESS_DENIED, 49) A(DECODE_ERROR, 50)                      \
    A(DECRYPT_ERROR, 51) A(PROTOCOL_VERSION, 70) A(INSUFFICIENT_SECURITY, 71) A(INTERNAL_ERROR, 80)          \
    A(INAPPROPRIATE_FALLBACK, 86) A(USER_CANCELED, 90) A(NO_RENEGOTIATION, 100) A(MISSING_EXTENSION, 109)    \
    A(UNSUPPORTED_EXTENSION, 110) A(UNRECOGNIZED_NAME, 112) A(BAD_CERTIFICATE_STATUS_RESPONSE, 113)          \
    A(UNKNOWN_PSK_IDENTITY, 115) A(CERTIFICATE_REQUIRED, 116) A(GENERAL_ERROR, 117)                          \
    A(NO_APPLICATION_PROTOCOL, 120) A(NONE, 255)
/* clang-format on */

enum hb_alert {
#define HB_ALERT_ROW(name, number) HB_ALERT_##name = number,
    HB_ALERTS(HB_ALERT_ROW)
#undef HB_ALERT_ROW
};

/* The alert that tells the peer of code; HB_ALERT_NONE if none does. */
enum hb_alert hb_alert_of(enum hb_code code);

#endif
