/* hakmem for programs that embed Lua 5.1 to 5.5 or LuaJIT.
 *
 *     lua_State *L = hak_lua_newstate(NULL);
 *     luaL_openlibs(L);
 *     ...
 *     hak_lua_close(L);
 *
 * Each state has its own heap. A state and its heap have one user at a time. They may move between
 * threads if the hand-over synchronizes. Different states may be used by different threads at the
 * same time, also those that share a heap: hak_lua_share. */
#ifndef HAKMEM_LUA_H
#define HAKMEM_LUA_H

#include "hakmem.h"

/* Lua's own headers leave that to their user, as lua.hpp does. */
#ifdef __cplusplus
extern "C" {
#endif

#include <lua.h>

/* A lua_Alloc. `ud` is a hak_heap; granularity 8 takes the least memory.
 *
 * `new_size` 0 frees `block` and returns NULL. Shrinking never fails, as Lua requires. A block
 * whose size is a multiple of 16 is aligned to 16, unless it was shrunk and stayed in place for
 * lack of memory. `old_size` need not be correct. Blocks that are not of this heap go to the
 * allocator before hak_lua_install; if there was none, the process aborts. */
HAK_API void *hak_lua_alloc(void *ud, void *block, size_t old_size, size_t new_size);

/* The same for a heap made with the option `kinds`: its statistics have live blocks and bytes for
 * each kind of object: strings, tables, functions (with their prototypes and upvalues), userdata,
 * threads, and other. In Lua 5.1 and LuaJIT all is "other", since they do not pass the kind; so are
 * upvalues in Lua 5.3. */
HAK_API void *hak_lua_alloc_kinds(void *ud, void *block, size_t old_size, size_t new_size);

/* Makes a state in its own heap. `options` may be NULL; a granularity of 0 means 8 here. The
 * panic and warning functions are those of luaL_newstate. NULL with errno EINVAL, ENOTSUP or
 * ENOMEM as hak_heap_new; ENOMEM also if the limit is too small for an empty state, ENOTSUP also
 * for LuaJIT without GC64. Any thread may call it. */
HAK_API lua_State *hak_lua_newstate(const hak_heap_options *options);

/* Closes a state. Pending to-be-closed variables and all finalizers run, as in lua_close. Then the
 * heap is dropped as a whole, without visiting each object. `L` must be the main thread of a state
 * from hak_lua_newstate.
 *
 * lua_close does the whole work for other states, for LuaJIT (it has machine code to unmap), if a
 * finalizer makes the collector work, and in 5.5 if there may be external strings, whose own
 * functions must be called. (lua_close on a state from hak_lua_newstate works too and leaks
 * nothing; it is slower.) */
HAK_API void hak_lua_close(lua_State *L);

/* Makes a new heap the allocator of a running state, whatever its allocator was. Existing blocks
 * stay with the previous allocator until they are freed or resized. The heap is destroyed with the
 * state. `options` may be NULL.
 *
 * Returns the heap. If the state has one already, returns that one and ignores `options`. If that
 * one is the host's own, from lua_newstate(hak_lua_alloc, heap), it follows the state's collector
 * from then on, and still outlives the state.
 *
 * NULL with errno as hak_heap_new, or ENOTSUP if the interpreter cannot hold foreign memory (LuaJIT
 * without GC64). May raise a Lua error of memory. */
HAK_API hak_heap *hak_lua_install(lua_State *L, const hak_heap_options *options);

/* The state's heap, even if a host's own function calls ours; NULL if there is none. */
HAK_API hak_heap *hak_lua_heap(lua_State *L);

/* Tells that other states will be made with this state's allocator, by other threads. A heap
 * notices a second state by itself (lua_newstate with what lua_getallocf has told), and from then
 * on serves all of them, from any thread, until the last of them is closed. But when the first is
 * running while another thread makes the second, it is too late for that.
 *
 * A heap that serves several states has a lock. Its limit holds for all of them together. It does
 * not change their collectors' pace, and hak_lua_close does what lua_close does.
 *
 * True if the heap serves several states now. False with errno ENOMEM, or EINVAL if the state's
 * function is not hakmem's. To be called by the thread that uses the state. */
HAK_API bool hak_lua_share(lua_State *L);

/* Begins to observe the state's heap (hakmem.h, "observing"), or ends it, by exchanging the state's
 * lua_Alloc function: an unobserved state has the usual one. May be called at any time, any number
 * of times. hak_heap_observations and its companions read the counts.
 *
 * False with errno ENOMEM (the OS has no memory for it), EINVAL (the state's function is not
 * hakmem's) or EBUSY (the state is being closed, and `on` is true). */
HAK_API bool hak_lua_observe(lua_State *L, bool on);

/* Whether the state is observed. */
HAK_API bool hak_lua_observing(lua_State *L);

/* Pushes the module `hakmem` (statistics, profile, limit; see docs/lua-scripts.md), for the scripts
 * of a host that is linked with the library: luaL_requiref(L, "hakmem", luaopen_hakmem, 0), or an
 * entry of package.preload. A hakmem.so that a script loads is another copy, which does not know
 * the heap. */
HAK_API int luaopen_hakmem(lua_State *L);

#ifdef __cplusplus
}
#endif
#endif
