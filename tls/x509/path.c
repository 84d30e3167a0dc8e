/* path.c: depth first, the anchors before the peer's own certificates, every link judged as it is made.
 *
 *   leaf -> (issuer by name) -> ... -> anchor
 *
 * A certificate is used once in a path, so loops end; signatures are the expensive part and are counted over
 * the whole search. Nothing recurses deeper than HB_PATH_MAX. */
#include "path.h"

#include "constraints.h"

struct search {
    const struct hb_env *env;
    const struct hb_trust *trust;
    struct hb_cert extra[HB_CHAIN_MAX]; /* what the peer sent behind the leaf, as far as it parsed */
    size_t num_extra;
    bool used[HB_CHAIN_MAX];
    enum hb_path_use use;
    uint64_t now;
    unsigned signatures, names; /* work left */
    struct hb_path *path;
    enum hb_code why; /* of the best attempt so far */
};

static enum hb_code key_ok(const struct hb_cert *cert)
{
    if (cert->key_kind != HB_KEY_RSA && cert->key_kind != HB_KEY_RSA_PSS) {
        return HB_OK;
    }
    bool odd = cert->rsa_e.len > 0 && (cert->rsa_e.p[cert->rsa_e.len - 1] & 1) == 1 &&
               !(cert->rsa_e.len == 1 && cert->rsa_e.p[0] < 3);
    bool size = cert->rsa_n.len >= 256 && cert->rsa_n.len <= 1024 &&
                (cert->rsa_n.len > 256 || cert->rsa_n.p[0] >= 0x80);
    return odd && size ? HB_OK : HB_E_X509_WEAK_KEY;
}

static enum hb_code in_time(const struct hb_cert *cert, uint64_t now)
{
    if (now < cert->not_before) {
        return HB_E_CERT_NOT_YET;
    }
    return now <= cert->not_after ? HB_OK : HB_E_CERT_EXPIRED;
}

static bool used_for(const struct hb_cert *cert, enum hb_path_use use)
{
    return !cert->has_eku || (use == HB_USE_SERVER ? cert->eku_server_auth : cert->eku_client_auth);
}

static enum hb_code leaf_ok(const struct search *s, const struct hb_cert *leaf)
{
    HB_TRY(in_time(leaf, s->now));
    HB_TRY(key_ok(leaf));
    if (leaf->critical_unknown) {
        return HB_E_X509_CRITICAL;
    }
    return used_for(leaf, s->use) ? HB_OK : HB_E_X509_USAGE;
}

/* An authority below the anchor. depth: certificates below it that are not self-issued. */
static enum hb_code authority_ok(const struct search *s, const struct hb_cert *ca, unsigned depth)
{
    HB_TRY(in_time(ca, s->now));
    HB_TRY(key_ok(ca));
    if (ca->critical_unknown) {
        return HB_E_X509_CRITICAL;
    }
    if (!ca->is_ca || (ca->has_key_usage && (ca->key_usage & HB_KU_CERT_SIGN) == 0)) {
        return HB_E_X509_NOT_CA;
    }
    if (ca->path_len != 255 && depth > ca->path_len) {
        return HB_E_X509_PATH_LEN;
    }
    return used_for(ca, s->use) ? HB_OK : HB_E_X509_USAGE;
}

enum hb_code hb_path_signed_by(const struct hb_env *env, struct hb_span tbs, const struct hb_sigalg *sig,
                               struct hb_span signature, const struct hb_cert *issuer)
{
    struct hb_pubkey *key = NULL;
    enum hb_key_kind kind = issuer->key_kind;

    if (sig == NULL) {
        return HB_E_X509_WEAK_SIGNATURE;
    }
    if (kind == HB_KEY_RSA_PSS && sig->pad == HB_PAD_PSS) { /* the same signature under another number */
        sig = hb_sigalg_find((uint16_t)(sig->id + 5));
    }
    if (sig == NULL || !hb_sigalg_fits(sig, kind, false)) {
        return HB_E_X509_SIGNATURE;
    }
    HB_TRY(hb_cert_pubkey(issuer, env, &key));
    enum hb_code code = hb_verify(key, sig, tbs, signature);
    hb_pubkey_free(env, &key);
    return code == HB_OK ? HB_OK : HB_E_X509_SIGNATURE;
}

static enum hb_code check_signature(struct search *s, const struct hb_cert *cert,
                                    const struct hb_cert *issuer)
{
    if (cert->sig == NULL) {
        return HB_E_X509_WEAK_SIGNATURE;
    }
    if (s->signatures == 0) {
        return HB_E_X509_TOO_MUCH_WORK;
    }
    s->signatures--;
    return hb_path_signed_by(s->env, cert->tbs, cert->sig, cert->signature, issuer);
}

/* Names of everything below ca, by ca's constraints; self-issued ones between are exempt (6.1.4 b). */
static enum hb_code constrain(struct search *s, const struct hb_cert *ca)
{
    const struct hb_path *p = s->path;

    for (unsigned i = 0; i < p->num; i++) {
        const struct hb_cert *below = &p->cert[i];
        if (i > 0 && hb_span_eq(below->subject, below->issuer)) {
            continue;
        }
        HB_TRY(hb_constraints_check(ca, below, &s->names));
    }
    return HB_OK;
}

/* Certificates in the path behind the leaf that are not self-issued. */
static unsigned depth_of(const struct hb_path *p)
{
    unsigned depth = 0;

    for (unsigned i = 1; i < p->num; i++) {
        depth += !hb_span_eq(p->cert[i].subject, p->cert[i].issuer);
    }
    return depth;
}

static enum hb_code to_anchor(struct search *s, const struct hb_anchor *anchor)
{
    const struct hb_cert *last = &s->path->cert[s->path->num - 1];

    HB_TRY(key_ok(&anchor->cert));
    HB_TRY(constrain(s, &anchor->cert));
    HB_TRY(check_signature(s, last, &anchor->cert));
    s->path->anchor = anchor;
    return HB_OK;
}

/* Keeps the more telling of two reasons: anything is, compared with "no issuer found". */
static void note(struct search *s, enum hb_code code)
{
    if (s->why == HB_E_X509_UNKNOWN_CA || code == HB_E_X509_TOO_MUCH_WORK) {
        s->why = code;
    }
}

static bool extend(struct search *s) /* NOLINT(misc-no-recursion): at most HB_PATH_MAX deep */
{
    struct hb_path *p = s->path;
    const struct hb_cert *last = &p->cert[p->num - 1];
    const struct hb_anchor *anchor = NULL;
    enum hb_code code;

    while ((anchor = hb_trust_find(s->trust, last->issuer, anchor)) != NULL) {
        code = to_anchor(s, anchor);
        if (code == HB_OK) {
            return true;
        }
        note(s, code);
    }
    if (p->num == HB_PATH_MAX) {
        note(s, HB_E_X509_CHAIN_TOO_LONG);
        return false;
    }
    for (size_t i = 0; i < s->num_extra && s->signatures > 0; i++) {
        const struct hb_cert *ca = &s->extra[i];
        if (s->used[i] || !hb_span_eq(ca->subject, last->issuer)) {
            continue;
        }
        code = authority_ok(s, ca, depth_of(p));
        code = code == HB_OK ? constrain(s, ca) : code;
        code = code == HB_OK ? check_signature(s, last, ca) : code;
        if (code != HB_OK) {
            note(s, code);
            continue;
        }
        s->used[i] = true;
        p->cert[p->num++] = *ca;
        if (extend(s)) {
            return true;
        }
        p->num--;
        s->used[i] = false;
        last = &p->cert[p->num - 1];
    }
    if (s->signatures == 0) {
        note(s, HB_E_X509_TOO_MUCH_WORK);
    }
    return false;
}

enum hb_code hb_path_check(const struct hb_env *env, const struct hb_trust *trust,
                           const struct hb_span *chain, size_t num, enum hb_path_use use, uint64_t now,
                           struct hb_path *path)
{
    struct search s = {.env = env,
                       .trust = trust,
                       .use = use,
                       .now = now,
                       .signatures = HB_PATH_WORK,
                       .names = HB_NAMES_WORK,
                       .path = path,
                       .why = HB_E_X509_UNKNOWN_CA};

    path->num = 1;
    path->anchor = NULL;
    if (num == 0 || num > HB_CHAIN_MAX) {
        return HB_E_X509_CHAIN_TOO_LONG;
    }
    HB_TRY(hb_cert_parse(chain[0], &path->cert[0]));
    HB_TRY(leaf_ok(&s, &path->cert[0]));
    for (size_t i = 1; i < num; i++) { /* what does not parse is a stranger */
        if (hb_cert_parse(chain[i], &s.extra[s.num_extra]) == HB_OK) {
            s.num_extra++;
        }
    }
    if (trust == NULL) {
        return HB_E_X509_UNKNOWN_CA;
    }
    const struct hb_anchor *self = NULL;
    while ((self = hb_trust_find(trust, path->cert[0].subject, self)) != NULL) {
        if (hb_span_eq(self->cert.der, path->cert[0].der)) { /* trusted by itself */
            path->anchor = self;
            return HB_OK;
        }
    }
    return extend(&s) ? HB_OK : s.why;
}
