/* HAKMEM_STATS=1: statistics on stderr, as JSON, when the program ends. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/os.h"
#include "threads/threads.h"

__attribute__((destructor)) static void tell(void)
{
    const char *value = hak__os_has_more_rights() ? NULL : getenv("HAKMEM_STATS");
    if (!value || strcmp(value, "1") != 0) return;
    static char text[8192];
    size_t length = 0;
    length += (size_t)snprintf(text, sizeof text, "{\"threads\": ");
    length += hak_threads_stats_json(text + length, sizeof text - length);
    length += (size_t)snprintf(text + length, sizeof text - length, ", \"process\": ");
    length += hak_process_stats_json(text + length, sizeof text - length);
    length += (size_t)snprintf(text + length, sizeof text - length, "}\n");
    if (write(STDERR_FILENO, text, length) < 0) return; /* nobody listens */
}
