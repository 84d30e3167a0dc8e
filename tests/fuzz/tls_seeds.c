/* tls_seeds.c: writes the seeds of the tls_server, tls_client and their message targets, of tls_session,
 * x509_verify and ocsp from the tapes: tls_seeds FOLDER, usually fixtures/corpus. For each scenario the
 * honest run and a few changes of each kind; of messages, the first of each kind in each group of versions.
 */
#include "tls_tape.h"

#include <stdio.h>
#include <stdlib.h>

static const char *folder;

static void write_seed(const char *target, const char *name, struct hb_span bytes)
{
    char path[512];

    (void)snprintf(path, sizeof path, "%s/%s/%s", folder, target, name);
    FILE *f = fopen(path, "wb");
    if (f == NULL || fwrite(bytes.p, 1, bytes.len, f) != bytes.len || fclose(f) != 0) {
        (void)fprintf(stderr, "tls_seeds: cannot write %s\n", path);
        exit(1);
    }
}

/* Operands as in play_ops.c; each is tried on a scenario of its own. */
static const struct {
    const char *name;
    const char *ops;
    size_t len;
} changes[] = {
    {"skip", "\0\1", 2},
    {"repeat", "\2", 1},
    {"set", "\3\0\50\1\3\0\6\3", 8},
    {"cut", "\0\4\0\60", 4},
    {"insert", "\5\0\52\4abcd", 8},
    {"delete", "\0\6\0\10\4", 5},
    {"order", "\0\7\3\7\2", 5},
    {"foreign", "\0\10\10\1\10\3\2", 7},
    {"message", "\0\11\30\0\1\1\11\0\0\0", 10},
    {"record", "\0\12\25\0\2\1\132\12\24\0\1\1", 12},
    {"wire", "\13\0\6\26\3\3\0\1\0", 9},
    {"pieces", "\14\1\14\7\14\40", 6},
    {"join", "\15\15\15", 3},
    {"spoil", "\0\16\0\24", 4},
    {"own", "\0\0\0\0\0\0\0\0\17\14\17\5\17\3\17\2", 16},
    {"length", "\0\20\0\100\0", 5},
    {"data", "\0\0\0\0\0\0\0\0\21\17\100\21", 12},
};

static void handshakes(const char *target, bool client)
{
    char name[128];

    for (unsigned i = 0; i < tape_num_scenarios; i++) {
        uint8_t honest[2] = {(uint8_t)i, (uint8_t)(i % 3 == 0 ? 0x68 : i % 3 == 1 ? 0x08 : 0)};
        (void)tape_world(i, client);
        (void)snprintf(name, sizeof name, "%02u-honest", i);
        write_seed(target, name, hb_span(honest, sizeof honest));
    }
    for (unsigned k = 0; k < sizeof changes / sizeof changes[0]; k++) {
        uint8_t bytes[64] = {(uint8_t)(k * 5 % tape_num_scenarios), (uint8_t)(k % 4 == 0 ? 7 : 0)};
        memcpy(bytes + 2, changes[k].ops, changes[k].len);
        (void)snprintf(name, sizeof name, "change-%s", changes[k].name);
        write_seed(target, name, hb_span(bytes, 2 + changes[k].len));
    }
}

static void messages(const char *target, bool client)
{
    bool seen[4][256] = {{false}};
    char name[128];
    static uint8_t mem[65536];

    for (unsigned i = 0; i < tape_num_scenarios; i++) {
        const struct tape *tape = &tape_world(i, client)->tape;
        bool is13 = false;
        for (unsigned k = 0; k < tape->num; k++) {
            is13 = is13 || tape->item[k].is13;
        }
        for (unsigned k = 0; k < tape->num; k++) {
            struct hb_span body = tape->item[k].bytes;
            struct hb_bld b = hb_bld(mem, sizeof mem);
            unsigned group = is13 ? (i > 4) : 2u + (i > 14);
            unsigned kind = tape->item[k].type == HB_REC_HANDSHAKE ? body.p[0] : 255;
            if (seen[group][kind] || kind == 255) {
                continue;
            }
            seen[group][kind] = true;
            hb_bld_u8(&b, (uint8_t)i);
            hb_bld_u8(&b, (uint8_t)k);
            hb_bld_u8(&b, 0);
            hb_bld_put(&b, hb_span_skip(body, 4));
            (void)snprintf(name, sizeof name, "%02u-%02u-type-%u", i, k, kind);
            write_seed(target, name, hb_bld_span(&b));
        }
    }
}

/* What a client kept of the two resumed scenarios, in each of the target's three ways. */
static void sessions(void)
{
    char name[128];

    for (unsigned v12 = 0; v12 < 2; v12++) {
        const struct world *w = tape_world(v12 ? 11 : 5, true);
        for (unsigned how = 0; how < 3; how++) {
            uint8_t mem[HB_TLS_SESSION_MAX + 1];
            struct hb_bld b = hb_bld(mem, sizeof mem);
            hb_bld_u8(&b, (uint8_t)(v12 << 6 | (v12 ? (how + 2) % 3 : how))); /* 64 % 3 is 1 */
            hb_bld_put(&b, hb_span(w->session, w->session_len));
            (void)snprintf(name, sizeof name, "%s-%u", v12 ? "1.2" : "1.3", how);
            write_seed("tls_session", name, hb_bld_span(&b));
        }
    }
}

/* Operands of fuzz_x509_verify.c: mode, name, number less one, and for each which, signer, edits. */
static const struct {
    const char *name;
    const char *bytes;
    size_t len;
} chains[] = {
    {"full", "\0\0\1\0\0\0\1\0\0", 9},
    {"full-unordered", "\0\0\3\0\0\0\2\0\0\3\0\0\1\0\0", 15},
    {"full-wildcard", "\0\1\1\0\0\0\1\0\0", 9},
    {"full-address", "\0\2\1\0\0\0\1\0\0", 9},
    {"full-other-name", "\0\3\1\0\0\0\1\0\0", 9},
    {"full-staple", "\100\0\1\0\0\0\1\0\0", 9},
    {"full-expired", "\200\0\1\0\0\0\1\0\0", 9},
    {"full-rsa", "\0\0\0\4\0\0", 6},
    {"chain-client", "\5\0\0\3\0\0", 6},
    {"chain-no-trust", "\61\0\1\0\0\0\1\0\0", 9},
    {"pin", "\2\0\0\0\0\0", 6},
    {"none", "\3\0\0\0\0\0", 6},
    {"decrypts", "\10\0\0\4\0\0", 6},
    {"signed-again", "\0\0\1\0\2\1\0\0\200\62\1\1\1\0\0\100\60", 17},
    {"unsigned-change", "\0\0\1\0\0\1\0\0\200\62\1\0\0", 13},
    {"spoilt-whole", "\0\0\1\0\4\2\1\0\20\2ab\2\0\5\1\1\0\0", 19},
};

/* The same for fuzz_ocsp.c: how, hours, edits. */
static const struct {
    const char *name;
    const char *bytes;
    size_t len;
} answers[] = {
    {"good", "\0\0\0", 3},
    {"late", "\0\310\0", 3},
    {"stranger", "\1\0\0", 3},
    {"set", "\0\0\1\0\0\200\1", 7},
    {"whole-set", "\2\0\1\0\0\40\1", 7},
    {"whole-cut", "\2\0\1\3\0\100", 6},
    {"inserted", "\0\0\1\1\0\20\2\5\0", 9},
};

static void certificates(void)
{
    uint8_t mem[4096] = {3, 0};
    struct hb_span staple = tape_pki()->staple;

    for (unsigned i = 0; i < sizeof chains / sizeof chains[0]; i++) {
        write_seed("x509_verify", chains[i].name, hb_span(chains[i].bytes, chains[i].len));
    }
    for (unsigned i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        write_seed("ocsp", answers[i].name, hb_span(answers[i].bytes, answers[i].len));
    }
    memcpy(mem + 2, staple.p, staple.len);
    write_seed("ocsp", "bytes", hb_span(mem, 2 + staple.len));
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fprintf(stderr, "usage: tls_seeds FOLDER\n");
        return 2;
    }
    folder = argv[1];
    handshakes("tls_server", false);
    handshakes("tls_client", true);
    messages("tls_server_message", false);
    messages("tls_client_message", true);
    sessions();
    certificates();
    return 0;
}
