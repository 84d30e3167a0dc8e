/* stat.c: a session's part in its worker's figures. */
#include "stat.h"

#include "session.h"
#include "worker.h"

#define X25519MLKEM768    0x11ec
#define SECP256R1MLKEM768 0x11eb

void gw_stat_handshake(const struct gw_session *s)
{
    struct gw_stat *stat = s->w->stat;
    const struct hb_tls_info *t = hb_tls_info(s->client.tls);

    stat->handshakes++;
    stat->resumed += t->resumed;
    stat->post_quantum += t->group == X25519MLKEM768 || t->group == SECP256R1MLKEM768;
    stat->old_versions += t->version < 0x0303;
    stat->handshake_ms += gw_session_age(s) - s->shook;
}

void gw_stat_session(const struct gw_session *s)
{
    struct gw_stat *stat = s->w->stat;

    stat->unprotected += s->client.tls == NULL && s->ps != NULL;
    stat->bytes_in += s->client.taken;
    stat->bytes_out += s->backend.taken;
    stat->ended[s->code < HB_NUM_CODES ? s->code : 0]++;
}
