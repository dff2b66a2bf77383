/* carillon -- the command line: finds the verb and runs it. */
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "carillon/cli.h"
#include "carillon/verbs.h"

static void print_help(FILE *out)
{
    const char *group = "";

    fputs("Usage: carillon VERB [OPTION...] [ARGUMENT...]\n"
          "Search course catalogues and register students at a Carillon node.\n",
          out);
    for (size_t i = 0; verb_at(i) != NULL; i++) {
        const struct verb *verb = verb_at(i);

        if (strcmp(group, verb->group) != 0) {
            group = verb->group;
            fprintf(out, "\n%s\n", group);
        }
        fprintf(out, "  %-11s %s\n", verb->name, verb->help);
    }
    fputs("\n`carillon VERB --help` tells more about each. Section names are written\n"
          "[institution:]CODE#SECTION[@term], in quotation marks where they hold spaces.\n"
          "\nExit status: 0 done, 2 refused by rule, 3 waitlisted, 4 pending elsewhere,\n"
          "5 unavailable, 6 unknown (safe to repeat), 64 wrong usage, 1 anything else.\n",
          out);
}

static int run_verb(const struct verb *verb, int argc, char **argv)
{
    struct cli cli;
    char name[32];

    cli_init(&cli);
    /* argp shows argv[0] in usage and errors. */
    snprintf(name, sizeof name, "carillon %s", verb->name);
    argv[0] = name;
    int code = verb->run(&cli, argc, argv);

    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        code = code == EXIT_DONE ? EXIT_FAILED : code;
    }
    cli_fini(&cli);
    return code;
}

int main(int argc, char **argv)
{
    (void)setlocale(LC_ALL, "");
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return EXIT_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("carillon " CARILLON_VERSION);
        return EXIT_DONE;
    }
    const struct verb *verb = verb_find(argv[1]);

    if (verb == NULL && argv[1][0] == '-') {
        fprintf(stderr, "carillon: %s: options follow the verb, as in `carillon status %s`\n",
                argv[1], argv[1]);
        return EXIT_USAGE;
    }
    if (verb == NULL) {
        fprintf(stderr, "carillon: there is no verb '%s'; `carillon --help` lists them\n",
                argv[1]);
        return EXIT_USAGE;
    }
    return run_verb(verb, argc - 1, argv + 1);
}
