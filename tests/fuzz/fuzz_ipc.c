/* fuzz_ipc.c: a worker that was taken over talks to the supervisor. { u8 type, u8 descriptors, u16 length,
 * bytes }, again and again, each a packet: first to gw_ipc_recv() as it is, then, if it is a message, to
 * gw_hear(). The supervisor has two generations, a backend on a unix socket that is not there, and two
 * questions under way; of another worker's affairs nothing changes, whatever is said, and no descriptor stays
 * open. */
#include "log.h"
#include "supervisor.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define NOBODY 0x7ffffffe /* no system gives this number to a process */

static void promise(int kept)
{
    if (!kept) {
        abort();
    }
}

static struct gw_snapshot *generation(uint32_t number)
{
    struct gw_snapshot *snap = calloc(1, sizeof *snap);
    struct gw_conf *conf = calloc(1, sizeof *conf);

    promise(snap != NULL && conf != NULL);
    snap->refs = 1;
    snap->generation = number;
    snap->conf = conf;
    conf->num_listeners = 1;
    conf->listeners = calloc(1, sizeof *conf->listeners);
    promise(conf->listeners != NULL);
    struct gw_pool *pool = conf->listeners[0].pool = gw_pool_new(2);
    promise(pool != NULL);
    pool->num = 2;
    struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "/nonexistent/hauberk"};
    memcpy(&pool->servers[0].addr, &at, sizeof at);
    pool->servers[1].addr.ss_family = AF_INET;
    return snap;
}

static struct gw_supervisor *supervisor(int ends[3][2])
{
    static const enum gw_role roles[] = {GW_ROLE_KEEPER, GW_ROLE_WORKER, GW_ROLE_WORKER};
    struct gw_supervisor *sv = calloc(1, sizeof *sv);

    promise(sv != NULL);
    sv->loader.fd = -1;
    sv->snap = generation(3);
    sv->old[sv->num_old++] = generation(2);
    sv->num_procs = 3;
    sv->num_workers = 2;
    for (unsigned i = 0; i < 3; i++) {
        promise(gw_ipc_pair(ends[i]));
        sv->procs[i] = (struct gw_proc){
            .role = roles[i], .id = i == 2, .pid = NOBODY, .sock = ends[i][0], .ready = true};
        sv->procs[i].oldest = 2;
        sv->procs[i].generation = 3;
        sv->procs[i].stat_fd = -1;
    }
    promise(gw_query_sessions(sv, 5) && gw_query_kill(sv, 6, 100));
    return sv;
}

/* Everything that was said to somebody is a message. */
static void read_all(int fd)
{
    static struct gw_ipc_in in;
    enum gw_ipc_result r;

    while ((r = gw_ipc_recv(fd, &in)) == GW_IPC_MESSAGE) {
        gw_ipc_done(&in);
    }
    promise(r == GW_IPC_NONE);
}

/* True: a packet that is a message. */
static bool as_it_is(const uint8_t *packet, size_t len)
{
    static struct gw_ipc_in in;
    int ends[2];

    promise(gw_ipc_pair(ends));
    promise(send(ends[0], packet, len, 0) == (ssize_t)len);
    bool message = gw_ipc_recv(ends[1], &in) == GW_IPC_MESSAGE;
    promise(message == (len > 0 && len <= GW_IPC_MAX && packet[0] > 0 && packet[0] < GW_NUM_MSGS));
    promise(!message || (hb_cur_left(&in.body) == len - 1 && in.num_fds == 0));
    gw_ipc_done(&in);
    (void)close(ends[0]);
    (void)close(ends[1]);
    return message;
}

static int lowest_free(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    (void)close(fd);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct hb_cur c = hb_cur(hb_span(data, len));
    int before = lowest_free();
    int ends[3][2];
    struct gw_supervisor *sv = supervisor(ends);
    struct gw_proc *taken_over = &sv->procs[1];
    const struct gw_proc other = sv->procs[2];

    gw_log_setup(GW_LOG_TEXT, false);
    for (unsigned n = 0; n < 64 && hb_cur_left(&c) > 0; n++) {
        static uint8_t packet[GW_IPC_MAX + 2];
        packet[0] = hb_cur_u8(&c);
        unsigned num_fds = hb_cur_u8(&c) % 4u;
        struct hb_cur body = hb_cur_vec16(&c);
        struct hb_span bytes = hb_span_head(hb_cur_rest(&body), sizeof packet - 1);
        if (!hb_cur_ok(&c)) {
            break;
        }
        memcpy(packet + 1, bytes.len > 0 ? bytes.p : packet, bytes.len);
        int fds[3] = {0, 0, 0};
        if (as_it_is(packet, bytes.len + 1) && bytes.len < GW_IPC_MAX - 1 &&
            gw_ipc_try(ends[1][1], (enum gw_msg)packet[0], bytes, fds, num_fds)) {
            gw_hear(sv, taken_over);
        }
        promise(taken_over->sock >= 0);
        for (unsigned i = 0; i < 3; i++) {
            read_all(ends[i][1]);
        }
    }
    promise(memcmp(&other, &sv->procs[2], sizeof other) == 0 && sv->snap->generation == 3 && !sv->draining);
    gw_query_late(sv, UINT64_MAX - 1);
    for (unsigned i = 0; i < 3; i++) {
        (void)close(ends[i][0]);
        (void)close(ends[i][1]);
    }
    while (sv->num_old > 0) {
        (void)gw_snapshot_drop(&sv->old[--sv->num_old]);
    }
    (void)gw_snapshot_drop(&sv->snap);
    free(sv);
    promise(lowest_free() == before);
    return 0;
}
