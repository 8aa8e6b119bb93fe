/* The command `hakmem`: options and statistics of the allocator in this environment.
 *
 *     hakmem options
 *         every option: its variable, the value in effect, and the origin of that value
 *     hakmem stats
 *         the statistics of a process with one empty heap, as JSON
 *     hakmem version
 *         the version and the build */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hakmem.h"

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

int main(int argc, char **argv)
{
    const char *what = argc == 2 ? argv[1] : "";
    if (strcmp(what, "options") == 0) return tell_options();
    if (strcmp(what, "stats") == 0) return tell_stats();
    if (strcmp(what, "version") == 0) return printf("%s (%s)\n", hak_version(), hak_build()) < 0;
    fprintf(stderr, "usage: %s options|stats|version\n", argv[0]);
    return 2;
}
