/* conf_external.c: `external`: how a client is logged in whom its certificate names (SASL EXTERNAL).
 * Refuses what would let somebody in whom nobody has verified. The master's password is read here, kept with
 * the listener, and wiped with it. */
#include "conf_util.h"

#include <hb/ct.h>
#include <stdlib.h>
#include <string.h>

static bool fits(const char *word)
{
    size_t len = strlen(word);

    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)word[i] < 0x20 || word[i] == 0x7f) {
            return false;
        }
    }
    return len > 0 && len <= 255; /* RFC 4616 2 */
}

static void load_password(const struct gw_draft_listener *dl, struct gw_listener_conf *lc,
                          struct gw_problems *p)
{
    const char *where = GW_AT(dl, external_password);
    size_t len = 0;
    char *text = gw_read_file(dl->external_password, &len, where, p);

    if (text == NULL) {
        return;
    }
    gw_warn_of_mode("password", dl->external_password, where, p);
    size_t line = strcspn(text, "\r\n");
    bool one_line = line + strspn(text + line, "\r\n") == len;
    text[line] = 0;
    if (!one_line || !fits(text)) {
        gw_problem(p, where, "external-password-file holds one line of 1 to 255 bytes",
                   dl->external_password);
    } else {
        memcpy(lc->master_password, text, line + 1);
    }
    hb_wipe(text, len);
    free(text);
}

static void load_master(const struct gw_draft_listener *dl, struct gw_listener_conf *lc,
                        struct gw_problems *p)
{
    if (dl->external_user == NULL || dl->external_password == NULL) {
        gw_problem(
            p, GW_AT(dl, external),
            "external = plain-master needs external-user and external-password-file: the backend's master "
            "user",
            dl->listen);
        return;
    }
    if (!fits(dl->external_user)) {
        gw_problem(p, GW_AT(dl, external_user), "external-user is a name of 1 to 255 bytes, not",
                   dl->external_user);
    }
    load_password(dl, lc, p);
    gw_notice(p, GW_AT(dl, external),
              "a backend that ignores PLAIN's authorization identity, as Courier does, logs everybody in as",
              dl->external_user);
    lc->proto_settings.master_user = dl->external_user;
    lc->proto_settings.master_password = lc->master_password;
}

/* Only a certificate that was asked for, and checked, says who somebody is. */
static const char *unverified(const struct gw_draft_listener *dl, const struct gw_listener_conf *lc)
{
    if (lc->plain || dl->client_auth == NULL || strcmp(dl->client_auth, "off") == 0) {
        return "external needs client certificates: client-auth = request, and client-ca";
    }
    return lc->client_verified ? NULL : "external would let anybody in with client-verify = none";
}

void gw_conf_external(const struct gw_draft_listener *dl, struct gw_listener_conf *lc, struct gw_problems *p)
{
    static const char *const modes[] = {"off", "plain-master", "xclient", "proxy"};
    static const enum hb_external values[] = {HB_EXTERNAL_OFF, HB_EXTERNAL_MASTER, HB_EXTERNAL_XCLIENT,
                                              HB_EXTERNAL_PASS};
    enum hb_external external = values[gw_choose(dl->external, modes, 4, "external", GW_AT(dl, external), p)];

    if (external == HB_EXTERNAL_OFF || lc->proto == NULL) {
        return;
    }
    const char *why = unverified(dl, lc);
    const char *name = hb_proto_name(lc->proto);
    if (strcmp(name, "tls") == 0 || strcmp(name, "http") == 0) {
        why = "external has no meaning here: there is no SASL in";
    } else if (external == HB_EXTERNAL_XCLIENT && strcmp(name, "smtp") != 0 &&
               strcmp(name, "submission") != 0) {
        why = "external = xclient is for smtp and submission";
    } else if (external == HB_EXTERNAL_PASS && lc->client_address != GW_TELL_PROXY2) {
        why = "external = proxy needs client-address = proxy-v2: it tells the backend of the certificate";
    } else if (external == HB_EXTERNAL_PASS && dl->backend_cert != NULL) {
        why = "external = proxy with backend-cert: Dovecot would log everybody in as whom that one names";
    }
    if (why != NULL) {
        gw_problem(p, GW_AT(dl, external), why, dl->listen);
        return;
    }
    lc->proto_settings.external = external;
    if (external == HB_EXTERNAL_MASTER) {
        load_master(dl, lc, p);
    } else if (external == HB_EXTERNAL_PASS && lc->backend_link != HB_PEER_CLEAR) {
        gw_notice(
            p, GW_AT(dl, external),
            "Dovecot asks the TLS of its link for a certificate, not the PROXY header: it refuses EXTERNAL",
            dl->listen);
    }
}
