/* conf_whole.c: what listeners must be together, once each of them is good by itself: no two at one address,
 * no session that would come back to where it began, and a certificate for the name that is said. */
#include "conf_util.h"

#include <stdio.h>

static const struct sockaddr *plain(const struct sockaddr_storage *a)
{
    return (const struct sockaddr *)a;
}

static bool same_port(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    return gw_addr_port(plain(a)) == gw_addr_port(plain(b));
}

/* Never of unix sockets, which have no bytes. */
static bool same(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    struct hb_span bytes = gw_addr_bytes(plain(a));

    return bytes.len > 0 && hb_span_eq(bytes, gw_addr_bytes(plain(b))) && same_port(a, b);
}

/* Whether who connects to `to` comes to the listener at `at`, as far as that can be told without asking this
 * machine for its addresses. */
static bool leads_to(const struct sockaddr_storage *to, const struct sockaddr_storage *at)
{
    struct hb_span bytes = gw_addr_bytes(plain(at));
    bool any = gw_addr_is_any(bytes) &&
               bytes.len == gw_addr_bytes(plain(to)).len; /* [::] takes no IPv4: listener.c */

    return same(to, at) || (any && gw_is_loopback(to) && same_port(to, at));
}

static void no_two_at_one_address(const struct gw_draft *d, const struct gw_conf *conf, struct gw_problems *p)
{
    for (unsigned i = 0; i < conf->num_listeners; i++) {
        for (unsigned k = 0; k < i; k++) {
            if (same(&conf->listeners[i].addr, &conf->listeners[k].addr)) {
                gw_problem(p, d->listeners[i].where, "another listener has this address already",
                           conf->listeners[i].url);
                break;
            }
        }
    }
}

/* A listener may well be the server of another (in plaintext on the loopback, with TLS from there on); what
 * may not be is a way back. */
static void no_circles(const struct gw_draft *d, const struct gw_conf *conf, struct gw_problems *p)
{
    uint64_t next[GW_MAX_LISTENERS] = {0}; /* a bit for each listener that sessions of this one come to */

    for (unsigned i = 0; i < conf->num_listeners; i++) {
        const struct gw_pool *pool = conf->listeners[i].pool;
        for (unsigned s = 0; pool != NULL && s < pool->num; s++) {
            for (unsigned k = 0; k < conf->num_listeners; k++) {
                bool comes = leads_to(&pool->servers[s].addr, &conf->listeners[k].addr);
                next[i] |= (uint64_t)comes << k;
            }
        }
    }
    for (unsigned through = 0; through < conf->num_listeners; through++) { /* Warshall's closure */
        for (unsigned i = 0; i < conf->num_listeners; i++) {
            next[i] |= (next[i] >> through & 1) != 0 ? next[through] : 0;
        }
    }
    for (unsigned i = 0; i < conf->num_listeners; i++) {
        if ((next[i] >> i & 1) != 0) {
            gw_problem(
                p, d->listeners[i].where,
                "its sessions would come back to it: the server must listen elsewhere, so that backend "
                "does not lead to our own port",
                conf->listeners[i].url);
        }
    }
}

/* Only a name that the operator says: this machine's own may be one that no client knows. */
static void certificates_for_hosts(const struct gw_draft *d, const struct gw_conf *conf,
                                   struct gw_problems *p)
{
    for (unsigned i = 0; i < conf->num_listeners; i++) {
        const struct gw_draft_listener *dl = &d->listeners[i];
        const struct gw_listener_conf *lc = &conf->listeners[i];
        bool asked =
            dl->host != NULL && !lc->plain && lc->creds != NULL && hb_cred_store_count(lc->creds) > 0;
        if (asked && !hb_cred_store_covers(lc->creds, hb_span_str(lc->host))) {
            gw_notice(p, GW_AT(dl, host), "no certificate of the listener is for its host", lc->host);
        }
    }
}

void gw_conf_whole(const struct gw_draft *d, const struct gw_conf *conf, struct gw_problems *p)
{
    no_two_at_one_address(d, conf, p);
    no_circles(d, conf, p);
    certificates_for_hosts(d, conf, p);
}
