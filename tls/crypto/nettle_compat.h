/* nettle_compat.h: the one place that knows which Nettle we build with.
 * Nettle 4 dropped the length argument of every *_digest; ours always asks for the whole digest. */
#ifndef HB_NETTLE_COMPAT_H
#define HB_NETTLE_COMPAT_H

#include <nettle/version.h>

#if NETTLE_VERSION_MAJOR >= 4
#define HB_DIGEST(function, ctx, len, dst)           function(ctx, dst)
#define HB_GCM_DIGEST(ctx, key, cipher, f, len, dst) nettle_gcm_digest(ctx, key, cipher, f, dst)
#else
#define HB_DIGEST(function, ctx, len, dst)           function(ctx, len, dst)
#define HB_GCM_DIGEST(ctx, key, cipher, f, len, dst) nettle_gcm_digest(ctx, key, cipher, f, len, dst)
#endif

#endif
