/* peer.h: what the C peers share: PEER client|server PORT key=value... (see programs.py)
 *
 * The client sends 200 kB in pieces, wants each back, and leaves with 0. The
 * server echoes, one connection after the other, until it is stopped. */
#ifndef PEER_H
#define PEER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE  8000
#define PIECES 25

static int num_words;
static char **words;

/* The value of a key; NULL if it was not given. */
static const char *word(const char *key)
{
    size_t len = strlen(key);

    for (int i = 0; i < num_words; i++) {
        if (strncmp(words[i], key, len) == 0 && words[i][len] == '=') {
            return words[i] + len + 1;
        }
    }
    return NULL;
}

static void die(const char *what, int code)
{
    (void)fprintf(stderr, "%s: %d (-0x%x)\n", what, code, (unsigned)-code);
    exit(1);
}

static size_t unhex(const char *hex, unsigned char *dst)
{
    size_t n = 0;

    for (; hex[2 * n] != 0; n++) {
        unsigned byte = 0;
        (void)sscanf(hex + 2 * n, "%2x", &byte);
        dst[n] = (unsigned char)byte;
    }
    return n;
}

static int tcp(const char *port, bool listening)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int one = 1;

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (listening ? bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(fd, 16) != 0
                  : connect(fd, (struct sockaddr *)&a, sizeof a) != 0) {
        perror("socket");
        exit(1);
    }
    return fd;
}

/* What each library provides; 0 from peer_read is the end, negative an error. */
static int peer_read(void *conn, unsigned char *dst, size_t cap);
static int peer_write(void *conn, const unsigned char *src, size_t len);

static void write_all(void *conn, const unsigned char *src, size_t len)
{
    for (size_t done = 0; done < len;) {
        int n = peer_write(conn, src + done, len - done);
        if (n <= 0) {
            die("write", n);
        }
        done += (size_t)n;
    }
}

static void send_and_compare(void *conn)
{
    static unsigned char piece[PIECE], back[PIECE];

    for (int i = 0; i < PIECES; i++) {
        memset(piece, 'a' + i, sizeof piece);
        write_all(conn, piece, sizeof piece);
        for (size_t have = 0; have < sizeof back;) {
            int n = peer_read(conn, back + have, sizeof back - have);
            if (n <= 0) {
                die("read", n);
            }
            have += (size_t)n;
        }
        if (memcmp(piece, back, sizeof piece) != 0) {
            die("a piece came back changed", i);
        }
    }
}

static void echo(void *conn)
{
    static unsigned char buf[PIECE];
    int n;

    while ((n = peer_read(conn, buf, sizeof buf)) > 0) {
        write_all(conn, buf, (size_t)n);
    }
}

#endif
