/* loader.c: fork, record, send the bundle (or the problems) as memory.
 *
 *   LOADED   u8 1: fd is the bundle, with its keys;  u8 0: fd is the text of the problems */
#include "loader.h"

#include "supervisor.h"
#include <hb/ct.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void load_and_tell(int fd, int argc, char **argv, const struct gw_bundle *base, uint32_t generation)
{
    struct gw_problems problems = {0};
    size_t len = problems.len;
    uint8_t *bytes = NULL;
    struct gw_snapshot *snap = gw_snapshot_record(argc, argv, base, generation, &problems);
    uint8_t good = snap != NULL;

    if (snap != NULL) {
        bytes = gw_bundle_pack(snap->bundle, true, &len);
    }
    int memory = gw_ipc_memory(bytes != NULL ? hb_span(bytes, len) : hb_span(problems.text, problems.len));
    good = bytes != NULL;
    (void)gw_ipc_send(fd, GW_MSG_LOADED, hb_span(&good, 1), &memory, memory >= 0 ? 1 : 0);
}

bool gw_loader_start(struct gw_loader *l, int argc, char **argv, const struct gw_bundle *base,
                     uint32_t generation)
{
    int ends[2];

    if (!gw_ipc_pair(ends)) {
        return false;
    }
    l->pid = fork();
    if (l->pid == 0) {
        (void)signal(SIGTERM, SIG_IGN); /* what is said to the whole group is for the supervisor */
        (void)signal(SIGINT, SIG_IGN);
        (void)signal(SIGHUP, SIG_IGN);
        (void)close(ends[0]);
        load_and_tell(ends[1], argc, argv, base, generation);
        _exit(0);
    }
    (void)close(ends[1]);
    if (l->pid < 0) {
        (void)close(ends[0]);
        l->pid = 0;
        return false;
    }
    l->fd = ends[0];
    l->due = gw_now_ms() + GW_LOADER_PATIENCE;
    return true;
}

static struct gw_snapshot *rebuild(uint8_t *bytes, size_t len, uint32_t generation,
                                   struct gw_problems *problems)
{
    struct gw_bundle *bundle = NULL;
    enum hb_code code = gw_bundle_unpack(hb_span(bytes, len), generation, &bundle);

    if (code != HB_OK) {
        gw_problem(problems, "loading", hb_err_sentence(code), NULL);
        return NULL;
    }
    return gw_snapshot_replay(&bundle, problems);
}

struct gw_snapshot *gw_loader_take(struct gw_loader *l, uint32_t generation, struct gw_ipc_in *in,
                                   struct gw_problems *problems)
{
    struct gw_snapshot *snap = NULL;
    bool late = gw_now_ms() >= l->due;
    size_t len = 0;
    uint8_t *bytes = NULL;

    if (gw_ipc_recv(l->fd, in) == GW_IPC_MESSAGE) {
        bool good = hb_cur_u8(&in->body) == 1 && in->type == GW_MSG_LOADED;
        bytes = gw_ipc_read_memory(gw_ipc_take_fd(in), GW_BUNDLE_MAX, &len);
        gw_ipc_done(in);
        if (bytes != NULL && good) {
            snap = rebuild(bytes, len, generation, problems);
        } else if (bytes != NULL) {
            problems->errors++;
            problems->len = len < sizeof problems->text - 1 ? len : sizeof problems->text - 1;
            memcpy(problems->text, bytes, problems->len);
            problems->text[problems->len] = 0;
        }
    }
    if (bytes == NULL) {
        gw_problem(problems, "loading",
                   late ? "took more than a minute; does a name server not answer?"
                        : "ended without a result",
                   NULL);
    } else {
        hb_wipe(bytes, len);
    }
    free(bytes);
    gw_loader_stop(l);
    return snap;
}

void gw_loader_stop(struct gw_loader *l)
{
    if (l->fd >= 0) {
        (void)close(l->fd);
        l->fd = -1;
    }
    if (l->pid > 0) {
        (void)kill(l->pid, SIGKILL); /* reaped with the others */
        l->pid = 0;
    }
}
