/* run.c: plays every row for every protocol it names: whole, byte by byte, and cut before each of its bytes.
 *
 * Each time the same must come of it: what the client got, what the backend got, how often it was asked, the
 * code and the alert.  attack SCHEME plays the rows of one protocol; the last line counts. --list names rows.
 * --wrong SCHEME plays the first row with a gateway that has the fault it is about: it must be found. */
#include "world.h"

#include <stdio.h>
#include <string.h>

static bool concerns(const struct row *r, const char *scheme)
{
    size_t n = strlen(scheme);

    if (r->schemes[0] == 0) {
        return true;
    }
    for (const char *p = strstr(r->schemes, scheme); p != NULL; p = strstr(p + 1, scheme)) {
        if ((p == r->schemes || p[-1] == ' ') && (p[n] == 0 || p[n] == ' ')) {
            return true;
        }
    }
    return false;
}

static bool expects(const struct words *w, const char *what, const char *want, const struct text *got,
                    const struct row *r)
{
    struct text t = {0};
    bool same = true;

    if (want != NULL) {
        words_expand(w, want, &t);
        same = text_is(got, &t);
    }
    if (!same) {
        printf("%s %s (%s): %s\n", r->id, w->scheme, r->what, what);
        text_print("should be", &t);
        text_print("is       ", got);
    }
    text_free(&t);
    return same;
}

static void tell(const struct row *r, const struct words *w, long cut, const struct outcome *o)
{
    printf("%s %s (%s), cut %ld: %s, alert %d, %u links\n", r->id, w->scheme, r->what, cut,
           hb_err_name(o->code), o->alert, o->num_links);
    text_print("client, clear ", &o->clear);
    text_print("client, TLS   ", &o->inside);
    text_print("backend, clear", &o->b_clear);
    text_print("backend, TLS  ", &o->b_inside);
}

/* What the row says must come of it. */
static bool as_written(const struct row *r, const struct words *w, const struct outcome *o)
{
    const char *hears = (r->flags & NOT_HEARD) != 0 ? "" : w->b_hears != NULL ? w->b_hears : r->inside;
    bool good = o->code == r->code && !o->failed;

    if (r->code == HB_E_PROTO_INJECTION) {
        good = good && o->alert == 10; /* unexpected_message */
    }
    if (!good) {
        tell(r, w, 0, o);
    }
    good = expects(w, "in clear", r->answer, &o->clear, r) && good;
    good = expects(w, "inside TLS", r->heard, &o->inside, r) && good;
    if (r->code == HB_OK) { /* what is sent inside TLS arrives, whole and alone */
        good = expects(w, "at the backend", hears, &o->b_session, r) && good;
    } else if ((r->flags & OPTIONAL) == 0) {
        good = expects(w, "at the backend", "", &o->b_session, r) && good;
    }
    return good;
}

/* How many cuts went as the whole did; 0: one did not. */
static unsigned play(const struct row *r, const struct words *w)
{
    struct outcome whole;
    struct outcome o;
    size_t len;
    size_t boundary;
    unsigned runs = 1;

    world_run(r, w, 0, &len, &boundary, &whole);
    bool good = as_written(r, w, &whole);
    for (long cut = -1; good && cut < (long)len; cut++) {
        size_t again;
        size_t b;
        if (cut == 0) {
            continue;
        }
        world_run(r, w, cut, &again, &b, &o);
        bool apart = r->apart != HB_OK && (cut == -1 || (size_t)cut == boundary);
        good = !o.failed && (apart ? o.code == r->apart : outcome_same(&whole, &o));
        if (!good) {
            printf("the outcome depends on the cut:\n");
            tell(r, w, 0, &whole);
            tell(r, w, cut, &o);
        }
        outcome_free(&o);
        runs++;
    }
    outcome_free(&whole);
    return good ? runs : 0;
}

int main(int argc, char **argv)
{
    unsigned played = 0;
    unsigned runs = 0;
    unsigned failed = 0;

    if (argc > 1 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < num_rows; i++) {
            printf("%s: %s: %s\n", rows[i].id, rows[i].schemes[0] != 0 ? rows[i].schemes : "every protocol",
                   rows[i].what);
        }
        return 0;
    }
    bool wrong = argc > 2 && strcmp(argv[1], "--wrong") == 0;
    const struct words *w = argc > 1 ? words_of(argv[argc - 1]) : NULL;
    if (w == NULL) {
        printf("usage: attack [--wrong] SCHEME | --list\n");
        return 2;
    }
    world_begin();
    if (wrong) {
        gate_faulty = true;
        bool found = play(&rows[0], w) == 0;
        world_end();
        printf("%s: the fault was %sfound\n", w->scheme, found ? "" : "NOT ");
        return found ? 0 : 1;
    }
    for (size_t i = 0; i < num_rows; i++) {
        if (concerns(&rows[i], w->scheme)) {
            unsigned n = play(&rows[i], w);
            played++;
            runs += n;
            failed += n == 0;
        }
    }
    world_end();
    printf("%s: %u attacks in %u runs, %u failed\n", w->scheme, played, runs, failed);
    return failed > 0 || played == 0;
}
