#include "lua_observed.h"

#include "insight/insight.h"
#include "lua_kinds.h"

static void *alloc_observed(void *ud, void *block, size_t old_size, size_t new_size)
{
    hak_heap *heap = ud;
    lua_Alloc alloc = hak__lua_alloc_of(heap);
    if (new_size == 0) {
        if (block) hak__observe_free(heap, block);
        return alloc(ud, block, old_size, 0);
    }
    unsigned kind = block ? 0 : hak__lua_kind_of(old_size);
    hak_probe probe = hak__observe_before(heap, block, kind, new_size);
    void *result = alloc(ud, block, old_size, new_size);
    hak__observe_after(heap, &probe, result);
    return result;
}

lua_Alloc hak__lua_function(const hak_heap *heap)
{
    HAK_GUARDED(heap);
    return hak__observing(heap) ? alloc_observed : hak__lua_alloc_of(heap);
}

bool hak__lua_observes(lua_Alloc function)
{
    return function == alloc_observed;
}

bool hak__lua_is_ours(lua_Alloc function)
{
    return hak__lua_is_alloc(function) || function == alloc_observed;
}
