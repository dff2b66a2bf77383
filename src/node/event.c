#include "node/event.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

static enum event_level level_min = EVENT_INFO;

void event_set_level(enum event_level level)
{
    level_min = level;
}

void event_log(enum event_level level, const char *id, const char *format, ...)
{
    static const char *const names[] = {"info", "warning", "error", ""};
    char line[1024];
    char stamp[40];
    struct timespec now;
    struct tm utc;
    va_list values;

    if (level < level_min) {
        return;
    }
    va_start(values, format);
    (void)vsnprintf(line, sizeof line, format, values);
    va_end(values);
    for (char *c = line; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            *c = '?'; /* what a client sent must not forge a line */
        }
    }
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &utc);
    (void)strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
    (void)fprintf(stderr, "%s.%03ldZ %s %s %s\n", stamp, now.tv_nsec / 1000000, names[level],
                  id, line);
}
