/* The parts of the control surface that need the Lua API. */
#ifndef HAK_LUA_CONTROL_H
#define HAK_LUA_CONTROL_H

#include "hakmem_lua.h"

#define HAK_LUA_NOT_INSTALLED "hakmem is not installed in this state, call hakmem.install() first"

/* hakmem.install([options]): options is a table with `profile`, `limit` (bytes), `name`, `settings`
 * and `over`. Returns true if the allocator was replaced, false if it was hakmem already; nil and a
 * message, with nothing changed, if it is a host's own and `over` is not true. */
int hak_lua_control_install(lua_State *L);

/* hakmem.installed(): whether this state's allocator is hakmem. */
int hak_lua_control_installed(lua_State *L);

/* hakmem.options(): a list of tables, one for each option. */
int hak_lua_control_options(lua_State *L);

/* hakmem.observe(on): whether it was on before. */
int hak_lua_control_observe(lua_State *L);

/* hakmem.observations(): a table. */
int hak_lua_control_observations(lua_State *L);

/* hakmem.process_stats(): a table. */
int hak_lua_control_process_stats(lua_State *L);

/* hakmem.openmetrics(): the statistics of the heap and of the process as OpenMetrics text. */
int hak_lua_control_openmetrics(lua_State *L);

/* The settings in the table or text at `index`, as text that takes its place on the stack. */
const char *hak_lua_settings(lua_State *L, int index);

/* The module `hakmem.auto`, for `lua -l hakmem.auto`: installs hakmem and is done; what install
 * says of a host's allocator goes to stderr. It finds itself in hakmem.so, where Lua looks for
 * submodules, so that a script that only wants the allocator does not load the control surface. */
HAK_API int luaopen_hakmem_auto(lua_State *L);

/* When the module is loaded: by `lua -E`, which ignores Lua's own variables, ours are ignored too.
 */
void hak_lua_control_begin(lua_State *L);

/* Pushes statistics of a heap as a table. */
void hak_lua_push_stats(lua_State *L, const hak_heap *heap, const hak_stats *stats);

#endif
