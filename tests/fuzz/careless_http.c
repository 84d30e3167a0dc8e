/* careless_http.c: the server of careless.h for HTTP/1.1 in clear, where a connection is for one request. LF,
 * CR or CRLF end a line, blanks may stand before a colon, of two lengths the first or the last counts (by the
 * seed). What comes behind the request's end would be read as another one. */
#include "careless.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void over(struct careless *v)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

    memcpy(v->said + v->said_len, answer, sizeof answer - 1);
    v->said_len += sizeof answer - 1;
    v->at = AT_END;
}

static bool named(const char *line, const char *name, const char **value)
{
    size_t n = strlen(name);

    while (isspace((unsigned char)*line)) {
        line++; /* of a folded line, too */
    }
    if (strncasecmp(line, name, n) != 0) {
        return false;
    }
    line += n;
    while (isspace((unsigned char)*line)) {
        line++;
    }
    *value = line + 1;
    return *line == ':';
}

static void field(struct careless *v)
{
    const char *value;

    if (named(v->line, "Content-Length", &value) && (!v->has_length || v->last_counts)) {
        v->has_length = true;
        v->octets = strtoul(value, NULL, 10);
    } else if (named(v->line, "Transfer-Encoding", &value)) {
        v->forbidden = "a body in chunks";
    } else if (named(v->line, "Upgrade", &value)) {
        v->forbidden = "Upgrade";
    }
}

static void line_over(struct careless *v)
{
    v->line[v->line_len] = 0;
    if (v->line_len == 0 && v->rounds > 0) {
        v->at = AT_CHUNK;
    } else if (v->rounds++ > 0) {
        field(v);
    } else if (v->line_len == 0) {
        v->rounds = 0; /* empty lines before a request */
    }
    v->line_len = 0;
}

void careless_http(struct careless *v, uint8_t c)
{
    bool second = v->quiet_lf && c == '\n';

    v->quiet_lf = false;
    if (second) {
        return;
    }
    if (v->at == AT_END) {
        v->forbidden = "a second request";
    } else if (v->at == AT_CHUNK) {
        v->octets--;
    } else if (c == '\n' || c == '\r') {
        v->quiet_lf = c == '\r';
        line_over(v);
    } else if (v->line_len + 1 < sizeof v->line) {
        v->line[v->line_len++] = (char)(c == 0 ? ' ' : c);
    }
    if (v->at == AT_CHUNK && v->octets == 0) {
        over(v);
    }
}
