#include "carillon/words.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/uuid.h"

const char *words_credits(struct cli *cli, bool is_known, uint32_t hundredths)
{
    if (!is_known) {
        return "?";
    }
    if (hundredths % 100 == 0) {
        return cli_format(cli, "%u", hundredths / 100);
    }
    return hundredths % 10 == 0
               ? cli_format(cli, "%u.%u", hundredths / 100, hundredths / 10 % 10)
               : cli_format(cli, "%u.%02u", hundredths / 100, hundredths % 100);
}

const char *words_capacity(struct cli *cli, bool is_known, uint32_t capacity)
{
    return is_known ? cli_format(cli, "%u", capacity) : "no limit";
}

const char *words_meeting(struct cli *cli, uint32_t days, uint32_t start_min, uint32_t end_min)
{
    static const char letters[] = "MTWRFSU";
    char text[8] = "";
    size_t len = 0;

    for (size_t i = 0; i < 7; i++) {
        if ((days & (1U << i)) != 0) {
            text[len++] = letters[i];
        }
    }
    text[len] = '\0';
    return cli_format(cli, "%s %02u:%02u-%02u:%02u", text, start_min / 60, start_min % 60,
                      end_min / 60, end_min % 60);
}

const char *words_moment(struct cli *cli, uint64_t unix_ms, const char *zero)
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm local;
    char text[32];

    if (unix_ms == 0) {
        return zero;
    }
    if (localtime_r(&seconds, &local) == NULL ||
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local) == 0) {
        return cli_format(cli, "%" PRIu64 " ms", unix_ms);
    }
    return cli_format(cli, "%s", text);
}

/* "Z", "+01:00", "-0330", or nothing. */
static int parse_zone(const char *text, bool *ret_has_zone, long *ret_seconds)
{
    unsigned hours = 0;
    unsigned minutes = 0;
    int end = 0;

    *ret_has_zone = text[0] != '\0';
    *ret_seconds = 0;
    if (text[0] == '\0' || strcmp(text, "Z") == 0) {
        return OK;
    }
    bool has_colon = strchr(text, ':') != NULL;
    int got = has_colon ? sscanf(text + 1, "%2u:%2u%n", &hours, &minutes, &end)
                        : sscanf(text + 1, "%2u%2u%n", &hours, &minutes, &end);

    if ((text[0] != '+' && text[0] != '-') || got != 2 || text[1 + end] != '\0' || hours > 14 ||
        minutes > 59) {
        return ERR_MALFORMED;
    }
    *ret_seconds = (long)(hours * 3600 + minutes * 60) * (text[0] == '-' ? -1 : 1);
    return OK;
}

int words_moment_parse(const char *text, uint64_t *ret_unix_ms)
{
    static const char *const formats[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S",
                                          "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d"};
    struct tm parts;
    const char *end = NULL;
    bool has_zone = false;
    long zone = 0;

    for (size_t i = 0; i < sizeof formats / sizeof formats[0] && end == NULL; i++) {
        memset(&parts, 0, sizeof parts);
        end = strptime(text, formats[i], &parts);
    }
    if (end == NULL || parse_zone(end, &has_zone, &zone) != OK) {
        return ERR_MALFORMED;
    }
    int day = parts.tm_mday;

    parts.tm_isdst = -1;
    time_t seconds = has_zone ? timegm(&parts) - zone : mktime(&parts);

    /* The calendar would turn 31 June into 1 July. */
    if (seconds <= 0 || parts.tm_mday != day) {
        return ERR_MALFORMED;
    }
    *ret_unix_ms = (uint64_t)seconds * 1000;
    return OK;
}

const char *words_refusal(Carillon__RefusalKind kind)
{
    static const char *const slugs[] = {
        "none",
        "seat-unavailable",
        "waitlist-available",
        "time-conflict",
        "credit-load-exceeded",
        "course-limit",
        "prerequisite-unmet",
        "corequisite-missing",
        "level-restricted",
        "already-registered",
        "already-taken",
        "blocked",
        "window-closed",
        "window-not-open",
        "not-registered",
        "waitlist-full",
        "already-waitlisted",
        "section-withdrawn",
        "unknown-course",
        "unknown-section",
        "unknown-student",
        "ambiguous-name",
        "credits-unmet",
        "student-withdrawn",
        "duplicate-op",
        "seat-undecided",
    };

    return (size_t)kind < sizeof slugs / sizeof slugs[0] ? slugs[kind] : "refused";
}

const char *words_permit_kinds(struct cli *cli, uint32_t kinds)
{
    if (kinds == 0) {
        return "none";
    }
    return cli_format(
        cli, "%s%s%s%s%s", (kinds & 1) != 0 ? "capacity" : "",
        (kinds & 1) != 0 && (kinds & 6) != 0 ? ", " : "", (kinds & 2) != 0 ? "rule" : "",
        (kinds & 2) != 0 && (kinds & 4) != 0 ? ", " : "", (kinds & 4) != 0 ? "time" : "");
}

const char *words_grade(struct cli *cli, uint32_t grade)
{
    static const char *const letters[] = {"F", "D", "C", "B", "A"};

    if (grade == 0) {
        return "";
    }
    uint32_t points = grade - 1;
    uint32_t whole = (points + 30) / 100;
    uint32_t rest = (points + 30) % 100;

    if (whole < 5 && points == 0) {
        return letters[0];
    }
    if (whole >= 1 && whole < 5 && rest % 30 == 0 && rest <= 60) {
        return cli_format(cli, "%s%s", letters[whole], rest == 0 ? "-" : rest == 30 ? "" : "+");
    }
    return cli_format(cli, "%u.%02u", points / 100, points % 100);
}

const char *words_bytes(struct cli *cli, uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;

    while (value >= 1024 && unit < 4) {
        value /= 1024;
        unit++;
    }
    return cli_format(cli, "%.*f %s", unit == 0 ? 0 : 1, value, units[unit]);
}

const char *words_list(struct cli *cli, char **items, size_t count)
{
    const char *text = "";

    for (size_t i = 0; i < count; i++) {
        text = cli_format(cli, "%s%s%s", text, i > 0 ? ", " : "", items[i]);
    }
    return text;
}

const char *words_id(struct cli *cli, ProtobufCBinaryData data)
{
    struct uuid uuid;
    char text[UUID_TEXT_BYTES + 1];

    if (data.len != sizeof uuid.bytes) {
        return "?";
    }
    memcpy(uuid.bytes, data.data, sizeof uuid.bytes);
    uuid_format(&uuid, text);
    return cli_format(cli, "%s", text);
}
