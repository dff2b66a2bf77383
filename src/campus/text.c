#include "campus/text.h"

#include "base/utf8.h"

bool text_is_plain(const char *text, size_t bytes_max)
{
    struct slice s = slice_from_text(text);

    return s.len <= bytes_max && utf8_is_valid(s);
}

bool text_is_name(const char *text, size_t bytes_max)
{
    if (text[0] == '\0' || !text_is_plain(text, bytes_max)) {
        return false;
    }
    for (const char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f) {
            return false;
        }
    }
    return true;
}

const char *text_or_mark(const char *text, size_t bytes_max)
{
    return text_is_name(text, bytes_max) ? text : "?";
}
