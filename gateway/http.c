/* http.c: a request waits, suspended, until the supervisor has answered.
 * Bounds: a few connections, short headers (libmicrohttpd's), answers of 256 KiB, ten seconds of silence. */
#include "http.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CONNECTIONS 32u
#define SILENCE         10u /* seconds */
#define ANSWER_MAX      262144u
/* Numbers of requests, apart from those of the control socket's clients. */
#define FIRST_ID 0x80000000u

struct request {
    struct request *next;
    struct MHD_Connection *connection; /* borrowed */
    uint32_t id;
    bool done, good;
    size_t len;
    char *text; /* owned */
};

struct gw_http {
    struct MHD_Daemon *daemon;
    struct request *requests; /* owned */
    uint32_t next_id;
    bool (*ask)(void *ctx, uint32_t id, const char *order);
    void *ctx;
};

static enum MHD_Result reply(struct MHD_Connection *c, unsigned status, const char *type, const char *text,
                             size_t len)
{
    struct MHD_Response *r =
        MHD_create_response_from_buffer(len, (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result queued = MHD_NO;

    if (r != NULL) {
        if (MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES) {
            queued = MHD_queue_response(c, status, r);
        }
        MHD_destroy_response(r);
    }
    return queued;
}

static enum MHD_Result plain(struct MHD_Connection *c, unsigned status, const char *text)
{
    return reply(c, status, "text/plain; charset=utf-8", text, strlen(text));
}

static enum MHD_Result finished(struct MHD_Connection *c, const struct request *r, const char *url)
{
    if (strcmp(url, "/healthz") == 0) {
        return r->good ? plain(c, MHD_HTTP_OK, "ok\n")
                       : plain(c, MHD_HTTP_SERVICE_UNAVAILABLE, "not serving\n");
    }
    return r->good ? reply(c, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", r->text, r->len)
                   : plain(c, MHD_HTTP_SERVICE_UNAVAILABLE, "no answer\n");
}

static enum MHD_Result handle(void *ctx, struct MHD_Connection *c, const char *url, const char *method,
                              const char *version, const char *data, size_t *size, void **mine)
{
    struct gw_http *h = ctx;
    struct request *r = *mine;
    bool health = strcmp(url, "/healthz") == 0;

    (void)version;
    (void)data;
    (void)size;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        return plain(c, MHD_HTTP_METHOD_NOT_ALLOWED, "GET only\n");
    }
    if (!health && strcmp(url, "/metrics") != 0) {
        return plain(c, MHD_HTTP_NOT_FOUND, "there are /metrics and /healthz\n");
    }
    if (r != NULL) {
        return finished(c, r, url);
    }
    r = calloc(1, sizeof *r);
    if (r == NULL) {
        return MHD_NO;
    }
    *mine = r;
    r->connection = c;
    r->id = FIRST_ID | ++h->next_id;
    r->next = h->requests;
    h->requests = r;
    if (!h->ask(h->ctx, r->id, health ? "health" : "metrics")) {
        return plain(c, MHD_HTTP_SERVICE_UNAVAILABLE, "the supervisor does not listen\n");
    }
    MHD_suspend_connection(c);
    return MHD_YES;
}

static void completed(void *ctx, struct MHD_Connection *c, void **mine, enum MHD_RequestTerminationCode why)
{
    struct gw_http *h = ctx;
    struct request *r = *mine;

    (void)c;
    (void)why;
    for (struct request **at = &h->requests; r != NULL && *at != NULL; at = &(*at)->next) {
        if (*at == r) {
            *at = r->next;
            break;
        }
    }
    if (r != NULL) {
        free(r->text);
        free(r);
    }
    *mine = NULL;
}

struct gw_http *gw_http_new(int listening, bool (*ask)(void *ctx, uint32_t id, const char *order), void *ctx)
{
    struct gw_http *h = calloc(1, sizeof *h);

    if (h == NULL) {
        return NULL;
    }
    h->ask = ask;
    h->ctx = ctx;
    h->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, handle, h,
                                 MHD_OPTION_LISTEN_SOCKET, listening, MHD_OPTION_CONNECTION_LIMIT,
                                 MAX_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, SILENCE,
                                 MHD_OPTION_NOTIFY_COMPLETED, completed, h, MHD_OPTION_END);
    if (h->daemon == NULL) {
        free(h);
        return NULL;
    }
    return h;
}

void gw_http_free(struct gw_http **h)
{
    if (*h != NULL) {
        for (struct request *r = (*h)->requests; r != NULL; r = r->next) {
            if (!r->done) {
                r->done = true;
                MHD_resume_connection(r->connection);
            }
        }
        MHD_stop_daemon((*h)->daemon);
        free(*h);
        *h = NULL;
    }
}

int gw_http_fd(const struct gw_http *h)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);

    return info != NULL ? info->epoll_fd : -1;
}

void gw_http_run(struct gw_http *h)
{
    (void)MHD_run(h->daemon); /* fails only for a daemon with threads */
}

bool gw_http_answer(struct gw_http *h, uint32_t id, bool good, bool more, struct hb_span text)
{
    struct request *r = h->requests;

    while (r != NULL && r->id != id) {
        r = r->next;
    }
    if (r == NULL || r->done) {
        return (id & FIRST_ID) != 0; /* one that has gone away */
    }
    char *bigger = r->len + text.len <= ANSWER_MAX ? realloc(r->text, r->len + text.len + 1) : NULL;
    if (bigger != NULL && text.len > 0) {
        memcpy(bigger + r->len, text.p, text.len);
    }
    r->text = bigger != NULL ? bigger : r->text;
    r->len += bigger != NULL ? text.len : 0;
    r->good = good && bigger != NULL;
    if (!more) {
        r->done = true;
        MHD_resume_connection(r->connection);
        gw_http_run(h);
    }
    return true;
}
