/* tests/lib/population.h -- generated courses and students, imported through the client
 * protocol.
 *
 * Layer: tests
 *
 * Institution "gen", term "current", course codes "C 1".., one section "1" each, students
 * "s1"..; no prerequisites, and meetings that never clash unless asked for.
 */
#ifndef CARILLON_TESTS_POPULATION_H
#define CARILLON_TESTS_POPULATION_H

#include <stdbool.h>
#include <stdint.h>

struct carillon_client;

struct population {
    uint32_t courses;
    uint32_t students;
    uint32_t capacity; /* of every section */
    uint32_t slots; /* courses n and n + slots meet at the same time; 0: no meetings at all */
};

/* When course @number meets. Only with slots. */
struct population_slot {
    uint32_t days; /* as in proto/catalogue.proto */
    uint32_t start_min;
    uint32_t end_min;
};
struct population_slot population_slot(const struct population *population, uint32_t number);

/* Import both. Returns: OK or the first error, printed. */
int population_import(struct carillon_client *client, const struct population *population);

void population_code(uint32_t course, char out[16]);
void population_token(uint32_t student, char out[16]);

#endif
