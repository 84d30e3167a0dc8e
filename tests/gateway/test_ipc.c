/* ipc.c and keeper.c: messages between processes, and what the keeper makes of them, right and wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "ipc.h"
#include "keeper.h"
#include "keyring.h"
#include "source.h"

static struct gw_ipc_in in;

static void messages(void **state)
{
    int ends[2];
    int fds[3];

    (void)state;
    assert_true(gw_ipc_pair(ends));
    assert_int_equal(gw_ipc_recv(ends[1], &in), GW_IPC_NONE);
    for (unsigned i = 0; i < 3; i++) {
        fds[i] = gw_ipc_memory(hb_span("memory", 6));
        assert_true(fds[i] >= 0);
    }
    assert_true(gw_ipc_send(ends[0], GW_MSG_CONF, hb_span("\0\0\0\7", 4), fds, 3));
    assert_int_equal(gw_ipc_recv(ends[1], &in), GW_IPC_MESSAGE);
    assert_int_equal(in.type, GW_MSG_CONF);
    assert_int_equal(hb_cur_u32(&in.body), 7);
    assert_true(hb_cur_end(&in.body));
    assert_int_equal(in.num_fds, 3);
    size_t len;
    int fd = gw_ipc_take_fd(&in);
    uint8_t *mem = gw_ipc_read_memory(fd, 100, &len);
    assert_int_equal(len, 6);
    assert_memory_equal(mem, "memory", 6);
    free(mem);
    fd = in.fds[2];
    gw_ipc_done(&in); /* those nobody took are closed */
    assert_int_equal(close(fd), -1);
    assert_null(gw_ipc_read_memory(gw_ipc_memory(hb_span("memory", 6)), 5, &len)); /* longer than wanted */
    for (unsigned i = 0; i < 3; i++) {
        (void)close(fds[i]);
    }
    (void)close(ends[0]);
    assert_int_equal(gw_ipc_recv(ends[1], &in), GW_IPC_GONE);
    assert_false(gw_ipc_send(ends[1], GW_MSG_STOP, hb_span(NULL, 0), NULL, 0));
    (void)close(ends[1]);
}

/* What is no message ends the link. */
static void nonsense(void **state)
{
    static uint8_t big[GW_IPC_MAX + 1] = {GW_MSG_STOP};
    static const struct {
        const char *bytes;
        size_t len;
    } rows[] = {{"", 0}, {"\0", 1}, {"\xff\1\2", 3}, {(const char *)big, sizeof big}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int ends[2];
        assert_true(gw_ipc_pair(ends));
        assert_int_equal(send(ends[0], rows[i].bytes, rows[i].len, 0), rows[i].len);
        assert_int_equal(gw_ipc_recv(ends[1], &in), GW_IPC_GONE);
        (void)close(ends[0]);
        (void)close(ends[1]);
    }
}

/* A socket that nobody reads fills up, and that is said and not waited for. */
static void no_room(void **state)
{
    static uint8_t body[4000];
    int ends[2];
    unsigned n = 0;

    (void)state;
    assert_true(gw_ipc_pair(ends));
    while (gw_ipc_try(ends[0], GW_MSG_SIGN, hb_span(body, sizeof body), NULL, 0)) {
        n++;
    }
    assert_true(n >= 16);
    assert_int_equal(gw_ipc_recv(ends[1], &in), GW_IPC_MESSAGE);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* A receiver at its limit gets the message and as many descriptors as it can have, and is told; later it goes
 * on. */
static void short_of_descriptors(void **state)
{
    struct rlimit limit;
    int ends[2];
    int fds[3] = {0, 0, 0};

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(gw_ipc_pair(ends));
    int next = dup(0);
    assert_true(next >= 0);
    (void)close(next);
    for (unsigned room = 0; room < 4; room++) {
        struct rlimit low = {(rlim_t)next + room, limit.rlim_max};
        assert_true(gw_ipc_send(ends[0], GW_MSG_CONF, hb_span("\0\0\0\7", 4), fds, 3));
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
        enum gw_ipc_result r = gw_ipc_recv(ends[1], &in);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        assert_int_equal(r, GW_IPC_MESSAGE);
        assert_int_equal(in.cut, room < 3);
        assert_int_equal(in.num_fds, room);
        assert_int_equal(hb_cur_u32(&in.body), 7);
        gw_ipc_done(&in);
    }
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* ---- the keeper, in a process of its own, without a sandbox ---- */

struct keeper {
    int pid, supervisor, worker;
};

static char *slurp(const char *name)
{
    char path[300];
    char *text = calloc(1, 20000);

    (void)snprintf(path, sizeof path, "%s/%s", getenv("CERTS"), name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_true(fread(text, 1, 19999, f) > 0);
    (void)fclose(f);
    return text;
}

static void send_keys(const struct keeper *k, uint32_t generation, const char *a, const char *b)
{
    const char *names[] = {a, b};
    struct gw_bundle *bundle = gw_bundle_new(generation);
    uint8_t mem[4];
    struct hb_bld body = hb_bld(mem, sizeof mem);
    size_t len;

    for (unsigned i = 0; i < 2; i++) {
        char *pem = slurp(names[i]);
        assert_non_null(gw_bundle_add(bundle, GW_SRC_KEY, hb_span_str(names[i]), 0, hb_span_str(pem)));
        free(pem);
    }
    uint8_t *bytes = gw_keyring_pack(bundle, &len);
    int fd = gw_ipc_memory(hb_span(bytes, len));
    hb_bld_u32(&body, generation);
    assert_true(gw_ipc_send(k->supervisor, GW_MSG_KEYS, hb_bld_span(&body), &fd, 1));
    (void)close(fd);
    free(bytes);
    gw_bundle_free(&bundle);
}

static int join(const struct keeper *k)
{
    int ends[2];

    assert_true(gw_ipc_pair(ends));
    assert_true(gw_ipc_send(k->supervisor, GW_MSG_PEER, hb_span("\0\5", 2), &ends[0], 1));
    (void)close(ends[0]);
    return ends[1];
}

static void begin(struct keeper *k)
{
    int ends[2];

    assert_true(gw_ipc_pair(ends));
    k->pid = fork();
    if (k->pid == 0) {
        (void)close(ends[0]);
        _exit(gw_keeper_run(ends[1]));
    }
    (void)close(ends[1]);
    k->supervisor = ends[0];
    static const uint8_t hello[16]; /* nobody special, nothing with it */
    assert_true(gw_ipc_send(k->supervisor, GW_MSG_HELLO, hb_span(hello, sizeof hello), NULL, 0));
    send_keys(k, 7, "ecdsa-p256.key", "rsa2048.key");
    k->worker = join(k);
}

static void end(struct keeper *k, int want)
{
    int status;

    (void)close(k->worker);
    (void)close(k->supervisor); /* its end is the keeper's */
    assert_int_equal(waitpid(k->pid, &status, 0), k->pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), want);
}

/* The length of the answer; -1: the link was ended. */
static int ask(const struct keeper *k, enum gw_msg type, uint64_t handle, uint16_t scheme, size_t input_len)
{
    static uint32_t number;
    static uint8_t input[4096];
    uint8_t mem[5000];
    struct hb_bld b = hb_bld(mem, sizeof mem);

    hb_bld_u32(&b, ++number);
    hb_bld_u64(&b, handle);
    hb_bld_u16(&b, scheme);
    struct hb_bld_mark mark = hb_bld_open16(&b);
    hb_bld_put(&b, hb_span(input, input_len));
    hb_bld_close(&b, mark);
    if (!gw_ipc_send(k->worker, type, hb_bld_span(&b), NULL, 0) ||
        gw_ipc_wait(k->worker, &in) != GW_IPC_MESSAGE) {
        return -1;
    }
    assert_int_equal(in.type, GW_MSG_DONE);
    assert_int_equal(hb_cur_u32(&in.body), number);
    struct hb_cur result = hb_cur_vec16(&in.body);
    assert_true(hb_cur_end(&in.body));
    return (int)hb_cur_left(&result);
}

static void answers(void **state)
{
    static const struct {
        enum gw_msg type;
        uint32_t generation, key;
        uint16_t scheme;
        size_t input_len;
        int low, high; /* length of the answer */
    } rows[] = {
        {GW_MSG_SIGN, 7, 1, 0x0403, 130, 64, 72},   /* ecdsa_secp256r1_sha256 */
        {GW_MSG_SIGN, 7, 2, 0x0804, 130, 256, 256}, /* rsa_pss_rsae_sha256 */
        {GW_MSG_SIGN, 7, 1, 0x0804, 130, 0, 0},     /* not with this key */
        {GW_MSG_SIGN, 7, 1, 0xffff, 130, 0, 0},     /* no such scheme */
        {GW_MSG_SIGN, 7, 3, 0x0403, 130, 0, 0},     /* no such key */
        {GW_MSG_SIGN, 7, 0, 0x0403, 130, 0, 0},
        {GW_MSG_SIGN, 6, 1, 0x0403, 130, 0, 0}, /* no such generation */
        {GW_MSG_SIGN, 7, 1, 0x0403, 0, 64, 72},
        {GW_MSG_DECRYPT, 7, 2, 0x0303, 256, 48, 48}, /* CT-03: nobody learns that it was nothing */
        {GW_MSG_DECRYPT, 7, 2, 0x0303, 0, 48, 48},
        {GW_MSG_DECRYPT, 7, 2, 0x0303, 4096, 48, 48},
        {GW_MSG_DECRYPT, 7, 1, 0x0303, 256, 48, 48}, /* an ECDSA key */
        {GW_MSG_DECRYPT, 9, 9, 0x0303, 256, 48, 48}, /* no key at all */
    };
    struct keeper k;

    (void)state;
    begin(&k);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int len = ask(&k, rows[i].type, gw_key_handle(rows[i].generation, rows[i].key), rows[i].scheme,
                      rows[i].input_len);
        if (len < rows[i].low || len > rows[i].high) {
            fail_msg("row %zu: an answer of %d bytes, not %d to %d", i, len, rows[i].low, rows[i].high);
        }
    }
    end(&k, 0);
}

static void generations(void **state)
{
    struct keeper k;

    (void)state;
    begin(&k);
    assert_in_range(ask(&k, GW_MSG_SIGN, gw_key_handle(7, 1), 0x0403, 10), 64, 72);
    send_keys(&k, 8, "rsa2048.key", "ecdsa-p256.key"); /* both are there, until the old one is forgotten */
    assert_in_range(ask(&k, GW_MSG_SIGN, gw_key_handle(8, 2), 0x0403, 10), 64, 72);
    assert_in_range(ask(&k, GW_MSG_SIGN, gw_key_handle(7, 1), 0x0403, 10), 64, 72);
    assert_true(gw_ipc_send(k.supervisor, GW_MSG_FORGET, hb_span("\0\0\0\10", 4), NULL, 0));
    int again = join(&k); /* a worker that was started anew: the old link ends */
    assert_int_equal(gw_ipc_wait(k.worker, &in), GW_IPC_GONE);
    (void)close(k.worker);
    k.worker = again;
    assert_int_equal(ask(&k, GW_MSG_SIGN, gw_key_handle(7, 1), 0x0403, 10), 0);
    assert_in_range(ask(&k, GW_MSG_SIGN, gw_key_handle(8, 2), 0x0403, 10), 64, 72);
    end(&k, 0);
}

/* Of a worker that was taken over: the link to it ends, and the next one is served. */
static void no_requests(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } rows[] = {
        {"", 0},                                     /* nothing behind the type */
        {"\0\0\0\1\0\0\0\7\0\0\0\1\4\3", 14},        /* no input */
        {"\0\0\0\1\0\0\0\7\0\0\0\1\4\3\0\5abc", 19}, /* less than announced */
        {"\0\0\0\1\0\0\0\7\0\0\0\1\4\3\0\2abc", 19}, /* more than announced */
    };
    struct keeper k;

    (void)state;
    begin(&k);
    for (size_t i = 0; i <= sizeof rows / sizeof rows[0]; i++) {
        bool last = i == sizeof rows / sizeof rows[0];
        assert_true(gw_ipc_send(k.worker, last ? GW_MSG_KEYS : GW_MSG_SIGN, /* not a worker's to bring */
                                last ? hb_span("\0\0\0\11", 4) : hb_span(rows[i].bytes, rows[i].len), NULL,
                                0));
        assert_int_equal(gw_ipc_wait(k.worker, &in), GW_IPC_GONE);
        (void)close(k.worker);
        k.worker = join(&k);
        assert_in_range(ask(&k, GW_MSG_SIGN, gw_key_handle(7, 1), 0x0403, 10), 64, 72);
    }
    end(&k, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages),    cmocka_unit_test(nonsense),
        cmocka_unit_test(no_room),     cmocka_unit_test(short_of_descriptors),
        cmocka_unit_test(answers),     cmocka_unit_test(generations),
        cmocka_unit_test(no_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
