/* What the core has done and learned in one input must not change what it does in the next, or a
 * finding would need all inputs before it. So its variables, which lie in sections of their own
 * (core_sections.h), are set back, and its mappings are given back. */
#include "process.h"

#include <stdlib.h>

/* The linker's names for where the sections begin and end; there may be no data. */
extern char __start_core_bss[], __stop_core_bss[];
extern char __start_core_data[] __attribute__((weak)), __stop_core_data[] __attribute__((weak));

static char *data_at_start;

/* The sanitizer's red zones lie between the variables, so that these bytes are not for memcpy. */
__attribute__((no_sanitize("address"), noinline)) static void copy(volatile char *to,
                                                                   const char *from, size_t size)
{
    for (size_t i = 0; i < size; i++) to[i] = from ? from[i] : 0;
}

void process_begin(const os_machine *machine)
{
    size_t data = (size_t)(__stop_core_data - __start_core_data);
    if (!data_at_start) {
        data_at_start = malloc(data + 1);
        copy(data_at_start, __start_core_data, data);
    }
    copy(__start_core_data, data_at_start, data);
    copy(__start_core_bss, NULL, (size_t)(__stop_core_bss - __start_core_bss));
    os_begin(machine);
}

void process_end(void)
{
    os_end();
}
