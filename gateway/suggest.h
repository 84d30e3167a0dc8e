/* suggest.h: the word that was perhaps meant. */
#ifndef GW_SUGGEST_H
#define GW_SUGGEST_H

#include <stddef.h>

/* The one of names that is nearest to word, if at most a third of its letters differ (and never more than
 * three); NULL: none is near. */
const char *gw_suggest(const char *word, const char *const *names, size_t num);

#endif
