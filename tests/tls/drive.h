/* drive.h: sessions of every kind, driven to any point through a tap (tap.h). Tests only. */
#ifndef DRIVE_H
#define DRIVE_H

#include "config.h"
#include "hs/hs.h"
#include "tap.h"

/* One kind of session; both sides speak this version alone. */
struct course {
    const char *name, *certs;
    uint16_t version;
    enum hb_tls_auth auth;
    bool client_cert, tickets, resumed, retry, psk, rsa, staple;
};

enum {
    C13,
    C13_RETRY,
    C13_AUTH,
    C13_NO_CERT,
    C13_PSK,
    C13_RESUMED,
    C12,
    C12_TICKET,
    C12_RESUMED,
    C12_AUTH,
    C12_NO_CERT,
    C12_RSA,
    C13_STAPLE,
    C12_STAPLE,
    NUM_COURSES
};
extern const struct course courses[NUM_COURSES];

struct drive {
    const struct course *course;
    bool test_client;
    struct duo d;
    struct tap tap;
    struct hb_ticket_keys *keys;
    uint8_t kept[HB_TLS_SESSION_MAX];
    size_t kept_len;
    struct tap_item items[16]; /* what the tested end receives in an undisturbed session */
    unsigned num;
};

/* Sets up and runs one undisturbed session, which fills items. */
void drive_start(struct drive *v, const struct course *c, bool test_client);
/* A new session, and the first n things of it. */
void drive_to(struct drive *v, unsigned n);
/* Gives the tested end an item: CCS as the version has it, everything else under its keys. */
void drive_put(struct drive *v, const struct tap_item *item);
/* The tested end failed with this code and sent this alert (255: none), which the other end could read
 * (T13-17). */
void drive_expect(struct drive *v, const char *what, unsigned msg, enum hb_code code, unsigned alert);
void drive_stop(struct drive *v);

#endif
