/* pool.h: the servers behind one listener: which of them gets the next session, which are down.
 *
 * What was configured is immutable; beside it stands what this worker knows of each server: links it holds,
 * and when one that failed may be tried again; that outlives the configuration. Workers do not tell each
 * other: each finds out by itself, and "least connections" means those of the worker.
 *
 * Choosing is pure: seconds and addresses come in, a number goes out. */
#ifndef GW_POOL_H
#define GW_POOL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define GW_MAX_SERVERS   32u
#define GW_MAX_WEIGHT    100u
#define GW_SERVER_REST   10u /* seconds for which a server that failed is left alone, without health checks */
#define GW_SERVER_FALL   2u  /* health checks that fail one behind the other before a server is down */
#define GW_POOL_NOBODY   GW_MAX_SERVERS
#define GW_POOL_ATTEMPTS 4u /* servers tried for one link */

enum gw_balance { GW_ROUND_ROBIN, GW_LEAST_CONNECTIONS, GW_CLIENT_HASH };

/* Shared by the configurations that have this server: a reload does not make a server that is down one that
 * is up. */
struct gw_standing {
    unsigned refs;
    unsigned links;    /* of all sessions, whatever configuration they began with */
    int credit;        /* round robin: what it is owed */
    bool down;         /* failed, and has not been reached since */
    uint32_t until;    /* second at which a server that is down may be tried again */
    bool checking;     /* a health check is under way */
    unsigned fails;    /* checks that failed, one behind the other */
    uint32_t check_at; /* second of the next one */
    uint64_t told_day; /* day on which it was said that its certificate ends soon */
};

struct gw_server {
    char text[320]; /* its address as written */
    struct sockaddr_storage addr;
    char host[256];          /* of its address, without a port; empty: a unix socket */
    char name[256];          /* that its certificate must have; empty: a unix socket */
    unsigned weight;         /* 1 to GW_MAX_WEIGHT */
    bool backup;             /* only while no other server is up */
    char sni[256];           /* only for clients that asked for this name; empty: for everybody else */
    struct gw_standing *now; /* owned reference: what this worker knows of it */
};

struct gw_pool {
    enum gw_balance balance;
    unsigned check; /* seconds between health checks; 0: none */
    unsigned num, room;
    struct gw_server servers[]; /* room of them */
};

/* Reads what stands behind a server's address: "weight=3 backup sni=mail.example.org", in any order, each
 * once. False: bad is the word that is wrong, borrowed from text. */
bool gw_server_words(struct gw_server *v, const char *text, const char **bad);

/* A pool with room for so many servers, none of them there yet; NULL: out of memory. */
struct gw_pool *gw_pool_new(unsigned room);
void gw_pool_free(struct gw_pool **p);
/* The servers that were in the same place before stand as they did there. */
void gw_pool_inherit(struct gw_pool *p, const struct gw_pool *before, uint32_t now);

/* The server for a session; GW_POOL_NOBODY if none is left. sni: NULL without one. tried: a bit for each
 * server that this link was refused by. A server that is down is chosen only if all of them are and nothing
 * was tried yet: then any of them is better than none. */
unsigned gw_pool_choose(struct gw_pool *p, const char *sni, const struct sockaddr *client, uint32_t tried,
                        uint32_t now);

/* A server could not be used, or could. True if that is news. */
bool gw_pool_failed(struct gw_pool *p, unsigned i, uint32_t now);
bool gw_pool_good(struct gw_pool *p, unsigned i);
/* A server whose health check is due now, which is then under way; GW_POOL_NOBODY if there is none. */
unsigned gw_pool_due(struct gw_pool *p, uint32_t now);
/* What a health check found. True if the server is down, or up, since now. */
bool gw_pool_checked(struct gw_pool *p, unsigned i, bool good, uint32_t now);

#endif
