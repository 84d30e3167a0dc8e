/* keylog.c: secrets of sessions into a file, for debugging; compiled with -Dkeylog=true alone.
 * Several workers append to one file: a line is one write. */
#include "keylog.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

static int file = -1;

void gw_keylog_open(void)
{
    const char *path = getenv("SSLKEYLOGFILE");

    if (path != NULL && file < 0) {
        file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
        (void)fprintf(stderr, "hauberk: A BUILD FOR DEBUGGING: the secrets of all sessions %s %s\n",
                      file >= 0 ? "go to" : "cannot go to", path);
    }
}

static void put_line(void *ctx, const char *line)
{
    struct iovec v[2] = {{(void *)(uintptr_t)line, strlen(line)}, {(void *)(uintptr_t) "\n", 1}};

    (void)ctx;
    if (writev(file, v, 2) < 0) {
        return; /* a full disk is no reason to end a session */
    }
}

void gw_keylog_attach(struct hb_tls_config *config)
{
    if (file >= 0) {
        hb_tls_config_keylog(config, put_line, NULL);
    }
}
