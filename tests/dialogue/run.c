/* run.c: plays dialogues (fixtures/dialogues/README.md) against a protocol session, as a gateway would.
 *
 * Each file is played whole, byte by byte, and in random cuts; what each side gets and what the session asks
 * for must be the same every time. Then it is played with the first, the second, ... allocation failing: the
 * session may go on as written or close, and nothing else. The player does for the session what the gateway
 * does: it keeps bytes that were not taken, offers them again after the other side spoke, and hands the
 * residue of an upgrade over. */
#include "script.h"
#include "testenv.h"

#include <hb/proto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct play {
    const char *path;
    unsigned line;
    enum mode mode;
    struct testenv t;
    struct hb_proto_settings set;
    const struct hb_proto *proto;
    struct hb_proto_session *s;
    struct hb_proto_sink sink;
    struct text client, backend;           /* what each side got and nobody has asked for yet */
    struct text held_client, held_backend; /* sent, not taken yet */
    struct text told;                      /* logins in clear, a line each */
    enum hb_proto_want want;               /* the last request other than MORE and WAIT */
    enum hb_code why;
    bool asked; /* ...which no line has mentioned yet */
    bool closed, backend_touched, in_tls;
    bool opaque;      /* the player itself relays */
    bool certificate; /* the client has one */
    bool failed;
    bool excused; /* MODE_POOR: the session had no memory, and closed */
    bool shame;   /* what nothing excuses */
};

static void say(struct play *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(struct play *p, const char *fmt, ...)
{
    va_list ap;

    if (p->failed) {
        return;
    }
    p->failed = true;
    p->excused = p->mode == MODE_POOR && p->closed && !p->shame;
    if (p->excused) {
        return;
    }
    printf("%s:%u: (%s) ", p->path, p->line, mode_names[p->mode]);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf("\n");
}

/* ---- the session's surroundings ---- */

static void to_client(void *ctx, struct hb_span bytes)
{
    struct play *p = ctx;

    if (p->closed) {
        p->shame = true;
        say(p, "something was said to the client after the close");
    }
    text_append(&p->client, bytes.p, bytes.len);
}

static void to_backend(void *ctx, struct hb_span bytes)
{
    struct play *p = ctx;

    if (p->closed) {
        p->shame = true;
        say(p, "something was said to the backend after the close");
    }
    p->backend_touched = true;
    text_append(&p->backend, bytes.p, bytes.len);
}

static void clear_login(void *ctx, const struct hb_proto_login *login)
{
    struct play *p = ctx;

    text_append(&p->told, login->refused ? "refused " : "", login->refused ? 8 : 0);
    text_append(&p->told, login->mechanism, strlen(login->mechanism));
    if (login->software.len > 0) {
        text_append(&p->told, " by ", 4);
        text_append(&p->told, login->software.p, login->software.len);
    }
    text_append(&p->told, "\r\n", 2);
}

static void take_step(struct play *p, struct hb_proto_step step)
{
    if (step.want == HB_WANT_MORE || step.want == HB_WANT_WAIT) {
        return;
    }
    if (p->asked && !(p->want == HB_WANT_CLOSE && step.want == HB_WANT_CLOSE)) {
        say(p, "the session asked for %d while %d was still to be done", step.want, p->want);
    }
    p->want = step.want;
    p->why = step.why;
    p->asked = true;
    p->closed = p->closed || step.want == HB_WANT_CLOSE;
}

/* Offers the held bytes of one side; true if any were taken. */
static bool offer(struct play *p, enum hb_proto_side side)
{
    struct text *held = side == HB_FROM_CLIENT ? &p->held_client : &p->held_backend;

    if (held->len == 0 || p->closed || p->asked) {
        return false;
    }
    if (p->opaque) {
        text_append(side == HB_FROM_CLIENT ? &p->backend : &p->client, held->p, held->len);
        held->len = 0;
        return true;
    }
    uint8_t *exact = malloc(held->len); /* a block of its own, so that a sanitizer sees a byte too far */
    if (exact == NULL) {
        exit(2);
    }
    memcpy(exact, held->p, held->len);
    struct hb_proto_step step = hb_proto_feed(p->s, side, hb_span(exact, held->len), &p->sink);
    free(exact);
    if (step.used > held->len) {
        say(p, "used %zu of %zu bytes", step.used, held->len);
        step.used = held->len;
    }
    text_drop(held, step.used);
    take_step(p, step);
    return step.used > 0 || p->asked;
}

static void settle(struct play *p)
{
    bool more = true;

    while (more && !p->failed) {
        more = offer(p, HB_FROM_CLIENT);
        more = offer(p, HB_FROM_BACKEND) || more;
    }
}

static void send_bytes(struct play *p, enum hb_proto_side side, struct text bytes)
{
    struct text *held = side == HB_FROM_CLIENT ? &p->held_client : &p->held_backend;

    for (size_t at = 0; at < bytes.len && !p->failed;) {
        size_t n = p->mode == MODE_WHOLE  ? bytes.len
                   : p->mode == MODE_CUTS ? 1 + testenv_below(&p->t, 40)
                                          : 1;
        n = n < bytes.len - at ? n : bytes.len - at;
        text_append(held, bytes.p + at, n);
        at += n;
        settle(p);
    }
}

/* ---- the file ---- */

static void expect(struct play *p, struct text *got, const char *who, const char *line, bool crlf)
{
    struct text want = {0};
    char a[900];
    char b[900];

    text_unescape(&want, line);
    if (crlf) {
        text_append(&want, "\r\n", 2);
    }
    if (!text_begins(got, &want)) {
        text_show(&want, a, sizeof a);
        text_show(got, b, sizeof b);
        say(p, "%s should get\n    %s\n  but got\n    %s", who, a, b);
    } else {
        text_drop(got, want.len);
    }
    text_free(&want);
}

static void nothing_left(struct play *p)
{
    char b[900];

    if (p->client.len > 0) {
        text_show(&p->client, b, sizeof b);
        say(p, "the client got something nobody expected:\n    %s", b);
    }
    if (p->backend.len > 0) {
        text_show(&p->backend, b, sizeof b);
        say(p, "the backend got something nobody expected:\n    %s", b);
    }
    if (p->told.len > 0) {
        text_show(&p->told, b, sizeof b);
        say(p, "the gateway was told of a login nobody expected:\n    %s", b);
    }
}

static void expect_want(struct play *p, enum hb_proto_want want, const char *what)
{
    if (!p->asked || p->want != want) {
        say(p, "the session should ask for %s here (it asked for %d, %s)", what, p->asked ? (int)p->want : -1,
            p->asked ? hb_err_name(p->why) : "nothing");
    }
    p->asked = false;
}

static void configure(struct play *p, const char *words, const char *scheme)
{
    p->set.host = "mail.test";
    p->set.tls_required = strstr(words, "optional") == NULL;
    p->set.tls_usable = strstr(words, "no-cert") == NULL;
    p->set.starttls_offered = strstr(words, "no-starttls") == NULL;
    p->set.plaintext_auth = strstr(words, "plaintext-auth") != NULL;
    p->set.needs_ehlo = strstr(words, "any-hello") == NULL;
    p->set.link_credential = strstr(words, "credential") != NULL;
    p->set.warn_clear = strstr(words, "warn") != NULL;
    p->set.external = strstr(words, "external-pass") != NULL      ? HB_EXTERNAL_PASS
                      : strstr(words, "external-xclient") != NULL ? HB_EXTERNAL_XCLIENT
                      : strstr(words, "external") != NULL         ? HB_EXTERNAL_MASTER
                                                                  : HB_EXTERNAL_OFF;
    p->set.master_user = "gw";
    p->set.master_password = "pw";
    p->certificate = strstr(words, "certificate") != NULL;
    p->sink.clear_login = p->set.warn_clear || strstr(words, "observe") != NULL ? clear_login : NULL;
    p->proto = hb_proto_find(scheme, &p->set.implicit);
    if (p->proto == NULL) {
        say(p, "no such scheme: %s", scheme);
        return;
    }
    p->set.implicit = strstr(words, "implicit") != NULL;
    p->in_tls = p->set.implicit;
    p->s = hb_proto_new(p->proto, &p->set, &p->t.env);
    if (p->s == NULL) {
        p->closed = true;
        say(p, "no session");
        return;
    }
    if (p->certificate) {
        hb_proto_identify(p->s, "joe@mail.test");
    }
    take_step(p, hb_proto_start(p->s, &p->sink));
}

static void upgraded(struct play *p, const char *residue)
{
    struct text want = {0};

    expect_want(p, HB_WANT_UPGRADE, "the upgrade");
    text_unescape(&want, residue);
    if (want.len != p->held_client.len || !text_begins(&p->held_client, &want)) {
        char b[900];
        text_show(&p->held_client, b, sizeof b);
        say(p, "residue for TLS is \"%s\"", b);
    }
    text_free(&want);
    nothing_left(p);
    p->held_client.len = 0; /* TLS has it now */
    p->held_backend.len = 0;
    p->in_tls = true;
    take_step(p, hb_proto_secured(p->s, &p->sink));
}

static bool play_event(struct play *p, const char *line)
{
    const char *rest;

    if (starts(line, "~", &rest)) {
        upgraded(p, rest);
    } else if (starts(line, "connect", &rest)) {
        nothing_left(p);
        expect_want(p, HB_WANT_CONNECT, "a backend");
        take_step(p, hb_proto_backend_open(p->s, &p->sink));
        settle(p);
    } else if (starts(line, "unreachable", &rest)) {
        expect_want(p, HB_WANT_CONNECT, "a backend");
        take_step(p, hb_proto_backend_lost(p->s, false, &p->sink));
    } else if (starts(line, "backend-closes", &rest)) {
        nothing_left(p);
        take_step(p, hb_proto_backend_lost(p->s, true, &p->sink));
    } else if (starts(line, "shutdown", &rest) || starts(line, "idle", &rest)) {
        nothing_left(p);
        take_step(p, hb_proto_bye(p->s, line[0] == 's' ? HB_E_GW_SHUTDOWN : HB_E_GW_IDLE,
                                  strstr(rest, "midline") == NULL, &p->sink));
    } else if (starts(line, "close", &rest)) {
        expect_want(p, HB_WANT_CLOSE, "the close");
        if (strcmp(hb_err_name(p->why), rest) != 0) {
            say(p, "closed because of %s", hb_err_name(p->why));
        }
    } else if (starts(line, "opaque", &rest)) {
        expect_want(p, HB_WANT_OPAQUE, "an opaque relay");
        p->opaque = true;
        settle(p);
    } else if (starts(line, "untouched", &rest)) {
        if (p->backend_touched) {
            say(p, "the backend was told something");
        }
    } else if (starts(line, "authenticated", &rest)) {
        if (!hb_proto_authenticated(p->s)) {
            say(p, "the session should be authenticated");
        }
    } else {
        return false;
    }
    return true;
}

static void play_line(struct play *p, const char *line, struct text *segment, enum hb_proto_side *side)
{
    const char *rest;
    bool client = starts(line, "C:", &rest) || starts(line, "C+", &rest);
    bool backend = !client && (starts(line, "B:", &rest) || starts(line, "B+", &rest));

    if (segment->len > 0 && (!(client || backend) || *side != (client ? HB_FROM_CLIENT : HB_FROM_BACKEND))) {
        send_bytes(p, *side, *segment);
        segment->len = 0;
    }
    if (client || backend) { /* lines of one side behind one another are one segment */
        if (segment->len == 0) {
            nothing_left(p);
        }
        *side = client ? HB_FROM_CLIENT : HB_FROM_BACKEND;
        text_unescape(segment, rest);
        if (line[1] == ':') {
            text_append(segment, "\r\n", 2);
        }
    } else if (starts(line, "G:", &rest) || starts(line, "G+", &rest)) {
        expect(p, &p->client, "the client", rest, line[1] == ':');
    } else if (starts(line, "F:", &rest) || starts(line, "F+", &rest)) {
        expect(p, &p->backend, "the backend", rest, line[1] == ':');
    } else if (starts(line, "L:", &rest)) {
        if (p->mode == MODE_POOR) {
            p->told.len = 0; /* what the client says it is may be missing */
        } else {
            expect(p, &p->told, "the gateway", rest, true);
        }
    } else if (!play_event(p, line)) {
        say(p, "cannot read this line");
    }
}

/* A play_file. */
static bool play(const char *path, const char *scheme, enum mode mode, size_t n, size_t *num_allocs)
{
    struct play *p = calloc(1, sizeof *p);
    struct text segment = {0};
    enum hb_proto_side side = HB_FROM_CLIENT;
    static char line[65536];
    FILE *f = fopen(path, "r");
    bool covers = false;

    if (f == NULL || p == NULL) {
        printf("%s: cannot be read\n", path);
        return false;
    }
    p->path = path;
    p->mode = mode;
    testenv_init(&p->t, n);
    p->t.fail_at = mode == MODE_POOR ? n : 0;
    p->sink = (struct hb_proto_sink){p, to_client, to_backend, NULL};
    while (!p->failed && fgets(line, sizeof line, f) != NULL) {
        const char *rest;
        p->line++;
        line[strcspn(line, "\n")] = 0;
        if (starts(line, "covers:", &rest)) {
            covers = true;
        } else if (starts(line, "listener:", &rest)) {
            configure(p, rest, scheme);
        } else if (line[0] != 0 && line[0] != '#') {
            if (p->s == NULL) {
                say(p, "a listener: line comes first");
                break;
            }
            play_line(p, line, &segment, &side);
        }
    }
    if (!p->failed && segment.len > 0) {
        send_bytes(p, side, segment);
    }
    if (!p->failed) {
        nothing_left(p);
        if (p->asked) {
            say(p, "at the end the session still asks for %d (%s)", p->want, hb_err_name(p->why));
        }
        if (!covers) {
            say(p, "no covers: line");
        }
    }
    (void)fclose(f);
    hb_proto_free(&p->s);
    *num_allocs = p->t.num_allocs;
    if (p->t.held > 0) {
        p->failed = false;
        p->shame = true;
        say(p, "%zu blocks were not given back", p->t.held);
    }
    bool ok = !p->failed || p->excused;
    text_free(&segment);
    text_free(&p->client);
    text_free(&p->backend);
    text_free(&p->told);
    text_free(&p->held_client);
    text_free(&p->held_backend);
    free(p);
    return ok;
}

int main(int argc, char **argv)
{
    return play_scripts(argc, argv, play);
}
