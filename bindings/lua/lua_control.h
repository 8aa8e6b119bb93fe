/* The functions of the module that need the Lua API. */
#ifndef HAK_LUA_CONTROL_H
#define HAK_LUA_CONTROL_H

#include "hakmem_lua.h"

#define HAK_LUA_NOT_INSTALLED "hakmem is not installed in this state, call hakmem.install() first"

/* hakmem.install([options]). options: a table with `profile`, `limit` (bytes), `name`, `settings`,
 * `over`. Returns true if the allocator was replaced, false if it was hakmem already. If it is a
 * host's own and `over` is not true, changes nothing and returns nil and a message. */
int hak_lua_control_install(lua_State *L);

/* hakmem.installed(): whether this state's allocator is hakmem. */
int hak_lua_control_installed(lua_State *L);

/* hakmem.options(): a list of tables, one for each option. */
int hak_lua_control_options(lua_State *L);

/* hakmem.observe(on): returns whether the state was observed before. */
int hak_lua_control_observe(lua_State *L);

/* hakmem.observations(): a table. */
int hak_lua_control_observations(lua_State *L);

/* hakmem.process_stats(): a table. */
int hak_lua_control_process_stats(lua_State *L);

/* hakmem.openmetrics(): the statistics of the heap and of the process as OpenMetrics text. */
int hak_lua_control_openmetrics(lua_State *L);

/* The settings in the table or text at `index`, as text, which replaces it on the stack. */
const char *hak_lua_settings(lua_State *L, int index);

/* The module `hakmem.auto`, for `lua -l hakmem.auto`: installs hakmem; if the allocator is a
 * host's, install's message goes to stderr. Lua finds it in hakmem.so as a submodule, so that a
 * script that only wants the allocator does not load the control surface. */
HAK_API int luaopen_hakmem_auto(lua_State *L);

/* To be called when a module is loaded. Under `lua -E`, which ignores Lua's variables,
 * hakmem's are ignored too. */
void hak_lua_control_begin(lua_State *L);

/* Pushes the statistics of thread heaps as a table. */
void hak_lua_push_thread_stats(lua_State *L, const hak_threads_stats *stats);

/* Pushes the statistics of a heap as a table. */
void hak_lua_push_stats(lua_State *L, const hak_heap *heap, const hak_stats *stats);

#endif
