/* hs/machine.c: the interpreter of rows.
 * Rules that hold for every row, here and nowhere else: a pair without a row is an unexpected message; a row
 * leaves only to a state it names; a received message joins the transcript after its handler, so Finished and
 * CertificateVerify see the hash they cover. */
#include "hs.h"

#include <hb/ct.h>

struct table {
    const struct hb_hs_row *rows;
    size_t num;
};

static const struct hb_hs_row *find(unsigned state, unsigned msg)
{
    const struct table tables[] = {
        {hb_server_rows, hb_num_server_rows},
        {hb_server13_rows, hb_num_server13_rows},
        {hb_server12_rows, hb_num_server12_rows},
    };

    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++) {
        for (size_t i = 0; i < tables[t].num; i++) {
            if (tables[t].rows[i].in == state && tables[t].rows[i].on == msg) {
                return &tables[t].rows[i];
            }
        }
    }
    return NULL;
}

static enum hb_code run(struct hb_tls *t, const struct hb_hs_row *row, struct hb_span body)
{
    uint8_t next = row->in;

    HB_TRY(row->run(t, body, &next));
    HB_INVARIANT((row->may & HB_TO(next)) != 0);
    t->state = next;
    return HB_OK;
}

enum hb_code hb_hs_deliver(struct hb_tls *t, unsigned msg, struct hb_span message, struct hb_span body)
{
    const struct hb_hs_row *row = find(t->state, msg);

    if (row == NULL) {
        return msg == HB_MSG_CCS ? HB_E_TLS_CCS : HB_E_TLS_UNEXPECTED_MESSAGE;
    }
    HB_TRY(run(t, row, body));
    if (msg < HB_MSG_NONE && t->hs != NULL && t->hs->transcript.hash != NULL) {
        hb_transcript_add(&t->hs->transcript, message);
    }
    while ((row = find(t->state, HB_MSG_NONE)) != NULL) {
        HB_TRY(run(t, row, hb_span(NULL, 0)));
    }
    return HB_OK;
}

bool hb_hs_expects(const struct hb_tls *t, unsigned msg)
{
    return find(t->state, msg) != NULL;
}

bool hb_hs_wants_signature(const struct hb_tls *t)
{
    return find(t->state, HB_MSG_SIGNED) != NULL;
}

uint32_t hb_hs_body_max(uint8_t type)
{
    switch (type) {
    case HB_MSG_HELLO_REQUEST:
    case HB_MSG_END_OF_EARLY_DATA:
    case HB_MSG_SERVER_HELLO_DONE:
        return 0;
    case HB_MSG_KEY_UPDATE:
        return 1;
    case HB_MSG_FINISHED:
        return 48;
    case HB_MSG_CERTIFICATE:
        return 102400;
    default:
        return 16384;
    }
}

struct hb_hs *hb_hs_new(const struct hb_env *env)
{
    struct hb_hs *hs = env->alloc(env->ctx, sizeof *hs);

    if (hs != NULL) {
        hb_buf_init(&hs->message, 4u + 102400u);
    }
    return hs;
}

void hb_hs_free(const struct hb_env *env, struct hb_hs **hs)
{
    if (*hs != NULL) {
        hb_buf_clear(&(*hs)->message, env);
        hb_wipe(*hs, sizeof **hs);
        env->release(env->ctx, *hs, sizeof **hs);
        *hs = NULL;
    }
}

struct hb_bld_mark hb_hs_message(struct hb_tls *t, uint8_t type)
{
    hb_bld_u8(&t->lane->flight, type);
    return hb_bld_open24(&t->lane->flight);
}

enum hb_code hb_hs_message_end(struct hb_tls *t, struct hb_bld_mark mark)
{
    struct hb_bld *flight = &t->lane->flight;

    hb_bld_close(flight, mark);
    if (!hb_bld_ok(flight)) {
        return HB_E_OVERFLOW;
    }
    size_t start = mark.at - 4; /* type and length */
    hb_transcript_add(&t->hs->transcript, hb_span(flight->p + start, flight->len - start));
    return HB_OK;
}

enum hb_code hb_hs_sign(struct hb_tls *t, uint8_t done, uint8_t wait, uint8_t *next)
{
    struct hb_hs *hs = t->hs;

    t->info.sigalg = hs->choice.sigalg->id;
    if (hb_cred_signs_later(hs->choice.cred)) {
        hb_conn_emit(t); /* what is ready goes out meanwhile: the flight is shared with other connections */
        *next = wait;
        return HB_OK;
    }
    *next = done;
    return hb_cred_sign(hs->choice.cred, t->env, hs->choice.sigalg->id, hb_span(hs->sign_input, hs->sign_input_len),
                        hs->signature, sizeof hs->signature, &hs->signature_len);
}

void hb_hs_done(struct hb_tls *t)
{
    t->is_open = true; /* the scratch goes when READY has been told: until then it has the server_name */
}
