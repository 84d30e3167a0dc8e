/* conf_backend.c: where a listener's sessions go: what `backend` may say, and what it means for TLS.
 * Nothing a client sends in TLS goes on in clear but to this machine, or where the operator says so (GEN-25).
 */
#include "conf_util.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

static const char *server_where(const struct gw_draft_listener *dl)
{
    return dl->pool != NULL && dl->pool->servers_where != NULL ? dl->pool->servers_where : dl->where;
}

bool gw_peer_scheme(const char *scheme, enum hb_peer_tls *link, const struct hb_peer_proto **peer,
                    unsigned *port)
{
    static const char suffix[] = "+starttls";
    char name[32] = "";
    size_t len = strlen(scheme);
    bool starttls = len > strlen(suffix) && strcmp(scheme + len - strlen(suffix), suffix) == 0;
    bool implicit = false;

    len -= starttls ? strlen(suffix) : 0;
    if (len >= sizeof name) {
        return false;
    }
    (void)snprintf(name, sizeof name, "%.*s", (int)len, scheme);
    const struct hb_proto *proto = hb_proto_find(name, &implicit);
    if (proto == NULL || (starttls && implicit)) {
        return false;
    }
    *link = starttls ? HB_PEER_STARTTLS : implicit ? HB_PEER_IMPLICIT : HB_PEER_CLEAR;
    *peer = hb_peer_find(hb_proto_name(proto));
    *port = hb_proto_port(proto, implicit);
    return !starttls || *peer != NULL;
}

static bool backend_url(const struct gw_draft_listener *dl, const char *text, struct gw_listener_conf *lc,
                        const char **address, unsigned *port, struct gw_problems *p)
{
    const char *sep = strstr(text, "://");
    char scheme[32] = "";
    bool implicit;

    *address = text;
    *port = lc->proto != NULL ? hb_proto_port(lc->proto, false) : 0;
    lc->backend_link = HB_PEER_CLEAR;
    lc->backend_peer = lc->proto != NULL ? hb_peer_find(hb_proto_name(lc->proto)) : NULL;
    if (sep == NULL) {
        return true;
    }
    const struct hb_peer_proto *own = lc->backend_peer;
    size_t len = (size_t)(sep - text);
    memcpy(scheme, text, len < sizeof scheme ? len : sizeof scheme - 1);
    *address = sep + 3;
    if (len >= sizeof scheme || !gw_peer_scheme(scheme, &lc->backend_link, &lc->backend_peer, port)) {
        gw_problem(p, server_where(dl),
                   "a backend is HOST:PORT, unix:/PATH, tls://HOST:PORT, or a mail scheme such as "
                   "imap+starttls://HOST or imaps://HOST, not",
                   text);
        return false;
    }
    bool raw = hb_proto_find("tls", &implicit) == lc->proto;
    if (lc->backend_peer != NULL && own != lc->backend_peer && !raw && lc->proto != NULL) {
        gw_problem(p, server_where(dl), "the backend speaks another protocol than the listener", text);
        return false;
    }
    lc->backend_peer = lc->backend_peer != NULL ? lc->backend_peer : own;
    return true;
}

/* GEN-25: what a client sends in TLS is sent in clear only where nobody listens. */
static void judge_clear(const struct gw_draft_listener *dl, const char *text, struct gw_problems *p)
{
    if (dl->trusted_network) {
        gw_notice(p, GW_AT(dl, trusted_network), "trusted-network: mail and passwords travel in clear to",
                  text);
    } else {
        gw_problem(p, server_where(dl),
                   "backend is not on this machine and would get passwords in clear; use its TLS (as in "
                   "imap+starttls://HOST or imaps://HOST), or say trusted-network if the network in between "
                   "is yours",
                   text);
    }
}

static void load_unix(const struct gw_draft_listener *dl, struct gw_server *v, const char *path,
                      struct gw_problems *p)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&v->addr;

    if (path[0] != '/' || strlen(path) >= sizeof un->sun_path) {
        gw_problem(p, server_where(dl), "unix: is followed by a path from the root, at most 107 bytes long",
                   v->text);
        return;
    }
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, strlen(path) + 1);
}

static void load_client_address(const struct gw_draft_listener *dl, struct gw_listener_conf *lc,
                                struct gw_problems *p)
{
    static const char *const words[] = {"off", "command", "proxy-v1", "proxy-v2"};

    lc->client_address =
        (enum gw_tell)gw_choose(dl->client_address, words, 4, "client-address", GW_AT(dl, client_address), p);
    const struct hb_peer_proto *peer = lc->backend_peer;
    if (lc->client_address == GW_TELL_COMMAND &&
        (peer == NULL || !(hb_peer_has_xclient(peer) || hb_peer_has_id(peer)))) {
        gw_problem(p, GW_AT(dl, client_address),
                   "client-address command: this protocol has no command for it; say proxy-v2 if the backend "
                   "knows the PROXY protocol",
                   dl->backend);
    }
}

/* One server: where it is, and that its link is protected as the others' are. */
static void load_server(const struct gw_draft_listener *dl, struct gw_listener_conf *lc, struct gw_server *v,
                        struct gw_problems *p)
{
    const enum hb_peer_tls link = lc->backend_link;
    const struct hb_peer_proto *const peer = lc->backend_peer;
    const char *name = dl->backend_name;
    const char *address;
    const char *why;
    unsigned usual;
    unsigned port;

    if (!backend_url(dl, v->text, lc, &address, &usual, p)) {
        return;
    }
    if (v > lc->pool->servers && (link != lc->backend_link || peer != lc->backend_peer)) {
        gw_problem(p, server_where(dl),
                   "all servers of a backend speak the same protocol, with the same kind of TLS; not",
                   v->text);
        return;
    }
    if (strncmp(address, "unix:", 5) == 0) {
        load_unix(dl, v, address + 5, p);
        return;
    }
    if (!gw_split_host_port(address, v->host, sizeof v->host, &port)) {
        gw_problem(p, server_where(dl), "backend is not HOST:PORT with a port from 1 to 65535", v->text);
        return;
    }
    name = name != NULL && strlen(name) < sizeof v->name ? name : v->host;
    memcpy(v->name, name, strlen(name) + 1);
    port = port != 0 ? port : usual;
    if (port == 0) {
        gw_problem(p, server_where(dl), "a port is needed in backend", v->text);
        return;
    }
    if (!gw_resolve(v->host, port, &v->addr, &why)) {
        gw_problem(p, server_where(dl), why, v->text);
        return;
    }
    if (lc->backend_link == HB_PEER_CLEAR && !gw_is_loopback(&v->addr)) {
        judge_clear(dl, v->text, p);
    }
}

static void add_server(const struct gw_draft_listener *dl, struct gw_listener_conf *lc, const char *text,
                       struct gw_problems *p)
{
    struct gw_server *v = &lc->pool->servers[lc->pool->num];
    size_t len = dl->pool != NULL ? strcspn(text, " \t") : strlen(text);
    const char *bad;

    if (len == 0 || len >= sizeof v->text) {
        gw_problem(p, server_where(dl), "not the address of a server", text);
        return;
    }
    lc->pool->num++;
    memcpy(v->text, text, len);
    if (!gw_server_words(v, text + len, &bad)) {
        gw_problem(
            p, server_where(dl),
            "behind a server's address there may be, once each, weight=1 to 100, backup and sni=NAME; not",
            bad);
    }
    load_server(dl, lc, v, p);
}

static void load_pool(const struct gw_draft_listener *dl, struct gw_listener_conf *lc, struct gw_problems *p)
{
    static const char *const ways[] = {"round-robin", "least-connections", "client-hash"};
    const struct gw_draft_backend *b = dl->pool;
    bool named = true;

    for (unsigned i = 0; i < b->num_servers; i++) {
        add_server(dl, lc, b->servers[i], p);
    }
    for (unsigned i = 0; i < lc->pool->num; i++) {
        named = named && lc->pool->servers[i].sni[0] != 0;
    }
    if (named) {
        gw_problem(
            p, server_where(dl),
            "one server at least must be without sni=: it serves clients that ask for another name, or none",
            dl->backend);
    }
    lc->pool->balance = (enum gw_balance)gw_choose(
        b->balance, ways, 3, "balance", b->balance_where != NULL ? b->balance_where : b->words.where, p);
    lc->pool->check = gw_number(b->check, 0, 3600, 0, "health-check",
                                b->check_where != NULL ? b->check_where : b->words.where, p);
}

void gw_conf_backend(const struct gw_draft_listener *dl, struct gw_listener_conf *lc, struct gw_problems *p)
{
    unsigned num = dl->pool != NULL ? dl->pool->num_servers : 1;

    lc->backend_text = dl->backend;
    if (dl->backend == NULL) {
        gw_problem(p, dl->where, "no backend given for", dl->listen);
        return;
    }
    lc->pool = gw_pool_new(num);
    if (lc->pool == NULL) {
        gw_problem(p, dl->where, hb_err_sentence(HB_E_NO_MEMORY), NULL);
        return;
    }
    if (dl->pool != NULL) {
        load_pool(dl, lc, p);
    } else {
        add_server(dl, lc, dl->backend, p);
    }
    if (lc->pool->num > 0) {
        lc->backend = lc->pool->servers[0].addr;
        memcpy(lc->backend_name, lc->pool->servers[0].name, sizeof lc->backend_name);
    }
    load_client_address(dl, lc, p);
}
