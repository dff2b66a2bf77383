#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void assert_failed(const char *file, int line, const char *text)
{
    fprintf(stderr, "carillon: assertion failed at %s:%d: %s\n", file, line, text);
    abort();
}
