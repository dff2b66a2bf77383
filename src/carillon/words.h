/* carillon/words.h -- values as people read them: credits, days, times, moments, kinds of
 * refusal.
 *
 * Layer: carillon
 */
#ifndef CARILLON_CARILLON_WORDS_H
#define CARILLON_CARILLON_WORDS_H

#include "carillon/cli.h"
#include "proto/catalogue.pb-c.h"

/* "3", "0.25", or "?" when not known. */
const char *words_credits(struct cli *cli, bool is_known, uint32_t hundredths);

/* "30", or "no limit". */
const char *words_capacity(struct cli *cli, bool is_known, uint32_t capacity);

/* "MWF 09:00-09:50". */
const char *words_meeting(struct cli *cli, uint32_t days, uint32_t start_min, uint32_t end_min);

/* Local time "2027-01-10 08:00:00"; @zero when @unix_ms is 0. */
const char *words_moment(struct cli *cli, uint64_t unix_ms, const char *zero);

/* ISO 8601: "2027-01-10", "2027-01-10T08:00", with ":00" and "Z" or "+01:00" if wanted; local
 * time without a zone. Errors: ERR_MALFORMED. */
int words_moment_parse(const char *text, uint64_t *ret_unix_ms) CHECKED;

/* The id of a cluster or a node, in groups; "?" when it is none. */
const char *words_id(struct cli *cli, ProtobufCBinaryData data);

/* "prerequisite-unmet". */
const char *words_refusal(Carillon__RefusalKind kind);

/* "capacity, rule", or "none". */
const char *words_permit_kinds(struct cli *cli, uint32_t kinds);

/* "A-" or "3.70" of a grade as messages carry it (points + 1); "" for 0. */
const char *words_grade(struct cli *cli, uint32_t grade);

/* "12.3 MiB". */
const char *words_bytes(struct cli *cli, uint64_t bytes);

/* Texts of a list joined by ", ". */
const char *words_list(struct cli *cli, char **items, size_t count);

#endif
