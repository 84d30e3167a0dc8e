/* raw.c: no mail protocol at all: TLS toward the client, bytes as they are toward any TCP service. */
#include "session.h"

static enum hb_unit nothing_to_see(struct hb_proto_session *s, struct hb_span *in)
{
    (void)in;
    return hb_end(s, HB_E_INTERNAL); /* a raw session is opaque before its first byte */
}

static void say_nothing(struct hb_proto_session *s, enum hb_goodbye kind)
{
    (void)s;
    (void)kind;
}

const struct hb_proto hb_proto_raw = {
    .name = "tls",
    .idle_auth = 3600,
    .alpn_any = true,
    .raw = true,
    .client = nothing_to_see,
    .backend = nothing_to_see,
    .bye = say_nothing,
};
