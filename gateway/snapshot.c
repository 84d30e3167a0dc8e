/* snapshot.c: words → draft → checked settings, with the bundle that goes with them. */
#include "snapshot.h"

#include "source.h"
#include <stdlib.h>

/* gw_source_record() or gw_source_replay() was called before, and is ended here. */
static struct gw_snapshot *load(struct gw_bundle **bundle, struct gw_problems *p)
{
    struct gw_snapshot *snap = calloc(1, sizeof *snap);
    unsigned num = gw_bundle_num_words(*bundle);
    const char *config = NULL;

    if (snap != NULL) {
        snap->refs = 1;
        snap->words = calloc(num + 1u, sizeof *snap->words);
    }
    if (snap == NULL || snap->words == NULL) {
        gw_problem(p, "hauberk", hb_err_sentence(HB_E_NO_MEMORY), NULL);
        gw_bundle_free(bundle);
        free(snap);
        gw_source_replay(NULL);
        return NULL;
    }
    snap->bundle = *bundle;
    *bundle = NULL;
    snap->generation = gw_bundle_generation(snap->bundle);
    for (unsigned i = 0; i < num; i++) {
        snap->words[i] = (char *)(uintptr_t)gw_bundle_word(snap->bundle, i); /* argv is not const in C */
    }
    snap->draft = gw_draft_new();
    gw_cli_parse((int)num, snap->words, snap->draft, &config, p);
    if (p->errors == 0 && config != NULL) {
        gw_conf_file(config, snap->draft, p);
    }
    if (p->errors == 0) {
        snap->conf = gw_conf_load(snap->draft, p);
    }
    gw_source_replay(NULL);
    if (snap->conf == NULL) {
        (void)gw_snapshot_drop(&snap);
    }
    return snap;
}

struct gw_snapshot *gw_snapshot_record(int argc, char **argv, const struct gw_bundle *base,
                                       uint32_t generation, struct gw_problems *p)
{
    struct gw_bundle *bundle = gw_bundle_new(generation);
    enum hb_code code = bundle != NULL ? HB_OK : HB_E_NO_MEMORY;

    for (int i = 0; i < argc && code == HB_OK; i++) {
        code = gw_bundle_add_word(bundle, argv[i]);
    }
    if (code != HB_OK) {
        gw_problem(p, "hauberk", hb_err_sentence(code), NULL);
        gw_bundle_free(&bundle);
        return NULL;
    }
    gw_source_record(bundle, base);
    return load(&bundle, p);
}

struct gw_snapshot *gw_snapshot_replay(struct gw_bundle **bundle, struct gw_problems *p)
{
    gw_source_replay(*bundle);
    return load(bundle, p);
}

struct gw_snapshot *gw_snapshot_ref(struct gw_snapshot *snap)
{
    snap->refs++;
    return snap;
}

bool gw_snapshot_drop(struct gw_snapshot **psnap)
{
    struct gw_snapshot *snap = *psnap;

    *psnap = NULL;
    if (snap == NULL || --snap->refs > 0) {
        return false;
    }
    gw_conf_free(&snap->conf);
    gw_draft_free(&snap->draft);
    gw_bundle_free(&snap->bundle);
    free(snap->words);
    free(snap);
    return true;
}
