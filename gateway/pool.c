/* pool.c: one choice among servers. Who may be chosen is decided first, then who of those it is.
 * Round robin is the smooth one: each turn every candidate is owed its weight, the one that is owed most gets
 * the session and pays for all. The hash is rendezvous hashing: each server draws for each address, the
 * highest draw wins, so that a server that leaves moves only its own clients. */
#include "pool.h"

#include "net.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- configuration ---- */

static bool weight_of(const char *s, size_t len, unsigned *weight)
{
    char *end;
    unsigned long n = strtoul(s, &end, 10);

    *weight = (unsigned)n;
    return len > 0 && *s >= '0' && *s <= '9' && end == s + len && n >= 1 && n <= GW_MAX_WEIGHT;
}

static bool name_of(const char *s, size_t len, char *dst, size_t cap)
{
    if (len == 0 || len >= cap ||
        strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") < len) {
        return false;
    }
    memcpy(dst, s, len);
    dst[len] = 0;
    return true;
}

bool gw_server_words(struct gw_server *v, const char *text, const char **bad)
{
    v->weight = 0;
    v->backup = false;
    v->sni[0] = 0;
    for (const char *at = text + strspn(text, " \t"); *at != 0; at += strspn(at, " \t")) {
        size_t len = strcspn(at, " \t");
        bool good = false;
        if (len == 6 && strncmp(at, "backup", 6) == 0) {
            good = !v->backup;
            v->backup = true;
        } else if (strncmp(at, "weight=", 7) == 0) {
            good = v->weight == 0 && weight_of(at + 7, len - 7, &v->weight);
        } else if (strncmp(at, "sni=", 4) == 0) {
            good = v->sni[0] == 0 && name_of(at + 4, len - 4, v->sni, sizeof v->sni);
        }
        if (!good) {
            *bad = at;
            return false;
        }
        at += len;
    }
    v->weight = v->weight != 0 ? v->weight : 1;
    return true;
}

/* ---- what is known, from one configuration to the next ---- */

struct gw_pool *gw_pool_new(unsigned room)
{
    struct gw_pool *p = calloc(1, sizeof *p + room * sizeof p->servers[0]);
    bool good = p != NULL;

    if (p != NULL) {
        p->room = room;
    }
    for (unsigned i = 0; i < room && good; i++) {
        p->servers[i].now = calloc(1, sizeof *p->servers[i].now);
        good = p->servers[i].now != NULL;
        if (good) {
            p->servers[i].now->refs = 1;
        }
    }
    if (!good) {
        gw_pool_free(&p);
    }
    return p;
}

static void drop(struct gw_standing *v)
{
    if (v != NULL && --v->refs == 0) {
        free(v);
    }
}

void gw_pool_free(struct gw_pool **pp)
{
    struct gw_pool *p = *pp;

    *pp = NULL;
    for (unsigned i = 0; p != NULL && i < p->room; i++) {
        drop(p->servers[i].now);
    }
    free(p);
}

static bool same(const struct gw_server *a, const struct gw_server *b)
{
    return strcmp(a->text, b->text) == 0 && strcmp(a->sni, b->sni) == 0 &&
           memcmp(&a->addr, &b->addr, sizeof a->addr) == 0; /* zeroed before they were filled in */
}

/* How often it is checked may be new. */
static void adapt(const struct gw_pool *p, struct gw_standing *v, uint32_t now)
{
    if (p->check == 0 && v->until == UINT32_MAX) {
        v->until = now + GW_SERVER_REST; /* no check will find out */
    }
    if (p->check > 0 && v->down) {
        v->until = UINT32_MAX;
    }
    v->check_at = v->check_at < now + p->check ? v->check_at : now + p->check;
}

void gw_pool_inherit(struct gw_pool *p, const struct gw_pool *before, uint32_t now)
{
    uint32_t taken = 0;

    for (unsigned i = 0; i < p->num; i++) {
        for (unsigned k = 0; k < before->num; k++) {
            if ((taken >> k & 1) == 0 && same(&p->servers[i], &before->servers[k])) {
                taken |= UINT32_C(1) << k;
                drop(p->servers[i].now);
                p->servers[i].now = before->servers[k].now;
                p->servers[i].now->refs++;
                adapt(p, p->servers[i].now, now);
                break;
            }
        }
    }
}

/* ---- who may be chosen ---- */

static bool rests(const struct gw_server *v, uint32_t now)
{
    return v->now->down && now < v->now->until;
}

/* The servers of this name; without any, those of no name. */
static uint32_t of_name(const struct gw_pool *p, const char *sni)
{
    uint32_t named = 0;
    uint32_t others = 0;

    for (unsigned i = 0; i < p->num; i++) {
        const char *name = p->servers[i].sni;
        if (name[0] == 0) {
            others |= UINT32_C(1) << i;
        } else if (sni != NULL && strcasecmp(name, sni) == 0) {
            named |= UINT32_C(1) << i;
        }
    }
    return named != 0 ? named : others;
}

/* The best tier that has somebody in it: up, backups that are up, and, on the first attempt, anybody. */
static uint32_t candidates(const struct gw_pool *p, const char *sni, uint32_t tried, uint32_t now)
{
    uint32_t all = of_name(p, sni);
    uint32_t up = 0;
    uint32_t backups = 0;
    uint32_t first = 0;

    for (unsigned i = 0; i < p->num; i++) {
        uint32_t bit = UINT32_C(1) << i;
        if ((all & bit) == 0 || (tried & bit) != 0) {
            continue;
        }
        if (!p->servers[i].backup) {
            first |= bit;
        }
        if (!rests(&p->servers[i], now)) {
            *(p->servers[i].backup ? &backups : &up) |= bit;
        }
    }
    if (up != 0 || backups != 0) {
        return up != 0 ? up : backups;
    }
    if (tried != 0) {
        return 0;
    }
    return first != 0 ? first : all;
}

/* ---- who it is ---- */

static unsigned round_robin(struct gw_pool *p, uint32_t of)
{
    unsigned best = GW_POOL_NOBODY;
    int total = 0;

    for (unsigned i = 0; i < p->num; i++) {
        struct gw_server *v = &p->servers[i];
        if ((of >> i & 1) == 0) {
            continue;
        }
        v->now->credit += (int)v->weight;
        total += (int)v->weight;
        if (best == GW_POOL_NOBODY || v->now->credit > p->servers[best].now->credit) {
            best = i;
        }
    }
    if (best != GW_POOL_NOBODY) {
        p->servers[best].now->credit -= total;
    }
    return best;
}

/* Fewest links for its weight; among equals, in turn. */
static unsigned least_connections(struct gw_pool *p, uint32_t of)
{
    uint32_t equals = 0;
    unsigned best = GW_POOL_NOBODY;

    for (unsigned i = 0; i < p->num; i++) {
        if ((of >> i & 1) == 0) {
            continue;
        }
        const struct gw_server *v = &p->servers[i];
        const struct gw_server *b = best != GW_POOL_NOBODY ? &p->servers[best] : v;
        uint64_t own = (uint64_t)v->now->links * b->weight;
        uint64_t its = (uint64_t)b->now->links * v->weight;
        if (best == GW_POOL_NOBODY || own < its) {
            best = i;
            equals = 0;
        }
        equals |= own <= its ? UINT32_C(1) << i : 0;
    }
    return round_robin(p, equals);
}

static uint64_t add(uint64_t h, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;

    for (size_t i = 0; i < len; i++) {
        h = (h ^ at[i]) * UINT64_C(0x100000001b3);
    }
    return h;
}

/* An IPv6 host has a /64 to itself and changes its address within it. */
static uint64_t of_client(const struct sockaddr *client)
{
    struct hb_span addr = gw_addr_bytes(client);

    return add(UINT64_C(0xcbf29ce484222325), addr.p, addr.len == 16 ? 8 : addr.len);
}

/* Each server draws once for each unit of weight. */
static unsigned client_hash(const struct gw_pool *p, const struct sockaddr *client, uint32_t of)
{
    unsigned best = GW_POOL_NOBODY;
    uint64_t highest = 0;

    for (unsigned i = 0; i < p->num; i++) {
        const struct gw_server *v = &p->servers[i];
        uint64_t h = add(of_client(client), v->text, strlen(v->text));
        for (unsigned k = 0; k < v->weight && (of >> i & 1) != 0; k++) {
            uint64_t draw = gw_mix(h + k);
            if (best == GW_POOL_NOBODY || draw > highest) {
                best = i;
                highest = draw;
            }
        }
    }
    return best;
}

unsigned gw_pool_choose(struct gw_pool *p, const char *sni, const struct sockaddr *client, uint32_t tried,
                        uint32_t now)
{
    uint32_t of = candidates(p, sni, tried, now);

    switch (p->balance) {
    case GW_LEAST_CONNECTIONS:
        return least_connections(p, of);
    case GW_CLIENT_HASH:
        return client_hash(p, client, of);
    case GW_ROUND_ROBIN:
        break;
    }
    return round_robin(p, of);
}

/* ---- what became of it ---- */

bool gw_pool_failed(struct gw_pool *p, unsigned i, uint32_t now)
{
    struct gw_standing *v = p->servers[i].now;
    bool news = !v->down;

    v->down = true;
    v->until = p->check > 0 ? UINT32_MAX : now + GW_SERVER_REST; /* a check will find out */
    return news;
}

bool gw_pool_good(struct gw_pool *p, unsigned i)
{
    bool news = p->servers[i].now->down;

    p->servers[i].now->down = false;
    return news;
}

unsigned gw_pool_due(struct gw_pool *p, uint32_t now)
{
    for (unsigned i = 0; i < p->num && p->check > 0; i++) {
        struct gw_standing *v = p->servers[i].now;
        if (!v->checking && now >= v->check_at) {
            v->checking = true;
            return i;
        }
    }
    return GW_POOL_NOBODY;
}

bool gw_pool_checked(struct gw_pool *p, unsigned i, bool good, uint32_t now)
{
    struct gw_standing *v = p->servers[i].now;

    v->checking = false;
    v->check_at = now + p->check;
    v->fails = good ? 0 : v->fails + 1;
    if (good) {
        return gw_pool_good(p, i);
    }
    return v->fails >= GW_SERVER_FALL && gw_pool_failed(p, i, now);
}
