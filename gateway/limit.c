/* limit.c: a set-associative table of counters.
 * Invariants: an entry with connections is never given away; the table never grows; a bucket's tokens are
 * worked out when it is looked at, so that nothing has to tick. */
#include "limit.h"

#include "net.h"
#include <string.h>

#define SETS    2048u /* a power of two */
#define WAYS    8u
#define BURST   10u  /* seconds' worth of handshakes at once */
#define WINDOW  600u /* seconds that a failed login counts */
#define SUSPECT 3u   /* failed logins that may be a person's */

struct entry {
    uint8_t key[17]; /* kind, address */
    bool used;
    uint16_t failed; /* logins, since `first` */
    uint32_t conns;
    uint32_t seen;     /* second of the last use */
    uint32_t first;    /* of the failed logins that are counted */
    uint32_t told;     /* second of the last log line, plus one; 0: never */
    uint32_t spent;    /* handshakes that the bucket has not got back yet */
    uint32_t refilled; /* second for which spent holds */
};

struct bucket {
    uint32_t spent, refilled;
};

struct gw_limiter {
    uint64_t seed[2];
    unsigned handshakes;
    struct bucket total;
    struct entry table[SETS][WAYS];
};

enum kind { KIND_ADDRESS = 1, KIND_NETWORK = 2 };

struct gw_limiter *gw_limiter_new(const struct hb_env *env)
{
    struct gw_limiter *l = env->alloc(env->ctx, sizeof *l);

    if (l != NULL) {
        env->random(env->ctx, sizeof l->seed, (uint8_t *)l->seed);
    }
    return l;
}

void gw_limiter_free(struct gw_limiter **l, const struct hb_env *env)
{
    if (*l != NULL) {
        env->release(env->ctx, *l, sizeof **l);
        *l = NULL;
    }
}

/* ---- the table ---- */

/* False: an address that is not counted (a unix socket). A network is half of an IPv6 address, three of four
 * bytes of an IPv4 one. */
static bool key_of(uint8_t key[17], enum kind kind, const struct sockaddr *a)
{
    struct hb_span addr = gw_addr_bytes(a);
    size_t network = addr.len == 4 ? 3 : 8;

    if (addr.len == 0) {
        return false;
    }
    memset(key, 0, 17);
    key[0] = (uint8_t)(kind | (addr.len == 4 ? 0x10 : 0));
    memcpy(key + 1, addr.p, kind == KIND_ADDRESS ? addr.len : network);
    return true;
}

static unsigned set_of(const struct gw_limiter *l, const uint8_t key[17])
{
    uint64_t word[2];

    memcpy(word, key + 1, sizeof word);
    return (unsigned)(gw_mix(gw_mix(word[0] ^ l->seed[0]) ^ word[1] ^ l->seed[1] ^ key[0]) & (SETS - 1));
}

/* The entry, made if it is not there; NULL where it cannot be counted. */
static struct entry *entry_of(struct gw_limiter *l, enum kind kind, const struct sockaddr *addr, uint32_t now)
{
    uint8_t key[17];
    struct entry *oldest = NULL;

    if (!key_of(key, kind, addr)) {
        return NULL;
    }
    struct entry *set = l->table[set_of(l, key)];
    for (unsigned i = 0; i < WAYS; i++) {
        struct entry *e = &set[i];
        if (e->used && memcmp(e->key, key, sizeof key) == 0) {
            e->seen = now;
            return e;
        }
        bool better = oldest == NULL || (oldest->used && (!e->used || e->seen < oldest->seen));
        oldest = e->conns == 0 && better ? e : oldest;
    }
    if (oldest != NULL) {
        memset(oldest, 0, sizeof *oldest);
        memcpy(oldest->key, key, sizeof key);
        oldest->used = true;
        oldest->seen = now;
        oldest->refilled = now;
    }
    return oldest;
}

/* ---- connections ---- */

static bool over(unsigned limit, uint32_t count)
{
    return limit > 0 && count >= limit;
}

static uint16_t failed_now(const struct entry *e, uint32_t now)
{
    return now - e->first < WINDOW ? e->failed : 0;
}

enum gw_limit_verdict gw_limit_enter(struct gw_limiter *l, const struct gw_limit_settings *set,
                                     const struct sockaddr *addr, uint32_t now)
{
    struct entry *a = entry_of(l, KIND_ADDRESS, addr, now);
    struct entry *n = entry_of(l, KIND_NETWORK, addr, now);

    if (a != NULL && over(set->failed_logins, failed_now(a, now))) {
        return GW_LIMIT_LOGINS;
    }
    if (a != NULL && over(set->per_address, a->conns)) {
        return GW_LIMIT_ADDRESS;
    }
    if (n != NULL && over(set->per_network, n->conns)) {
        return GW_LIMIT_NETWORK;
    }
    if (a != NULL) {
        a->conns++;
    }
    if (n != NULL) {
        n->conns++;
    }
    return GW_LIMIT_PASS;
}

static void uncount(struct gw_limiter *l, enum kind kind, const struct sockaddr *addr)
{
    uint8_t key[17];

    if (!key_of(key, kind, addr)) {
        return;
    }
    struct entry *set = l->table[set_of(l, key)];
    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].used && set[i].conns > 0 && memcmp(set[i].key, key, sizeof key) == 0) {
            set[i].conns--;
        }
    }
}

void gw_limit_leave(struct gw_limiter *l, const struct sockaddr *addr)
{
    uncount(l, KIND_ADDRESS, addr);
    uncount(l, KIND_NETWORK, addr);
}

/* ---- handshakes ---- */

static void refill(uint32_t *spent, uint32_t *refilled, unsigned rate, uint32_t now)
{
    uint64_t back = (uint64_t)(now - *refilled) * rate;

    *spent = back >= *spent ? 0 : *spent - (uint32_t)back;
    *refilled = now;
}

enum gw_limit_verdict gw_limit_handshake(struct gw_limiter *l, const struct gw_limit_settings *set,
                                         const struct sockaddr *addr, uint32_t now)
{
    struct entry *n = entry_of(l, KIND_NETWORK, addr, now);

    if (over(set->handshakes, l->handshakes)) {
        return GW_LIMIT_HANDSHAKES;
    }
    if (n != NULL) {
        refill(&n->spent, &n->refilled, set->rate_network, now);
    }
    refill(&l->total.spent, &l->total.refilled, set->rate_total, now);
    if ((n != NULL && over(set->rate_network * BURST, n->spent)) ||
        over(set->rate_total * BURST, l->total.spent)) {
        return GW_LIMIT_RATE;
    }
    if (n != NULL) {
        n->spent++;
    }
    l->total.spent++;
    l->handshakes++;
    return GW_LIMIT_PASS;
}

void gw_limit_handshake_over(struct gw_limiter *l)
{
    l->handshakes -= l->handshakes > 0;
}

/* ---- logins, telling ---- */

void gw_limit_failed_logins(struct gw_limiter *l, const struct sockaddr *addr, unsigned num, uint32_t now)
{
    struct entry *e = entry_of(l, KIND_ADDRESS, addr, now);

    if (e == NULL) {
        return;
    }
    if (failed_now(e, now) == 0) {
        e->first = now;
        e->failed = 0;
    }
    e->failed = (uint16_t)(num < UINT16_MAX - (unsigned)e->failed ? e->failed + num : UINT16_MAX);
}

unsigned gw_limit_tarpit(struct gw_limiter *l, const struct gw_limit_settings *set,
                         const struct sockaddr *addr, uint32_t now)
{
    const struct entry *e = set->tarpit > 0 ? entry_of(l, KIND_ADDRESS, addr, now) : NULL;

    return e != NULL && failed_now(e, now) >= SUSPECT ? set->tarpit : 0;
}

bool gw_limit_tell(struct gw_limiter *l, const struct sockaddr *addr, uint32_t now)
{
    struct entry *e = entry_of(l, KIND_ADDRESS, addr, now);

    if (e == NULL) {
        return true;
    }
    bool tell = e->told == 0 || now - (e->told - 1) >= 60;
    e->told = tell ? now + 1 : e->told;
    return tell;
}
