/* conf_limit.c: lists of addresses, and limits. A limit is a number; 0 is none. */
#include "conf_util.h"

#include <stdio.h>

static void load_nets(const char *text, struct gw_nets *nets, const char *name, const char *where,
                      struct gw_problems *p)
{
    const char *bad = NULL;

    if (text != NULL && !gw_nets_parse(text, nets, &bad)) {
        char what[160];
        (void)snprintf(what, sizeof what,
                       "%s takes up to 32 addresses or networks such as 192.0.2.0/24,2001:db8::/32; not",
                       name);
        gw_problem(p, where, what, bad);
    }
}

/* Everybody is on a list of those who are trusted with more. */
static void warn_of_everybody(const struct gw_nets *nets, const char *what, const char *where,
                              struct gw_problems *p)
{
    for (unsigned i = 0; i < nets->num; i++) {
        if (nets->nets[i].bits == 0) {
            gw_notice(p, where, what, NULL);
            return;
        }
    }
}

static unsigned load_limit(const char *said, unsigned otherwise, const char *name, const char *where,
                           struct gw_problems *p)
{
    unsigned limit = gw_number(said, 0, 10000000, otherwise, name, where != NULL ? where : name, p);

    if (said != NULL && limit == 0 && otherwise != 0) {
        char what[64];
        (void)snprintf(what, sizeof what, "%s = 0: there is no such limit", name);
        gw_notice(p, where != NULL ? where : name, what, NULL);
    }
    return limit;
}

void gw_conf_lists(const struct gw_draft_listener *dl, struct gw_listener_conf *lc, struct gw_problems *p)
{
    load_nets(dl->allow, &lc->allow, "allow", GW_AT(dl, allow), p);
    load_nets(dl->deny, &lc->deny, "deny", GW_AT(dl, deny), p);
    load_nets(dl->accept_proxy, &lc->proxies, "accept-proxy", GW_AT(dl, accept_proxy), p);
    warn_of_everybody(&lc->proxies, "accept-proxy: whoever comes may say that he comes from anywhere",
                      GW_AT(dl, accept_proxy), p);
}

void gw_conf_limits(const struct gw_draft *d, struct gw_conf *conf, struct gw_problems *p)
{
    struct gw_limit_settings *l = &conf->limits;

#define N(field, word, name, otherwise) l->field = load_limit(d->word, otherwise, name, d->word##_where, p);
    N(per_address, per_address, "connections-per-address", 1000)
    N(per_network, per_network, "connections-per-network", 4000)
    N(rate_network, handshake_rate_network, "handshakes-per-network", 200)
    N(rate_total, handshake_rate, "handshakes-per-second", 0)
    N(handshakes, handshakes, "handshakes-at-once", 5000)
    N(failed_logins, failed_logins, "failed-logins-per-address", 100)
    N(tarpit, tarpit, "tarpit", 2)
    N(memory, memory, "memory-per-worker", 0)
#undef N
    load_nets(d->limit_exempt != NULL ? d->limit_exempt : "127.0.0.0/8,::1", &conf->limit_exempt,
              "limit-exempt", d->limit_exempt_where != NULL ? d->limit_exempt_where : "limit-exempt", p);
    warn_of_everybody(&conf->limit_exempt, "limit-exempt: nobody is counted",
                      d->limit_exempt_where != NULL ? d->limit_exempt_where : "limit-exempt", p);
}
