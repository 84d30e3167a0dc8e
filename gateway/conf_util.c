/* conf_util.c: words, numbers and files of a draft, each with an error that names what, where and why. */
#include "conf_util.h"

#include "source.h"
#include <errno.h>
#include <hb/ct.h>
#include <hb/cursor.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool one_of(const char *word, const char *const *words, size_t n, size_t *i)
{
    for (*i = 0; *i < n; (*i)++) {
        if (strcmp(word, words[*i]) == 0) {
            return true;
        }
    }
    return false;
}

size_t gw_choose(const char *word, const char *const *words, size_t n, const char *what, const char *where,
                 struct gw_problems *p)
{
    size_t i = 0;
    char text[160];
    size_t len = 0;

    if (word == NULL || one_of(word, words, n, &i)) {
        return word == NULL ? 0 : i;
    }
    for (i = 0; i < n; i++) {
        int k = snprintf(text + len, sizeof text - len, "%s%s", i > 0 ? " or " : "", words[i]);
        len += k > 0 && (size_t)k < sizeof text - len ? (size_t)k : 0;
    }
    char message[256];
    (void)snprintf(message, sizeof message, "%s is %s, not", what, text);
    gw_problem(p, where, message, word);
    return 0;
}

unsigned gw_number(const char *word, unsigned low, unsigned high, unsigned otherwise, const char *what,
                   const char *where, struct gw_problems *p)
{
    char *end;

    if (word == NULL) {
        return otherwise;
    }
    unsigned long n = strtoul(word, &end, 10);
    if (word[0] < '0' || word[0] > '9' || *end != 0 || n < low || n > high) {
        char message[160];
        (void)snprintf(message, sizeof message, "%s is a number from %u to %u, not", what, low, high);
        gw_problem(p, where, message, word);
        return otherwise;
    }
    return (unsigned)n;
}

/* Asks for a file's bytes; says why if there are none. */
static char *read_as(enum gw_source_kind kind, const char *path, size_t *len, const char *where,
                     struct gw_problems *p)
{
    char message[600];
    char *text = NULL;
    int status = path != NULL ? gw_source_ask(kind, path, &text, len) : 0;

    if (path == NULL || status != 0) {
        (void)snprintf(message, sizeof message, "cannot read %s", path != NULL ? path : "(no file given)");
        gw_problem(p, where, message,
                   path == NULL      ? NULL
                   : status == EFBIG ? "longer than 1 MiB"
                                     : strerror(status));
    }
    return text;
}

char *gw_read_file(const char *path, size_t *len, const char *where, struct gw_problems *p)
{
    return read_as(GW_SRC_FILE, path, len, where, p);
}

char *gw_read_config(const char *path, size_t *len, const char *where, struct gw_problems *p)
{
    return read_as(GW_SRC_CONFIG, path, len, where, p);
}

static char *list_as(enum gw_source_kind kind, const char *path, size_t *len, bool *other, const char *where,
                     struct gw_problems *p)
{
    char message[600];
    char *names = NULL;
    int status = path[0] != 0 ? gw_source_ask(kind, path, &names, len) : ENOENT;

    *other = status == ENOTDIR;
    if (status != 0 && !*other) {
        (void)snprintf(message, sizeof message, "cannot list the folder %s", path);
        gw_problem(p, where, message, strerror(status));
    }
    return names;
}

char *gw_list_folder(const char *path, size_t *len, bool *other, const char *where, struct gw_problems *p)
{
    return list_as(GW_SRC_FOLDER, path, len, other, where, p);
}

char *gw_list_config(const char *path, size_t *len, bool *other, const char *where, struct gw_problems *p)
{
    return list_as(GW_SRC_CONFIG_FOLDER, path, len, other, where, p);
}

void gw_warn_of_mode(const char *what, const char *path, const char *where, struct gw_problems *p)
{
    char *mode = NULL;
    size_t len = 0;

    if (gw_source_ask(GW_SRC_MODE, path, &mode, &len) == 0) {
        struct hb_cur c = hb_cur(hb_span(mode, len));
        if ((hb_cur_u32(&c) & 027) != 0) { /* PKI-08: wider than 0640 */
            char message[80];
            (void)snprintf(message, sizeof message, "%s can be read or changed by others; chmod 640", what);
            gw_notice(p, where, message, path);
        }
    }
    free(mode);
}

/* A key that is here, or (PEM NULL) the keeper's number of it. */
static char *read_key(const char *path, size_t *len, uint64_t *handle, const char *where,
                      struct gw_problems *p)
{
    char *pem = NULL;

    if (path == NULL || gw_source_key(path, &pem, len, handle) != 0) {
        return read_as(GW_SRC_KEY, path, len, where, p); /* once more, for the reason */
    }
    return pem;
}

/* A text in PEM that has such a block; of DER (a SEQUENCE, and no text begins so) the sentence of the code
 * says more. */
static bool holds(const char *file, const char *armour)
{
    return (file[0] == 0x30 && (file[1] & 0x80) != 0) || strstr(file, armour) != NULL;
}

bool gw_load_pair(struct hb_cred_store *store, const char *chain_path, const char *key_path,
                  struct hb_cred_facts *facts, const char *where, struct gw_problems *p)
{
    size_t chain_len = 0;
    size_t key_len = 0;
    uint64_t handle = 0;
    char *chain = gw_read_file(chain_path, &chain_len, where, p);
    char *key = read_key(key_path, &key_len, &handle, where, p);
    bool good = false;

    if (chain != NULL && (key != NULL || handle != 0)) {
        enum hb_code code = gw_source_judged(chain_path, key_path);
        if (code == HB_OK && gw_source_replaying()) {
            hb_cred_store_any_time(store);
        }
        if (code == HB_OK) {
            code = handle != 0
                       ? hb_cred_store_add_remote(store, hb_span(chain, chain_len), handle, facts)
                       : hb_cred_store_add(store, hb_span(chain, chain_len), hb_span(key, key_len), facts);
        }
        gw_source_judge(chain_path, key_path, code);
        good = code == HB_OK;
        if (code == HB_E_PEM_NONE && !holds(chain, "-----BEGIN CERTIFICATE")) {
            gw_problem(p, where, "there is no certificate in it, in PEM or DER", chain_path);
        } else if (code == HB_E_PEM_NONE && key != NULL && !holds(key, "PRIVATE KEY-----")) {
            gw_problem(p, where, "there is no private key in it, in PEM or DER", key_path);
        } else if (!good) {
            char message[1300];
            (void)snprintf(message, sizeof message, "certificate %s with key %s", chain_path, key_path);
            gw_problem(p, where, message, hb_err_sentence(code));
        } else {
            gw_warn_of_mode("private key", key_path, where, p);
        }
    }
    if (key != NULL) {
        hb_wipe(key, key_len);
    }
    free(key);
    free(chain);
    return good;
}
