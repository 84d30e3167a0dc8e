/* shim.c: our engine behind the command line of BoGo, BoringSSL's test runner.
 *
 * The runner starts this once for each test, as client or server of a connection it accepts itself, with
 * flags that say what to do and what to expect (flags.def). Exit 0: all as expected; 1: TLS failed or an
 * expectation did, with a reason on standard error; 89: a flag we do not know. One thread, blocking socket,
 * the sans-I/O engine fed from it. */
#include "shim.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define OUT_SIZE (HB_TLS_FLIGHT_MAX + (1u << 20))

/* ---- environment: the system's, with a clock that can be moved ---- */

static uint64_t clock_offset;

static void env_random(void *ctx, size_t len, uint8_t *dst)
{
    (void)ctx;
    while (len > 0) {
        ssize_t n = getrandom(dst, len, 0);
        if (n < 0) {
            abort();
        }
        dst += n;
        len -= (size_t)n;
    }
}

static uint64_t env_wall(void *ctx)
{
    (void)ctx;
    return (uint64_t)time(NULL) + clock_offset;
}

static uint64_t env_mono(void *ctx)
{
    (void)ctx;
    return clock_offset * 1000;
}

static void *env_alloc(void *ctx, size_t len)
{
    (void)ctx;
    return calloc(1, len > 0 ? len : 1);
}

static void env_release(void *ctx, void *p, size_t len)
{
    (void)ctx;
    (void)len;
    free(p);
}

/* Certificates of the runner may be long out of date: they are loaded at a time when they were not. */
uint64_t shim_load_time;

static uint64_t load_wall(void *ctx)
{
    return shim_load_time != 0 ? shim_load_time : env_wall(ctx);
}

const struct hb_env shim_load_env = {NULL, env_random, load_wall, env_mono, env_alloc, env_release};
const struct hb_env shim_env = {NULL, env_random, env_wall, env_mono, env_alloc, env_release};

/* ---- one connection ---- */

struct conn {
    struct shim *shim;
    const struct shim_flags *f;
    struct shim_side *side;
    int fd;
    struct hb_tls *tls;
    struct hb_bld out;
    bool ready, closed, failed, eof, wrote, refused;
    enum hb_code code;
    uint8_t alert;
    uint8_t data[1 << 18];
    size_t data_len;
    uint8_t session[HB_TLS_SESSION_MAX];
    size_t session_len;
    uint8_t *chain, *staple;
    size_t chain_len, staple_len;
    char server_name[256];
};

static int fail(const char *what)
{
    (void)fprintf(stderr, "%s\n", what);
    return 1;
}

static bool flush_out(struct conn *c)
{
    const uint8_t *p = c->out.p;
    size_t len = c->out.len;

    while (len > 0) {
        ssize_t n = send(c->fd, p, len, MSG_NOSIGNAL);
        if (n <= 0) {
            return false;
        }
        p += n;
        len -= (size_t)n;
    }
    hb_bld_reset(&c->out);
    return true;
}

static void keep(uint8_t **dst, size_t *len, struct hb_span s)
{
    *dst = malloc(s.len + 1);
    memcpy(*dst, s.p, s.len);
    *len = s.len;
}

static void take_events(struct conn *c)
{
    struct hb_tls_event e;

    for (;;) {
        switch (hb_tls_next(c->tls, &c->out, &e)) {
        case HB_TLS_NONE:
            return;
        case HB_TLS_READY:
            c->ready = true;
            hb_tls_server_name(c->tls, c->server_name, sizeof c->server_name);
            if (hb_tls_peer_chain(c->tls).len > 0) {
                keep(&c->chain, &c->chain_len, hb_tls_peer_chain(c->tls));
            }
            if (hb_tls_peer_staple(c->tls).len > 0) {
                keep(&c->staple, &c->staple_len, hb_tls_peer_staple(c->tls));
            }
            break;
        case HB_TLS_DATA:
            if (c->data_len + e.data.len <= sizeof c->data) {
                memcpy(c->data + c->data_len, e.data.p, e.data.len);
                c->data_len += e.data.len;
            }
            break;
        case HB_TLS_VERIFY:
            c->refused = c->f->verify_fail && (c->f->verify_peer || c->f->custom_verify ||
                                               c->f->require_client_cert || !c->f->expect_verify_result);
            hb_tls_verified(c->tls, !c->refused ? HB_OK
                                    : c->f->custom_verify
                                        ? HB_E_TLS_VERIFY_REFUSED  /* certificate_unknown */
                                        : HB_E_TLS_NO_CREDENTIAL); /* handshake_failure, as theirs */
            break;
        case HB_TLS_SESSION:
            memcpy(c->session, e.data.p, e.data.len);
            c->session_len = e.data.len;
            break;
        case HB_TLS_SIGN: {
            uint8_t sig[1024];
            size_t len = 0;
            enum hb_code code =
                hb_cred_sign(e.sign.cred, &shim_env, e.sign.scheme, e.sign.input, sig, sizeof sig, &len);
            hb_tls_signed(c->tls, hb_span(sig, code == HB_OK ? len : 0));
            break;
        }
        case HB_TLS_DECRYPT: {
            uint8_t premaster[48];
            enum hb_code code =
                hb_cred_decrypt(e.sign.cred, &shim_env, e.sign.scheme, e.sign.input, premaster);
            hb_tls_decrypted(c->tls, hb_span(premaster, code == HB_OK ? sizeof premaster : 0));
            break;
        }
        case HB_TLS_CLOSED:
            c->closed = true;
            break;
        case HB_TLS_FAILED:
            c->failed = true;
            c->code = e.code;
            c->alert = e.alert;
            return;
        }
    }
}

/* Reads once and runs the engine; false at the end of the stream. */
static bool pump(struct conn *c)
{
    uint8_t wire[16384];

    if (!flush_out(c)) {
        c->eof = true;
        return false;
    }
    ssize_t n = recv(c->fd, wire, sizeof wire, 0);
    if (n <= 0) {
        c->eof = true;
        return false;
    }
    size_t step = c->f->async ? 1 : (size_t)n;
    for (size_t at = 0; at < (size_t)n && !c->failed; at += step) {
        hb_tls_input(c->tls, wire + at, step);
        take_events(c);
    }
    return true;
}

static int tls_error(struct conn *c)
{
    (void)flush_out(c);
    (void)fprintf(stderr, ":%s:\nhauberk: %s\n",
                  c->refused ? "CERTIFICATE_VERIFY_FAILED" : shim_error_name(c->code, c->alert),
                  hb_err_sentence(c->code));
    /* the runner reads our alert before it sees the end of the stream */
    (void)shutdown(c->fd, SHUT_WR);
    uint8_t rest[4096];
    while (recv(c->fd, rest, sizeof rest, 0) > 0) {
    }
    return 1;
}

static bool write_data(struct conn *c, const void *p, size_t len)
{
    struct hb_span span = hb_span(p, len);

    enum hb_code code = hb_tls_write(c->tls, &span, 1, &c->out);
    if (code != HB_OK) {
        return false;
    }
    c->wrote = true;
    return flush_out(c);
}

/* The peer's leaf, in DER. */
static struct hb_span leaf_of(const struct conn *c)
{
    if (c->chain_len < 3) {
        return hb_span(NULL, 0);
    }
    size_t len = (size_t)c->chain[0] << 16 | (size_t)c->chain[1] << 8 | c->chain[2];
    return hb_span(c->chain + 3, len);
}

static int check(struct conn *c, bool resumption, bool want_resumed)
{
    const struct shim_flags *f = c->f;
    const struct hb_tls_info *i = hb_tls_info(c->tls);
    const char *alpn = i->alpn > 0 ? hb_tls_config_alpn(c->side->config, i->alpn - 1u) : "";

    if (resumption && i->resumed != want_resumed) {
        return fail(want_resumed ? "session was not resumed"
                                 : "session was resumed, and should not have been");
    }
    if (f->expect_version != 0 && i->version != f->expect_version) {
        return fail("unexpected version");
    }
    if (!i->resumed) { /* a resumed session signs nothing: what its first one signed with counts */
        c->shim->peer_sigalg = i->peer_sigalg;
    }
    if (f->expect_peer_sigalg != 0 && c->shim->peer_sigalg != f->expect_peer_sigalg) {
        return fail("unexpected peer signature algorithm");
    }
    if (f->expect_curve != 0 && i->group != f->expect_curve) {
        return fail("unexpected group");
    }
    if ((f->expect_hrr && !i->retried) || (f->expect_no_hrr && i->retried)) {
        return fail("unexpected HelloRetryRequest, or none");
    }
    if (f->expect_ems && i->version < 0x0304 && !i->ems) {
        return fail("no extended master secret");
    }
    if (f->expect_alpn != NULL && strcmp(alpn, f->expect_alpn) != 0) {
        return fail("unexpected ALPN");
    }
    if (f->expect_server_name != NULL && strcmp(c->server_name, f->expect_server_name) != 0) {
        return fail("unexpected server name");
    }
    if (f->expect_ocsp_response != NULL &&
        !i->resumed) { /* a resumed session has no certificate to staple to */
        struct hb_span want = shim_base64(f->expect_ocsp_response);
        bool same = hb_span_eq(want, hb_span(c->staple, c->staple_len));
        free((void *)(uintptr_t)want.p);
        if (!same) {
            return fail("unexpected OCSP response");
        }
    }
    if (f->expect_peer_cert_file != NULL && !i->resumed) {
        struct hb_span want = shim_first_certificate(f->expect_peer_cert_file);
        bool same = hb_span_eq(want, leaf_of(c));
        free((void *)(uintptr_t)want.p);
        if (!same) {
            return fail("unexpected peer certificate");
        }
    }
    return 0;
}

static int echo(struct conn *c)
{
    const struct shim_flags *f = c->f;
    size_t most = f->read_size > 0 ? (size_t)f->read_size : 512;

    for (;;) {
        while (c->data_len > 0) {
            uint8_t piece[65536];
            size_t n = c->data_len < most ? c->data_len : most;
            n = n < sizeof piece ? n : sizeof piece;
            for (size_t k = 0; k < n; k++) {
                piece[k] = c->data[k] ^ 0xff;
            }
            memmove(c->data, c->data + n, c->data_len - n);
            c->data_len -= n;
            if (f->key_update && hb_tls_key_update(c->tls, false, &c->out) != HB_OK) {
                return fail("key update");
            }
            if (!write_data(c, piece, n)) {
                return c->failed ? tls_error(c) : fail("write");
            }
        }
        if (c->failed) {
            return tls_error(c);
        }
        if (c->closed) {
            return 0;
        }
        if (f->key_update_before_read && hb_tls_key_update(c->tls, false, &c->out) != HB_OK) {
            return fail("key update");
        }
        if (!pump(c)) {
            if (f->check_close_notify) {
                return fail(":SSL_R_UNEXPECTED_EOF: end without close_notify");
            }
            return 0;
        }
    }
}

static int talk(struct conn *c, bool resumption, bool want_resumed)
{
    const struct shim_flags *f = c->f;

    while (!c->ready) {
        if (c->failed) {
            return tls_error(c);
        }
        if (!pump(c)) {
            return fail(":UNEXPECTED_EOF: end of stream in the handshake");
        }
    }
    if (c->failed) {
        return tls_error(c);
    }
    int rc = check(c, resumption, want_resumed);
    if (rc != 0) {
        return rc;
    }
    if (!flush_out(c)) {
        return fail("flush");
    }
    if (f->export_len > 0) {
        uint8_t *bytes = malloc((size_t)f->export_len);
        struct hb_span context = hb_span_str(f->export_context != NULL ? f->export_context : "");
        enum hb_code code = f->use_export_context || hb_tls_info(c->tls)->version == 0x0304
                                ? hb_tls_export(c->tls, f->export_label != NULL ? f->export_label : "",
                                                context, bytes, (size_t)f->export_len)
                                : hb_tls_export_plain(c->tls, f->export_label != NULL ? f->export_label : "",
                                                      bytes, (size_t)f->export_len);
        if (code != HB_OK || !write_data(c, bytes, (size_t)f->export_len)) {
            return fail("exporter");
        }
        free(bytes);
    }
    if (f->shim_writes_first && !write_data(c, "hello", 5)) {
        return fail("write");
    }
    if (f->server) { /* tickets leave with the first write; the runner may wait for them before it says
                        anything */
        (void)write_data(c, "", 0);
    }
    if (f->shim_shuts_down) {
        hb_tls_close(c->tls, &c->out);
        if (!flush_out(c)) {
            return fail("close");
        }
        while (!c->closed && !c->failed && pump(c)) {
        }
        if (c->failed) {
            return tls_error(c);
        }
        if (c->data_len > 0) {
            return fail(":APPLICATION_DATA_ON_SHUTDOWN: data behind our close_notify");
        }
        return !c->closed && f->check_close_notify ? fail("end without close_notify") : 0;
    }
    rc = echo(c);
    if (rc == 0) {
        hb_tls_close(c->tls, &c->out);
        (void)flush_out(c);
    }
    return rc;
}

static int dial(bool ipv6, uint16_t port)
{
    struct sockaddr_in6 a6 = {
        .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_loopback};
    struct sockaddr_in a4 = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -1;
    }
    if ((ipv6 ? connect(fd, (struct sockaddr *)&a6, sizeof a6)
              : connect(fd, (struct sockaddr *)&a4, sizeof a4)) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static int connect_runner(const struct shim_flags *f)
{
    bool six = f->ipv6 || f->shim_id == NULL; /* older runners do not say it, and prefer it */
    int fd = dial(six, (uint16_t)f->port);
    if (fd < 0) {
        fd = dial(!six, (uint16_t)f->port);
    }
    uint8_t id[8];
    uint64_t n = f->shim_id != NULL ? strtoull(f->shim_id, NULL, 10) : 0;
    int on = 1;

    if (fd < 0) {
        return -1;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    for (unsigned i = 0; i < 8; i++) {
        id[i] = (uint8_t)(n >> (8 * i));
    }
    if (f->shim_id == NULL) { /* a runner from before 2023, which knows one shim by its port */
        return fd;
    }
    return send(fd, id, sizeof id, MSG_NOSIGNAL) == sizeof id ? fd : -1;
}

static int one_connection(struct shim *shim, unsigned number, struct hb_span session, struct conn *c)
{
    bool again = number > 0;
    struct shim_side *side = &shim->side[again];
    const struct shim_flags *f = &shim->flags[again];

    memset(c, 0, sizeof *c);
    c->shim = shim;
    c->f = f;
    c->side = side;
    c->out = hb_bld(shim->out_mem, OUT_SIZE);
    c->fd = connect_runner(f);
    if (c->fd < 0) {
        return fail("cannot connect to the runner");
    }
    if (again && !f->server && session.len == 0 && !f->expect_session_miss && !f->expect_no_session) {
        return fail("no session to offer");
    }
    c->tls = f->server ? hb_tls_server_new(side->config, &shim_env, shim->lane)
                       : hb_tls_client_new(side->config, &shim_env, shim->lane, f->host_name, session);
    take_events(c);
    int rc = talk(c, again, !f->expect_session_miss);
    (void)close(c->fd);
    return rc;
}

int main(int argc, char **argv)
{
    static struct shim shim;
    static struct conn c;
    uint8_t session[HB_TLS_SESSION_MAX];
    size_t session_len = 0;

    (void)signal(SIGPIPE, SIG_IGN);
    if (argc == 2 && strcmp(argv[1], "-is-handshaker-supported") == 0) {
        (void)puts("No");
        return 0;
    }
    int rc = shim_parse(argc, argv, &shim);
    if (rc != 0) {
        return rc;
    }
    shim.lane = hb_tls_lane_new(&shim_env);
    shim.out_mem = malloc(OUT_SIZE);
    for (unsigned i = 0; i < 2 && rc == 0; i++) {
        rc = shim_configure(&shim, i);
    }
    for (unsigned n = 0; rc == 0 && n <= (unsigned)shim.flags[0].resume_count; n++) {
        rc = one_connection(&shim, n, hb_span(session, session_len), &c);
        if (rc == 0 && shim.flags[n > 0].expect_no_session && c.session_len > 0) {
            rc = fail("a session came, and none was expected");
        }
        if (c.session_len > 0) {
            memcpy(session, c.session, c.session_len);
            session_len = c.session_len;
        } else if (n > 0) {
            session_len = 0;
        }
        hb_tls_free(&c.tls);
        free(c.chain);
        free(c.staple);
        clock_offset += (uint64_t)shim.flags[0].resumption_delay;
    }
    shim_free(&shim);
    (void)fputs("--- DONE ---\n", stderr);
    return rc;
}
