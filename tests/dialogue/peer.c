/* peer.c: plays dialogues of a client face (fixtures/peers/README.md) as a gateway or a probe would.
 *
 * Each file is played whole, byte by byte and in random cuts, and then with the first, the second, ...
 * allocation failing; what the server gets, what the face asks for and what it has learnt must be the same
 * every time. The player stands in for the socket and for TLS, nothing else. */
#include "script.h"
#include "testenv.h"

#include <hb/peer.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct play {
    const char *path;
    unsigned line;
    enum mode mode;
    struct testenv t;
    struct hb_peer_settings set;
    struct hb_peer_client client;
    struct hb_peer *p;
    struct hb_peer_sink sink;
    struct text got;     /* what the server got and nobody has asked for yet */
    struct text behind;  /* sent behind READY: the session's */
    struct text segment; /* lines of the server that go out together */
    struct text want_text;
    struct hb_span greeting; /* of READY, what no H: line has named yet */
    struct hb_peer_step last;
    bool asked; /* last is something no line has mentioned yet */
    bool failed, excused;
};

static void say(struct play *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(struct play *p, const char *fmt, ...)
{
    va_list ap;

    if (p->failed) {
        return;
    }
    p->failed = true;
    p->excused = p->mode == MODE_POOR && (p->p == NULL || p->last.why == HB_E_NO_MEMORY);
    if (p->excused) {
        return;
    }
    printf("%s:%u: (%s) ", p->path, p->line, mode_names[p->mode]);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    printf("\n");
}

static void to_server(void *ctx, struct hb_span bytes)
{
    struct play *p = ctx;

    if (p->asked && p->last.want == HB_PEER_FAIL) {
        say(p, "something was said behind the failure");
    }
    text_append(&p->got, bytes.p, bytes.len);
}

static void take(struct play *p, struct hb_peer_step step)
{
    p->last = step;
    p->asked = step.want != HB_PEER_MORE;
    if (step.want == HB_PEER_READY) {
        p->greeting = hb_peer_greeting(p->p);
    }
}

static void send_segment(struct play *p)
{
    size_t len = p->segment.len;

    for (size_t at = 0; at < len && !p->failed;) {
        size_t n = p->mode == MODE_WHOLE ? len : p->mode == MODE_CUTS ? 1 + testenv_below(&p->t, 40) : 1;
        n = n < len - at ? n : len - at;
        if (p->asked && p->last.want == HB_PEER_READY) { /* the session's, not ours */
            text_append(&p->behind, p->segment.p + at, n);
            at += n;
            continue;
        }
        if (p->asked && p->last.want == HB_PEER_FAIL) {
            break; /* nobody reads on */
        }
        uint8_t *exact = malloc(n); /* a block of its own, so that a sanitizer sees a byte too far */
        if (exact == NULL) {
            exit(2);
        }
        memcpy(exact, p->segment.p + at, n);
        struct hb_peer_step step = hb_peer_feed(p->p, hb_span(exact, n), &p->sink);
        free(exact);
        if (step.used > n || (step.want == HB_PEER_MORE && step.used != n)) {
            say(p, "used %zu of %zu bytes", step.used, n);
            break;
        }
        take(p, step);
        if (step.want == HB_PEER_READY) {
            text_append(&p->behind, p->segment.p + at + step.used, n - step.used);
        }
        at += n;
    }
    p->segment.len = 0;
}

static bool expect(struct play *p, struct hb_span got, const char *who, const char *line, bool crlf)
{
    p->want_text.len = 0;
    text_unescape(&p->want_text, line);
    if (crlf) {
        text_append(&p->want_text, "\r\n", 2);
    }
    if (got.len >= p->want_text.len && memcmp(got.p, p->want_text.p, p->want_text.len) == 0) {
        return true;
    }
    say(p, "%s should be\n    %.*s  but is\n    %.*s\n", who, (int)p->want_text.len, p->want_text.p,
        (int)got.len, got.len > 0 ? (const char *)got.p : "");
    return false;
}

static void nothing_left(struct play *p)
{
    if (p->got.len > 0) {
        say(p, "the server got something nobody expected:\n    %.*s", (int)p->got.len, p->got.p);
    }
}

static void expect_want(struct play *p, enum hb_peer_want want, const char *what)
{
    static const char *const names[] = {"nothing", "TLS", "to be ready", "to fail"};

    nothing_left(p);
    if (!p->asked || p->last.want != want) {
        say(p, "the face should ask %s here, and asks %s (%s)", what, names[p->asked ? p->last.want : 0],
            hb_err_name(p->last.why));
    }
    p->asked = p->asked && want != HB_PEER_UPGRADE;
}

static void begin(struct play *p, const char *words, const char *face)
{
    const struct hb_peer_proto *proto = hb_peer_find(face);

    if (proto == NULL) {
        say(p, "no such face: %s", face);
        return;
    }
    p->client = (struct hb_peer_client){
        .addr = strstr(words, "client6") != NULL ? "2001:db8::1" : "192.0.2.1",
        .port = 4711,
        .ipv6 = strstr(words, "client6") != NULL,
        .dest_addr = "198.51.100.7",
        .dest_port = 143,
        .tls = true,
        .session = "s+1",
        .sni = "mail.example",
        .ttl = 5,
    };
    p->set = (struct hb_peer_settings){
        .host = "mail.test",
        .tls = strstr(words, "starttls") != NULL   ? HB_PEER_STARTTLS
               : strstr(words, "implicit") != NULL ? HB_PEER_IMPLICIT
                                                   : HB_PEER_CLEAR,
        .look = strstr(words, "look") != NULL,
        .client = strstr(words, "client") != NULL ? &p->client : NULL,
    };
    p->p = hb_peer_new(proto, &p->set, &p->t.env);
    if (p->p == NULL) {
        say(p, "no memory");
        return;
    }
    take(p, hb_peer_start(p->p, &p->sink));
}

static void check_facts(struct play *p, const char *words)
{
    const struct hb_peer_facts *f = hb_peer_facts(p->p);
    const struct {
        const char *name;
        bool is;
    } facts[] = {
        {"greeted", f->greeted}, {"offered", f->offered},
        {"tried", f->tried},     {"refused", f->refused},
        {"preauth", f->preauth}, {"behind", f->behind},
        {"secured", f->secured}, {"offered_in_tls", f->offered_in_tls},
        {"waited", f->waited},
    };
    char is[200] = "";

    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++) {
        if (facts[i].is) {
            (void)snprintf(is + strlen(is), sizeof is - strlen(is), "%s%s", is[0] != 0 ? " " : "",
                           facts[i].name);
        }
    }
    if (strcmp(is, words) != 0) {
        say(p, "the facts are: %s", is);
    }
}

static bool play_event(struct play *p, const char *line)
{
    const char *rest;

    if (starts(line, "~", &rest)) {
        expect_want(p, HB_PEER_UPGRADE, "for TLS");
        if (!p->failed) {
            take(p, hb_peer_secured(p->p, &p->sink));
        }
    } else if (starts(line, "silent", &rest)) {
        nothing_left(p);
        take(p, hb_peer_silent(p->p, &p->sink));
    } else if (starts(line, "patience", &rest)) {
        if ((unsigned)atoi(rest) != hb_peer_patience(p->p)) {
            say(p, "patience is %u seconds", hb_peer_patience(p->p));
        }
    } else if (starts(line, "lost", &rest)) {
        if (strcmp(hb_err_name(hb_peer_lost(p->p)), rest) != 0) {
            say(p, "the end is told as %s", hb_err_name(hb_peer_lost(p->p)));
        }
    } else if (starts(line, "ready", &rest)) {
        expect_want(p, HB_PEER_READY, "nothing more");
    } else if (starts(line, "behind", &rest)) {
        if (expect(p, hb_span(p->behind.p, p->behind.len), "what is left", rest, true)) {
            p->behind.len = 0;
        }
    } else if (starts(line, "fail", &rest)) {
        expect_want(p, HB_PEER_FAIL, "to give up");
        if (strcmp(hb_err_name(p->last.why), rest) != 0) {
            say(p, "it failed because of %s", hb_err_name(p->last.why));
        }
        p->asked = true;
    } else if (starts(line, "goodbye", &rest)) {
        hb_peer_goodbye(p->p, &p->sink);
    } else if (starts(line, "facts:", &rest)) {
        check_facts(p, rest);
    } else {
        return false;
    }
    return true;
}

static void play_line(struct play *p, const char *line)
{
    const char *rest;
    bool server = starts(line, "S:", &rest) || starts(line, "S+", &rest);

    if (!server && p->segment.len > 0) {
        send_segment(p);
    }
    if (server) { /* lines behind one another are one segment */
        if (p->segment.len == 0) {
            nothing_left(p);
        }
        text_unescape(&p->segment, rest);
        if (line[1] == ':') {
            text_append(&p->segment, "\r\n", 2);
        }
    } else if (starts(line, "P:", &rest)) {
        if (expect(p, hb_span(p->got.p, p->got.len), "what the server gets", rest, true)) {
            text_drop(&p->got, p->want_text.len);
        }
    } else if (starts(line, "H:", &rest)) {
        if (expect(p, p->greeting, "the greeting", rest, true)) {
            p->greeting = hb_span_skip(p->greeting, p->want_text.len);
        }
    } else if (!play_event(p, line)) {
        say(p, "cannot read this line");
    }
}

/* A play_file. */
static bool play(const char *path, const char *face, enum mode mode, size_t n, size_t *num_allocs)
{
    static struct play mem;
    struct play *p = &mem;
    static char line[65536];
    FILE *f = fopen(path, "r");
    bool covers = false;
    bool spoke = false;

    if (f == NULL) {
        printf("%s: cannot be read\n", path);
        return false;
    }
    p->got.len = p->behind.len = p->segment.len = 0;
    p->greeting = hb_span(NULL, 0);
    p->path = path;
    p->mode = mode;
    p->line = 0;
    p->p = NULL;
    p->asked = p->failed = p->excused = false;
    p->last = (struct hb_peer_step){0};
    testenv_init(&p->t, n);
    p->t.fail_at = mode == MODE_POOR ? n : 0;
    p->sink = (struct hb_peer_sink){p, to_server};
    while (!p->failed && fgets(line, sizeof line, f) != NULL) {
        const char *rest;
        p->line++;
        line[strcspn(line, "\n")] = 0;
        if (starts(line, "covers:", &rest)) {
            covers = true;
        } else if (starts(line, "peer:", &rest)) {
            begin(p, rest, face);
        } else if (line[0] != 0 && line[0] != '#') {
            spoke = true;
            if (p->p == NULL) {
                say(p, "a peer: line comes first");
                break;
            }
            play_line(p, line);
        }
    }
    if (!p->failed) {
        nothing_left(p);
        if (!spoke || !covers || p->greeting.len > 0 || p->behind.len > 0 || p->segment.len > 0) {
            say(p, "the file has no covers: line, or leaves a greeting or bytes behind it unmentioned");
        }
    }
    (void)fclose(f);
    hb_peer_free(&p->p);
    *num_allocs = p->t.num_allocs;
    bool ok = !p->failed || p->excused;
    if (p->t.held > 0) {
        printf("%s: %zu blocks were not given back\n", path, p->t.held);
        ok = false;
    }
    return ok;
}

int main(int argc, char **argv)
{
    return play_scripts(argc, argv, play);
}
