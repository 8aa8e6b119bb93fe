#include "hugespace.h"

#include <string.h>

#include "os.h"
#include "region_inside.h"

static size_t blocks_taken, blocks_refused; /* for statistics */

#define HUGE_ROOM ((size_t)4) /* a block is placed where it could grow that many times */

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
        hak__region_set_committed(super, true);
        super->heap = region->supers[first].heap;
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
    size_t at = place_huge(&hak__shared, count);
    if (at != hak__shared.superslabs) return claim_new(&hak__shared, at, size, heap);

    hak_region *region;
    for (size_t slot = 0; (region = hak__region_next(&slot)) != NULL;) {
        at = find_run(region, 0, count);
        if (at != region->superslabs) return claim_new(region, at, size, heap);
    }
    region = hak__region_spill(count < 2 ? 2 : count, true);
    if (!region) return NULL;
    hak_superslab *super = claim_new(region, 0, size, heap);
    if (!super) hak__region_release(region);
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
    if (!is_reset && !hak__region_purge(start, size)) {
        lose(&region->supers[from], end - from); /* not clean: never to be used again */
        return;
    }
    for (size_t i = from; i < end; i++) {
        if (is_reset) hak__region_set_committed(&region->supers[i], false);
        region->supers[i].heap = NULL;
        hak__region_make_free(&region->supers[i]);
    }
}

/* After a move, or a refused one, it is not known whether the superslabs are accessible. */
static void forget_commit(hak_superslab *super)
{
    for (size_t i = 0; i < super->run; i++) hak__region_set_committed(&super[i], false);
}

static void give_huge(hak_superslab *super)
{
    hak_region *region = super->region;
    size_t first = hak__superslab_index(super);
    if (region->dedicated) {
        hak__region_release(region);
    } else {
        reset(region, first, first + super->run);
    }
}

hak_superslab *hak__hugespace_take(struct hak_heap *heap, size_t size)
{
    hak__region_start();
    hak__region_lock();
    hak_superslab *super = take_huge(heap, size);
    if (super) blocks_taken++;
    else blocks_refused++;
    hak__region_unlock();
    return super;
}

void hak__hugespace_give(hak_superslab *super)
{
    hak__region_lock();
    give_huge(super);
    hak__region_unlock();
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

bool hak__hugespace_extend(hak_superslab *super, size_t size)
{
    hak__region_lock();
    bool extended = extend_huge(super, size);
    hak__region_unlock();
    return extended;
}

static bool cut_huge(hak_superslab *super, size_t size)
{
    size_t first = hak__superslab_index(super);
    size_t count = superslabs_for(size), end = count * HAK_SUPERSLAB_SIZE;
    if (end > super->huge_size) end = super->huge_size;
    if (size < end && !hak__region_purge(hak__superslab_start(super) + size, end - size))
        return false;
    if (count < super->run) {
        reset(super->region, first + count, first + super->run);
        super->run = (uint32_t)count;
    }
    super->huge_size = size;
    return true;
}

bool hak__hugespace_cut(hak_superslab *super, size_t size)
{
    hak__region_lock();
    bool cut = cut_huge(super, size);
    hak__region_unlock();
    return cut;
}

/* Copies what could not be moved; its source is purged after. */
static bool copy_superslab(char *from, char *to)
{
    if (!hak__os_commit(to, HAK_SUPERSLAB_SIZE)) return false;
    memcpy(to, from, HAK_SUPERSLAB_SIZE);
    hak__region_purge(from, HAK_SUPERSLAB_SIZE);
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

hak_superslab *hak__hugespace_move(hak_superslab *super, size_t size)
{
    hak__region_lock();
    hak_superslab *target = take_huge(super->heap, size);
    if (target) {
        char *from = hak__superslab_start(super);
        target->block_kind = super->block_kind;
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
    hak__region_unlock();
    return target;
}

void hak__hugespace_count(hak_process_stats *stats)
{
    stats->huge_blocks_taken = blocks_taken;
    stats->huge_blocks_refused = blocks_refused;
}
