#include "carillon/verbs.h"

#include <string.h>

#define VERB_ROW(name, group, help) {#name, group, verb_##name, help},
static const struct verb verbs[] = {VERBS(VERB_ROW)};
#undef VERB_ROW

enum { VERB_COUNT = sizeof verbs / sizeof verbs[0] };

const struct verb *verb_find(const char *name)
{
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (strcmp(verbs[i].name, name) == 0) {
            return &verbs[i];
        }
    }
    return NULL;
}

const struct verb *verb_at(size_t index)
{
    return index < VERB_COUNT ? &verbs[index] : NULL;
}
