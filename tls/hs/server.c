/* hs/server.c: the first ClientHello: parse, decide the version, decide the rest, hand over to a version's rows.
 *
 *   S_HELLO -- ClientHello --> 1.3 (server13.c) or 1.2 (server12.c) */
#include "hs.h"

#include "server.h"
#include <hb/ct.h>

static const uint8_t sentinel12[] = {'D', 'O', 'W', 'N', 'G', 'R', 'D', 1}; /* RFC 8446 4.1.3 */

/* What a second ClientHello must repeat. */
static void digest_hello(const struct hb_offer *o, uint8_t dst[32])
{
    union hb_hash_ctx h;

    hb_sha256.init(&h);
    hb_sha256.update(&h, o->random);
    hb_sha256.update(&h, o->session_id);
    hb_sha256.update(&h, o->suites);
    hb_sha256.final(&h, dst);
}

enum hb_code hb_server_read_hello(struct hb_tls *t, struct hb_span body)
{
    struct hb_hs *hs = t->hs;
    struct hb_offer *o = &hs->offer;
    uint8_t digest[32];
    uint16_t version;

    HB_TRY(hb_hello_parse(body, o));
    if (o->has_server_name) {
        memcpy(hs->server_name, o->server_name.p, o->server_name.len); /* at most 255, checked */
        hs->server_name[o->server_name.len] = 0;
    }
    HB_TRY(hb_negotiate_version(o, t->config, &version));
    digest_hello(o, digest);
    if (hs->retried && (version != t->info.version || memcmp(digest, hs->hello_digest, sizeof digest) != 0)) {
        return HB_E_TLS_HELLO_CHANGED;
    }
    memcpy(hs->hello_digest, digest, sizeof digest);
    memset(&hs->choice, 0, sizeof hs->choice);
    hs->choice.version = version;
    t->info.version = version;
    HB_TRY(hb_negotiate(o, t->config, &hs->choice));
    memcpy(hs->client_random, o->random.p, 32);
    if (o->session_id.len > 0) {
        memcpy(hs->session_id, o->session_id.p, o->session_id.len);
    }
    hs->session_id_len = (uint8_t)o->session_id.len;
    return HB_OK;
}

/* REC-16, REC-17: how large a record the client takes. */
static void take_limits(struct hb_tls *t)
{
    struct hb_hs *hs = t->hs;
    const struct hb_offer *o = &hs->offer;

    if (o->record_size_limit > 0) {
        uint16_t inner = t->info.version == 0x0304 ? 1 : 0; /* 1.3 counts the content type */
        uint16_t limit = (uint16_t)(o->record_size_limit - inner);
        t->max_plain = limit < HB_REC_PLAIN_MAX ? limit : HB_REC_PLAIN_MAX;
        hs->answer_size_limit = true;
    } else if (o->max_fragment > 0) {
        t->max_plain = (uint16_t)(256u << o->max_fragment);
        hs->answer_max_fragment = o->max_fragment;
    }
}

static enum hb_code on_hello(struct hb_tls *t, struct hb_span body, uint8_t *next)
{
    struct hb_hs *hs = t->hs;

    HB_TRY(hb_server_read_hello(t, body));
    const struct hb_choice *choice = &hs->choice;
    hb_transcript_start(&hs->transcript, choice->suite->hash);
    t->info.suite = choice->suite->id;
    t->info.group = choice->group->id;
    t->info.alpn = choice->alpn;
    take_limits(t);
    t->env->random(t->env->ctx, sizeof hs->server_random, hs->server_random);
    if (choice->version == 0x0304) {
        if (hs->offer.has_early_data) {
            t->early_budget = 16384; /* RES-09: skipped, never read */
            t->early_all = choice->retry;
        }
        *next = choice->retry ? HB_S13_SEND_RETRY : HB_S13_SEND_FLIGHT;
        return HB_OK;
    }
    if (t->config->highest >= 0x0304) { /* VER-02 */
        memcpy(hs->server_random + 24, sentinel12, sizeof sentinel12);
    }
    hs->answer_ems = hs->offer.has_ems;
    hs->answer_point_formats = hs->offer.has_point_formats;
    hs->answer_renegotiation = hs->offer.has_renegotiation || hb_u16_list_has(hs->offer.suites, 0x00ff);
    t->info.ems = hs->offer.has_ems;
    *next = HB_S12_SEND_FLIGHT;
    return HB_OK;
}

/* clang-format off */
const struct hb_hs_row hb_server_rows[] = {
    /* in          on                    do         may leave to */
    { HB_S_HELLO,  HB_MSG_CLIENT_HELLO,  on_hello,  HB_TO(HB_S13_SEND_RETRY) | HB_TO(HB_S13_SEND_FLIGHT) |
                                                    HB_TO(HB_S12_SEND_FLIGHT) },
};
/* clang-format on */
const size_t hb_num_server_rows = sizeof hb_server_rows / sizeof hb_server_rows[0];
