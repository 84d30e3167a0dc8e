/* http.h: /metrics and /healthz for machines that watch, in the admin process.
 *
 * libmicrohttpd reads requests and writes answers; what they say comes from the
 * supervisor.  Nothing here changes anything: whoever reaches the address can look,
 * and no more. */
#ifndef GW_HTTP_H
#define GW_HTTP_H

#include <hb/span.h>
#include <stdbool.h>
#include <stdint.h>

struct gw_http;

/* ask: sends an order for the supervisor under that number; false: it cannot be reached. */
struct gw_http *gw_http_new(int listening, bool (*ask)(void *ctx, uint32_t id, const char *order), void *ctx);
void gw_http_free(struct gw_http **h);
/* The descriptor that becomes readable when gw_http_run() has something to do. */
int gw_http_fd(const struct gw_http *h);
void gw_http_run(struct gw_http *h);
/* A part of an answer; more: another one follows. False: that number is nobody's here. */
bool gw_http_answer(struct gw_http *h, uint32_t id, bool good, bool more, struct hb_span text);

#endif
