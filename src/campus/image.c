#include "campus/image.h"

#include "base/assert.h"
#include "campus/shard.h"
#include "campus/student.h"

void campus_image_grow(struct buf *out, size_t len)
{
    int rc = buf_reserve(out, len);

    ASSERT(rc == OK);
}

void campus_image_word(const struct campus *campus, uint32_t word, struct buf *out)
{
    image_ordinal(out, word);
    image_bytes(out, campus_word(campus, word)->text);
}

void campus_image_code(const struct campus *campus, uint32_t code, struct buf *out)
{
    const struct campus_code *of = campus_code(campus, code);

    image_ordinal(out, code);
    image_ordinal(out, of->institution);
    image_ordinal(out, of->word);
}

void campus_image_catalogue(const struct campus *campus, uint32_t catalogue, struct buf *out)
{
    const struct campus_catalogue *of = campus_catalogue(campus, catalogue);

    image_ordinal(out, catalogue);
    image_ordinal(out, of->institution);
    image_ordinal(out, of->term);
    image_u64(out, of->opens_ms);
    image_u64(out, of->closes_ms);
    image_u64(out, of->level_min);
    image_u64(out, of->courses_max);
    image_u64(out, of->credits_max);
    image_u64(out, of->limits_index);
    image_u64(out, of->waitlist_max);
    image_u64(out, of->updated_ms);
}

static void image_rule(const struct campus_rule *rule, struct buf *out)
{
    image_u64(out, rule == NULL ? 0 : rule->count);
    for (uint32_t i = 0; rule != NULL && i < rule->count; i++) {
        const struct campus_rule_node *node = &rule->nodes[i];

        image_u64(out, node->kind);
        image_u64(out, node->concurrent ? 1 : 0);
        image_u64(out, node->children);
        image_u64(out, node->grade_min);
        image_u64(out, node->count);
        image_ordinal(out, node->code);
    }
}

/* The sections of a course are those that name it, in order of their ordinals. */
void campus_image_course(const struct campus *campus, uint32_t course, struct buf *out)
{
    const struct campus_course *of = campus_course(campus, course);

    image_ordinal(out, course);
    image_ordinal(out, of->code);
    image_ordinal(out, of->catalogue);
    image_ordinal(out, of->document);
    image_u64(out, of->state);
    image_u64(out, of->changed_index);
    if (of->is_foreign) {
        image_ordinal(out, of->credits);
        image_rule(of->rule, out);
    }
}

static void image_meetings(struct buf *out, const struct campus_meeting *meetings,
                           uint32_t count)
{
    image_u64(out, count);
    for (uint32_t i = 0; i < count; i++) {
        image_u64(out, meetings[i].days);
        image_u64(out, meetings[i].start_min);
        image_u64(out, meetings[i].end_min);
    }
}

static void image_place(const struct campus *campus, uint32_t place, struct buf *out)
{
    const struct campus_place *of = campus_place(campus, place);

    image_ordinal(out, of->student);
    image_u64(out, of->since_index);
    image_u64(out, of->since_ms);
    image_u64(out, of->drop_count);
    for (uint32_t i = 0; i < of->drop_count; i++) {
        image_ordinal(out, of->drops[i]);
    }
    image_u64(out, of->skips);
    if (of->skips > 0) {
        image_u64(out, of->skip_kind);
        image_u64(out, of->skip_index);
        image_u64(out, of->skip_ms);
        image_bytes(out, of->skip_evidence);
    }
    if (campus_is_sharded(campus)) {
        image_u64(out, of->passed_ms);
    }
}

void campus_image_section(const struct campus *campus, uint32_t section, struct buf *out)
{
    const struct campus_section *of = campus_section(campus, section);

    image_ordinal(out, section);
    image_ordinal(out, of->course);
    image_bytes(out, campus_section_id(of));
    image_u64(out, of->state);
    image_ordinal(out, of->capacity);
    image_ordinal(out, of->capacity_file);
    image_u64(out, of->excused);
    image_meetings(out, campus_section_meetings(of), of->meeting_count);
    image_u64(out, of->enrolled);
    for (uint32_t i = 0; i < of->enrolled; i++) {
        image_ordinal(out, of->roster[i]);
    }
    image_u64(out, of->waiting);
    for (uint32_t at = of->wait_first; at != CAMPUS_NONE; at = campus_place(campus, at)->next) {
        image_place(campus, at, out);
    }
}

void campus_image_document(const struct campus *campus, uint32_t document, struct buf *out)
{
    const struct campus_document *of = campus_document(campus, document);

    image_ordinal(out, document);
    image_ordinal(out, of->course);
    if (of->course == CAMPUS_NONE) {
        image_ordinal(out, of->next_free);
        return;
    }
    image_bytes(out, slice_from(of->blob, of->blob_len));
    image_fixed64(out, of->content_hash);
    image_ordinal(out, of->credits);
    image_u64(out, of->level);
    image_u64(out, of->is_bare ? 1 : 0);
    image_rule(of->rule, out);
    image_meetings(out, of->meetings, of->meeting_count);
    image_u64(out, of->offer_count);
    for (uint32_t i = 0; i < of->offer_count; i++) {
        image_ordinal(out, of->offers[i].section);
        image_ordinal(out, of->offers[i].capacity);
        image_u64(out, of->offers[i].meeting_count);
    }
}

static void image_profile(const struct campus_profile *profile, struct buf *out)
{
    image_bytes(out, campus_profile_token(profile));
    image_bytes(out, campus_profile_name(profile));
    image_fixed64(out, profile->content_hash);
    image_u64(out, profile->level);
    image_u64(out, profile->taken_count);
    for (uint32_t i = 0; i < profile->taken_count; i++) {
        image_ordinal(out, profile->taken[i].code);
        image_u64(out, profile->taken[i].grade);
        image_u64(out, profile->taken[i].credits);
    }
}

static void image_extra(const struct campus_extra *extra, struct buf *out)
{
    image_u64(out, extra == NULL ? 0 : extra->block_count);
    for (uint32_t i = 0; extra != NULL && i < extra->block_count; i++) {
        image_bytes(out, extra->blocks[i].reason);
        image_bytes(out, extra->blocks[i].by);
        image_u64(out, extra->blocks[i].since_ms);
    }
    image_u64(out, extra == NULL ? 0 : extra->permit_count);
    for (uint32_t i = 0; extra != NULL && i < extra->permit_count; i++) {
        image_ordinal(out, extra->permits[i].section);
        image_u64(out, extra->permits[i].kinds);
        image_bytes(out, extra->permits[i].reason);
        image_bytes(out, extra->permits[i].by);
        image_u64(out, extra->permits[i].since_ms);
    }
}

void campus_image_student(const struct campus *campus, uint32_t student, struct buf *out)
{
    const struct campus_student *of = campus_student(campus, student);

    image_ordinal(out, student);
    image_ordinal(out, of->body);
    image_u64(out, of->state);
    image_u64(out, of->profile_index);
    image_profile(of->profile, out);
    image_u64(out, of->registration_count);
    for (uint32_t i = 0; i < of->registration_count; i++) {
        const struct campus_registration *registration = campus_registration(of, i);

        image_ordinal(out, registration->section);
        image_u64(out, registration->rest);
        image_u64(out, registration->ms_low);
    }
    image_extra(of->extra, out);
    if (campus_is_sharded(campus)) {
        image_u64(out, of->version);
    }
}

void campus_image_import(const struct campus *campus, uint32_t slot, struct buf *out)
{
    const struct campus_import *of = campus->imports[slot];

    image_u64(out, slot);
    image_bytes(out, slice_from(of->id.bytes, sizeof of->id.bytes));
    image_u64(out, of->kind);
    image_ordinal(out, of->catalogue);
    image_u64(out, of->next_sequence);
}

void campus_image_staged(const struct campus *campus, uint32_t slot, uint32_t item,
                         struct buf *out)
{
    const struct campus_staged *of = campus_staged(campus->imports[slot], item);

    image_u64(out, slot);
    image_u64(out, item);
    image_ordinal(out, of->object);
    image_ordinal(out, of->document);
    if (of->profile != NULL) {
        image_profile(of->profile, out);
    }
}

void campus_image_removed(const struct campus *campus, uint32_t slot, uint32_t item,
                          struct buf *out)
{
    image_u64(out, slot);
    image_ordinal(out, campus->imports[slot]->removed[item]);
}
