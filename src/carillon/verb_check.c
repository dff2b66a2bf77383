#include "carillon/submit.h"
#include "carillon/verbs.h"

int verb_check(struct cli *cli, int argc, char **argv)
{
    return submit_verb(
        cli, argc, argv,
        "Say what registering would do, with every rule that stands in the way. Nothing "
        "is changed.\v"
        "  carillon check --student lm-0007 \"COMP 240#1\" \"MATH 210#2\" --drop \"ARTS "
        "110#1\"",
        true);
}
