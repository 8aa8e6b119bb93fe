/* What count_instructions.sh counts: the argument's number of times, 56 bytes (a table of Lua 5.4)
 * are allocated and freed as Lua does it, through a function pointer. */
#include <stdlib.h>

#include "hakmem_lua.h"

int main(int argc, char **argv)
{
    long times = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.granularity = 8});
    if (!heap) return 1;
    lua_Alloc volatile hidden = hak_lua_alloc;
    lua_Alloc alloc = hidden;
    for (long i = 0; i < times; i++) {
        void *block = alloc(heap, NULL, 5, 56);
        if (!block) return 1;
        alloc(heap, block, 56, 0);
    }
    return 0;
}
