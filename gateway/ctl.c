/* ctl.c: `hauberk ctl`: one line to the control socket, the answer to standard output. */
#include "admin.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int connect_to(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strlen(path) < sizeof addr.sun_path) {
        memcpy(addr.sun_path, path, strlen(path) + 1);
        if (fd >= 0 && connect(fd, (const struct sockaddr *)&addr, sizeof addr) == 0) {
            return fd;
        }
    } else {
        errno = ENAMETOOLONG;
    }
    (void)fprintf(stderr, "hauberk: nobody answers at %s: %s; is control = \"%s\" in the configuration?\n",
                  path, strerror(errno), path);
    if (fd >= 0) {
        (void)close(fd);
    }
    return -1;
}

static bool send_line(int fd, int argc, char **argv)
{
    char line[GW_ADMIN_LINE];
    size_t len = 0;

    for (int i = 0; i < argc; i++) {
        int n = snprintf(line + len, sizeof line - len, "%s%s", argv[i], i + 1 < argc ? " " : "\n");
        if (n < 0 || (size_t)n >= sizeof line - len) {
            (void)fputs("hauberk: too many words\n", stderr);
            return false;
        }
        len += (size_t)n;
    }
    return send(fd, line, len, MSG_NOSIGNAL) == (ssize_t)len;
}

int gw_ctl(int argc, char **argv)
{
    const char *path = GW_CONTROL_PATH;
    char text[4096];
    char first[16];
    int rc = 2;

    if (argc > 1 && strcmp(argv[0], "--control") == 0) {
        path = argv[1];
        argc -= 2;
        argv += 2;
    } else if (argc > 2 && strcmp(argv[argc - 2], "--control") == 0) { /* or behind the words */
        path = argv[argc - 1];
        argc -= 2;
    }
    if (argc < 1 || argv[0][0] == '-') {
        (void)fputs("hauberk ctl [--control PATH] status | health | metrics | sessions | kill ID | reload | "
                    "drain [SECONDS]\n",
                    stderr);
        return 2;
    }
    int fd = connect_to(path);
    if (fd < 0) {
        return 2;
    }
    FILE *f = send_line(fd, argc, argv) ? fdopen(fd, "r") : NULL;
    if (f == NULL) {
        (void)close(fd);
        return 2;
    }
    if (fgets(first, sizeof first, f) != NULL) {
        rc = strcmp(first, "ok\n") == 0 ? 0 : 1;
    }
    for (size_t n; (n = fread(text, 1, sizeof text, f)) > 0;) {
        (void)fwrite(text, 1, n, rc == 0 ? stdout : stderr);
    }
    if (rc == 2) {
        (void)fputs("hauberk: it ended before it answered\n", stderr);
    }
    (void)fclose(f);
    return rc;
}
