#include "carillon/name.h"

#include <stdio.h>

enum { NAME_BYTES_MAX = 400 };

static char *copy_text(struct arena *arena, struct slice s)
{
    char *text = arena_alloc(arena, s.len + 1);

    if (s.len > 0) {
        memcpy(text, s.data, s.len);
    }
    text[s.len] = '\0';
    return text;
}

/* Cut at the last @: a section id may contain one, a term may not. */
static bool cut_term(struct slice text, struct slice *ret_head, struct slice *ret_term)
{
    const uint8_t *at = text.len == 0 ? NULL : memrchr(text.data, '@', text.len);

    *ret_head = text;
    *ret_term = SLICE_NONE;
    if (at == NULL) {
        return false;
    }
    *ret_head = slice_sub(text, 0, (size_t)(at - text.data));
    *ret_term = slice_sub(text, ret_head->len + 1, text.len);
    return true;
}

const char *name_parse(struct arena *arena, struct slice text, Carillon__SectionName *ret_name)
{
    struct slice institution = SLICE_NONE;
    struct slice code;
    struct slice section = SLICE_NONE;
    struct slice term = SLICE_NONE;
    struct slice rest = SLICE_NONE;

    text = slice_trim(text);
    if (text.len > NAME_BYTES_MAX) {
        return "the name is too long";
    }
    if (cut_term(text, &text, &term) && slice_trim(term).len == 0) {
        return "no term follows the @";
    }
    bool has_section = slice_cut(text, '#', &text, &section);

    if (has_section && slice_trim(section).len == 0) {
        return "no section follows the #";
    }
    if (slice_cut(text, ':', &institution, &rest)) {
        text = rest;
        if (slice_trim(institution).len == 0) {
            return "no institution stands before the colon";
        }
    } else {
        institution = SLICE_NONE;
    }
    code = slice_trim(text);
    if (code.len == 0) {
        return "no course code in it";
    }
    carillon__section_name__init(ret_name);
    ret_name->institution = copy_text(arena, slice_trim(institution));
    ret_name->code = copy_text(arena, code);
    ret_name->section = copy_text(arena, slice_trim(section));
    ret_name->term = copy_text(arena, slice_trim(term));
    return NULL;
}

char *name_format(struct arena *arena, const Carillon__SectionName *name)
{
    char text[NAME_BYTES_MAX + 8] = "";

    if (name != NULL) {
        snprintf(text, sizeof text, "%s%s%s%s%s%s%s", name->institution,
                 name->institution[0] != '\0' ? ":" : "", name->code,
                 name->section[0] != '\0' ? "#" : "", name->section,
                 name->term[0] != '\0' ? "@" : "", name->term);
    }
    return copy_text(arena, slice_from_text(text));
}
