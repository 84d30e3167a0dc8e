/* keeper.c: the process around a keyring: one request, one answer.
 *
 * Round robin: each turn takes one request of each worker, so none of them starves the others. What is not a
 * request ends the link to that worker. */
#include "keeper.h"

#include "child.h"
#include "ipc.h"
#include "keyring.h"
#include "log.h"
#include "log_socket.h"
#include "sysenv.h"
#include <hb/ct.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define KEYS_MAX (64u << 20)

struct peer {
    int fd; /* -1: none */
    uint32_t tokens;
    uint64_t refilled; /* milliseconds */
};

struct keeper {
    const struct hb_env *env;
    int supervisor;
    bool ended;              /* the supervisor is gone */
    struct gw_keyring *keys; /* owned */
    struct peer peers[GW_MAX_WORKERS];
    struct gw_ipc_in in;
    uint8_t input[GW_IPC_MAX]; /* of a request, while something else is read */
};

static bool take_keys(struct keeper *k)
{
    size_t len;
    uint32_t number = hb_cur_u32(&k->in.body);
    bool good = hb_cur_end(&k->in.body);
    uint8_t *bytes = gw_ipc_read_memory(gw_ipc_take_fd(&k->in), KEYS_MAX, &len);

    if (bytes != NULL) {
        good = good && gw_keyring_take(k->keys, number, hb_span(bytes, len));
        hb_wipe(bytes, len);
    }
    free(bytes);
    return good && bytes != NULL;
}

/* ---- the supervisor ---- */

static void drop_peer(struct peer *p)
{
    if (p->fd >= 0) {
        (void)close(p->fd);
        p->fd = -1;
    }
}

static void take_peer(struct keeper *k)
{
    unsigned id = hb_cur_u16(&k->in.body);
    int fd = gw_ipc_take_fd(&k->in);

    if (fd < 0 || !hb_cur_end(&k->in.body) || id >= GW_MAX_WORKERS) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return;
    }
    drop_peer(&k->peers[id]);
    k->peers[id] = (struct peer){fd, GW_KEEPER_RATE, k->env->mono(k->env->ctx)};
}

/* False: the end. */
static bool serve_supervisor(struct keeper *k)
{
    bool go_on = true;
    enum gw_ipc_result r = GW_IPC_NONE;

    while (go_on && (r = gw_ipc_recv(k->supervisor, &k->in)) == GW_IPC_MESSAGE) {
        if (k->in.cut) {
            (void)gw_ipc_try(k->supervisor, GW_MSG_SHORT, hb_span("\0\0\0", 4), NULL, 0);
        } else if (k->in.type == GW_MSG_KEYS) {
            go_on = take_keys(k);
        } else if (k->in.type == GW_MSG_PEER) {
            take_peer(k);
        } else if (k->in.type == GW_MSG_FORGET) {
            gw_keyring_forget(k->keys, hb_cur_u32(&k->in.body));
        } else if (k->in.type == GW_MSG_LOG) {
            gw_log_take(&k->in);
        } else if (k->in.type == GW_MSG_STOP) {
            go_on = false;
        }
        gw_ipc_done(&k->in);
    }
    return go_on && r != GW_IPC_GONE;
}

/* ---- requests ---- */

static void answer(const struct keeper *k, int fd, const struct gw_key_request *r)
{
    uint8_t mem[GW_KEY_RESULT_MAX + 6];
    struct hb_bld b = hb_bld(mem, sizeof mem);

    gw_keyring_answer(k->keys, r, &b);
    (void)gw_ipc_try(fd, GW_MSG_DONE, hb_bld_span(&b), NULL, 0); /* who does not read waits in vain */
    hb_wipe(mem, sizeof mem);
}

static void serve_peer(struct keeper *k, unsigned id)
{
    struct peer *p = &k->peers[id];
    struct gw_key_request r;

    switch (gw_ipc_recv(p->fd, &k->in)) {
    case GW_IPC_NONE:
        return;
    case GW_IPC_GONE:
        drop_peer(p);
        return;
    case GW_IPC_MESSAGE:
        break;
    }
    if (k->in.num_fds == 0 && gw_keyring_parse(k->in.type, hb_cur_rest(&k->in.body), &r)) {
        if (!gw_keyring_has(k->keys,
                            r.handle)) { /* the worker may know of keys that still wait in our socket */
            uint8_t *input = k->input;
            memcpy(input, r.input.p, r.input.len);
            r.input = hb_span(input, r.input.len);
            k->ended = !serve_supervisor(k) || k->ended;
        }
        p->tokens--;
        answer(k, p->fd, &r);
    } else {
        GW_LOG(GW_EV_KEEPER_REFUSED, GW_U64("worker", id));
        drop_peer(p);
    }
    gw_ipc_done(&k->in);
    hb_wipe(k->in.mem, sizeof k->in.mem);
}

static void refill(const struct keeper *k, struct peer *p)
{
    uint64_t now = k->env->mono(k->env->ctx);
    uint64_t more = (now - p->refilled) * GW_KEEPER_RATE / 1000u;

    if (more > 0) {
        p->tokens = more > GW_KEEPER_RATE - p->tokens ? GW_KEEPER_RATE : p->tokens + (uint32_t)more;
        p->refilled = now;
    }
}

static bool turn(struct keeper *k)
{
    struct pollfd fds[GW_MAX_WORKERS + 1];
    int timeout = -1;

    fds[0] = (struct pollfd){k->supervisor, POLLIN, 0};
    for (unsigned i = 0; i < GW_MAX_WORKERS; i++) {
        struct peer *p = &k->peers[i];
        if (p->fd >= 0) {
            refill(k, p);
        }
        bool ready = p->fd >= 0 && p->tokens > 0;
        timeout = p->fd >= 0 && p->tokens == 0 ? 10 : timeout;
        fds[i + 1] = (struct pollfd){ready ? p->fd : -1, POLLIN, 0};
    }
    if (poll(fds, GW_MAX_WORKERS + 1, timeout) <= 0) {
        return true;
    }
    if (fds[0].revents != 0 && !serve_supervisor(k)) {
        return false;
    }
    for (unsigned i = 0; i < GW_MAX_WORKERS; i++) {
        if (fds[i + 1].revents != 0 && k->peers[i].fd == fds[i + 1].fd) {
            serve_peer(k, i);
        }
    }
    return !k->ended;
}

int gw_keeper_run(int supervisor)
{
    struct keeper *k = calloc(1, sizeof *k);
    struct gw_hello hello;

    if (k == NULL) {
        return 2;
    }
    k->env = gw_sysenv();
    k->supervisor = supervisor;
    for (unsigned i = 0; i < GW_MAX_WORKERS; i++) {
        k->peers[i].fd = -1;
    }
    k->keys = gw_keyring_new(k->env);
    if (k->keys == NULL || !gw_child_begin(supervisor, GW_ROLE_KEEPER, &hello, NULL)) {
        gw_keyring_free(&k->keys);
        free(k);
        return 2;
    }
    while (turn(k)) {
        continue;
    }
    for (unsigned i = 0; i < GW_MAX_WORKERS; i++) {
        drop_peer(&k->peers[i]);
    }
    gw_keyring_free(&k->keys);
    free(k);
    return 0;
}
