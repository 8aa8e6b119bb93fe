#include "pages/region.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#if __has_include(<sys/single_threaded.h>) /* glibc since 2.32, musl */
#include <sys/single_threaded.h>
#else
static const char __libc_single_threaded;
#endif

#include "os/os.h"

#define RESERVE_FIRST    ((size_t)1 << 40) /* 1 TiB, halved while refused … */
#define RESERVE_LEAST    ((size_t)1 << 30) /* … down to 1 GiB; below that, spill regions */
#define SPILL_SUPERSLABS ((size_t)8)
#define SPILLS_MAX       1024
#define READY_STEP       ((size_t)16) /* superslabs whose records are committed by one call */
#define MAPPINGS_MANY    ((size_t)8192)
#define SUPERS_A_LEAF    ((size_t)64) /* words of superslabs, 16 GiB: they touch few pages */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

hak_region hak__shared; /* superslabs == 0: the big reservation was refused */
static atomic_bool shared_ready;

/* The spill regions. Where each lies is kept here and not in the region, so that a search may pass
 * over one that another thread is releasing. */
static struct {
    _Atomic(hak_region *) region;
    atomic_uintptr_t base;
    atomic_size_t size;
} spills[SPILLS_MAX];
static atomic_size_t spill_slots; /* slots that have ever been used */

/* For statistics. */
static size_t committed_superslabs, reserved_bytes, spill_count;

/* Kernel mappings of ours: neighbours of which one is committed, and huge blocks that were moved.
 */
static atomic_size_t borders, moved_blocks;
static atomic_size_t purges_elsewhere;

/* ------------------------------------------------------------------ making regions */

/* Records and units for `superslabs` in one reservation. */
static bool region_reserve(hak_region *region, size_t superslabs)
{
    size_t supers = superslabs * sizeof(hak_superslab);
    size_t tables = hak__up(supers + hak__room_size(superslabs, SUPERS_A_LEAF), HAK_PAGE);
    size_t slabs = superslabs * HAK_SUPERSLAB_UNITS * sizeof(hak_unit);
    size_t records = hak__up(tables + slabs + sizeof *region, HAK_PAGE);
    size_t size = records + superslabs * HAK_SUPERSLAB_SIZE + HAK_SUPERSLAB_SIZE;
    char *mapping = hak__os_reserve(size);
    if (!mapping) return false;
    if (!hak__os_commit(mapping, tables)) {
        hak__os_release(mapping, size);
        return false;
    }
    reserved_bytes += size;
    *region = (hak_region){
        .base = hak__up((uintptr_t)mapping + records, HAK_SUPERSLAB_SIZE),
        .superslabs = superslabs,
        .unit_shift = HAK_UNIT_SHIFT,
        .supers = (hak_superslab *)mapping,
        .slabs = (hak_unit *)(mapping + tables),
        .huge_hint = superslabs / 2,
        .units = superslabs * HAK_SUPERSLAB_UNITS,
        .mapping = mapping,
        .mapping_size = size,
    };
    hak__room_open(&region->room, superslabs, SUPERS_A_LEAF, mapping + supers);
    return true;
}

static void before_fork(void)
{
    pthread_mutex_lock(&lock);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&lock);
}

static void register_handlers(void)
{
    pthread_atfork(before_fork, after_fork, after_fork);
}

void hak__region_respect_fork(void)
{
    pthread_once(&fork_once, register_handlers);
}

/* A fork must never find the lock held by a thread that the child does not have. While the process
 * has one thread, that cannot be; and libc registers no handlers while another thread forks. So
 * handlers are registered as late as this, since they cost 50 KiB of libc's pages. */
void hak__region_lock(void)
{
    if (!__libc_single_threaded) hak__region_respect_fork();
    pthread_mutex_lock(&lock);
}

void hak__region_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

static void shared_reserve(void)
{
    /* Under a limit of address space, leave three quarters of it to the rest of the program. */
    size_t most = hak__os_address_limit() / 4;
    for (size_t size = RESERVE_FIRST; size >= RESERVE_LEAST; size /= 2) {
        if (size <= most && region_reserve(&hak__shared, size / HAK_SUPERSLAB_SIZE)) break;
    }
    atomic_store_explicit(&shared_ready, true, memory_order_release);
}

void hak__region_start(void)
{
    pthread_once(&once, shared_reserve);
}

hak_region *hak__region_next(size_t *slot)
{
    size_t slots = atomic_load_explicit(&spill_slots, memory_order_relaxed);
    while (*slot < slots) {
        hak_region *region = atomic_load_explicit(&spills[(*slot)++].region, memory_order_relaxed);
        if (region && !region->dedicated) return region;
    }
    return NULL;
}

hak_region *hak__region_spill(size_t superslabs, bool dedicated)
{
    size_t slot = 0;
    while (slot < SPILLS_MAX && atomic_load_explicit(&spills[slot].region, memory_order_relaxed))
        slot++;
    if (slot == SPILLS_MAX) return NULL;

    hak_region made;
    if (!region_reserve(&made, superslabs)) return NULL;
    hak_region *region = (hak_region *)&made.slabs[superslabs * HAK_SUPERSLAB_UNITS];
    size_t records = (size_t)((char *)(region + 1) - (char *)made.mapping);
    if (!hak__os_commit(made.mapping, hak__up(records, HAK_PAGE))) {
        reserved_bytes -= made.mapping_size;
        hak__os_release(made.mapping, made.mapping_size);
        return NULL;
    }
    spill_count++;
    *region = made;
    region->ready = superslabs;
    region->huge_hint = 0;
    region->dedicated = dedicated;
    atomic_store_explicit(&spills[slot].base, region->base, memory_order_relaxed);
    atomic_store_explicit(&spills[slot].size, superslabs * HAK_SUPERSLAB_SIZE,
                          memory_order_relaxed);
    atomic_store_explicit(&spills[slot].region, region, memory_order_release);
    if (slot >= atomic_load_explicit(&spill_slots, memory_order_relaxed)) {
        atomic_store_explicit(&spill_slots, slot + 1, memory_order_release);
    }
    return region;
}

void hak__region_release(hak_region *region)
{
    for (size_t slot = 0; slot < SPILLS_MAX; slot++) {
        if (atomic_load_explicit(&spills[slot].region, memory_order_relaxed) == region) {
            atomic_store_explicit(&spills[slot].region, NULL, memory_order_release);
        }
    }
    for (size_t i = 0; i < region->superslabs; i++) {
        hak__region_set_committed(&region->supers[i], false);
    }
    reserved_bytes -= region->mapping_size;
    char *mapping = region->mapping; /* the region lies within it */
    size_t size = region->mapping_size;
    if (!hak__os_release(mapping, size)) hak__os_reset(mapping, size);
}

const hak_region *hak__region_shared(void)
{
    return &hak__shared;
}

/* Whether `p` lies where a region once was, and something else may be mapped now. */
static bool is_lost(const hak_region *region, const void *p)
{
    return hak__superslab_of(region, p)->type == HAK_SUPERSLAB_LOST;
}

hak_region *hak__region_of(const void *p)
{
    if (!atomic_load_explicit(&shared_ready, memory_order_acquire)) return NULL;
    if (hak__region_contains(&hak__shared, p) && !is_lost(&hak__shared, p)) return &hak__shared;
    size_t slots = atomic_load_explicit(&spill_slots, memory_order_acquire);
    for (size_t slot = 0; slot < slots; slot++) {
        hak_region *region = atomic_load_explicit(&spills[slot].region, memory_order_acquire);
        uintptr_t base = atomic_load_explicit(&spills[slot].base, memory_order_relaxed);
        size_t size = atomic_load_explicit(&spills[slot].size, memory_order_relaxed);
        if (!region || (uintptr_t)p - base >= size) continue;
        /* The owner of `p` keeps its region alive; if the slot has changed hands, this is not it.
         */
        atomic_thread_fence(memory_order_acquire);
        if (atomic_load_explicit(&spills[slot].region, memory_order_relaxed) == region &&
            !is_lost(region, p)) {
            return region;
        }
    }
    return NULL;
}

/* ------------------------------------------------------------------ giving pages back */

static bool is_ours(void *start, size_t size)
{
    const hak_region *region = hak__region_of(start);
    if (region && hak__region_contains(region, (char *)start + size - 1)) return true;
    atomic_fetch_add_explicit(&purges_elsewhere, 1, memory_order_relaxed);
    return false;
}

bool hak__region_purge(void *start, size_t size)
{
    return is_ours(start, size) && hak__os_purge(start, size);
}

bool hak__region_purge_lazily(void *start, size_t size)
{
    return is_ours(start, size) && hak__os_purge_lazily(start, size);
}

hak_region_counts hak__region_counts(void)
{
    return (hak_region_counts){
        .committed = committed_superslabs * HAK_SUPERSLAB_SIZE,
        .reserved = reserved_bytes,
        .spill_regions = spill_count,
        .purges_elsewhere = atomic_load_explicit(&purges_elsewhere, memory_order_relaxed),
    };
}

/* ------------------------------------------------------------------ superslabs */

/* Commits records so that superslab `index` can be cut. */
static bool make_ready(hak_region *region, size_t index)
{
    if (index < region->ready) return true;
    size_t ready = region->ready;
    size_t end = hak__up(index + 1, READY_STEP);
    if (end > region->superslabs) end = region->superslabs;
    char *slabs = (char *)&region->slabs[ready * HAK_SUPERSLAB_UNITS];
    if (!hak__os_commit(slabs, (end - ready) * HAK_SUPERSLAB_UNITS * sizeof(hak_unit)))
        return false;
    region->ready = end;
    return true;
}

/* Whether the neighbour of a superslab in a region is committed. */
static bool neighbour_committed(const hak_superslab *super, ptrdiff_t distance)
{
    size_t neighbour = hak__superslab_index(super) + (size_t)distance;
    return neighbour < super->region->superslabs && super[distance].committed;
}

void hak__region_set_committed(hak_superslab *super, bool committed)
{
    if (super->committed == committed) return;
    for (ptrdiff_t distance = -1; distance <= 1; distance += 2) {
        if (neighbour_committed(super, distance) == committed) borders--;
        else borders++;
    }
    if (committed) committed_superslabs++;
    else committed_superslabs--;
    super->committed = committed;
}

void hak__region_count_moved(int change)
{
    moved_blocks += (size_t)change;
}

bool hak__region_crowded(void)
{
    return atomic_load_explicit(&borders, memory_order_relaxed) +
               2 * atomic_load_explicit(&moved_blocks, memory_order_relaxed) >
           MAPPINGS_MANY;
}

static bool commit(hak_region *region, hak_superslab *super)
{
    super->region = region;
    if (!super->committed) {
        char *start = hak__superslab_start(super);
        hak__region_set_committed(super, hak__os_commit(start, HAK_SUPERSLAB_SIZE));
    }
    return super->committed;
}

static hak_superslab *take_from(hak_region *region)
{
    size_t index = hak__room_find(&region->room, 0, 1);
    if (index == HAK_ROOM_NOWHERE) return NULL;
    hak_superslab *super = &region->supers[index];
    if (!make_ready(region, index) || !commit(region, super)) return NULL;
    hak__room_mark(&region->room, index, 1, true);
    return super;
}

static hak_superslab *take_from_spill(void)
{
    size_t slot = 0;
    for (hak_region *region; (region = hak__region_next(&slot)) != NULL;) {
        hak_superslab *super = take_from(region);
        if (super) return super;
    }
    for (size_t superslabs = SPILL_SUPERSLABS; superslabs >= 2; superslabs /= 2) {
        hak_region *region = hak__region_spill(superslabs, false);
        if (region) return take_from(region);
    }
    return NULL;
}

hak_superslab *hak__region_take_free(void)
{
    hak_superslab *super = take_from(&hak__shared);
    return super ? super : take_from_spill();
}

void hak__region_drop_records(hak_superslab *super)
{
    hak_unit *slabs = hak__superslab_slabs(super);
    _Static_assert(HAK_SUPERSLAB_UNITS * sizeof *slabs % HAK_PAGE == 0, "records in whole pages");
    hak__os_purge(slabs, HAK_SUPERSLAB_UNITS * sizeof *slabs);
}

void hak__region_make_free(hak_superslab *super, size_t count)
{
    hak_region *region = super->region;
    for (size_t i = 0; i < count; i++) super[i].type = HAK_SUPERSLAB_FREE;
    hak__room_mark(&region->room, hak__superslab_index(super), count, false);
}
