/* keylog.h: the file that SSLKEYLOGFILE names, for the secrets of sessions.
 *
 * Only in builds with -Dkeylog=true (debugging; ENG-07); in all others these are nothing. */
#ifndef GW_KEYLOG_H
#define GW_KEYLOG_H

#include <hb/tls_config.h>

#ifdef HB_KEYLOG

/* Opens it, if the environment names one, and says so: once, while there still is a file system. */
void gw_keylog_open(void);
/* Connections of this configuration write their secrets into it. */
void gw_keylog_attach(struct hb_tls_config *config);

#else

static inline void gw_keylog_open(void)
{
}

static inline void gw_keylog_attach(struct hb_tls_config *config)
{
    (void)config;
}

#endif
#endif
