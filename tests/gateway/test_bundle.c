/* source.c and bundle.c: one configuration loaded from the system, and once more from what it was told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "conf.h"
#include "source.h"
#include <hb/ct.h>

static char folder[] = "/tmp/hauberk-bundle-XXXXXX";

static char *slurp(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    char *text = calloc(1, 100000);

    assert_non_null(f);
    *len = fread(text, 1, 99999, f);
    (void)fclose(f);
    return text;
}

static void write_file(const char *name, const char *a, const char *b)
{
    char path[200];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    (void)fputs(a, f);
    (void)fputs(b, f);
    (void)fclose(f);
}

static void remove_file(const char *name)
{
    char path[200];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(unlink(path), 0);
}

/* A chain file that has the key in it too, as some tools write them, and the key by itself. */
static void make_files(void)
{
    char path[300];
    size_t len;

    (void)snprintf(path, sizeof path, "%s/ecdsa-p256.crt", getenv("CERTS"));
    char *chain = slurp(path, &len);
    (void)snprintf(path, sizeof path, "%s/ecdsa-p256.key", getenv("CERTS"));
    char *key = slurp(path, &len);
    write_file("chain.pem", chain, key);
    write_file("key.pem", key, "");
    write_file("secret", "0123456789abcdef", "0123456789abcdef");
    char text[1000];
    (void)snprintf(text, sizeof text,
                   "certificate c {\n chain = \"chain.pem\"\n key = \"key.pem\"\n}\n"
                   "listener l {\n listen = \"imap://localhost:1143\"\n backend = \"127.0.0.1:143\"\n"
                   " ticket-secret = \"secret\"\n}\n");
    write_file("h.conf", text, "");
    free(chain);
    free(key);
}

static struct gw_conf *load(struct gw_draft **d, struct gw_problems *p)
{
    char path[200];

    memset(p, 0, sizeof *p);
    (void)snprintf(path, sizeof path, "%s/h.conf", folder);
    *d = gw_draft_new();
    gw_conf_file(path, *d, p);
    return p->errors == 0 ? gw_conf_load(*d, p) : NULL;
}

static void recorded_and_replayed(void **state)
{
    struct gw_problems p;
    struct gw_draft *d;
    size_t len;
    size_t key_len;

    (void)state;
    make_files();
    struct gw_bundle *b = gw_bundle_new(1);
    assert_int_equal(gw_bundle_add_word(b, "--config"), HB_OK);
    gw_source_record(b, NULL);
    struct gw_conf *c = load(&d, &p);
    gw_source_record(NULL, NULL);
    assert_non_null(c);
    gw_conf_free(&c);
    gw_draft_free(&d);
    const char *key = gw_bundle_key(b, 0, &key_len);
    assert_non_null(key);
    assert_null(gw_bundle_key(b, 1, &key_len));
    for (unsigned with = 0; with < 2; with++) { /* keys */
        struct gw_bundle *copy;
        uint8_t *bytes = gw_bundle_pack(b, with, &len);
        assert_non_null(bytes);
        const char *secret = strchr(gw_bundle_key(b, 0, &key_len), '\n') + 1; /* a line of base64 */
        bool found = memmem(bytes, len, secret, 40) != NULL;
        assert_int_equal(found, with);
        assert_int_equal(gw_bundle_unpack(hb_span(bytes, len), 7, &copy), HB_OK);
        assert_int_equal(gw_bundle_num_words(copy), 1);
        assert_string_equal(gw_bundle_word(copy, 0), "--config");
        /* every shorter one is refused, and one with something behind it */
        for (size_t n = 0; n < len; n += n < 200 ? 1 : 97) {
            struct gw_bundle *cut;
            assert_int_equal(gw_bundle_unpack(hb_span(bytes, n), 7, &cut), HB_E_INTERNAL);
            assert_null(cut);
        }
        remove_file("chain.pem"); /* a worker has no files */
        remove_file("key.pem");
        remove_file("secret");
        remove_file("h.conf");
        gw_source_replay(copy);
        c = load(&d, &p);
        gw_source_replay(NULL);
        assert_non_null(c);
        assert_true(c->listeners[0].proto_settings.tls_usable);
        gw_conf_free(&c);
        gw_draft_free(&d);
        c = load(&d, &p);
        assert_null(c);
        assert_non_null(strstr(p.text, "No such file"));
        gw_draft_free(&d);
        gw_bundle_free(&copy);
        hb_wipe(bytes, len);
        free(bytes);
        make_files();
    }
    gw_bundle_free(&b);
    assert_null(b);
}

/* The text of the configuration stays as it was loaded; certificates are read anew. */
static void files_read_anew(void **state)
{
    struct gw_problems p;
    struct gw_draft *d;

    (void)state;
    make_files();
    struct gw_bundle *first = gw_bundle_new(1);
    struct gw_bundle *second = gw_bundle_new(1);
    gw_source_record(first, NULL);
    struct gw_conf *c = load(&d, &p);
    gw_conf_free(&c);
    gw_draft_free(&d);
    write_file("h.conf", "nonsense", "");
    write_file("secret", "another secret of more", " than 32 bytes");
    gw_source_renew(false);
    gw_source_record(second, first);
    c = load(&d, &p);
    gw_source_record(NULL, NULL);
    gw_source_renew(true);
    assert_non_null(c);
    gw_conf_free(&c);
    gw_draft_free(&d);
    char path[200];
    (void)snprintf(path, sizeof path, "%s/secret", folder);
    const struct gw_answer *a = gw_bundle_find(second, GW_SRC_FILE, path);
    assert_non_null(a);
    assert_memory_equal(a->bytes, "another", 7);
    gw_bundle_free(&first);
    gw_bundle_free(&second);
}

static void strange_bytes(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } rows[] = {
        {"", 0},
        {"\2\0\0\0\0", 5},             /* another format */
        {"\1\0\0\0\0\0", 6},           /* something behind it */
        {"\1\0\1\0\0\0\2a\0\0\0", 11}, /* a NUL in a word */
        {"\1\0\1\xff\xff\xff\xff"
         "a\0\0",
         10},                                           /* a word longer than everything */
        {"\1\0\0\0\1\x63\0\0\0\0\0\0\0\0\0\0\0", 17},   /* no such question */
        {"\1\0\0\xff\xff\0\0\0\0\0\0\0\0\0\0\0\0", 17}, /* more announced than there is */
    };
    struct gw_bundle *b;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(gw_bundle_unpack(hb_span(rows[i].bytes, rows[i].len), 1, &b), HB_E_INTERNAL);
        assert_null(b);
    }
    assert_int_equal(gw_bundle_unpack(hb_span("\1\0\0\0\0", 5), 1, &b), HB_OK);
    gw_bundle_free(&b);
    gw_bundle_free(&b);
}

static void no_private_key_slips_through(void **state)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n",
         "-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n"},
        {"x\n-----BEGIN PRIVATE KEY-----\nS\n-----END PRIVATE KEY-----\ny", "x\n\ny"},
        {"-----BEGIN EC PRIVATE KEY-----\nS\n", "\n"},
        {"-----BEGIN RSA PRIVATE KEY-----\r\nS\r\n-----END RSA PRIVATE KEY-----\r\nz", "\nz"},
        {"-----BEGIN X-----\n-----BEGIN PRIVATE KEY-----\nS\n-----END PRIVATE KEY-----",
         "-----BEGIN X-----\n\n"},
        {"-----BEGIN PRIVATE KEY-----", "\n"},
        {"-----BEGIN -----BEGIN PRIVATE KEY-----\nS\n-----END PRIVATE KEY-----\nPRIVATE KEY-----\n",
         "\nPRIVATE KEY-----\n"},
        {"-----BEGIN-----BEGIN PRIVATE KEY-----\nS\n-----END PRIVATE KEY-----\n PRIVATE KEY-----\n",
         "-----BEGIN\n PRIVATE KEY-----\n"},
        {"-----BEGIN ", "-----BEGIN "},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gw_bundle *b = gw_bundle_new(1);
        struct gw_bundle *copy;
        size_t len;
        assert_non_null(gw_bundle_add(b, GW_SRC_FILE, hb_span_str("f"), 0, hb_span_str(rows[i].text)));
        uint8_t *bytes = gw_bundle_pack(b, false, &len);
        assert_int_equal(gw_bundle_unpack(hb_span(bytes, len), 1, &copy), HB_OK);
        const struct gw_answer *a = gw_bundle_find(copy, GW_SRC_FILE, "f");
        assert_non_null(a);
        assert_string_equal(a->bytes, rows[i].want);
        gw_bundle_free(&b);
        gw_bundle_free(&copy);
        free(bytes);
    }
}

static int begin(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int end(void **state)
{
    (void)state;
    remove_file("chain.pem");
    remove_file("key.pem");
    remove_file("secret");
    remove_file("h.conf");
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_and_replayed),
        cmocka_unit_test(files_read_anew),
        cmocka_unit_test(strange_bytes),
        cmocka_unit_test(no_private_key_slips_through),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
