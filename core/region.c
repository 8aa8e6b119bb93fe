#include "region.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#if __has_include(<sys/single_threaded.h>) /* glibc since 2.32, musl */
#include <sys/single_threaded.h>
#else
static const char __libc_single_threaded;
#endif

#include "os.h"

#define RESERVE_FIRST    ((size_t)1 << 40) /* 1 TiB, halved while refused … */
#define RESERVE_LEAST    ((size_t)1 << 30) /* … down to 1 GiB; below that, spill regions */
#define SPILL_SUPERSLABS ((size_t)8)
#define SPILLS_MAX       1024
#define READY_STEP       ((size_t)16) /* superslabs whose records are committed by one call */
#define HUGE_ROOM        ((size_t)4) /* a huge block is placed where it could grow that many times */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static hak_region shared; /* superslabs == 0: the big reservation was refused */
static atomic_bool shared_ready;

/* The spill regions. Where each lies is kept here and not in the region, so that a search may pass
 * over one that another thread is releasing. */
static struct {
    _Atomic(hak_region *) region;
    atomic_uintptr_t base;
    atomic_size_t size;
} spills[SPILLS_MAX];
static atomic_size_t spill_slots; /* slots that have ever been used */

static hak_superslab *pool; /* superslabs without owner whose pages are kept; LIFO */
static size_t pool_bytes;   /* touched in them */

/* ------------------------------------------------------------------ making regions */

static size_t up(size_t n, size_t step)
{
    return (n + step - 1) & ~(step - 1);
}

/* Records, controls and units for `superslabs` in one reservation. */
static bool region_reserve(hak_region *region, size_t superslabs)
{
    size_t supers = up(superslabs * sizeof(hak_superslab), HAK_PAGE);
    size_t slabs = superslabs * HAK_SUPERSLAB_UNITS * sizeof(hak_slab);
    size_t controls = superslabs * HAK_PAGE;
    size_t records = up(supers + slabs + controls + sizeof *region, HAK_PAGE);
    size_t size = records + superslabs * HAK_SUPERSLAB_SIZE + HAK_SUPERSLAB_SIZE;
    char *mapping = hak__os_reserve(size);
    if (!mapping) return false;
    if (!hak__os_commit(mapping, supers)) {
        hak__os_release(mapping, size);
        return false;
    }
    *region = (hak_region){
        .base = up((uintptr_t)mapping + records, HAK_SUPERSLAB_SIZE),
        .superslabs = superslabs,
        .unit_shift = HAK_UNIT_SHIFT,
        .supers = (hak_superslab *)mapping,
        .slabs = (hak_slab *)(mapping + supers),
        .controls = mapping + supers + slabs,
        .huge_hint = superslabs / 2,
        .units = superslabs * HAK_SUPERSLAB_UNITS,
        .mapping = mapping,
        .mapping_size = size,
    };
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
static void take_lock(void)
{
    if (!__libc_single_threaded) hak__region_respect_fork();
    pthread_mutex_lock(&lock);
}

static void shared_reserve(void)
{
    /* Under a limit of address space, leave three quarters of it to the rest of the program. */
    size_t most = hak__os_address_limit() / 4;
    for (size_t size = RESERVE_FIRST; size >= RESERVE_LEAST; size /= 2) {
        if (size <= most && region_reserve(&shared, size / HAK_SUPERSLAB_SIZE)) break;
    }
    atomic_store_explicit(&shared_ready, true, memory_order_release);
}

/* A further region, found by searching. The lock is held. */
static hak_region *spill_new(size_t superslabs, bool dedicated)
{
    size_t slot = 0;
    while (slot < SPILLS_MAX && atomic_load_explicit(&spills[slot].region, memory_order_relaxed))
        slot++;
    if (slot == SPILLS_MAX) return NULL;

    hak_region made;
    if (!region_reserve(&made, superslabs)) return NULL;
    hak_region *region = (hak_region *)(made.controls + superslabs * HAK_PAGE);
    size_t records = (size_t)((char *)(region + 1) - (char *)made.mapping);
    if (!hak__os_commit(made.mapping, up(records, HAK_PAGE))) {
        hak__os_release(made.mapping, made.mapping_size);
        return NULL;
    }
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

static void spill_release(hak_region *region)
{
    for (size_t slot = 0; slot < SPILLS_MAX; slot++) {
        if (atomic_load_explicit(&spills[slot].region, memory_order_relaxed) == region) {
            atomic_store_explicit(&spills[slot].region, NULL, memory_order_release);
        }
    }
    char *mapping = region->mapping; /* the region lies within it */
    size_t size = region->mapping_size;
    if (!hak__os_release(mapping, size)) hak__os_reset(mapping, size);
}

const hak_region *hak__region_shared(void)
{
    return &shared;
}

/* Whether `p` lies where a region once was, and something else may be mapped now. */
static bool is_lost(const hak_region *region, const void *p)
{
    return hak__superslab_of(region, p)->kind == HAK_SUPERSLAB_LOST;
}

hak_region *hak__region_of(const void *p)
{
    if (!atomic_load_explicit(&shared_ready, memory_order_acquire)) return NULL;
    if (hak__region_contains(&shared, p) && !is_lost(&shared, p)) return &shared;
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

/* A step of 4 KiB units for small memories, so that each size class can have its slab. */
static unsigned memory_unit_shift(size_t size)
{
    unsigned shift = 12;
    while (shift < HAK_UNIT_SHIFT && size >> shift > 512) shift++;
    return shift;
}

hak_region *hak__region_on_memory(void *memory, size_t size)
{
    unsigned shift = memory_unit_shift(size);
    uintptr_t begin = up((uintptr_t)memory, sizeof(hak_slab));
    uintptr_t end = (uintptr_t)memory + size;
    size_t units = size >> shift;
    for (; units > 0; units--) {
        size_t superslabs = (units + HAK_SUPERSLAB_UNITS - 1) / HAK_SUPERSLAB_UNITS;
        uintptr_t supers = begin + up(sizeof(hak_region), sizeof(hak_slab));
        uintptr_t slabs = supers + superslabs * sizeof(hak_superslab);
        uintptr_t control = slabs + units * sizeof(hak_slab);
        uintptr_t base = up(control + HAK_PAGE, HAK_PAGE);
        if (base + (units << shift) > end) continue;

        memset((void *)begin, 0, base - begin);
        hak_region *region = (hak_region *)begin;
        *region = (hak_region){
            .base = base,
            .superslabs = superslabs,
            .unit_shift = shift,
            .callers = true,
            .supers = (hak_superslab *)supers,
            .slabs = (hak_slab *)slabs,
            .controls = (char *)control,
            .ready = superslabs,
            .units = units,
        };
        for (size_t unit = 0; unit < units; unit++) region->slabs[unit].left = 1;
        for (size_t i = 0; i < superslabs; i++) {
            size_t left = units - i * HAK_SUPERSLAB_UNITS;
            region->supers[i] = (hak_superslab){
                .free = left >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << left) - 1,
                .region = region,
                .kind = HAK_SUPERSLAB_SLABS,
                .committed = true,
            };
        }
        return region;
    }
    return NULL;
}

/* ------------------------------------------------------------------ superslabs for slabs */

/* Makes the records of a superslab say that no slab begins there. */
static void set_no_block(hak_region *region, size_t index)
{
    hak_slab *slabs = &region->slabs[index * HAK_SUPERSLAB_UNITS];
    for (size_t i = 0; i < HAK_SUPERSLAB_UNITS; i++) slabs[i].left = 1;
}

/* Commits records and controls so that superslab `index` can be cut. */
static bool make_ready(hak_region *region, size_t index)
{
    if (index < region->ready) return true;
    size_t ready = region->ready;
    size_t end = up(index + 1, READY_STEP);
    if (end > region->superslabs) end = region->superslabs;
    char *slabs = (char *)&region->slabs[ready * HAK_SUPERSLAB_UNITS];
    if (!hak__os_commit(slabs, (end - ready) * HAK_SUPERSLAB_UNITS * sizeof(hak_slab)) ||
        !hak__os_commit(region->controls + ready * HAK_PAGE, (end - ready) * HAK_PAGE)) {
        return false;
    }
    region->ready = end;
    for (size_t i = ready; i < end; i++) {
        if (region->supers[i].kind != HAK_SUPERSLAB_FREE) set_no_block(region, i);
    }
    return true;
}

static bool commit(hak_region *region, hak_superslab *super)
{
    super->region = region;
    if (!super->committed) {
        super->committed = hak__os_commit(hak__superslab_start(super), HAK_SUPERSLAB_SIZE);
    }
    return super->committed;
}

static hak_superslab *take_from(hak_region *region)
{
    size_t index = region->hint;
    while (index < region->superslabs && region->supers[index].kind != HAK_SUPERSLAB_FREE) index++;
    region->hint = index;
    if (index == region->superslabs) return NULL;

    hak_superslab *super = &region->supers[index];
    if (!make_ready(region, index) || !commit(region, super)) return NULL;
    set_no_block(region, index);
    region->hint = index + 1;
    return super;
}

static hak_superslab *take_from_pool(void)
{
    hak_superslab *super = pool;
    if (super) {
        pool = super->next;
        pool_bytes -= super->huge_size;
        super->huge_size = 0;
    }
    return super;
}

static hak_superslab *take_from_spill(void)
{
    size_t slots = atomic_load_explicit(&spill_slots, memory_order_relaxed);
    for (size_t slot = 0; slot < slots; slot++) {
        hak_region *region = atomic_load_explicit(&spills[slot].region, memory_order_relaxed);
        hak_superslab *super = region && !region->dedicated ? take_from(region) : NULL;
        if (super) return super;
    }
    for (size_t superslabs = SPILL_SUPERSLABS; superslabs >= 2; superslabs /= 2) {
        hak_region *region = spill_new(superslabs, false);
        if (region) return take_from(region);
    }
    return NULL;
}

hak_superslab *hak__region_take(struct hak_heap *heap)
{
    pthread_once(&once, shared_reserve);
    take_lock();
    hak_superslab *super = take_from_pool();
    if (!super) super = take_from(&shared);
    if (!super) super = take_from_spill();
    if (super) {
        super->kind = HAK_SUPERSLAB_SLABS;
        super->free = ~(uint64_t)0;
        super->heap = heap;
    }
    pthread_mutex_unlock(&lock);
    return super;
}

static void make_free(hak_superslab *super)
{
    hak_region *region = super->region;
    size_t index = hak__superslab_index(super);
    super->kind = HAK_SUPERSLAB_FREE;
    if (index < region->hint) region->hint = index;
}

/* Purges a superslab of slabs and frees it; it stays committed. When the OS refuses, the pages stay
 * in the pool. */
static bool purge(hak_superslab *super)
{
    if (!hak__os_purge(hak__superslab_start(super), HAK_SUPERSLAB_SIZE)) return false;
    hak_slab *slabs = hak__superslab_slabs(super);
    for (size_t i = 0; i < HAK_SUPERSLAB_UNITS; i++) slabs[i].touched = 0;
    super->dirty = 0;
    make_free(super);
    return true;
}

void hak__region_give(hak_superslab *super, size_t touched, size_t pool_max)
{
    take_lock();
    super->heap = NULL;
    if (touched == 0) {
        make_free(super);
    } else if (pool_bytes + touched <= pool_max || !purge(super)) {
        super->next = pool;
        super->huge_size = touched;
        pool_bytes += touched;
        pool = super;
    }
    pthread_mutex_unlock(&lock);
}

size_t hak__region_flush(void)
{
    take_lock();
    size_t flushed = 0;
    for (hak_superslab *super; (super = pool) != NULL;) {
        size_t bytes = super->huge_size;
        take_from_pool();
        if (purge(super)) {
            super->huge_size = 0;
            flushed += bytes;
            continue;
        }
        super->huge_size = bytes;
        pool_bytes += bytes;
        pool = super;
        break;
    }
    pthread_mutex_unlock(&lock);
    return flushed;
}

/* ------------------------------------------------------------------ huge blocks */

static size_t superslabs_for(size_t size)
{
    return (size + HAK_SUPERSLAB_SIZE - 1) / HAK_SUPERSLAB_SIZE;
}

/* The first run of `count` free superslabs from `from` on; `region->superslabs` when none. */
static size_t find_run(const hak_region *region, size_t from, size_t count)
{
    size_t run = 0;
    for (size_t i = from; i < region->superslabs; i++) {
        run = region->supers[i].kind == HAK_SUPERSLAB_FREE ? run + 1 : 0;
        if (run == count) return i + 1 - count;
    }
    return region->superslabs;
}

/* Where to put a huge block of `count` superslabs: with room behind it if it can be had, beyond the
 * middle of the region as long as possible, so that slabs and huge blocks grow apart. */
static size_t place_huge(hak_region *region, size_t count)
{
    const size_t none = region->superslabs;
    if (count > none) return none;
    for (size_t room = HUGE_ROOM; room >= 1; room /= 2) {
        size_t starts[] = {region->huge_hint, none / 2, 0};
        for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
            if (i == 2 && room > 1) break;
            size_t at = find_run(region, starts[i], count * room);
            if (at == none) continue;
            size_t behind = at + count * room;
            region->huge_hint = behind < none ? behind : none / 2;
            return at;
        }
    }
    return none;
}

/* Marks `count` superslabs from `first` as the huge block's, committing its tail from `from` on.
 * On refusal what was free stays free. */
static bool claim(hak_region *region, size_t first, size_t from, size_t count)
{
    char *start = hak__unit_start(region, from * HAK_SUPERSLAB_UNITS);
    size_t size = (first + count - from) * HAK_SUPERSLAB_SIZE;
    if (!hak__os_commit(start, size)) return false;
    for (size_t i = from; i < first + count; i++) {
        hak_superslab *super = &region->supers[i];
        super->region = region;
        super->kind = HAK_SUPERSLAB_TAIL;
        super->run = (uint32_t)(i - first);
        super->committed = true;
        super->heap = region->supers[first].heap;
        if (i < region->ready) set_no_block(region, i);
    }
    region->supers[first].kind = HAK_SUPERSLAB_HUGE;
    region->supers[first].run = (uint32_t)count;
    return true;
}

static hak_superslab *claim_new(hak_region *region, size_t at, size_t size, struct hak_heap *heap)
{
    hak_superslab *super = &region->supers[at];
    super->heap = heap;
    if (!claim(region, at, at, superslabs_for(size))) return NULL;
    super->huge_size = size;
    super->next = super->prev = NULL;
    super->huge_retained = false;
    return super;
}

static hak_superslab *take_huge(struct hak_heap *heap, size_t size)
{
    size_t count = superslabs_for(size);
    if (count > UINT32_MAX) return NULL;
    size_t at = place_huge(&shared, count);
    if (at != shared.superslabs) return claim_new(&shared, at, size, heap);

    size_t slots = atomic_load_explicit(&spill_slots, memory_order_relaxed);
    for (size_t slot = 0; slot < slots; slot++) {
        hak_region *region = atomic_load_explicit(&spills[slot].region, memory_order_relaxed);
        if (!region || region->dedicated) continue;
        at = find_run(region, 0, count);
        if (at != region->superslabs) return claim_new(region, at, size, heap);
    }
    hak_region *region = spill_new(count < 2 ? 2 : count, true);
    if (!region) return NULL;
    hak_superslab *super = claim_new(region, 0, size, heap);
    if (!super) spill_release(region);
    return super;
}

/* Superslabs that cannot be used again stay taken for good, by nobody. */
static void lose(hak_superslab *super, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        super[i].kind = HAK_SUPERSLAB_LOST;
        super[i].heap = NULL;
    }
}

/* Takes the access and the pages of superslabs [from, end) and frees them. */
static void reset(hak_region *region, size_t from, size_t end)
{
    char *start = hak__unit_start(region, from * HAK_SUPERSLAB_UNITS);
    size_t size = (end - from) * HAK_SUPERSLAB_SIZE;
    bool is_reset = hak__os_reset(start, size);
    if (!is_reset && !hak__os_purge(start, size)) {
        lose(&region->supers[from], end - from); /* not clean: never to be used again */
        return;
    }
    for (size_t i = from; i < end; i++) {
        if (is_reset) region->supers[i].committed = false;
        region->supers[i].heap = NULL;
        make_free(&region->supers[i]);
    }
}

/* After a move, or a refused one, it is not known whether the superslabs are accessible. */
static void forget_commit(hak_superslab *super)
{
    for (size_t i = 0; i < super->run; i++) super[i].committed = false;
}

static void give_huge(hak_superslab *super)
{
    hak_region *region = super->region;
    size_t first = hak__superslab_index(super);
    if (region->dedicated) {
        spill_release(region);
    } else {
        reset(region, first, first + super->run);
    }
}

hak_superslab *hak__region_take_huge(struct hak_heap *heap, size_t size)
{
    pthread_once(&once, shared_reserve);
    take_lock();
    hak_superslab *super = take_huge(heap, size);
    pthread_mutex_unlock(&lock);
    return super;
}

void hak__region_give_huge(hak_superslab *super)
{
    take_lock();
    give_huge(super);
    pthread_mutex_unlock(&lock);
}

static bool extend_huge(hak_superslab *super, size_t size)
{
    hak_region *region = super->region;
    size_t first = hak__superslab_index(super);
    size_t count = superslabs_for(size);
    if (count > super->run) {
        if (first + count > region->superslabs) return false;
        for (size_t i = first + super->run; i < first + count; i++) {
            if (region->supers[i].kind != HAK_SUPERSLAB_FREE) return false;
        }
        if (!claim(region, first, first + super->run, count)) return false;
    }
    super->huge_size = size;
    return true;
}

bool hak__region_extend_huge(hak_superslab *super, size_t size)
{
    take_lock();
    bool extended = extend_huge(super, size);
    pthread_mutex_unlock(&lock);
    return extended;
}

static bool cut_huge(hak_superslab *super, size_t size)
{
    size_t first = hak__superslab_index(super);
    size_t count = superslabs_for(size), end = count * HAK_SUPERSLAB_SIZE;
    if (end > super->huge_size) end = super->huge_size;
    if (size < end && !hak__os_purge(hak__superslab_start(super) + size, end - size)) return false;
    if (count < super->run) {
        reset(super->region, first + count, first + super->run);
        super->run = (uint32_t)count;
    }
    super->huge_size = size;
    return true;
}

bool hak__region_cut_huge(hak_superslab *super, size_t size)
{
    take_lock();
    bool cut = cut_huge(super, size);
    pthread_mutex_unlock(&lock);
    return cut;
}

/* Copies what could not be moved; its source is purged after. */
static bool copy_superslab(char *from, char *to)
{
    if (!hak__os_commit(to, HAK_SUPERSLAB_SIZE)) return false;
    memcpy(to, from, HAK_SUPERSLAB_SIZE);
    hak__os_purge(from, HAK_SUPERSLAB_SIZE);
    return true;
}

/* Moves the pages of `count` superslabs. One call moves them all unless they lie in several kernel
 * mappings, as after an earlier move; then each superslab is moved by itself. */
static hak_moved move_pages(char *from, char *to, size_t count)
{
    hak_moved moved = hak__os_move(from, count * HAK_SUPERSLAB_SIZE, to);
    if (moved != HAK_NOT_ONE) return moved;
    hak_moved worst = HAK_MOVED;
    for (size_t i = 0; i < count; i++) {
        size_t offset = i * HAK_SUPERSLAB_SIZE;
        moved = hak__os_move(from + offset, HAK_SUPERSLAB_SIZE, to + offset);
        if (moved == HAK_MOVED) continue;
        if (moved == HAK_MOVED_HOLE) {
            worst = HAK_MOVED_HOLE;
        } else if (i == 0) {
            return moved; /* nothing has moved yet */
        } else if (moved == HAK_TARGET_LOST || !copy_superslab(from + offset, to + offset)) {
            hak__fatal("realloc", from, "the OS refused to move or copy the rest of this block");
        }
    }
    return worst;
}

hak_superslab *hak__region_move_huge(hak_superslab *super, size_t size)
{
    take_lock();
    hak_superslab *target = take_huge(super->heap, size);
    if (target) {
        char *from = hak__superslab_start(super);
        hak_moved moved = move_pages(from, hak__superslab_start(target), super->run);
        if (moved == HAK_MOVED) {
            forget_commit(super);
            give_huge(super);
        } else if (moved == HAK_MOVED_HOLE) {
            lose(super, super->run);
        } else {
            forget_commit(target);
            if (moved == HAK_TARGET_LOST) lose(target, target->run);
            else give_huge(target);
            target = NULL;
        }
    }
    pthread_mutex_unlock(&lock);
    return target;
}
