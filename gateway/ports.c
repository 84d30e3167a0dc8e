/* ports.c: binds, keeps, closes. */
#include "ports.h"

#include "listener.h"
#include "service.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct gw_port *find(const struct gw_ports *ports, const struct gw_listener_conf *lc)
{
    for (unsigned i = 0; i < ports->num; i++) {
        if (memcmp(&ports->port[i].addr, &lc->addr, sizeof lc->addr) == 0) {
            return (struct gw_port *)(uintptr_t)&ports->port[i];
        }
    }
    return NULL;
}

static void close_port(struct gw_ports *ports, unsigned i)
{
    for (unsigned w = 0; w < ports->workers; w++) {
        if (ports->port[i].fds[w] >= 0) {
            if (!ports->port[i].given) {
                gw_listener_shut(ports->port[i].fds[w]);
            }
            (void)close(ports->port[i].fds[w]);
        }
    }
    ports->port[i] = ports->port[--ports->num];
}

static bool open_port(struct gw_ports *ports, const struct gw_listener_conf *lc, char *why, size_t cap)
{
    if (ports->num == 2 * GW_MAX_LISTENERS) {
        (void)snprintf(why, cap, "%s: too many places to listen in", lc->url);
        return false;
    }
    struct gw_port *port = &ports->port[ports->num++];
    int given = gw_service_socket(lc->name);
    port->addr = lc->addr;
    port->given = given >= 0;
    if (given >= 0) {
        (void)close(given);
    }
    port->fresh = true;
    port->used = true;
    for (unsigned w = 0; w < ports->workers; w++) {
        port->fds[w] = -1;
    }
    for (unsigned w = 0; w < ports->workers; w++) {
        port->fds[w] = gw_listener_bind(lc, ports->workers > 1, why, cap);
        if (port->fds[w] < 0) {
            return false;
        }
    }
    return true;
}

bool gw_ports_open(struct gw_ports *ports, const struct gw_conf *conf, char *why, size_t cap)
{
    bool good = true;

    for (unsigned i = 0; i < ports->num; i++) {
        ports->port[i].used = false;
        ports->port[i].fresh = false;
    }
    for (unsigned i = 0; i < conf->num_listeners && good; i++) {
        struct gw_port *port = find(ports, &conf->listeners[i]);
        if (port != NULL && port->used) {
            (void)snprintf(why, cap, "%s: another listener is there already", conf->listeners[i].url);
            good = false;
        } else if (port != NULL) {
            port->used = true;
        } else {
            good = open_port(ports, &conf->listeners[i], why, cap);
        }
    }
    if (!good) {
        gw_ports_undo(ports);
    }
    return good;
}

void gw_ports_settle(struct gw_ports *ports, unsigned *added, unsigned *removed)
{
    *added = 0;
    *removed = 0;
    for (unsigned i = ports->num; i-- > 0;) {
        *added += ports->port[i].fresh;
        ports->port[i].fresh = false;
        if (!ports->port[i].used) {
            close_port(ports, i);
            ++*removed;
        }
    }
}

void gw_ports_undo(struct gw_ports *ports)
{
    for (unsigned i = ports->num; i-- > 0;) {
        if (ports->port[i].fresh) {
            close_port(ports, i);
        }
    }
}

void gw_ports_close(struct gw_ports *ports)
{
    while (ports->num > 0) {
        close_port(ports, ports->num - 1);
    }
}

int gw_ports_find(const struct gw_ports *ports, const struct gw_listener_conf *lc, unsigned worker)
{
    const struct gw_port *port = find(ports, lc);

    return port != NULL && worker < ports->workers ? port->fds[worker] : -1;
}
