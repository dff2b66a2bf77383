/* The hash of a state: the hashes of all images added up, so that the order does not matter. */
#include "base/hash.h"
#include "campus/image.h"
#include "campus/snapshot.h"

enum { IMAGE_BYTES_MAX = INT32_MAX, KINDS = 9, OBJECT_BYTES = 64 };

static uint32_t staged_count(const struct campus *campus)
{
    uint32_t count = 0;

    for (uint32_t slot = 0; slot < CAMPUS_IMPORTS_MAX; slot++) {
        const struct campus_import *import = campus->imports[slot];

        count += import == NULL ? 0 : 1 + import->items.count + import->removed_count;
    }
    return count;
}

/* The @at-th of the open imports, their staged records and their removed names. */
static void image_of_imports(const struct campus *campus, uint32_t at, struct buf *out)
{
    for (uint32_t slot = 0; slot < CAMPUS_IMPORTS_MAX; slot++) {
        const struct campus_import *import = campus->imports[slot];
        uint32_t here = import == NULL ? 0 : 1 + import->items.count + import->removed_count;

        if (at >= here) {
            at -= here;
        } else if (at == 0) {
            campus_image_import(campus, slot, out);
            return;
        } else if (at <= import->items.count) {
            campus_image_staged(campus, slot, at - 1, out);
            return;
        } else {
            campus_image_removed(campus, slot, at - 1 - import->items.count, out);
            return;
        }
    }
}

/* Which document is taken next decides its ordinal. */
static void image_of_rest(const struct campus *campus, uint32_t at, struct buf *out)
{
    (void)at;
    image_ordinal(out, campus->free_document);
}

bool campus_hash_step(const struct campus *campus, uint64_t *cursor, uint64_t bytes,
                      uint64_t *hash)
{
    const struct {
        uint64_t objects;
        void (*image)(const struct campus *campus, uint32_t ordinal, struct buf *out);
    } kinds[KINDS] = {
        {campus->words.count,      campus_image_word     },
        {campus->codes.count,      campus_image_code     },
        {campus->catalogues.count, campus_image_catalogue},
        {campus->courses.count,    campus_image_course   },
        {campus->sections.count,   campus_image_section  },
        {campus->documents.count,  campus_image_document },
        {campus->students.count,   campus_image_student  },
        {staged_count(campus),     image_of_imports      },
        {1,                        image_of_rest         },
    };
    struct buf image;
    uint64_t before = 0; /* objects of the kinds passed */
    uint64_t done = 0;

    buf_init(&image, IMAGE_BYTES_MAX);
    for (uint32_t kind = 0; kind < KINDS; kind++) {
        for (; done < bytes && *cursor < before + kinds[kind].objects; (*cursor)++) {
            buf_clear(&image);
            kinds[kind].image(campus, (uint32_t)(*cursor - before), &image);
            *hash += hash_bytes_seeded(kind, image.data, image.len);
            done += OBJECT_BYTES + image.len;
        }
        before += kinds[kind].objects;
    }
    buf_fini(&image);
    return *cursor < before;
}
