/* log.c: one line, one write, or one datagram.  Never blocks, never formats a secret: fields are named by
 * whoever logs.  A socket whose other end has gone is closed; lines go to standard error until there is
 * another one. */
#include "log.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_LOG 4096u

static struct {
    enum gw_log_format format;
    bool debug;
    bool in_journal; /* standard error is journald's: it reads levels */
    enum gw_log_to to;
    int fd; /* owned: the socket; -1: none, or it is dead */
    uint64_t dropped;
    _Atomic uint64_t *counters; /* borrowed; NULL: nobody counts */
} log_state = {.fd = -1};

void gw_log_setup(enum gw_log_format format, bool debug)
{
    log_state.format = format;
    log_state.debug = debug;
}

void gw_log_count(_Atomic uint64_t *counters)
{
    log_state.counters = counters;
}

/* systemd.exec(5): JOURNAL_STREAM is device and inode of the stream that journald reads. */
static bool stderr_is_journald(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char own[64];
    struct stat st;

    if (stream == NULL || fstat(STDERR_FILENO, &st) != 0) {
        return false;
    }
    (void)snprintf(own, sizeof own, "%llu:%llu", (unsigned long long)st.st_dev,
                   (unsigned long long)st.st_ino);
    return strcmp(stream, own) == 0;
}

void gw_log_prepare(void)
{
    tzset();
    log_state.in_journal = stderr_is_journald();
}

void gw_log_to(enum gw_log_to to, int fd)
{
    if (log_state.fd >= 0) {
        (void)close(log_state.fd);
    }
    log_state.to = to;
    log_state.fd = fd;
}

int gw_log_fd(void)
{
    return log_state.fd;
}

bool gw_log_lost(void)
{
    return log_state.to != GW_LOG_STDERR && log_state.fd < 0;
}

static void drop(void)
{
    log_state.dropped++;
}

static void write_line(const char *line, size_t len)
{
    struct pollfd fd = {STDERR_FILENO, POLLOUT, 0};

    /* A pipe that is ready takes PIPE_BUF bytes at once; a longer line is ours to risk. */
    if (poll(&fd, 1, 0) != 1 || write(STDERR_FILENO, line, len) != (ssize_t)len) {
        drop();
    }
}

/* False: nobody is there any more. A reader that is too slow loses the line. */
static bool send_datagram(const char *bytes, size_t len)
{
    struct iovec iov = {(void *)(uintptr_t)bytes, len};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

    if (sendmsg(log_state.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len) {
        return true;
    }
    if (errno == EAGAIN || errno == ENOBUFS || errno == EMSGSIZE || errno == EINTR) {
        drop();
        return true;
    }
    return false;
}

/* To the socket; false: to standard error, then. */
static bool say_to_socket(enum gw_event event, const struct gw_field *fields, size_t num, char *line,
                          size_t cap)
{
    bool journald = log_state.to == GW_LOG_JOURNALD;

    if (log_state.fd < 0) {
        return false;
    }
    size_t len = journald ? gw_log_format_journal(log_state.format, event, fields, num, line, cap)
                          : gw_log_format_syslog(log_state.format, (uint64_t)time(NULL), (unsigned)getpid(),
                                                 event, fields, num, line, cap);
    if (send_datagram(line, len)) {
        return true;
    }
    (void)close(log_state.fd);
    log_state.fd = -1;
    return false;
}

void gw_log(enum gw_event event, const struct gw_field *fields, size_t num)
{
    char line[2 * LINE_MAX_LOG];

    if (log_state.counters != NULL) {
        log_state.counters[event]++;
    }
    if ((gw_event_level(event) == GW_LEVEL_DEBUG && !log_state.debug) ||
        say_to_socket(event, fields, num, line, sizeof line)) {
        return;
    }
    size_t len = log_state.in_journal
                     ? gw_log_format_prefixed(log_state.format, event, fields, num, line, LINE_MAX_LOG)
                     : gw_log_format_line(log_state.format, (uint64_t)time(NULL), event, fields, num, line,
                                          LINE_MAX_LOG);
    write_line(line, len);
}

void gw_log_tick(void)
{
    if (log_state.dropped > 0) {
        uint64_t dropped = log_state.dropped;
        log_state.dropped = 0;
        GW_LOG(GW_EV_LOG_DROPPED, GW_U64("lines", dropped));
    }
}
