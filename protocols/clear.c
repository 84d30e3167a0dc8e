/* clear.c: logins: those in clear, where a listener watches them before TLS becomes a duty (tls = observe,
 * warn), and those that the backend refused.
 *
 * The gateway is told how somebody logged in and with what program, as far as the program said; never who.
 * Where the protocol has a way, the client is told, too. Nothing of this changes what is allowed. */
#include "session.h"

#include "words.h"

#define REPLY_MAX 510u /* POP3 and SMTP: with CRLF 512 */

static bool watched(const struct hb_proto_session *s)
{
    return !s->secured && s->sink != NULL && s->sink->clear_login != NULL;
}

/* Names of ours: what goes to the log is never the peer's text. */
static const char *const names[] = {
    "other",         "PLAIN",         "LOGIN",       "CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-1",
    "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "XOAUTH2",  "NTLM",       "GSSAPI",
    "ANONYMOUS",     "LOGIN command", "USER/PASS",   "APOP",     "EXTERNAL"};

static uint8_t find_name(struct hb_span name)
{
    for (size_t i = 1; i < sizeof names / sizeof names[0]; i++) {
        if (hb_span_is(name, names[i])) {
            return (uint8_t)i;
        }
    }
    return 0;
}

void hb_client_software(struct hb_proto_session *s, struct hb_span name)
{
    size_t len = 0;

    if (!watched(s)) {
        return;
    }
    if (s->software == NULL) {
        s->software = s->env->alloc(s->env->ctx, HB_SOFTWARE_MAX + 1);
    }
    for (size_t i = 0; s->software != NULL && i < name.len && len < HB_SOFTWARE_MAX; i++) {
        bool fits = name.p[i] >= 0x20 && name.p[i] < 0x7f;
        s->software[len++] = fits ? (char)name.p[i] : '?';
    }
    if (s->software != NULL) { /* no memory: nothing is said about it */
        s->software[len] = 0;
    }
}

void hb_forget_software(struct hb_proto_session *s)
{
    s->env->release(s->env->ctx, s->software, s->software != NULL ? HB_SOFTWARE_MAX + 1 : 0);
    s->software = NULL;
    s->mechanism = 0;
}

void hb_login_begins(struct hb_proto_session *s, struct hb_span how)
{
    s->mechanism = find_name(how);
}

static void tell(struct hb_proto_session *s, uint8_t mechanism, bool refused)
{
    struct hb_proto_login login = {names[mechanism], hb_span_str(s->software != NULL ? s->software : ""),
                                   refused};

    if (watched(s)) {
        s->sink->clear_login(s->sink->ctx, &login);
    }
}

void hb_login_refused(struct hb_proto_session *s, struct hb_span how)
{
    tell(s, find_name(how), true);
}

void hb_logged_in(struct hb_proto_session *s)
{
    if (!s->authenticated) {
        s->authenticated = true;
        tell(s, s->mechanism, false);
    }
}

/* A server in trouble refuses everybody: its word for that (RFC 5530, RFC 2449, RFC 3206, RFC 5804) counts
 * against nobody. */
static bool in_trouble(struct hb_span text)
{
    static const char *const codes[] = {
        "[UNAVAILABLE]", "[INUSE]",       "[SYS/TEMP]", "[SYS/PERM]",        "[SERVERBUG]",    "[IN-USE]",
        "[LIMIT]",       "[LOGIN-DELAY]", "(TRYLATER",  "[PRIVACYREQUIRED]", "(ENCRYPT-NEEDED"};

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (hb_has_prefix(text, codes[i])) {
            return true;
        }
    }
    return false;
}

void hb_login_failed(struct hb_proto_session *s, struct hb_span text)
{
    while (text.len > 0 && text.p[0] == ' ') {
        text = hb_span_skip(text, 1);
    }
    if (!s->authenticated && !in_trouble(text) && s->failed_logins < UINT16_MAX) {
        s->failed_logins++;
    }
}

unsigned hb_proto_failed_logins(const struct hb_proto_session *s)
{
    return s->failed_logins;
}

const char *hb_proto_login_mechanism(const struct hb_proto_session *s)
{
    return names[s->mechanism];
}

bool hb_warns(const struct hb_proto_session *s)
{
    return !s->secured && s->set->warn_clear;
}

void hb_line_with_warning(struct hb_proto_session *s, struct hb_span line)
{
    static const char text[] = " (not encrypted: " HB_CLEAR_WARNING ")";

    if (!hb_warns(s) || line.len + sizeof text - 1 > REPLY_MAX) {
        hb_line_to_client(s, line);
        return;
    }
    hb_to_client(s, line);
    hb_line_to_client(s, hb_span_str(text));
}
