/* conf_cert.c: certificates: pairs the operator names, and a folder of them; checked, and put into a
 * listener's store.
 *
 *   FOLDER/NAME/fullchain.pem + privkey.pem [+ staple.der]          as certbot leaves them in live/
 *   FOLDER/NAME/ecdsa/... and FOLDER/NAME/rsa/...                   a pair of each kind
 *
 * A pair the operator names must be good; one that lies in the folder and is not good is a warning. */
#include "conf_util.h"

#include "sysenv.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SOON_DAYS 21u

/* ---- the folder ---- */

static const char *join(struct gw_draft *d, const char *folder, const char *name)
{
    char path[2048];
    int n = snprintf(path, sizeof path, "%s/%s", folder, name);

    return gw_draft_keep(d, path, n > 0 && (size_t)n < sizeof path ? (size_t)n : 0);
}

static bool lies_in(const char *names, size_t len, const char *name)
{
    for (const char *at = names; at < names + len; at += strlen(at) + 1) {
        if (strcmp(at, name) == 0) {
            return true;
        }
    }
    return false;
}

/* The pairs in one folder, and in those for one kind of key below it: certificates of one name. */
static bool take_pairs(struct gw_draft *d, const char *name, const char *folder, bool below,
                       struct gw_problems *p)
{
    static const char *const kinds[] = {"ecdsa", "rsa"};
    size_t len = 0;
    bool other = false;
    char *names = gw_list_folder(folder, &len, &other, folder, p);
    bool found = other || names == NULL; /* certbot's README is none, and not missed */

    if (names != NULL && lies_in(names, len, "fullchain.pem")) {
        found = true;
        if (d->num_certs == GW_MAX_CERTS) {
            gw_problem(p, folder, "too many certificates; at most 256", NULL);
            free(names);
            return true;
        }
        struct gw_draft_cert *c = &d->certs[d->num_certs++];
        *c = (struct gw_draft_cert){.name = name, .where = folder, .from_folder = true};
        c->chain = join(d, folder, "fullchain.pem");
        c->key = join(d, folder, "privkey.pem");
        c->staple = lies_in(names, len, "staple.der") ? join(d, folder, "staple.der") : NULL;
    }
    for (size_t i = 0; below && names != NULL && i < sizeof kinds / sizeof kinds[0]; i++) {
        if (lies_in(names, len, kinds[i])) {
            found = take_pairs(d, name, join(d, folder, kinds[i]), false, p) || found;
        }
    }
    free(names);
    return found;
}

void gw_conf_cert_folder(struct gw_draft *d, struct gw_problems *p)
{
    const char *folder = d->certificate_folder;
    size_t len = 0;
    bool other = false;
    char *names =
        folder != NULL ? gw_list_folder(folder, &len, &other, d->certificate_folder_where, p) : NULL;

    if (other) {
        gw_problem(p, d->certificate_folder_where, "certificate-folder is not a folder", folder);
    }
    for (const char *at = names; names != NULL && at < names + len; at += strlen(at) + 1) {
        const char *name = gw_draft_keep(d, at, strlen(at));
        const char *below = join(d, folder, name);
        p->lenient = true; /* one folder that cannot be read does not stop the others */
        bool found = take_pairs(d, name, below, true, p);
        p->lenient = false;
        if (!found) {
            gw_notice(p, below, "there is no fullchain.pem in it, nor in ecdsa or rsa below: left out", NULL);
        }
    }
    free(names);
}

/* ---- pairs ---- */

static void warn_of_age(const struct gw_draft_cert *dc, const struct hb_cred_facts *facts,
                        struct gw_problems *p)
{
    const struct hb_env *env = gw_sysenv();
    uint64_t now = env->wall(env->ctx);
    uint64_t seconds =
        now < facts->not_after ? facts->not_after - now : 0; /* 0: a worker, on what was judged earlier */
    time_t end = (time_t)facts->not_after;
    char day[16] = "";
    char message[1500];
    struct tm tm;

    if (seconds >= (uint64_t)SOON_DAYS * 86400u) {
        return;
    }
    if (gmtime_r(&end, &tm) != NULL) {
        (void)strftime(day, sizeof day, "%Y-%m-%d", &tm);
    }
    (void)snprintf(message, sizeof message, "certificate %s expires in %u days, on %s; renew it", dc->chain,
                   (unsigned)(seconds / 86400u), day);
    gw_notice(p, dc->where, message, facts->names);
}

/* A response that nobody may be shown (OCSP-01) is left out: clients judge the certificate without it. */
static void add_staple(const struct gw_draft_cert *dc, const struct hb_cred_facts *facts,
                       struct hb_cred_store *store, struct gw_problems *p)
{
    size_t len = 0;
    char *staple = dc->staple != NULL ? gw_read_file(dc->staple, &len, dc->where, p) : NULL;
    enum hb_code code = HB_E_X509_STAPLE_MISSING;

    if (staple != NULL) {
        char message[200];
        code = hb_cred_store_staple(store, hb_span(staple, len), NULL);
        (void)snprintf(message, sizeof message, "this OCSP response is not stapled (%s)",
                       hb_err_sentence(code));
        if (code != HB_OK) {
            gw_notice(p, dc->where, message, dc->staple);
        }
    }
    if (code != HB_OK && facts->must_staple) {
        gw_notice(p, dc->where,
                  "clients refuse this certificate without an OCSP response, and there is none to staple",
                  dc->chain);
    }
    free(staple);
}

static void add_pair(const struct gw_draft_cert *dc, struct hb_cred_store *store, struct gw_problems *p)
{
    struct hb_cred_facts facts;

    if (gw_load_pair(store, dc->chain, dc->key, &facts, dc->where, p)) {
        warn_of_age(dc, &facts, p);
        add_staple(dc, &facts, store, p);
    }
}

/* A folder is filled by a robot: one bad pair in it is said, and left out; the others go on. */
static void add_cert(const struct gw_draft_cert *dc, struct hb_cred_store *store, struct gw_problems *p)
{
    size_t before = hb_cred_store_count(store);

    p->lenient = dc->from_folder;
    add_pair(dc, store, p);
    p->lenient = false;
    if (dc->from_folder && hb_cred_store_count(store) == before) {
        gw_notice(p, dc->where, "this certificate is left out", NULL);
    }
}

/* ---- a listener's ---- */

static bool is_named(const struct gw_draft_listener *dl, const char *name)
{
    for (unsigned i = 0; i < dl->num_certs; i++) {
        if (strcmp(dl->certs[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* Certificate i of a listener, or (i beyond the end) NULL, and *num of them: of each name all that have it
 * (of each kind of key one); with "*" or no names at all, the others behind them. */
static const struct gw_draft_cert *select_cert(const struct gw_draft *d, const struct gw_draft_listener *dl,
                                               unsigned i, unsigned *num)
{
    bool others = dl->num_certs == 0 || strcmp(dl->certs[dl->num_certs - 1], "*") == 0;
    const struct gw_draft_cert *found = NULL;

    *num = 0;
    for (unsigned n = 0; n <= dl->num_certs; n++) {
        for (unsigned k = 0; k < d->num_certs; k++) {
            const char *name = d->certs[k].name;
            bool takes = n < dl->num_certs ? strcmp(name, dl->certs[n]) == 0 : others && !is_named(dl, name);
            if (takes && (*num)++ == i) {
                found = &d->certs[k];
            }
        }
    }
    return found;
}

unsigned gw_num_certs_of(const struct gw_draft *d, const struct gw_draft_listener *dl)
{
    unsigned num;

    (void)select_cert(d, dl, 0, &num);
    return num;
}

const struct gw_draft_cert *gw_cert_of(const struct gw_draft *d, const struct gw_draft_listener *dl,
                                       unsigned i)
{
    unsigned num;

    return select_cert(d, dl, i, &num);
}

static bool exists(const struct gw_draft *d, const char *name)
{
    for (unsigned k = 0; k < d->num_certs; k++) {
        if (strcmp(d->certs[k].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void check_names(const struct gw_draft *d, const struct gw_draft_listener *dl, struct gw_problems *p)
{
    for (unsigned i = 0; i < dl->num_certs; i++) {
        bool others = strcmp(dl->certs[i], "*") == 0;
        if (others && i + 1 < dl->num_certs) {
            gw_problem(p, GW_AT(dl, certificates), "\"*\", the others, can only be the last name", NULL);
        } else if (!others && !exists(d, dl->certs[i])) {
            gw_problem(p, GW_AT(dl, certificates), "no certificate has the name", dl->certs[i]);
        }
    }
}

void gw_conf_certs(const struct gw_draft *d, const struct gw_draft_listener *dl, struct gw_listener_conf *lc,
                   struct gw_problems *p)
{
    lc->creds = hb_cred_store_new(gw_sysenv());
    if (lc->creds == NULL) {
        gw_problem(p, dl->where, hb_err_sentence(HB_E_NO_MEMORY), NULL);
        return;
    }
    check_names(d, dl, p);
    for (unsigned i = 0; i < gw_num_certs_of(d, dl); i++) {
        add_cert(gw_cert_of(d, dl, i), lc->creds, p);
    }
    if (lc->plain || dl->psk_file != NULL || hb_cred_store_count(lc->creds) > 0) {
        return;
    }
    if (d->certificate_folder != NULL) { /* GEN-10 */
        gw_notice(p, d->certificate_folder_where,
                  "no usable certificate: no TLS, and STARTTLS is not offered, until there is one for",
                  dl->listen);
    } else if (d->num_certs == 0) {
        gw_problem(p, dl->where, "no certificate given; give --cert and --key, or a certificate block", NULL);
    }
}

bool gw_cert_facts(const struct gw_draft_cert *dc, struct hb_cred_facts *facts, uint64_t *staple_until)
{
    struct gw_problems nobody = {0};
    struct hb_cred_store *store = hb_cred_store_new(gw_sysenv());
    bool good = store != NULL && gw_load_pair(store, dc->chain, dc->key, facts, dc->where, &nobody);
    size_t len = 0;
    char *staple = good && dc->staple != NULL ? gw_read_file(dc->staple, &len, dc->where, &nobody) : NULL;

    *staple_until = 0;
    if (staple != NULL && hb_cred_store_staple(store, hb_span(staple, len), staple_until) != HB_OK) {
        *staple_until = 0;
    }
    free(staple);
    hb_cred_store_free(&store);
    return good;
}
