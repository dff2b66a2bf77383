#include "node/rights.h"

#include "identity/certificate.h"
#include "wire/field.h"

/* "registrar or operator" */
static const char *roles_text(unsigned roles)
{
    if ((roles & METHOD_ROLE_REGISTRAR) != 0) {
        return (roles & METHOD_ROLE_OPERATOR) != 0 ? "a registrar or an operator"
                                                   : "a registrar";
    }
    if ((roles & METHOD_ROLE_INVITED) != 0) {
        return "a node that has an invite";
    }
    if ((roles & METHOD_ROLE_OPERATOR) == 0) {
        return "a node of the cluster";
    }
    return (roles & METHOD_ROLE_NODE) != 0 ? "an operator or a node" : "an operator";
}

/* A student acts for himself: every `student` in the body is his token. */
static int check_student(const struct conn_who *who, const struct method *method,
                         struct slice body, struct buf *text)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(method->request, "student");
    bool is_named = false;
    struct field_reader fields = field_reader_from(body);
    struct field at;

    if (field == NULL) {
        return OK;
    }
    while (!field_reader_is_done(&fields)) {
        if (!field_read(&fields, &at)) {
            return ERR_MALFORMED;
        }
        if (at.number != field->id) {
            continue;
        }
        if (at.type != FIELD_BYTES ||
            !slice_is_equal(at.bytes, slice_from_text(who->student))) {
            (void)!buf_append_format(text, "a student's token acts for \"%s\" alone",
                                     who->student);
            return ERR_FORBIDDEN;
        }
        is_named = true;
    }
    if (!is_named && (method->roles & METHOD_ROLE_ANYONE) == 0) {
        (void)!buf_append_format(
            text, "the request names no student; this token acts for \"%s\"", who->student);
        return ERR_FORBIDDEN;
    }
    return OK;
}

int rights_check(const struct conn_who *who, const struct method *method, struct slice body,
                 struct buf *text)
{
    if ((who->roles & method->roles) == 0) {
        (void)!buf_append_format(text, "%s is for %s", method->name, roles_text(method->roles));
        return ERR_FORBIDDEN;
    }
    return (who->roles & METHOD_ROLE_STUDENT) != 0 ? check_student(who, method, body, text) : OK;
}
