/* nofiles.c: a system without one more open file, for the processes it is preloaded into: ENFILE from every
 * call that would make a descriptor, while the byte in a file (NO_FILES names it) is 1. accept(2): the
 * connection stays in the queue, since the kernel looks for room first. The file is mapped before the process
 * gives up its file system. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static const volatile unsigned char *none;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("NO_FILES");
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *mem = fd >= 0 ? mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;

    if (fd >= 0) {
        (void)close(fd);
    }
    none = mem != MAP_FAILED ? mem : NULL;
}

#define UNLESS_FULL(name, ...)                                                                               \
    static int (*real)();                                                                                    \
    if (none != NULL && *none == 1) {                                                                        \
        errno = ENFILE;                                                                                      \
        return -1;                                                                                           \
    }                                                                                                        \
    if (real == NULL) {                                                                                      \
        *(void **)&real = dlsym(RTLD_NEXT, name);                                                            \
    }                                                                                                        \
    return real(__VA_ARGS__)

int accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
    UNLESS_FULL("accept4", fd, addr, len, flags);
}

int socket(int domain, int type, int protocol)
{
    UNLESS_FULL("socket", domain, type, protocol);
}

int socketpair(int domain, int type, int protocol, int ends[2])
{
    UNLESS_FULL("socketpair", domain, type, protocol, ends);
}

int memfd_create(const char *name, unsigned flags)
{
    UNLESS_FULL("memfd_create", name, flags);
}

int open(const char *path, int flags, ...)
{
    va_list more;

    va_start(more, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(more, mode_t) : 0;
    va_end(more);
    UNLESS_FULL("open", path, flags, mode);
}
