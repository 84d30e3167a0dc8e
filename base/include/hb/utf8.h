/* utf8.h: what a peer's text looks like before it goes into a log line. */
#ifndef HB_UTF8_H
#define HB_UTF8_H

#include <hb/span.h>

/* True if s is well-formed UTF-8 (no surrogates, no overlong forms). */
bool hb_utf8_ok(struct hb_span s);
/* Writes s for a log: printable ASCII as it is, except quote and backslash; everything else as \xHH. At
 * most max_in bytes of s are taken, then "..." says so. dst (cap bytes, cap >= 8) always ends in a NUL;
 * returns its length. */
size_t hb_log_escape(struct hb_span s, size_t max_in, char *dst, size_t cap);

#endif
