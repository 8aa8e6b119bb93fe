/* The command `hakmem`: options and statistics of the allocator in this environment; hakmem(1). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hakmem.h"
#include "run.h"

static int tell_options(void)
{
    enum { MOST = 64 };
    hak_option options[MOST];
    size_t count = hak_options(NULL, options, MOST);
    printf("%-13s %-28s %-14s %-12s %s\n", "option", "variable", "value", "from", "accepted");
    for (size_t i = 0; i < count; i++) {
        printf("%-13s %-28s %-14s %-12s %s\n", options[i].name, options[i].variable,
               options[i].value, options[i].origin, options[i].range);
        printf("%13s %s\n", "", options[i].help);
    }
    return 0;
}

static int tell_stats(void)
{
    hak_heap *heap = hak_heap_new(NULL);
    size_t size = hak_process_stats_json(NULL, 0) + 256;
    char *text = malloc(size);
    if (!heap || !text) return 1;
    hak_process_stats_json(text, size);
    puts(text);
    free(text);
    hak_heap_destroy(heap);
    return 0;
}

static int tell_version(void)
{
    return printf("%s (%s)\n", hak_version(), hak_build()) < 0;
}

static int help(void)
{
    return puts("usage: hakmem options|stats|version\n"
                "       hakmem run [--profile P] [--stats] PROGRAM [ARGUMENT …]\n"
                "\n"
                "  run            runs a program with hakmem in place of malloc\n"
                "  options        every option: its variable, the value in effect and its origin\n"
                "  stats          the statistics of a process with one empty heap, as JSON\n"
                "  version        the version and the build; also --version\n"
                "  --help, -h     this text\n"
                "\n"
                "hakmem(1) tells more of the command, hakmem(3) of the library.") < 0;
}

typedef struct command {
    const char *name;
    int (*run)(void);
} command;

static const command commands[] = {
    {"options", tell_options},   {"stats", tell_stats}, {"version", tell_version},
    {"--version", tell_version}, {"--help", help},      {"-h", help},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) return commands[i].run();
    }
    if (argc > 1 && strcmp(argv[1], "run") == 0) return hak__run(argc - 1, argv + 1);
    fprintf(stderr, "usage: %s options|stats|version|run …; --help tells more\n", argv[0]);
    return 2;
}
