/* What count_instructions.sh counts: the argument's number of times, 56 bytes (a table of Lua 5.4)
 * are allocated and freed as Lua does it, through a function pointer: hak_lua_alloc, or, if the
 * second argument says so, hak_lua_alloc_kinds with a heap that keeps kinds apart. */
#include <stdlib.h>
#include <string.h>

#include "hakmem_lua.h"

int main(int argc, char **argv)
{
    long times = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    int kinds = argc > 2 && strcmp(argv[2], "hak_lua_alloc_kinds") == 0;
    /* What the adapter asks the interpreter once is asked here, not within the function. */
    lua_State *L = hak_lua_newstate(NULL);
    if (!L) return 1;
    hak_lua_close(L);
    hak_heap *heap =
        hak_heap_new(&(hak_heap_options){.granularity = 8, .settings = kinds ? "kinds=1" : NULL});
    if (!heap) return 1;
    lua_Alloc volatile hidden = kinds ? hak_lua_alloc_kinds : hak_lua_alloc;
    lua_Alloc alloc = hidden;
    for (long i = 0; i < times; i++) {
        void *block = alloc(heap, NULL, 5, 56);
        if (!block) return 1;
        alloc(heap, block, 56, 0);
    }
    return 0;
}
