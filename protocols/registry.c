/* registry.c: every protocol and every scheme: a new one is one line in each list. */
#include "session.h"

/* clang-format off */
static const struct {
    const char *scheme;
    const struct hb_proto *proto;
    bool implicit; /* TLS from the first byte */
} schemes[] = {
    {"imap",        &hb_proto_imap,       false},
    {"imaps",       &hb_proto_imap,       true},
    {"pop3",        &hb_proto_pop3,       false},
    {"pop3s",       &hb_proto_pop3,       true},
    {"smtp",        &hb_proto_smtp,       false},
    {"smtps",       &hb_proto_smtp,       true},
    {"submission",  &hb_proto_submission, false},
    {"submissions", &hb_proto_submission, true},
    {"lmtp",        &hb_proto_lmtp,       false},
    {"lmtps",       &hb_proto_lmtp,       true},
    {"sieve",       &hb_proto_sieve,      false},
    {"sieves",      &hb_proto_sieve,      true},
    {"nntp",        &hb_proto_nntp,       false},
    {"nntps",       &hb_proto_nntp,       true},
    {"http",        &hb_proto_http,       false},
    {"https",       &hb_proto_http,       true},
    {"acap",        &hb_proto_acap,       false},
    {"acaps",       &hb_proto_acap,       true},
    {"tls",         &hb_proto_raw,        true},
};
/* clang-format on */
#define NUM_SCHEMES (sizeof schemes / sizeof schemes[0])

const struct hb_proto *hb_proto_find(const char *scheme, bool *implicit)
{
    for (size_t i = 0; i < NUM_SCHEMES; i++) {
        if (strcmp(schemes[i].scheme, scheme) == 0) {
            *implicit = schemes[i].implicit;
            return schemes[i].proto;
        }
    }
    return NULL;
}

const char *hb_proto_scheme(unsigned i)
{
    return i < NUM_SCHEMES ? schemes[i].scheme : NULL;
}

const char *hb_proto_name(const struct hb_proto *proto)
{
    return proto->name;
}

uint16_t hb_proto_port(const struct hb_proto *proto, bool implicit)
{
    return implicit ? proto->implicit_port : proto->port;
}

bool hb_proto_greets(const struct hb_proto *proto)
{
    return !proto->raw && proto->opened == NULL;
}

bool hb_proto_port_forbidden(const struct hb_proto *proto, unsigned port)
{
    return port != 0 && port == proto->never_port;
}

unsigned hb_proto_idle_least(const struct hb_proto *proto)
{
    if (proto->idle_least > 0) {
        return proto->idle_least;
    }
    return proto->raw ? 1u : proto->idle_auth - proto->idle_auth % 60u; /* ours is some seconds more */
}

unsigned hb_proto_idle_default(const struct hb_proto *proto)
{
    return proto->idle_auth;
}

const char *hb_proto_alpn(const struct hb_proto *proto, unsigned i)
{
    return i < sizeof proto->alpn / sizeof proto->alpn[0] ? proto->alpn[i] : NULL;
}

bool hb_proto_alpn_strict(const struct hb_proto *proto)
{
    return !proto->alpn_any;
}
