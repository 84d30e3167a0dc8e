/* admin.c: a few clients at a time, a line each, an answer each. */
#include "admin.h"

#include "child.h"
#include "http.h"
#include "ipc.h"
#include "log.h"
#include "log_socket.h"
#include "sysenv.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_CLIENTS 16u
#define PATIENCE    10000u /* milliseconds for a client's line */

struct client {
    int fd; /* -1: free */
    uint32_t id;
    bool asked, answering;
    uint64_t since;
    size_t len;
    char line[GW_ADMIN_LINE];
};

struct admin {
    int supervisor, control; /* control: -1 without one */
    int metrics;             /* listening, or -1; http's once that is there */
    struct gw_http *http;    /* owned; NULL: nobody asks for figures */
    struct client clients[MAX_CLIENTS];
    uint32_t next_id;
    uint64_t full_until; /* milliseconds: no descriptor was left for a client, who waits; 0: not so */
    struct gw_ipc_in in;
};

static uint64_t now_ms(void)
{
    const struct hb_env *env = gw_sysenv();

    return env->mono(env->ctx);
}

static void drop(struct client *c)
{
    (void)close(c->fd);
    c->fd = -1;
}

/* A client that does not read for a second has had its answer: false. */
static bool write_all(struct client *c, struct hb_span bytes)
{
    while (bytes.len > 0) {
        struct pollfd p = {c->fd, POLLOUT, 0};
        ssize_t n = send(c->fd, bytes.p, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            bytes = hb_span_skip(bytes, (size_t)n);
        } else if (n == 0 || errno != EAGAIN || poll(&p, 1, 1000) != 1) {
            return false;
        }
    }
    return true;
}

static void answer(struct client *c, unsigned code, struct hb_span text)
{
    if (!c->answering) {
        (void)write_all(c, hb_span_str(code == 0 || code == GW_ADMIN_MORE ? "ok\n" : "failed\n"));
        c->answering = true;
    }
    if (!write_all(c, text) || code != GW_ADMIN_MORE) {
        drop(c);
    }
}

/* Passes an order on to the supervisor; the line is taken apart. False: it cannot be told. */
static bool pass_on(const struct admin *a, uint32_t id, char *line)
{
    uint8_t mem[GW_ADMIN_LINE + 16];
    struct hb_bld b = hb_bld(mem, sizeof mem);
    char *save = NULL;

    hb_bld_u32(&b, id);
    struct hb_bld_mark mark = hb_bld_open16(&b);
    for (char *w = strtok_r(line, " \r\n", &save); w != NULL; w = strtok_r(NULL, " \r\n", &save)) {
        hb_bld_put(&b, hb_span(w, strlen(w) + 1));
    }
    hb_bld_close(&b, mark);
    return hb_bld_ok(&b) && gw_ipc_send(a->supervisor, GW_MSG_ASK, hb_bld_span(&b), NULL, 0);
}

static void ask(struct admin *a, struct client *c)
{
    c->asked = true;
    if (!pass_on(a, c->id, c->line)) {
        answer(c, 1, hb_span_str("the supervisor does not listen\n"));
    }
}

static void read_client(struct admin *a, struct client *c)
{
    ssize_t n = recv(c->fd, c->line + c->len, sizeof c->line - 1 - c->len, MSG_DONTWAIT);

    if (n <= 0) {
        if (n == 0 || errno != EAGAIN) {
            drop(c);
        }
        return;
    }
    c->len += (size_t)n;
    c->line[c->len] = 0;
    if (strchr(c->line, '\n') != NULL) {
        ask(a, c);
    } else if (c->len == sizeof c->line - 1) {
        answer(c, 1, hb_span_str("the line is too long\n"));
    }
}

static void take_client(struct admin *a)
{
    int fd = accept4(a->control, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    a->full_until = fd < 0 && (errno == EMFILE || errno == ENFILE) ? now_ms() + 1000 : 0;
    for (unsigned i = 0; fd >= 0 && i < MAX_CLIENTS; i++) {
        if (a->clients[i].fd < 0) {
            a->clients[i] = (struct client){.fd = fd, .id = ++a->next_id, .since = now_ms()};
            return;
        }
    }
    if (fd >= 0) {
        (void)close(fd);
    }
}

static struct client *find_client(struct admin *a, uint32_t id)
{
    for (unsigned i = 0; i < MAX_CLIENTS; i++) {
        if (a->clients[i].fd >= 0 && a->clients[i].id == id) {
            return &a->clients[i];
        }
    }
    return NULL;
}

static void take_answer(struct admin *a, struct hb_cur *c)
{
    uint32_t id = hb_cur_u32(c);
    unsigned code = hb_cur_u8(c);
    struct hb_cur vec = hb_cur_vec16(c);
    struct hb_span text = hb_cur_rest(&vec);

    if (!hb_cur_end(c) || (a->http != NULL && gw_http_answer(a->http, id, code == 0 || code == GW_ADMIN_MORE,
                                                             code == GW_ADMIN_MORE, text))) {
        return;
    }
    struct client *client = find_client(a, id);
    if (client != NULL) {
        answer(client, code, text);
    }
}

/* A list that a worker wrote: nothing in it may move a terminal's cursor. */
static void take_page(struct admin *a, struct gw_ipc_in *m)
{
    struct client *client = find_client(a, hb_cur_u32(&m->body));
    uint32_t len = hb_cur_u32(&m->body);
    int fd = gw_ipc_take_fd(m);
    char text[8192];
    ssize_t n;

    if (client == NULL || fd < 0 || !hb_cur_end(&m->body)) {
        len = 0;
    }
    for (uint32_t at = 0; at < len; at += (uint32_t)n) {
        n = pread(fd, text, len - at < sizeof text ? len - at : sizeof text, (off_t)at);
        for (ssize_t i = 0; i < n; i++) {
            text[i] = (char)(text[i] != '\n' && (text[i] < ' ' || text[i] > '~') ? '?' : text[i]);
        }
        if (n <= 0) {
            break;
        }
        answer(client, GW_ADMIN_MORE, hb_span(text, (size_t)n));
        if (client->fd < 0) {
            break;
        }
    }
    if (fd >= 0) {
        (void)close(fd);
    }
}

/* False: the end. */
static bool hear_supervisor(struct admin *a)
{
    enum gw_ipc_result r;

    while ((r = gw_ipc_recv(a->supervisor, &a->in)) == GW_IPC_MESSAGE) {
        bool stop = a->in.type == GW_MSG_STOP;
        if (a->in.type == GW_MSG_SAY) {
            take_answer(a, &a->in.body);
        } else if (a->in.type == GW_MSG_PAGE) {
            take_page(a, &a->in);
        } else if (a->in.type == GW_MSG_LOG) {
            gw_log_take(&a->in);
        }
        gw_ipc_done(&a->in);
        if (stop) {
            return false;
        }
    }
    return r == GW_IPC_NONE;
}

static bool turn(struct admin *a)
{
    struct pollfd fds[MAX_CLIENTS + 3];
    int timeout = a->http != NULL ? 1000 : -1; /* libmicrohttpd ends silent connections when it is called */

    fds[0] = (struct pollfd){a->supervisor, POLLIN, 0};
    bool full = a->full_until > now_ms();
    timeout = full ? 1000 : timeout;
    fds[1] = (struct pollfd){full ? -1 : a->control, POLLIN, 0};
    for (unsigned i = 0; i < MAX_CLIENTS; i++) {
        struct client *c = &a->clients[i];
        if (c->fd >= 0 && !c->asked) {
            timeout = 1000;
            if (now_ms() - c->since > PATIENCE) {
                drop(c);
            }
        }
        fds[i + 2] = (struct pollfd){c->asked ? -1 : c->fd, POLLIN, 0};
    }
    fds[MAX_CLIENTS + 2] = (struct pollfd){a->http != NULL ? gw_http_fd(a->http) : -1, POLLIN, 0};
    int n = poll(fds, MAX_CLIENTS + 3, timeout);
    if (a->http != NULL && (n == 0 || fds[MAX_CLIENTS + 2].revents != 0)) {
        gw_http_run(a->http);
    }
    if (n <= 0) {
        return true;
    }
    for (unsigned i = 0; i < MAX_CLIENTS; i++) {
        if (fds[i + 2].revents != 0) {
            read_client(a, &a->clients[i]);
        }
    }
    if (fds[1].revents != 0) {
        take_client(a);
    }
    return fds[0].revents == 0 || hear_supervisor(a);
}

static bool ask_for_http(void *ctx, uint32_t id, const char *order)
{
    char line[GW_ADMIN_LINE];

    (void)snprintf(line, sizeof line, "%s", order);
    return pass_on(ctx, id, line);
}

int gw_admin_run(int supervisor)
{
    struct admin *a = calloc(1, sizeof *a);
    struct gw_hello hello = {.fd = {-1, -1}};
    bool good = a != NULL && gw_child_begin(supervisor, GW_ROLE_ADMIN, &hello, NULL);

    if (good) {
        a->supervisor = supervisor;
        a->control = hello.fd[0];
        a->metrics = hello.fd[1];
        if (a->metrics >= 0) {
            a->http = gw_http_new(a->metrics, ask_for_http, a);
            if (a->http == NULL) {
                GW_LOG(GW_EV_START_ERROR, GW_STR("what", "metrics"),
                       GW_STR("why", "libmicrohttpd does not start"));
                free(a);
                return 2;
            }
        }
        for (unsigned i = 0; i < MAX_CLIENTS; i++) {
            a->clients[i].fd = -1;
        }
        while (turn(a)) {
            continue;
        }
    }
    if (a != NULL) {
        gw_http_free(&a->http);
    }
    free(a);
    return good ? 0 : 2;
}

static bool somebody_answers(const struct sockaddr_un *addr)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool yes = fd >= 0 && connect(fd, (const struct sockaddr *)addr, sizeof *addr) == 0;

    if (fd >= 0) {
        (void)close(fd);
    }
    return yes;
}

int gw_control_open(const char *path, char *why, unsigned cap)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (strlen(path) >= sizeof addr.sun_path) {
        (void)snprintf(why, cap, "%s: the path is too long for a socket", path);
    } else {
        memcpy(addr.sun_path, path, strlen(path) + 1);
        if (somebody_answers(&addr)) {
            (void)snprintf(why, cap, "%s: another hauberk answers there", path);
        } else {
            struct stat st;
            if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode)) {
                (void)unlink(path); /* of one that was killed */
            }
            mode_t mask = umask(0177);
            bool good = fd >= 0 && bind(fd, (const struct sockaddr *)&addr, sizeof addr) == 0 &&
                        listen(fd, (int)MAX_CLIENTS) == 0;
            (void)umask(mask);
            if (good) {
                return fd;
            }
            (void)snprintf(why, cap, "%s: %s", path, strerror(errno));
        }
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return -1;
}
