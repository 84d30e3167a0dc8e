/* source.c: asks the system, or a bundle that remembers what the system said. */
#include "source.h"

#include "resolve.h"
#include "sysenv.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <hb/builder.h>
#include <hb/ct.h>
#include <hb/cursor.h>
#include <limits.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_MAX 65536u

static struct {
    struct gw_bundle *record;            /* borrowed */
    const struct gw_bundle *base, *play; /* borrowed */
    bool keep_config;                    /* the text of the configuration comes from base */
    bool has_secret;
    uint8_t secret[GW_SECRET_LEN];
} source;

/* ---- the system's answers ---- */

/* Not stdio: its buffers would keep a copy of every private key. */
static int read_file(const char *path, char **answer, size_t *len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat st;

    if (fd < 0) {
        return errno;
    }
    if (fstat(fd, &st) != 0 || S_ISDIR(st.st_mode)) {
        (void)close(fd);
        return EISDIR;
    }
    char *text = malloc(GW_FILE_MAX + 1);
    size_t n = 0;
    ssize_t got = 0;
    while (text != NULL && n < GW_FILE_MAX && (got = read(fd, text + n, GW_FILE_MAX - n)) > 0) {
        n += (size_t)got;
    }
    int status = text == NULL ? ENOMEM : got < 0 ? errno : n == GW_FILE_MAX ? EFBIG : 0;
    (void)close(fd);
    *answer = status == 0 ? malloc(n + 1) : NULL; /* no more than it needs: a bundle keeps many */
    if (*answer != NULL) {
        memcpy(*answer, text, n);
        (*answer)[n] = 0;
        *len = n;
    }
    if (text != NULL) {
        hb_wipe(text, n);
    }
    free(text);
    return status == 0 && *answer == NULL ? ENOMEM : status;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int not_hidden(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static int read_folder(const char *path, char **answer, size_t *len)
{
    struct dirent **list;
    int n = scandir(path, &list, not_hidden, by_name);
    int status = n < 0 ? errno : 0;

    if (n < 0) {
        return status;
    }
    char *text = malloc(FOLDER_MAX + 1);
    struct hb_bld b = hb_bld(text, text != NULL ? FOLDER_MAX : 0);
    for (int i = 0; i < n; i++) {
        hb_bld_put(&b, hb_span(list[i]->d_name, strlen(list[i]->d_name) + 1));
        free(list[i]);
    }
    free(list);
    if (text == NULL || !hb_bld_ok(&b)) {
        free(text);
        return text == NULL ? ENOMEM : EFBIG;
    }
    text[b.len] = 0;
    *answer = text;
    *len = b.len;
    return 0;
}

static int copy_answer(const void *p, size_t n, char **answer, size_t *len)
{
    *answer = malloc(n + 1);
    if (*answer == NULL) {
        return ENOMEM;
    }
    memcpy(*answer, p, n);
    (*answer)[n] = 0;
    *len = n;
    return 0;
}

static int read_mode(const char *path, char **answer, size_t *len)
{
    struct stat st;
    uint8_t mem[4];
    struct hb_bld b = hb_bld(mem, sizeof mem);

    if (stat(path, &st) != 0) {
        return errno;
    }
    hb_bld_u32(&b, st.st_mode);
    return copy_answer(mem, sizeof mem, answer, len);
}

static int look_up(const char *name, char **answer, size_t *len, unsigned *lifetime)
{
    uint8_t mem[GW_ADDRESS_MAX * (sizeof(struct sockaddr_in6) + 1)];
    struct hb_bld b = hb_bld(mem, sizeof mem);
    char host[512];
    const char *blank = strrchr(name, ' ');

    if (blank == NULL || (size_t)(blank - name) >= sizeof host) {
        return EAI_NONAME;
    }
    memcpy(host, name, (size_t)(blank - name));
    host[blank - name] = 0;
    int rc = gw_resolve_host(host, blank + 1, &b, lifetime);
    if (rc != 0) {
        return rc;
    }
    return copy_answer(mem, b.len, answer, len) != 0 ? EAI_MEMORY : 0;
}

static int host_name(char **answer, size_t *len)
{
    char name[HOST_NAME_MAX + 1];

    if (gethostname(name, sizeof name - 1) != 0) {
        return errno;
    }
    name[sizeof name - 1] = 0;
    return copy_answer(name, strlen(name), answer, len);
}

void gw_source_secret(const uint8_t secret[GW_SECRET_LEN])
{
    memcpy(source.secret, secret, GW_SECRET_LEN);
    source.has_secret = true;
}

static int the_secret(char **answer, size_t *len)
{
    if (!source.has_secret) {
        const struct hb_env *env = gw_sysenv();
        env->random(env->ctx, GW_SECRET_LEN, source.secret);
        source.has_secret = true;
    }
    return copy_answer(source.secret, GW_SECRET_LEN, answer, len);
}

static int ask_system(enum gw_source_kind kind, const char *name, char **answer, size_t *len,
                      unsigned *lifetime)
{
    *lifetime = 0;
    switch (kind) {
    case GW_SRC_FILE:
    case GW_SRC_CONFIG:
    case GW_SRC_KEY:
        return read_file(name, answer, len);
    case GW_SRC_FOLDER:
    case GW_SRC_CONFIG_FOLDER:
        return read_folder(name, answer, len);
    case GW_SRC_MODE:
        return read_mode(name, answer, len);
    case GW_SRC_ADDRESS:
        return look_up(name, answer, len, lifetime);
    case GW_SRC_HOST:
        return host_name(answer, len);
    case GW_SRC_SECRET:
        return the_secret(answer, len);
    case GW_SRC_VERDICT:
    case GW_NUM_SOURCES:
        break;
    }
    return EINVAL;
}

void gw_source_record(struct gw_bundle *b, const struct gw_bundle *base)
{
    source.record = b;
    source.base = base;
    source.play = NULL;
}

void gw_source_replay(const struct gw_bundle *b)
{
    source.record = NULL;
    source.base = NULL;
    source.play = b;
}

void gw_source_renew(bool config)
{
    source.keep_config = !config;
}

bool gw_source_replaying(void)
{
    return source.play != NULL;
}

/* ---- questions ---- */

static bool has_address(struct hb_span list, struct hb_span address)
{
    struct hb_cur c = hb_cur(list);

    while (hb_cur_left(&c) > 0) {
        struct hb_cur one = hb_cur_vec8(&c);
        struct hb_span is = hb_cur_rest(&one);
        if (is.len == address.len && memcmp(is.p, address.p, is.len) == 0) {
            return true;
        }
    }
    return false;
}

/* The same addresses in any order: name servers turn them round, and that is no news. */
static bool same_set(const struct gw_answer *old, const char *bytes, size_t len)
{
    struct hb_cur c = hb_cur(hb_span(bytes, len));

    if (old->status != 0 || old->len != len) {
        return false;
    }
    while (hb_cur_left(&c) > 0) {
        struct hb_cur one = hb_cur_vec8(&c);
        if (!has_address(hb_span(old->bytes, old->len), hb_cur_rest(&one))) {
            return false;
        }
    }
    return true;
}

/* The remembered answer, once it is known; NULL: *status says why there is none. */
static const struct gw_answer *remembered(enum gw_source_kind kind, const char *name, int *status)
{
    const struct gw_answer *a = gw_bundle_find(source.play != NULL ? source.play : source.record, kind, name);

    *status = source.play != NULL ? ENODATA : ENOMEM; /* loading took another way than the recorded one */
    if (a != NULL || source.play != NULL) {
        return a;
    }
    bool kept = source.keep_config && (kind == GW_SRC_CONFIG || kind == GW_SRC_CONFIG_FOLDER);
    const struct gw_answer *old = gw_bundle_find(source.base, kind, name);
    if (kept && old != NULL) {
        return gw_bundle_add(source.record, kind, hb_span_str(name), old->status,
                             hb_span(old->bytes, old->len));
    }
    char *bytes = NULL;
    size_t len = 0;
    unsigned lifetime;
    int said = ask_system(kind, name, &bytes, &len, &lifetime);
    if (kind == GW_SRC_ADDRESS) {
        bool same = old != NULL && said == 0 && same_set(old, bytes, len);
        a = gw_bundle_add_address(source.record, hb_span_str(name), said,
                                  same ? hb_span(old->bytes, old->len) : hb_span(bytes, len), lifetime);
    } else {
        a = gw_bundle_add(source.record, kind, hb_span_str(name), said, hb_span(bytes, len));
    }
    if (bytes != NULL) {
        hb_wipe(bytes, len);
    }
    free(bytes);
    return a;
}

int gw_source_ask(enum gw_source_kind kind, const char *name, char **answer, size_t *len)
{
    int status;

    *answer = NULL;
    *len = 0;
    if (source.record == NULL && source.play == NULL) {
        unsigned ignored;
        return ask_system(kind, name, answer, len, &ignored);
    }
    const struct gw_answer *a = remembered(kind, name, &status);
    if (a == NULL) {
        return status;
    }
    return a->status != 0 ? a->status : copy_answer(a->bytes, a->len, answer, len);
}

int gw_source_key(const char *path, char **answer, size_t *len, uint64_t *handle)
{
    const struct gw_answer *a = gw_bundle_find(source.play, GW_SRC_KEY, path);

    *handle = 0;
    if (a != NULL && a->status == 0 && a->absent) {
        *answer = NULL;
        *len = 0;
        *handle = gw_key_handle(gw_bundle_generation(source.play), a->key);
        return 0;
    }
    return gw_source_ask(GW_SRC_KEY, path, answer, len);
}

static const char *pair_name(char *dst, size_t cap, const char *chain, const char *key)
{
    (void)snprintf(dst, cap, "%s\n%s", chain != NULL ? chain : "", key != NULL ? key : "");
    return dst;
}

enum hb_code gw_source_judged(const char *chain, const char *key)
{
    char name[4096];
    const struct gw_answer *a =
        gw_bundle_find(source.play, GW_SRC_VERDICT, pair_name(name, sizeof name, chain, key));

    return a != NULL ? (enum hb_code)a->status : HB_OK;
}

void gw_source_judge(const char *chain, const char *key, enum hb_code code)
{
    char name[4096];

    (void)pair_name(name, sizeof name, chain, key);
    if (source.record != NULL && gw_bundle_find(source.record, GW_SRC_VERDICT, name) == NULL) {
        (void)gw_bundle_add(source.record, GW_SRC_VERDICT, hb_span_str(name), (int)code, hb_span(NULL, 0));
    }
}

int gw_source_address(const char *host, unsigned port, struct sockaddr_storage *dst)
{
    char name[600];
    char *answer;
    size_t len;

    (void)snprintf(name, sizeof name, "%s %u", host, port);
    int rc = gw_source_ask(GW_SRC_ADDRESS, name, &answer, &len);
    if (rc != 0) {
        return rc;
    }
    struct hb_cur c = hb_cur(hb_span(answer, len));
    struct hb_cur first = hb_cur_vec8(&c);
    struct hb_span bytes = hb_cur_rest(&first);
    bool good = bytes.len > 0 && bytes.len <= sizeof *dst;
    if (good) {
        memset(dst, 0, sizeof *dst);
        memcpy(dst, bytes.p, bytes.len);
    }
    free(answer);
    return good ? 0 : EAI_NONAME;
}
