#include "carillon/registrar.h"
#include "carillon/verbs.h"

int verb_close(struct cli *cli, int argc, char **argv)
{
    return registrar_window(cli, argc, argv, true);
}
