/* facts.c: one small block, made anew when the names are known. */
#include "facts.h"

#include "session.h"
#include "worker.h"
#include <string.h>

struct gw_facts {
    uint32_t when[GW_NUM_STAGES];
    uint16_t size;     /* of the block */
    uint16_t identity; /* where it stands in names */
    char names[];      /* the server's and the client's, a NUL behind each */
};

/* A block with room for that many bytes of names; what was known goes along. */
static struct gw_facts *make(struct gw_session *s, size_t names)
{
    const struct hb_env *env = s->w->env;
    size_t size = sizeof(struct gw_facts) + names;
    struct gw_facts *f = env->alloc(env->ctx, size);

    if (f != NULL) {
        if (s->facts != NULL) {
            memcpy(f->when, s->facts->when, sizeof f->when);
        }
        f->size = (uint16_t)size;
        f->identity = 1; /* two empty names */
        gw_facts_free(s);
        s->facts = f;
    }
    return f;
}

void gw_facts_stage(struct gw_session *s, enum gw_stage stage)
{
    struct gw_facts *f = s->facts != NULL ? s->facts : make(s, 2);

    if (f != NULL && f->when[stage] == 0) {
        f->when[stage] = gw_session_age(s) + 1;
    }
}

uint32_t gw_facts_when(const struct gw_session *s, enum gw_stage stage)
{
    return s->facts != NULL ? s->facts->when[stage] : 0;
}

void gw_facts_names(struct gw_session *s, const char *sni, const char *identity)
{
    size_t sni_len = strlen(sni);
    size_t identity_len = strlen(identity);

    if (gw_facts_sni(s) != NULL || gw_facts_identity(s) != NULL || sni_len + identity_len == 0) {
        return;
    }
    struct gw_facts *f = make(s, sni_len + identity_len + 2);
    if (f != NULL) {
        f->identity = (uint16_t)(sni_len + 1);
        memcpy(f->names, sni, sni_len + 1);
        memcpy(f->names + f->identity, identity, identity_len + 1);
    }
}

const char *gw_facts_sni(const struct gw_session *s)
{
    return s->facts != NULL && s->facts->names[0] != 0 ? s->facts->names : NULL;
}

const char *gw_facts_identity(const struct gw_session *s)
{
    const char *name = s->facts != NULL ? s->facts->names + s->facts->identity : "";

    return name[0] != 0 ? name : NULL;
}

void gw_facts_free(struct gw_session *s)
{
    if (s->facts != NULL) {
        s->w->env->release(s->w->env->ctx, s->facts, s->facts->size);
        s->facts = NULL;
    }
}
