/* What search sees of a document: texts read straight from the packed Course message. A message
 * is a sequence of (field number << 3 | wire type), value; the ones we packed hold no group and
 * no unknown type. */
#include <stddef.h>

#include "base/assert.h"
#include "campus/campus.h"
#include "campus/document.h"
#include "campus/name.h"
#include "wire/pack.h"

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

enum course_field {
    COURSE_CODE = 3,
    COURSE_SUBJECT = 4,
    COURSE_NUMBER = 5,
    COURSE_TITLE = 6,
    COURSE_DESCRIPTION = 7,
    COURSE_PREREQUISITES_TEXT = 11,
    COURSE_INSTRUCTORS = 13,
};

struct field {
    uint32_t number;
    size_t at; /* of its tag */
    struct slice bytes;
};

/* The next field of @in, which reads @packed. Returns: false at the end. */
static bool field_next(struct slice packed, struct unpack *in, struct field *ret_field)
{
    if (in->failed || in->rest.len == 0) {
        return false;
    }
    ret_field->at = packed.len - in->rest.len;
    uint64_t tag = unpack_u64(in);

    ret_field->number = (uint32_t)(tag >> 3);
    ret_field->bytes = SLICE_NONE;
    switch ((enum wire_type)(tag & 7)) {
    case WIRE_VARINT:
        (void)unpack_u64(in);
        break;
    case WIRE_FIXED64:
        (void)unpack_fixed64(in);
        break;
    case WIRE_BYTES:
        ret_field->bytes = unpack_bytes(in);
        break;
    case WIRE_FIXED32: /* the message has none */
    default:
        return false;
    }
    return !in->failed;
}

static void view_texts(struct campus_document_view *view)
{
    struct unpack in = unpack_from(view->packed);
    struct field field;

    /* Fields stand in the order of their numbers, and the sections behind the instructors are
     * most of a large course. */
    while (field_next(view->packed, &in, &field) && field.number <= COURSE_INSTRUCTORS) {
        switch (field.number) {
        case COURSE_CODE: /* the course's own, which it was interned by */
            view->code = field.bytes;
            break;
        case COURSE_SUBJECT:
            view->subject = field.bytes;
            break;
        case COURSE_NUMBER:
            view->number = field.bytes;
            break;
        case COURSE_TITLE:
            view->title = field.bytes;
            break;
        case COURSE_DESCRIPTION:
            view->description = field.bytes;
            break;
        case COURSE_PREREQUISITES_TEXT:
            view->prerequisites_text = field.bytes;
            break;
        case COURSE_INSTRUCTORS:
            view->instructors_at =
                view->instructors_at == view->packed.len ? field.at : view->instructors_at;
            break;
        default:
            break;
        }
    }
}

void campus_document_view(const struct campus *campus, uint32_t document,
                          struct campus_document_view *ret_view)
{
    const struct campus_document *of = campus_document(campus, document);

    ASSERT(of->course != CAMPUS_NONE);
    const struct campus_catalogue *catalogue =
        campus_catalogue(campus, campus_course(campus, of->course)->catalogue);
    *ret_view = (struct campus_document_view){
        .institution = campus_word(campus, catalogue->institution)->text,
        .term = campus_word(campus, catalogue->term)->text,
        .packed = slice_from(of->blob, of->blob_len),
        .instructors_at = of->blob_len,
        .course = of->course,
        .credits_known = of->credits != CAMPUS_NONE,
        .credits_hundredths = of->credits != CAMPUS_NONE ? of->credits : 0,
        .level = of->level,
        .section_count = of->offer_count,
    };
    view_texts(ret_view);
}

enum {
    CACHE_LINE = 64,
    TEXT_BEGIN = 256, /* what follows is read in order: the processor sees it coming */
    SECTIONS_LIKELY = 4,
    DOCUMENT_BYTES_SEEN = offsetof(struct campus_document, is_bare) + 1,
    COURSE_BYTES_SEEN = offsetof(struct campus_course, section_cap),
    SECTION_BYTES_SEEN = offsetof(struct campus_section, state) + 1,
};

/* The lines that hold @len bytes at @data. */
static void prefetch_bytes(const void *data, size_t len)
{
    size_t beyond = (uintptr_t)data % CACHE_LINE;

    for (size_t i = 0; i < len + beyond; i += CACHE_LINE) {
        __builtin_prefetch((const uint8_t *)data + i - (i > 0 ? beyond : 0));
    }
}

void campus_document_prefetch(const struct campus *campus, uint32_t document, uint32_t link)
{
    const struct campus_document *of = campus_document(campus, document);

    if (link == 0) {
        prefetch_bytes(of, DOCUMENT_BYTES_SEEN);
        return;
    }
    const struct campus_course *course = campus_course(campus, of->course);
    if (link == 1) {
        prefetch_bytes(course, COURSE_BYTES_SEEN);
        return;
    }
    if (link == 2) {
        __builtin_prefetch(course->sections);
        prefetch_bytes(of->blob, of->blob_len < TEXT_BEGIN ? of->blob_len : TEXT_BEGIN);
        return;
    }
    for (uint32_t i = 0; i < course->section_count && i < SECTIONS_LIKELY; i++) {
        prefetch_bytes(campus_section(campus, course->sections[i].section), SECTION_BYTES_SEEN);
    }
}

bool campus_view_instructor(const struct campus_document_view *view, size_t *at,
                            struct slice *ret_name)
{
    size_t from = *at < view->instructors_at ? view->instructors_at : *at;
    struct unpack in = unpack_from(slice_sub(view->packed, from, SIZE_MAX));
    struct field field;

    if (!field_next(view->packed, &in, &field) || field.number != COURSE_INSTRUCTORS) {
        return false;
    }
    *at = view->packed.len - in.rest.len;
    *ret_name = field.bytes;
    return true;
}

uint32_t campus_document_days(const struct campus *campus, uint32_t document, uint32_t section)
{
    const struct campus_document *of = campus_document(campus, document);

    ASSERT(section < of->offer_count);
    const struct campus_offer *offer = &of->offers[section];
    uint32_t days = 0;

    for (uint32_t i = 0; i < offer->meeting_count; i++) {
        days |= of->meetings[offer->first_meeting + i].days;
    }
    return days;
}
