/* base/assert.h -- checks that stay on in production.
 *
 * Layer: base
 *
 * ASSERT is for what only a programmer's error can break. Bytes from a peer, a user or a disk
 * never reach one: they end in an error code.
 */
#ifndef CARILLON_BASE_ASSERT_H
#define CARILLON_BASE_ASSERT_H

_Noreturn void assert_failed(const char *file, int line, const char *text);

#define ASSERT(condition)                                                                      \
    do {                                                                                       \
        if (__builtin_expect(!(condition), 0)) {                                               \
            assert_failed(__FILE__, __LINE__, #condition);                                     \
        }                                                                                      \
    } while (0)

#define UNREACHABLE() assert_failed(__FILE__, __LINE__, "unreachable")

#endif
