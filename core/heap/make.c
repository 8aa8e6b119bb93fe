/* Making a heap, and destroying it. */
#include <errno.h>
#include <string.h>

#include "heap/adapter.h"
#include "heap/check.h"
#include "heap/commands.h"
#include "heap/guard.h"
#include "heap/heaps.h"
#include "heap/kinds.h"
#include "heap/nest.h"
#include "os/os.h"
#include "pages/pages.h"
#include "policy/policy.h"

static bool bad(void)
{
    errno = EINVAL;
    return false;
}

/* Whether the options are valid. If so, sets `policy` and `given`. */
static bool options_valid(const hak_heap_options *options, hak_profile *policy, uint32_t *given)
{
    if (options->granularity && options->granularity != 8 && options->granularity != 16)
        return bad();
    if (options->profile && !hak_profile_valid(options->profile, NULL, 0)) return false;
    hak__options_profile(options->profile, policy);
    *given = options->profile != NULL;
    if (options->settings && !hak__heap_refine(policy, given, options->settings, NULL, 0))
        return false;
    if (options->memory && options->memory_size < HAK_MEMORY_MIN) return bad();
    if (!options->memory && options->memory_size) return bad();
    return true;
}

/* ------------------------------------------------------------------ the owner of the pages */

/* A young heap without a block in its nest still uses the pages that it lies in itself. */
static size_t used(const hak_pages *pages, const hak_unit *run)
{
    if (run == pages->single && !run->span_size)
        return hak__nest_own_pages(hak__heap_of_pages(pages));
    return hak__slab_used(run);
}

static void reached(hak_pages *pages, size_t units)
{
    hak_heap *heap = hak__heap_of_pages(pages);
    hak_guard *guard = hak__guard_of(heap);
    hak_reach *reach = guard ? &guard->reach : &heap->reach;
    if (units <= reach->units) return;
    if (!reach->slabs) { /* the shared region was placed after the heap */
        reach->base = hak__region_shared()->base;
        reach->slabs = hak__region_shared()->slabs;
    }
    reach->units = units;
}

static const hak_pages_owner owner = {used, reached};

/* ------------------------------------------------------------------ making and ending */

/* The first bytes of a nest. */
typedef struct heap_head {
    hak_heap heap;
    hak_kinds kinds; /* if the heap keeps kinds apart */
} heap_head;

static size_t head_size(bool kinds)
{
    return ((kinds ? sizeof(heap_head) : sizeof(hak_heap)) + 15) & ~(size_t)15;
}

/* A heap in a nest. */
static hak_heap *heap_in_nest(bool kinds)
{
    hak_slab *nest = hak__supply_take_nest();
    if (!nest) return NULL;
    const hak_region *shared = hak__region_shared();
    heap_head *head = (heap_head *)nest->start;
    hak_heap *heap = &head->heap;
    *heap = (hak_heap){
        .base = shared->base,
        .slabs = shared->slabs,
        .pages = {.owner = &owner,
                  .limit = SIZE_MAX,
                  .supers = (hak_superslab_lists *)&hak__no_superslabs},
        .bins.lists = (hak_lists *)&hak__no_lists,
    };
    if (hak__region_contains(shared, heap)) heap->units = hak__unit_index(shared, heap) + 1;
    hak__kinds_open(heap, kinds);
    hak__nest_open(heap, nest, head_size(kinds));
    size_t own = hak__nest_own_pages(heap);
    if (nest->touched < own) nest->touched = (uint32_t)own;
    heap->pages.footprint = heap->pages.retained = nest->touched - own;
    return heap;
}

static hak_heap *heap_on_memory(void *memory, size_t size, bool kinds)
{
    size_t head_end = head_size(kinds), lists = hak__kinds_lists_size(kinds);
    hak_region *region = hak__region_on_memory(memory, size, head_end + lists);
    if (!region) return NULL;
    heap_head *head = region->control;
    hak_heap *heap = &head->heap;
    *heap = (hak_heap){.pages = {.owner = &owner, .region = region, .limit = SIZE_MAX}};
    hak__kinds_open(heap, kinds);
    hak__kinds_clear_lists(heap, (char *)head + head_end);
    hak__kinds_set_lists(heap, (char *)head + head_end);
    for (size_t i = region->superslabs; i-- > 0;)
        hak__units_adopt(&heap->pages, &region->supers[i]);
    return heap;
}

void hak__heap_suit(hak_heap *heap, const hak_hints *hints)
{
    heap->hints = hints;
    heap->pages.keeps_whole = hints->scattered;
    if (hints->words_more && heap->spacing == HAK_SPACING_8) heap->spacing = HAK_SPACING_WORDS_MORE;
}

hak_heap *hak__heap_new(const hak_heap_options *options)
{
    static const hak_heap_options defaults;
    if (!options) options = &defaults;
    hak_profile policy;
    uint32_t given;
    if (!options_valid(options, &policy, &given)) return NULL;
    if (!options->memory && hak__os_page() > HAK_PAGE) {
        errno = ENOTSUP;
        return NULL;
    }
    hak_heap *heap = options->memory
                         ? heap_on_memory(options->memory, options->memory_size, policy.kinds)
                         : heap_in_nest(policy.kinds);
    if (!heap) {
        errno = ENOMEM;
        return NULL;
    }
    for (size_t i = 0; i <= HAK_SMALL_MAX / 8; i++) heap->bin[i] = (hak_slab *)&hak__no_slab;
    heap->spacing = options->granularity == 8 ? HAK_SPACING_8 : HAK_SPACING_16;
    hak__heap_keep_to(heap, options->limit);
    if (heap->pages.footprint > heap->pages.limit && !hak__purge_single(&heap->pages)) {
        hak__supply_give_nest(heap->nest.run, SIZE_MAX);
        errno = ENOMEM;
        return NULL;
    }
    hak__charge_always(&heap->pages, 0);
    hak__heap_suit(heap, &hak__hints_default);
    heap->policy = policy;
    heap->pages.profile = &heap->policy;
    heap->overrides = given;
    if (!heap->pages.region) {
        hak__counts_tell_at_exit();
        hak__heaps_add(heap);
    }
    if (hak__options_prewarm()) hak_heap_prewarm(heap, hak__options_prewarm());
    strncpy(heap->name, options->name ? options->name : "heap", sizeof heap->name - 1);
    return heap;
}

void hak__heap_respect_fork(void)
{
    hak__reaper_respect_fork();
}

const char *hak__heap_new_failure(int error)
{
    return error == ENOTSUP ? "the kernel's pages are larger than the 4096 bytes that hakmem gives "
                              "back at a time"
                            : "not enough memory for a heap";
}

void hak_heap_destroy(hak_heap *heap)
{
    if (!heap) return;
    hak__heap_check_now_and_then(heap);
    if (hak__guard_of(heap)) hak__guard_end(heap);
    if (heap->destroy_hook) heap->destroy_hook->run(heap);
    if (heap->pages.region) return;
    size_t pool = hak__policy(heap)->pool;
    hak__heaps_remove(heap);
    hak__kept_purge_to(&heap->pages, 0, 0);
    hak__packs_destroy(&heap->pages);
    while (heap->pages.huge) {
        hak_superslab *huge = heap->pages.huge;
        heap->pages.huge = huge->next;
        hak__hugespace_give(huge);
    }
    while (heap->pages.supers->owned)
        hak__units_return(&heap->pages, heap->pages.supers->owned, pool);
    hak__supply_give_nest(heap->nest.run, pool);
}

const char *hak_heap_name(const hak_heap *heap)
{
    return heap->name;
}
