#include "carillon/submit.h"
#include "carillon/verbs.h"

int verb_register(struct cli *cli, int argc, char **argv)
{
    return submit_verb(
        cli, argc, argv,
        "Register for sections, and drop others, all or nothing.\v"
        "Names are [institution:]CODE#SECTION[@term]; the section may be left out where "
        "there is only one.\n\n"
        "  carillon register --student lm-0007 \"COMP 240#1\" \"MATH 210#2\" --drop "
        "\"ARTS 110#1\"",
        false);
}
