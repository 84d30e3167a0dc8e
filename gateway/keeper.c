/* keeper.c: keys by generation and number; one request, one answer.
 *
 *   keys as bytes: u16 n, n times { u32 length, PEM }
 *
 * Round robin: each turn takes one request of each worker, so none of them starves the others. What is not a
 * request ends the link to that worker. RSA key transport always gets 48 bytes (CT-03). */
#include "keeper.h"

#include "child.h"
#include "ipc.h"
#include "log.h"
#include "log_socket.h"
#include "source.h"
#include "sysenv.h"
#include <hb/cred.h>
#include <hb/ct.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define KEYS_MAX (64u << 20)

struct generation {
    struct generation *older; /* owned */
    uint32_t number, num_keys;
    struct hb_privkey **keys; /* owned; NULL where a file held none */
};

struct peer {
    int fd; /* -1: none */
    uint32_t tokens;
    uint64_t refilled; /* milliseconds */
};

struct keeper {
    const struct hb_env *env;
    int supervisor;
    bool ended;                /* the supervisor is gone */
    struct generation *newest; /* owned */
    struct peer peers[GW_MAX_WORKERS];
    struct gw_ipc_in in;
    uint8_t input[GW_IPC_MAX]; /* of a request, while something else is read */
};

uint8_t *gw_keeper_pack(const struct gw_bundle *b, size_t *len)
{
    size_t size = 2;
    size_t key_len;
    unsigned n = 0;

    while (gw_bundle_key(b, n, &key_len) != NULL) {
        size += 4 + key_len;
        n++;
    }
    uint8_t *mem = malloc(size);
    if (mem == NULL) {
        return NULL;
    }
    struct hb_bld out = hb_bld(mem, size);
    hb_bld_u16(&out, (uint16_t)n);
    for (unsigned i = 0; i < n; i++) {
        const char *pem = gw_bundle_key(b, i, &key_len);
        hb_bld_u32(&out, (uint32_t)key_len);
        hb_bld_put(&out, hb_span(pem, key_len));
    }
    HB_INVARIANT(hb_bld_ok(&out));
    *len = out.len;
    return mem;
}

static void free_generation(const struct hb_env *env, struct generation *g)
{
    for (uint32_t i = 0; g->keys != NULL && i < g->num_keys; i++) {
        hb_key_free(env, &g->keys[i]);
    }
    free(g->keys);
    free(g);
}

/* Frees every generation behind the one that *at points to. */
static void forget_from(const struct hb_env *env, struct generation **at)
{
    while (*at != NULL) {
        struct generation *g = *at;
        *at = g->older;
        free_generation(env, g);
    }
}

static void forget_older(struct keeper *k, uint32_t number)
{
    struct generation **at = &k->newest;
    unsigned kept = 0;

    while (*at != NULL && (*at)->number >= number && kept++ <= GW_KEEPER_GENERATIONS) {
        at = &(*at)->older;
    }
    forget_from(k->env, at);
}

static struct generation *parse_keys(const struct hb_env *env, struct hb_span bytes)
{
    struct hb_cur c = hb_cur(bytes);
    struct generation *g = calloc(1, sizeof *g);

    if (g == NULL) {
        return NULL;
    }
    g->num_keys = hb_cur_u16(&c);
    g->keys = calloc(g->num_keys + 1u, sizeof(struct hb_privkey *));
    for (uint32_t i = 0; g->keys != NULL && i < g->num_keys; i++) {
        struct hb_span pem = hb_cur_take(&c, hb_cur_u32(&c));
        if (hb_key_load(env, pem, &g->keys[i]) != HB_OK) {
            g->keys[i] = NULL; /* one that its certificate's check has refused already */
        }
    }
    if (g->keys == NULL || !hb_cur_end(&c)) {
        free_generation(env, g);
        return NULL;
    }
    return g;
}

static bool take_keys(struct keeper *k)
{
    size_t len;
    uint32_t number = hb_cur_u32(&k->in.body);
    uint8_t *bytes = gw_ipc_read_memory(gw_ipc_take_fd(&k->in), KEYS_MAX, &len);
    struct generation *g = bytes != NULL ? parse_keys(k->env, hb_span(bytes, len)) : NULL;

    if (bytes != NULL) {
        hb_wipe(bytes, len);
    }
    free(bytes);
    if (g == NULL || !hb_cur_end(&k->in.body)) {
        if (g != NULL) {
            free_generation(k->env, g);
        }
        return false;
    }
    for (struct generation **at = &k->newest; *at != NULL; at = &(*at)->older) {
        if ((*at)->number == number) { /* brought once more */
            struct generation *again = *at;
            *at = again->older;
            free_generation(k->env, again);
            break;
        }
    }
    g->number = number;
    g->older = k->newest;
    k->newest = g;
    forget_older(k, 0);
    return true;
}

static const struct hb_privkey *find_key(const struct keeper *k, uint64_t handle)
{
    for (const struct generation *g = k->newest; g != NULL; g = g->older) {
        for (uint32_t i = 0; i < g->num_keys; i++) {
            if (gw_key_handle(g->number, i + 1) == handle) {
                return g->keys[i];
            }
        }
    }
    return NULL;
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
            forget_older(k, hb_cur_u32(&k->in.body));
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

struct request {
    enum gw_msg type;
    uint32_t number;
    uint64_t handle;
    uint16_t scheme;
    struct hb_span input;
};

static bool parse_request(struct gw_ipc_in *in, struct request *r)
{
    struct hb_cur *c = &in->body;

    r->type = in->type;
    r->number = hb_cur_u32(c);
    r->handle = hb_cur_u64(c);
    r->scheme = hb_cur_u16(c);
    struct hb_cur input = hb_cur_vec16(c);
    r->input = hb_cur_rest(&input);
    return hb_cur_end(c) && in->num_fds == 0 && (in->type == GW_MSG_SIGN || in->type == GW_MSG_DECRYPT);
}

static void answer(const struct keeper *k, int fd, const struct request *r, const struct hb_privkey *key)
{
    uint8_t result[1024];
    uint8_t mem[sizeof result + 8];
    size_t len = 0;
    enum hb_code code = HB_E_TLS_SIGN_FAILED;

    if (r->type == GW_MSG_DECRYPT) {
        len = 48;
        code = key != NULL ? hb_key_decrypt(key, k->env, r->scheme, r->input, result) : code;
        if (code != HB_OK) { /* the handshake will fail at its Finished, and nowhere earlier */
            k->env->random(k->env->ctx, len, result);
        }
    } else if (key != NULL) {
        code = hb_key_sign(key, k->env, r->scheme, r->input, result, sizeof result, &len);
        len = code == HB_OK ? len : 0;
    }
    struct hb_bld b = hb_bld(mem, sizeof mem);
    hb_bld_u32(&b, r->number);
    struct hb_bld_mark mark = hb_bld_open16(&b);
    hb_bld_put(&b, hb_span(result, len));
    hb_bld_close(&b, mark);
    (void)gw_ipc_try(fd, GW_MSG_DONE, hb_bld_span(&b), NULL, 0); /* who does not read waits in vain */
    hb_wipe(result, sizeof result);
    hb_wipe(mem, sizeof mem);
}

static void serve_peer(struct keeper *k, unsigned id)
{
    struct peer *p = &k->peers[id];
    struct request r;

    switch (gw_ipc_recv(p->fd, &k->in)) {
    case GW_IPC_NONE:
        return;
    case GW_IPC_GONE:
        drop_peer(p);
        return;
    case GW_IPC_MESSAGE:
        break;
    }
    if (parse_request(&k->in, &r)) {
        const struct hb_privkey *key = find_key(k, r.handle);
        if (key == NULL) { /* the worker may know of keys that still wait in our socket */
            uint8_t *input = k->input;
            memcpy(input, r.input.p, r.input.len);
            r.input = hb_span(input, r.input.len);
            k->ended = !serve_supervisor(k) || k->ended;
            key = find_key(k, r.handle);
        }
        p->tokens--;
        answer(k, p->fd, &r, key);
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
    if (!gw_child_begin(supervisor, GW_ROLE_KEEPER, &hello, NULL)) {
        free(k);
        return 2;
    }
    while (turn(k)) {
        continue;
    }
    for (unsigned i = 0; i < GW_MAX_WORKERS; i++) {
        drop_peer(&k->peers[i]);
    }
    forget_from(k->env, &k->newest);
    free(k);
    return 0;
}
