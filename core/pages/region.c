#include "pages/region.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#if __has_include(<sys/single_threaded.h>) /* glibc since 2.32 */
#include <sys/single_threaded.h>
#define KNOWS_OF_THREADS 1
#else
static const char __libc_single_threaded;
#define KNOWS_OF_THREADS 0
#endif

#include "os/os.h"
#include "pages/mapping.h"
#include "pages/plan.h"

#define SPILL_SUPERSLABS ((size_t)8)
#define SPILLS_MAX       1024

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Held while the records of a spill region are unmapped, and while they are read for an address
 * that may be another's. Nothing else is locked meanwhile. */
static pthread_mutex_t records_lock = PTHREAD_MUTEX_INITIALIZER;

hak_region hak__shared; /* superslabs == 0: no place was found */
static atomic_bool shared_ready;

/* The spill regions. Base and size are here, so that a search takes no lock for the regions that
 * `p` is not in. */
static struct {
    _Atomic(hak_region *) region;
    atomic_uintptr_t base;
    atomic_size_t size;
} spills[SPILLS_MAX];
static atomic_size_t spill_slots; /* slots that have ever been used */

static size_t spill_count, spill_records; /* for statistics: regions made; bytes of records */
static atomic_size_t purges_elsewhere;

/* ------------------------------------------------------------------ the lock */

static hak_forking forking;

static void before_fork(void)
{
    if (hak__forking_here(&forking)) return;
    pthread_mutex_lock(&lock);
    pthread_mutex_lock(&records_lock);
    forking = pthread_self();
}

static void after_fork(void)
{
    if (!hak__forking_here(&forking)) return;
    forking = (pthread_t)0;
    pthread_mutex_unlock(&records_lock);
    pthread_mutex_unlock(&lock);
}

static void register_handlers(void)
{
    pthread_atfork(before_fork, after_fork, after_fork);
}

void hak__region_respect_fork(void)
{
    static hak_once once;
    hak__once(&once, register_handlers);
}

/* fork() must not copy a held lock. With one thread it cannot, so the handlers, which cost 50 KiB
 * of glibc's pages, are registered only once there are threads. glibc registers none while another
 * thread forks. musl does, if they are the first of all: a fork that began without them could copy
 * a lock that was taken right after. So they are registered as the program or the module is loaded
 * where libc does not tell whether there are threads. */
#if !KNOWS_OF_THREADS
__attribute__((constructor)) static void respect_fork_early(void)
{
    hak__region_respect_fork();
}
#endif

static void acquire(pthread_mutex_t *mutex)
{
    if (!__libc_single_threaded) hak__region_respect_fork();
    pthread_mutex_lock(mutex);
}

void hak__region_lock(void)
{
    acquire(&lock);
}

void hak__region_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

/* ------------------------------------------------------------------ making regions */

static bool is_ready(void)
{
    return HAK_LIKELY(atomic_load_explicit(&shared_ready, memory_order_acquire));
}

/* HAK_REFUSED is not final: there may be address space later. */
void hak__region_start(void)
{
    if (is_ready()) return;
    hak__region_lock();
    if (!is_ready() && hak__plan_open(&hak__shared) != HAK_REFUSED)
        atomic_store_explicit(&shared_ready, true, memory_order_release);
    hak__region_unlock();
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

/* Maps a region with its records in front of it. */
static hak_region *map_region(size_t superslabs)
{
    size_t supers = superslabs * sizeof(hak_superslab);
    size_t room = hak__room_size(superslabs, HAK_SUPERS_A_LEAF);
    size_t units = superslabs * HAK_SUPERSLAB_UNITS * sizeof(hak_unit);
    size_t first = hak__up(supers + room, sizeof(hak_unit));
    size_t records = hak__up(first + units + sizeof(hak_region), HAK_PAGE);
    size_t data = superslabs * HAK_SUPERSLAB_SIZE;
    char *mapping = hak__os_map(records + data + HAK_SUPERSLAB_SIZE);
    if (!mapping) return NULL;
    char *base = (char *)hak__up((uintptr_t)mapping + records, HAK_SUPERSLAB_SIZE);
    char *end = mapping + records + data + HAK_SUPERSLAB_SIZE;
    if (base > mapping + records)
        hak__os_unmap(mapping + records, (size_t)(base - mapping) - records);
    if (end > base + data) hak__os_unmap(base + data, (size_t)(end - base) - data);
    hak_region *region = (hak_region *)(mapping + first + units);
    *region = (hak_region){
        .base = (uintptr_t)base,
        .superslabs = superslabs,
        .unit_shift = HAK_UNIT_SHIFT,
        .supers = (hak_superslab *)mapping,
        .slabs = (hak_unit *)(mapping + first),
        .ready = superslabs,
        .units = superslabs * HAK_SUPERSLAB_UNITS,
        .records = records,
    };
    hak__room_open(&region->room, superslabs, HAK_SUPERS_A_LEAF, mapping + supers);
    for (size_t i = 0; i < superslabs; i++) {
        region->supers[i].region = region;
        region->supers[i].units = HAK_SUPERSLAB_UNITS;
        hak__mapping_set(&region->supers[i], true);
        hak__mapping_note_free(&region->supers[i]);
    }
    return region;
}

hak_region *hak__region_spill(size_t superslabs, bool dedicated)
{
    size_t slot = 0;
    while (slot < SPILLS_MAX && atomic_load_explicit(&spills[slot].region, memory_order_relaxed))
        slot++;
    if (slot == SPILLS_MAX) return NULL;
    hak_region *region = map_region(superslabs);
    if (!region) return NULL;
    spill_count++;
    spill_records += region->records;
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

/* Unmaps the records of spill regions without a mapped superslab. */
static void release_unmapped(void)
{
    size_t slots = atomic_load_explicit(&spill_slots, memory_order_relaxed);
    for (size_t slot = 0; slot < slots; slot++) {
        hak_region *region = atomic_load_explicit(&spills[slot].region, memory_order_relaxed);
        if (!region || region->mapped > 0) continue;
        spill_records -= region->records;
        acquire(&records_lock);
        atomic_store_explicit(&spills[slot].region, NULL, memory_order_release);
        hak__os_unmap(region->supers, region->records); /* the hak_region lies within them */
        pthread_mutex_unlock(&records_lock);
    }
}

const hak_region *hak__region_shared(void)
{
    static const hak_region none;
    return is_ready() ? &hak__shared : &none;
}

/* Whether `p`, within the region, is mapped by us. What is not mapped may have become others',
 * behind the end of a huge block too. */
static bool is_mapped(const hak_region *region, const void *p)
{
    size_t index = hak__unit_index(region, p) / HAK_SUPERSLAB_UNITS;
    if (!hak__plan_has_super(region, index)) return false;
    const hak_superslab *super = &region->supers[index];
    if (!super->mapped) return false;
    if (super->type == HAK_SUPERSLAB_TAIL) super -= super->distance;
    bool is_huge = super->type == HAK_SUPERSLAB_HUGE;
    size_t units = __atomic_load_n(&super->units, __ATOMIC_RELAXED);
    size_t mapped = is_huge ? super->huge_mapped : units << HAK_UNIT_SHIFT;
    return (size_t)((const char *)p - hak__superslab_start(super)) < mapped;
}

/* The region of a slot, if `p` is mapped by it. Who asks need not own a block in it: what is not
 * mapped of a region may be in others, which end at other times. */
static hak_region *region_in(size_t slot, const void *p)
{
    acquire(&records_lock);
    hak_region *region = atomic_load_explicit(&spills[slot].region, memory_order_acquire);
    bool is_in = region && hak__region_contains(region, p) && is_mapped(region, p);
    pthread_mutex_unlock(&records_lock);
    return is_in ? region : NULL;
}

hak_region *hak__region_of(const void *p)
{
    if (is_ready() && hak__region_contains(&hak__shared, p) && is_mapped(&hak__shared, p))
        return &hak__shared;
    size_t slots = atomic_load_explicit(&spill_slots, memory_order_acquire);
    for (size_t slot = 0; slot < slots; slot++) {
        uintptr_t base = atomic_load_explicit(&spills[slot].base, memory_order_relaxed);
        size_t size = atomic_load_explicit(&spills[slot].size, memory_order_relaxed);
        if ((uintptr_t)p - base >= size) continue;
        hak_region *region = region_in(slot, p);
        if (region) return region;
    }
    return NULL;
}

/* ------------------------------------------------------------------ giving pages back */

static bool is_ours(void *start, size_t size)
{
    const hak_region *region = hak__region_of(start);
    char *last = (char *)start + size - 1;
    if (region && hak__region_contains(region, last) && is_mapped(region, last)) return true;
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
        .committed = hak__mapping_bytes(),
        .reserved = hak__mapping_bytes() + hak__shared.records + spill_records,
        .spill_regions = spill_count,
        .purges_elsewhere = atomic_load_explicit(&purges_elsewhere, memory_order_relaxed),
    };
}

/* ------------------------------------------------------------------ superslabs */

void hak__region_lose(hak_region *region, size_t index, size_t count)
{
    while (!hak__room_is_free(&region->room, index, count)) count /= 2;
    hak__room_mark(&region->room, index, count, true);
}

/* Maps the first free superslab of a region that has no free one mapped. If something else is
 * mapped there, skips 1, 2, 4 … superslabs. */
static hak_superslab *take_from(hak_region *region, size_t units)
{
    for (size_t lost = 1;;) {
        size_t index = hak__room_find(&region->room, 0, 1);
        if (index == HAK_ROOM_NOWHERE) return NULL;
        hak_superslab *super = &region->supers[index];
        bool has_records = !region->grows || (hak__plan_map_supers(region, index, 1) &&
                                              hak__plan_map_units(region, index));
        if (!has_records) return NULL;
        super->region = region;
        hak_mapped mapped = hak__mapping_add(super, units);
        if (mapped == HAK_REFUSED) return NULL;
        if (mapped == HAK_MAPPED) return super;
        hak__region_lose(region, index, lost);
        lost *= 2;
    }
}

/* A superslab of a spill region: they are mapped whole. */
static hak_superslab *take_from_spill(void)
{
    size_t slot = 0;
    for (hak_region *region; (region = hak__region_next(&slot)) != NULL;) {
        hak_superslab *super = take_from(region, HAK_SUPERSLAB_UNITS);
        if (super) return super;
    }
    for (size_t superslabs = SPILL_SUPERSLABS; superslabs >= 2; superslabs /= 2) {
        if (hak__region_spill(superslabs, false)) return hak__mapping_take();
    }
    return NULL;
}

/* Prefers a free superslab that is still mapped. If there is no address space, unmaps free
 * superslabs beyond the unit records, which only huge blocks can take, and tries again. */
hak_superslab *hak__region_take_free(size_t units)
{
    hak_superslab *super = hak__mapping_take();
    if (!super) super = take_from(&hak__shared, units);
    if (!super && hak__mapping_trim_all()) super = take_from(&hak__shared, units);
    if (!super) super = take_from_spill();
    if (super) hak__room_mark(&super->region->room, hak__superslab_index(super), 1, true);
    return super;
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
    for (size_t i = 0; i < count; i++) {
        super[i].type = HAK_SUPERSLAB_FREE;
        hak__mapping_note_free(&super[i]);
    }
    hak__room_mark(&region->room, hak__superslab_index(super), count, false);
    hak__mapping_trim();
    release_unmapped();
}
