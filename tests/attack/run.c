/* run.c: plays every row for every protocol it names: whole, byte by byte, and cut before each of its bytes.
 *
 * Each time the same must come of it: what the client got, what the backend got, how often it was asked, the
 * code and the alert.  attack SCHEME plays the rows of one protocol; the last line counts. --list names rows.
 * --wrong SCHEME plays the first row with a gateway that has the fault it is about: it must be found. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
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
    if (r->arrives != NULL) {
        good = expects(w, "at the backend", r->arrives, &o->b_session, r) && good;
    } else if (r->code == HB_OK) { /* what is sent inside TLS arrives, whole and alone */
        good = expects(w, "at the backend", hears, &o->b_session, r) && good;
    } else if ((r->flags & OPTIONAL) == 0) {
        good = expects(w, "at the backend", "", &o->b_session, r) && good;
    }
    return good;
}

/* Long streams are cut before each byte where something begins or ends, and before every 97th elsewhere. */
static long next_cut(long cut, long len, long boundary)
{
    bool near = cut < 80 || len - cut < 80 || labs(cut - boundary) < 16 || len < 2000;

    return near ? cut + 1 : cut + 97 - cut % 97;
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
    for (long cut = -1; good && cut < (long)len; cut = next_cut(cut, (long)len, (long)boundary)) {
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

static void list(const struct row *r, size_t num)
{
    for (; num > 0; num--, r++) {
        printf("%s: %s: %s\n", r->id, r->schemes[0] != 0 ? r->schemes : "every protocol", r->what);
    }
}

static unsigned played, runs, failed;

static void play_all(const struct row *r, size_t num, const struct words *w)
{
    for (; num > 0; num--, r++) {
        if (concerns(r, w->scheme)) {
            unsigned n = play(r, w);
            played++;
            runs += n;
            failed += n == 0;
        }
    }
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--list") == 0) {
        list(rows, num_rows);
        list(inside_rows, num_inside_rows);
        list(wire_rows, num_wire_rows);
        return 0;
    }
    bool wrong = argc > 2 && strcmp(argv[1], "--wrong") == 0;
    const struct words *w = argc > 1 ? words_of(argv[argc - 1]) : NULL;
    if (w == NULL) {
        printf("usage: attack [--wrong] SCHEME | --list\n");
        return 2;
    }
    ends_begin(w->scheme);
    if (wrong) {
        gate_faulty = true;
        bool found = play(&rows[0], w) == 0;
        ends_end();
        printf("%s: the fault was %sfound\n", w->scheme, found ? "" : "NOT ");
        return found ? 0 : 1;
    }
    play_all(rows, num_rows, w);
    play_all(inside_rows, num_inside_rows, w);
    play_all(wire_rows, num_wire_rows, w);
    ends_end();
    printf("%s: %u attacks in %u runs, %u failed\n", w->scheme, played, runs, failed);
    return failed > 0 || played == 0;
}
