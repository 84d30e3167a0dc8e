/* simulate.c: `hauberk simulate`: the protocol session of a listener, driven as the gateway drives it, with a
 * client that asks for the list, for TLS, and for the list again. No TLS is spoken: the session is told that
 * it is there. The backend is asked if it can be reached in clear, else a sample answers, and it is said
 * which.
 *
 * Runs in the command's own process, before anything else: it may wait for the backend, but never for more
 * than ANSWER_SECONDS at a time. What is kept of a side is bounded by KEEP. */
#include "explain.h"

#include "connect.h"
#include "sysenv.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_SECONDS 3
#define KEEP           65536u

enum end { END_TAGGED, END_DOT, END_CODE, END_RESPONSE };

static const struct talk {
    const char *proto, *ask, *upgrade;
    enum end end;
    const char *greeting, *list;
} talks[] = {
#define S(proto, ask, upgrade, end, greeting, list) {proto, ask, upgrade, end, greeting, list},
#include "simulate.def"
#undef S
};

struct side {
    char text[KEEP];
    size_t len;
};

struct simulation {
    const struct talk *talk; /* NULL: the protocol has no row */
    const struct gw_listener_conf *lc;
    struct hb_proto_session *ps;
    struct side client, backend; /* what they said, and the session did not take yet */
    struct side shown;           /* what the client got since it spoke last */
    int fd;                      /* the backend; -1: the sample, or none */
    bool sample, open, upgrade, opaque, closed;
};

static void add(struct side *side, struct hb_span bytes)
{
    size_t n = bytes.len < KEEP - side->len ? bytes.len : KEEP - side->len;

    if (n > 0) {
        memcpy(side->text + side->len, bytes.p, n);
    }
    side->len += n;
}

static void drop(struct side *side, size_t n)
{
    memmove(side->text, side->text + n, side->len - n);
    side->len -= n;
}

static void to_client(void *ctx, struct hb_span bytes)
{
    struct simulation *sim = ctx;

    add(&sim->shown, bytes);
}

static void to_backend(void *ctx, struct hb_span bytes)
{
    struct simulation *sim = ctx;

    if (sim->fd >= 0) {
        (void)send(sim->fd, bytes.p, bytes.len, MSG_NOSIGNAL); /* a line or two: it fits, or it is lost */
    } else if (sim->sample && sim->talk != NULL) {
        size_t ask = strlen(sim->talk->ask);
        if (ask > 0 && bytes.len >= ask && memcmp(bytes.p, sim->talk->ask, ask) == 0) {
            add(&sim->backend, hb_span(sim->talk->list, strlen(sim->talk->list)));
        }
    }
}

/* ---- the backend ---- */

static bool wait_for(int fd, short what)
{
    struct pollfd poller = {.fd = fd, .events = what};

    return poll(&poller, 1, ANSWER_SECONDS * 1000) == 1;
}

/* NULL: connected; else why not. */
static const char *dial(struct simulation *sim)
{
    const struct sockaddr_storage *to = &sim->lc->backend;

    if (sim->lc->backend_tls != NULL) {
        return "it speaks TLS, which simulate does not";
    }
    sim->fd = gw_connect((const struct sockaddr *)to, ANSWER_SECONDS * 1000);
    return sim->fd >= 0 ? NULL : strerror(errno);
}

static void hang_up(struct simulation *sim)
{
    if (sim->fd >= 0) {
        (void)close(sim->fd);
    }
    sim->fd = -1;
    sim->open = false;
    sim->backend.len = 0;
}

static void connect_backend(struct simulation *sim)
{
    hang_up(sim);
    const char *why = sim->sample ? "" : dial(sim);
    if (why == NULL) {
        (void)printf("  (backend %s answers)\n", sim->lc->backend_text);
    } else {
        if (!sim->sample) {
            (void)printf("  (backend %s: %s; a sample answers instead)\n", sim->lc->backend_text, why);
        }
        sim->sample = true;
        if (sim->talk != NULL) {
            add(&sim->backend, hb_span(sim->talk->greeting, strlen(sim->talk->greeting)));
        }
    }
    sim->open = true;
}

/* More of what the backend says; false if that is all. */
static bool hear_backend(struct simulation *sim)
{
    char bytes[4096];

    if (sim->fd < 0 || !wait_for(sim->fd, POLLIN)) {
        return false;
    }
    ssize_t n = recv(sim->fd, bytes, sizeof bytes, 0);
    if (n > 0) {
        add(&sim->backend, hb_span(bytes, (size_t)n));
    }
    return n > 0;
}

/* ---- the session ---- */

/* Carries out what the session asks for; opening the backend is a step of its own. */
static void carry(struct simulation *sim, struct hb_proto_step step)
{
    struct hb_proto_sink sink = {sim, to_client, to_backend, NULL};

    while (step.want == HB_WANT_CONNECT && !sim->closed) {
        connect_backend(sim);
        step = hb_proto_backend_open(sim->ps, &sink);
    }
    sim->upgrade = sim->upgrade || step.want == HB_WANT_UPGRADE;
    sim->opaque = sim->opaque || step.want == HB_WANT_OPAQUE;
    sim->closed = sim->closed || step.want == HB_WANT_CLOSE;
}

/* Feeds one side's bytes; true if that moved anything. */
static bool feed(struct simulation *sim, enum hb_proto_side from)
{
    struct hb_proto_sink sink = {sim, to_client, to_backend, NULL};
    struct side *side = from == HB_FROM_CLIENT ? &sim->client : &sim->backend;

    if (side->len == 0 || sim->closed || sim->upgrade || sim->opaque) {
        return false;
    }
    struct hb_proto_step step = hb_proto_feed(sim->ps, from, hb_span(side->text, side->len), &sink);
    bool asks = step.want != HB_WANT_MORE && step.want != HB_WANT_WAIT;
    drop(side, step.used);
    carry(sim, step);
    return step.used > 0 || asks;
}

/* The last whole line of what the client got; *line is its beginning. False: none, or it is not whole. */
static bool last_line(const struct side *shown, const char **line, size_t *len)
{
    if (shown->len < 2 || shown->text[shown->len - 1] != '\n') {
        return false;
    }
    size_t start = shown->len - 1;
    while (start > 0 && shown->text[start - 1] != '\n') {
        start--;
    }
    *line = shown->text + start;
    *len = shown->len - start;
    return true;
}

/* Has the client got a whole answer? A greeting (asked NULL) is a line, unless it is a list of its own. */
static bool answered(const struct simulation *sim, const char *asked)
{
    const char *line;
    size_t len;

    if (!last_line(&sim->shown, &line, &len)) {
        return false;
    }
    enum end end = sim->talk != NULL ? sim->talk->end : END_CODE;
    if (end == END_RESPONSE) {
        return strncmp(line, "OK", 2) == 0 || strncmp(line, "NO", 2) == 0 || strncmp(line, "BYE", 3) == 0;
    }
    if (end == END_CODE) {
        return len > 3 && line[3] != '-';
    }
    if (asked == NULL) {
        return true;
    }
    if (end == END_TAGGED) {
        return strncmp(line, "s ", 2) == 0;
    }
    bool list = asked == sim->talk->ask && (sim->shown.text[0] == '+' || sim->shown.text[0] == '1');
    return !list || (line[0] == '.' && len == 3);
}

static void show(struct simulation *sim)
{
    for (size_t i = 0; i < sim->shown.len; i++) {
        if (i == 0 || sim->shown.text[i - 1] == '\n') {
            (void)printf("  S: ");
        }
        char c = sim->shown.text[i];
        if (c != '\r') {
            (void)putchar(c == '\n' || (c >= ' ' && c <= '~') ? c : '?');
        }
    }
    sim->shown.len = 0;
}

/* One question of the client's (NULL: it waits for a greeting), and the answer. */
static bool ask(struct simulation *sim, const char *line)
{
    if (line != NULL) {
        (void)printf("  C: %s\n", line);
        add(&sim->client, hb_span(line, strlen(line)));
        add(&sim->client, hb_span("\r\n", 2));
    }
    do {
        while (feed(sim, HB_FROM_BACKEND) || feed(sim, HB_FROM_CLIENT)) {
        }
    } while (!sim->closed && !sim->upgrade && !sim->opaque && !answered(sim, line) && hear_backend(sim));
    bool whole = answered(sim, line);
    show(sim);
    if (!whole && !sim->opaque) {
        (void)printf("  (no %s came)\n", line != NULL ? "answer" : "greeting");
    }
    return whole && !sim->closed;
}

static bool ask_list(struct simulation *sim)
{
    return sim->talk == NULL || sim->talk->ask[0] == 0 || ask(sim, sim->talk->ask);
}

static bool before_tls(struct simulation *sim)
{
    (void)printf("before TLS\n");
    if ((hb_proto_greets(sim->lc->proto) && !ask(sim, NULL)) || !ask_list(sim)) {
        return false;
    }
    return sim->talk != NULL && ask(sim, sim->talk->upgrade);
}

static bool inside_tls(struct simulation *sim)
{
    struct hb_proto_sink sink = {sim, to_client, to_backend, NULL};

    (void)printf("inside TLS\n");
    if (sim->lc->implicit) {
        carry(sim, hb_proto_start(sim->ps, &sink));
    } else {
        sim->upgrade = false;
        hang_up(sim);
        sim->client.len = 0;
        carry(sim, hb_proto_secured(sim->ps, &sink));
    }
    /* The lists of some are greetings; others greet once, before TLS. */
    bool again = sim->lc->implicit ||
                 (sim->talk != NULL && (sim->talk->ask[0] == 0 || sim->talk->end == END_RESPONSE));
    bool greets = again && hb_proto_greets(sim->lc->proto);
    return (!greets || ask(sim, NULL)) && ask_list(sim);
}

int gw_simulate(const struct gw_draft *d, const struct gw_conf *conf, unsigned i)
{
    static struct simulation sim;
    struct hb_proto_sink sink = {&sim, to_client, to_backend, NULL};
    const struct gw_listener_conf *lc = &conf->listeners[i];
    const char *name = d->listeners[i].name;

    sim = (struct simulation){.lc = lc, .fd = -1};
    for (size_t k = 0; k < sizeof talks / sizeof talks[0]; k++) {
        if (strcmp(talks[k].proto, hb_proto_name(lc->proto)) == 0) {
            sim.talk = &talks[k];
        }
    }
    (void)printf("listener %s%s%s, backend %s\n", name != NULL ? name : "", name != NULL ? ": " : "", lc->url,
                 lc->backend_text);
    if (sim.talk == NULL) {
        (void)printf("  nothing to show: no greeting, no list of our own\n");
        return 0;
    }
    sim.ps = hb_proto_new(lc->proto, &lc->proto_settings, gw_sysenv());
    if (sim.ps == NULL) {
        (void)fprintf(stderr, "hauberk: out of memory\n");
        return 2;
    }
    bool good = true;
    if (!lc->implicit) {
        carry(&sim, hb_proto_start(sim.ps, &sink));
        good = before_tls(&sim);
    }
    if (good && !lc->implicit && !sim.upgrade) {
        (void)printf("no TLS: the upgrade was refused\n");
    } else if (good) {
        good = inside_tls(&sim);
    }
    hang_up(&sim);
    hb_proto_free(&sim.ps);
    return good ? 0 : 2;
}
