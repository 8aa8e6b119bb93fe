/* The lua_Alloc function of a heap that keeps kinds apart. For a new block, Lua 5.2 and later pass
 * the kind of object in place of the old size. They pass none for arrays, the hash parts of tables,
 * buffers and upvalues of Lua 5.3. Lua 5.1 and LuaJIT pass none at all. */
#include "lua_kinds.h"

#include "lua_alloc.h"

enum { OTHER, STRING, TABLE, FUNCTION, USERDATA, THREAD, COUNT };

static const char *const names[] = {"other", "string", "table", "function", "userdata", "thread"};

_Static_assert(COUNT <= HAK_KINDS && sizeof names / sizeof *names == COUNT, "each has a name");

/* Behind the types of lua.h lie Lua's internal ones: prototypes and upvalues. */
static const unsigned char kinds[] = {
#if LUA_VERSION_NUM >= 502
    [LUA_TSTRING] = STRING,       [LUA_TTABLE] = TABLE,   [LUA_TFUNCTION] = FUNCTION,
    [LUA_TUSERDATA] = USERDATA,   [LUA_TTHREAD] = THREAD, [LUA_TTHREAD + 1] = FUNCTION,
    [LUA_TTHREAD + 2] = FUNCTION,
#else
    OTHER,
#endif
};

unsigned hak__lua_kind_of(size_t what)
{
    return HAK_LIKELY(what < sizeof kinds) ? kinds[what] : OTHER;
}

void hak__lua_name_kinds(hak_heap *heap)
{
    hak__kinds_name(heap, names, COUNT);
}

/* The first blocks of a heap come from here: so its kinds are named, whoever has made it. */
__attribute__((noinline)) static void *alloc_slow(hak_heap *heap, unsigned kind, size_t size)
{
    hak__lua_name_kinds(heap);
    return hak__lua_alloc_kind_slow(heap, kind, size);
}

static void *alloc(hak_heap *heap, unsigned kind, size_t size)
{
    void *block = hak__heap_take_kind(heap, kind, size);
    return HAK_LIKELY(block != NULL) ? block : alloc_slow(heap, kind, size);
}

__attribute__((noinline)) static void *resize(hak_heap *heap, void *block, size_t old_size,
                                              size_t new_size)
{
    return hak__lua_resize(heap, block, old_size, new_size, true);
}

void *hak_lua_alloc_kinds(void *ud, void *block, size_t old_size, size_t new_size)
{
    hak_heap *heap = ud;
    if (block == NULL) return new_size ? alloc(heap, hak__lua_kind_of(old_size), new_size) : NULL;
    if (new_size != 0) return resize(heap, block, old_size, new_size);
    return hak__lua_free(heap, block, old_size);
}

lua_Alloc hak__lua_alloc_of(const hak_heap *heap)
{
    return hak__heap_keeps_kinds(heap) ? hak_lua_alloc_kinds : hak_lua_alloc;
}

bool hak__lua_is_alloc(lua_Alloc function)
{
    return function == hak_lua_alloc || function == hak_lua_alloc_kinds;
}
