/* hakmem for programs that embed Lua 5.1 to 5.4 or LuaJIT.
 *
 *     lua_State *L = hak_lua_newstate(NULL);
 *     luaL_openlibs(L);
 *     ...
 *     hak_lua_close(L);
 *
 * Each state gets a heap of its own. A state and its heap have one user at a time and may move
 * between threads as long as the hand-over synchronizes; different states need no precaution. */
#ifndef HAKMEM_LUA_H
#define HAKMEM_LUA_H

#include <lua.h>

#include "hakmem.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A lua_Alloc; `ud` is a hak_heap, of granularity 8 for the least memory. Size 0 frees and returns
 * NULL. Shrinking never fails, as Lua requires. A block whose size is a multiple of 16 lies at one,
 * unless it was made smaller and stayed where it was for lack of memory. `old_size` need not be
 * true. Blocks that are not the heap's go to the allocator that was there before hak_lua_install,
 * and abort the process when there was none. */
HAK_API void *hak_lua_alloc(void *ud, void *block, size_t old_size, size_t new_size);

/* The same for a heap made with the option `kinds`, which then tells in its statistics how much of
 * each kind of object is live: strings, tables, functions (with their prototypes and upvalues),
 * userdata, threads, and everything else. What Lua 5.1 and LuaJIT allocate is all "other", since
 * they do not say what it is for; so are upvalues in Lua 5.3. */
HAK_API void *hak_lua_alloc_kinds(void *ud, void *block, size_t old_size, size_t new_size);

/* Makes a state in a heap of its own. `options` may be NULL; a granularity of 0 means 8 here. The
 * panic and warning functions are set as luaL_newstate sets them. NULL with errno EINVAL, ENOTSUP
 * or ENOMEM as hak_heap_new, also when the limit is too small for an empty state. */
HAK_API lua_State *hak_lua_newstate(const hak_heap_options *options);

/* Closes a state: pending to-be-closed variables and all finalizers run, as by lua_close, and then
 * the heap is dropped whole, without visiting each object. `L` must be the main thread of a state
 * from hak_lua_newstate; any other state is closed by lua_close, and so are those of LuaJIT, which
 * has machine code to unmap, and those in which a finalizer makes the collector work. (lua_close on
 * a state from hak_lua_newstate works too and leaks nothing; it is slower.) */
HAK_API void hak_lua_close(lua_State *L);

/* Makes a new heap the allocator of a running state, whatever its allocator was. Blocks from before
 * stay with that until they are freed or resized. Returns the heap; of a state that has one
 * already, that one, with `options` ignored: if it is a host's own, lua_newstate(hak_lua_alloc,
 * heap), the heap follows the state's collector from then on, and outlives it as before. NULL with
 * errno as hak_heap_new, or ENOTSUP where the interpreter cannot take foreign memory (LuaJIT
 * without GC64). May raise a Lua error of memory. The heap goes with the state. */
HAK_API hak_heap *hak_lua_install(lua_State *L, const hak_heap_options *options);

/* The state's heap, also where a host has set a function of its own that calls ours; NULL when
 * there is none. */
HAK_API hak_heap *hak_lua_heap(lua_State *L);

/* Begins to observe the state's heap (hakmem.h, "observing"), or ends it, by exchanging the state's
 * lua_Alloc function: a state that is not observed has hak_lua_alloc in place, as before. At any
 * time, and as often as one likes. False with errno ENOMEM when the OS has no memory for it, EINVAL
 * when the state's function is not hakmem's own, or EBUSY when it is to begin while the state
 * closes. hak_heap_observations and its companions tell what was counted. */
HAK_API bool hak_lua_observe(lua_State *L, bool on);

/* Whether the state is observed. */
HAK_API bool hak_lua_observing(lua_State *L);

/* Pushes the module `hakmem` (statistics, profile, limit; see docs/lua-scripts.md) for the scripts
 * of a host that is linked with the library: luaL_requiref(L, "hakmem", luaopen_hakmem, 0), or a
 * place in package.preload. A hakmem.so that a script loads is another copy and does not know the
 * heap. */
HAK_API int luaopen_hakmem(lua_State *L);

#ifdef __cplusplus
}
#endif
#endif
