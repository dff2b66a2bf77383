#include "carillon/bench_ops.h"

#include <stdlib.h>

#include "base/assert.h"
#include "proto/registration.pb-c.h"
#include "wire/message.h"

enum { OPS_BYTES_MAX = 1 << 30, PART_BYTES_MAX = BENCH_OP_BYTES_MAX / 2 };

static int pack_student(const struct bench_workload *workload, uint32_t student,
                        struct buf *out)
{
    Carillon__SubmitRequest request = CARILLON__SUBMIT_REQUEST__INIT;
    char token[BENCH_SLUG_BYTES + BENCH_NAME_BYTES];

    bench_token(workload, student, token);
    request.student = token;
    return wire_pack(&request.base, out);
}

static int pack_section(const struct bench_workload *workload, uint32_t section,
                        struct buf *out)
{
    Carillon__SubmitRequest request = CARILLON__SUBMIT_REQUEST__INIT;
    Carillon__Op op = CARILLON__OP__INIT, *ops[] = {&op};
    char code[BENCH_NAME_BYTES], id[BENCH_NAME_BYTES];

    bench_code(workload->sections[section].course, code);
    bench_section_id(&workload->sections[section], id);
    op.kind = CARILLON__OP_KIND__OP_ADD;
    op.institution = wire_text(workload->slug);
    op.code = code;
    op.section = id;
    request.ops = ops;
    request.n_ops = 1;
    return wire_pack(&request.base, out);
}

static int pack_all(struct bench_ops *ops, const struct bench_workload *workload)
{
    int rc = OK;

    for (uint32_t i = 0; rc == OK && i < workload->student_count; i++) {
        ops->students[i] = (uint32_t)ops->bytes.len;
        rc = pack_student(workload, i, &ops->bytes);
    }
    ops->students[workload->student_count] = (uint32_t)ops->bytes.len;
    for (uint32_t i = 0; rc == OK && i < workload->section_count; i++) {
        ops->sections[i] = (uint32_t)ops->bytes.len;
        rc = pack_section(workload, i, &ops->bytes);
    }
    ops->sections[workload->section_count] = (uint32_t)ops->bytes.len;
    return rc;
}

int bench_ops_init(struct bench_ops *ops, const struct bench_workload *workload)
{
    *ops = (struct bench_ops){0};
    buf_init(&ops->bytes, OPS_BYTES_MAX);
    ops->students = calloc((size_t)workload->student_count + 1, sizeof *ops->students);
    ops->sections = calloc((size_t)workload->section_count + 1, sizeof *ops->sections);
    int rc =
        ops->students == NULL || ops->sections == NULL ? ERR_NOMEM : pack_all(ops, workload);
    if (rc != OK) {
        bench_ops_fini(ops);
    }
    return rc;
}

void bench_ops_fini(struct bench_ops *ops)
{
    buf_fini(&ops->bytes);
    free(ops->students);
    free(ops->sections);
    *ops = (struct bench_ops){0};
}

size_t bench_ops_write(const struct bench_ops *ops, uint32_t student, uint32_t section,
                       uint8_t out[BENCH_OP_BYTES_MAX])
{
    size_t student_len = ops->students[student + 1] - ops->students[student];
    size_t section_len = ops->sections[section + 1] - ops->sections[section];

    ASSERT(student_len <= PART_BYTES_MAX && section_len <= PART_BYTES_MAX);
    memcpy(out, ops->bytes.data + ops->students[student], student_len);
    memcpy(out + student_len, ops->bytes.data + ops->sections[section], section_len);
    return student_len + section_len;
}
