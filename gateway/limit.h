/* limit.h: how much one address, one network and everybody together may ask of a worker.
 *
 * Counts live in a table of fixed size (sets of eight, seeded so that nobody can
 * choose what collides).  Where a set is full of addresses that are connected right
 * now, a newcomer is let in uncounted: a limiter must not become the outage.
 * Every worker counts its own; the kernel spreads connections over them.
 * Pure: time and randomness are given. A network is /24 of IPv4, /64 of IPv6. */
#ifndef GW_LIMIT_H
#define GW_LIMIT_H

#include <hb/env.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* 0: no limit. */
struct gw_limit_settings {
    unsigned per_address, per_network; /* connections */
    unsigned rate_network, rate_total; /* handshakes a second, ten seconds' worth at once */
    unsigned handshakes;               /* under way at a time */
    unsigned failed_logins;            /* in ten minutes, of an address */
    unsigned tarpit;                   /* seconds that a suspect waits */
    unsigned memory;                   /* MiB: for the worker (listener.c) */
};

enum gw_limit_verdict {
    GW_LIMIT_PASS,
    GW_LIMIT_ADDRESS,    /* too many connections of this address */
    GW_LIMIT_NETWORK,    /* ...of its network */
    GW_LIMIT_RATE,       /* too many handshakes a second, of its network or of all */
    GW_LIMIT_HANDSHAKES, /* too many under way */
    GW_LIMIT_LOGINS,     /* too many logins failed from there */
    GW_NUM_LIMITS
};

struct gw_limiter;

/* NULL: out of memory. */
struct gw_limiter *gw_limiter_new(const struct hb_env *env);
void gw_limiter_free(struct gw_limiter **l, const struct hb_env *env);

/* A connection from addr: counted only if it may stay (PASS), and then until gw_limit_leave(). now: seconds.
 */
enum gw_limit_verdict gw_limit_enter(struct gw_limiter *l, const struct gw_limit_settings *set,
                                     const struct sockaddr *addr, uint32_t now);
void gw_limit_leave(struct gw_limiter *l, const struct sockaddr *addr);
/* A handshake begins: counted if it may (PASS), and then until gw_limit_handshake_over(). */
enum gw_limit_verdict gw_limit_handshake(struct gw_limiter *l, const struct gw_limit_settings *set,
                                         const struct sockaddr *addr, uint32_t now);
void gw_limit_handshake_over(struct gw_limiter *l);
/* A backend refused so many logins from addr. */
void gw_limit_failed_logins(struct gw_limiter *l, const struct sockaddr *addr, unsigned num, uint32_t now);
/* Seconds that addr shall wait: 0 unless three of its logins were refused in ten minutes. */
unsigned gw_limit_tarpit(struct gw_limiter *l, const struct gw_limit_settings *set,
                         const struct sockaddr *addr, uint32_t now);
/* True once for each address and minute: a refusal is logged, a thousand are not. */
bool gw_limit_tell(struct gw_limiter *l, const struct sockaddr *addr, uint32_t now);

#endif
