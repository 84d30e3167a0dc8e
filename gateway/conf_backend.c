/* conf_backend.c: where a listener's sessions go: what `backend` may say, and what it means for TLS.
 * Nothing a client sends in TLS goes on in clear but to this machine, or where the operator says so (GEN-25).
 */
#include "conf_util.h"

#include <stdio.h>
#include <sys/un.h>

/* Scheme of a backend's URL: "tls", "imap", "imaps", "imap+starttls", ... */
static bool backend_scheme(const char *scheme, struct gw_listener_conf *lc, unsigned *port)
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
    memcpy(name, scheme, len);
    const struct hb_proto *proto = hb_proto_find(name, &implicit);
    if (proto == NULL || (starttls && implicit)) {
        return false;
    }
    lc->backend_link = starttls ? HB_PEER_STARTTLS : implicit ? HB_PEER_IMPLICIT : HB_PEER_CLEAR;
    lc->backend_peer = hb_peer_find(hb_proto_name(proto));
    *port = hb_proto_port(proto, implicit);
    return !starttls || lc->backend_peer != NULL;
}

static bool backend_url(const struct gw_draft_listener *dl, struct gw_listener_conf *lc, const char **address,
                        unsigned *port, struct gw_problems *p)
{
    const char *sep = strstr(dl->backend, "://");
    char scheme[32] = "";
    bool implicit;

    *address = dl->backend;
    *port = lc->proto != NULL ? hb_proto_port(lc->proto, false) : 0;
    lc->backend_link = HB_PEER_CLEAR;
    lc->backend_peer = lc->proto != NULL ? hb_peer_find(hb_proto_name(lc->proto)) : NULL;
    if (sep == NULL) {
        return true;
    }
    const struct hb_peer_proto *own = lc->backend_peer;
    size_t len = (size_t)(sep - dl->backend);
    memcpy(scheme, dl->backend, len < sizeof scheme ? len : sizeof scheme - 1);
    *address = sep + 3;
    if (len >= sizeof scheme || !backend_scheme(scheme, lc, port)) {
        gw_problem(p, dl->where,
                   "a backend is HOST:PORT, unix:/PATH, tls://HOST:PORT, or a mail scheme such as "
                   "imap+starttls://HOST or imaps://HOST, not",
                   dl->backend);
        return false;
    }
    bool raw = hb_proto_find("tls", &implicit) == lc->proto;
    if (lc->backend_peer != NULL && own != lc->backend_peer && !raw && lc->proto != NULL) {
        gw_problem(p, dl->where, "the backend speaks another protocol than the listener", dl->backend);
        return false;
    }
    lc->backend_peer = lc->backend_peer != NULL ? lc->backend_peer : own;
    return true;
}

/* GEN-25: what a client sends in TLS is sent in clear only where nobody listens. */
static void judge_clear(const struct gw_draft_listener *dl, struct gw_problems *p)
{
    if (dl->trusted_network) {
        gw_notice(p, GW_AT(dl, trusted_network), "trusted-network: mail and passwords travel in clear to",
                  dl->backend);
    } else {
        gw_problem(p, dl->where,
                   "backend is not on this machine and would get passwords in clear; use its TLS (as in "
                   "imap+starttls://HOST or imaps://HOST), or say trusted-network if the network in between "
                   "is yours",
                   dl->backend);
    }
}

static void load_unix(const struct gw_draft_listener *dl, struct gw_listener_conf *lc, const char *path,
                      struct gw_problems *p)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&lc->backend;

    if (path[0] != '/' || strlen(path) >= sizeof un->sun_path) {
        gw_problem(p, dl->where, "unix: is followed by a path from the root, at most 107 bytes long",
                   dl->backend);
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

void gw_conf_backend(const struct gw_draft_listener *dl, struct gw_listener_conf *lc, struct gw_problems *p)
{
    const char *address;
    char host[256];
    unsigned port;
    unsigned usual;
    const char *why;

    lc->backend_text = dl->backend;
    if (dl->backend == NULL) {
        gw_problem(p, dl->where, "no backend given for", dl->listen);
        return;
    }
    if (!backend_url(dl, lc, &address, &usual, p)) {
        return;
    }
    load_client_address(dl, lc, p);
    if (strncmp(address, "unix:", 5) == 0) {
        load_unix(dl, lc, address + 5, p);
        return;
    }
    if (!gw_split_host_port(address, host, sizeof host, &port)) {
        gw_problem(p, dl->where, "backend is not HOST:PORT with a port from 1 to 65535", dl->backend);
        return;
    }
    memcpy(lc->backend_name, host, strlen(host) + 1);
    port = port != 0 ? port : usual;
    if (port == 0) {
        gw_problem(p, dl->where, "a port is needed in backend", dl->backend);
        return;
    }
    if (!gw_resolve(host, port, &lc->backend, &why)) {
        gw_problem(p, dl->where, why, dl->backend);
        return;
    }
    if (lc->backend_link == HB_PEER_CLEAR && !gw_is_loopback(&lc->backend)) {
        judge_clear(dl, p);
    }
}
