#include "pages/hugespace.h"

#include "os/os.h"
#include "pages/mapping.h"
#include "pages/move.h"
#include "pages/plan.h"
#include "pages/region.h"
#include "pages/waiting.h"

static size_t blocks_taken, blocks_refused; /* for statistics */

#define HUGE_ROOM  ((size_t)4)   /* a block is placed where it could grow that many times */
#define AROUND     ((size_t)256) /* superslabs, at least, over which blocks are spread */
#define AHEAD_PART 8             /* of its size: mapped ahead for a block that grows */
#define TRIES      16            /* places that may turn out to be taken by others */

static size_t superslabs_for(size_t size)
{
    return (size + HAK_SUPERSLAB_SIZE - 1) / HAK_SUPERSLAB_SIZE;
}

/* Of what alignment is asked for, in superslabs, which are aligned to their size. */
static size_t steps_of(size_t align)
{
    return align > HAK_SUPERSLAB_SIZE ? align / HAK_SUPERSLAB_SIZE : 1;
}

/* The first run of `count` free superslabs from `from` on that begins at a multiple of `align`. */
static size_t find_run(const hak_region *region, size_t from, size_t count, size_t align)
{
    size_t steps = steps_of(align);
    size_t at = hak__room_find(&region->room, from, count + steps - 1);
    if (at == HAK_ROOM_NOWHERE) return at;
    size_t first = region->base / HAK_SUPERSLAB_SIZE + at;
    return at + (steps - first % steps) % steps;
}

/* Where to put a huge block of `count` superslabs: with room behind it if it can be had, beyond the
 * middle of the region as long as possible, so that slabs and huge blocks grow apart. */
static size_t place_huge(hak_region *region, size_t count, size_t align)
{
    const size_t middle = region->superslabs / 2;
    for (size_t room = hak__mapping_crowded() ? 1 : HUGE_ROOM; room >= 1; room /= 2) {
        size_t starts[] = {hak__mapping_crowded() ? middle : region->huge_hint, middle, 0};
        for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
            if (i == 2 && room > 1) break;
            size_t at = find_run(region, starts[i], count * room, align);
            if (at == HAK_ROOM_NOWHERE) continue;
            size_t behind = at + count * room, end = middle + hak__mapping_count() * 8 + AROUND;
            region->huge_hint = behind < end && behind < region->superslabs ? behind : middle;
            return at;
        }
    }
    return HAK_ROOM_NOWHERE;
}

/* Maps a block's `count` superslabs from superslab `from` of the region on, the last one up to byte
 * `*size` of the block; or that one has been mapped, as a whole. Free superslabs that are mapped go
 * for it, where there is no other address space. */
static hak_mapped map_run(hak_region *region, size_t from, size_t count, char *start, size_t *size)
{
    if (region->grows && !hak__plan_map_supers(region, from, count)) return HAK_REFUSED;
    for (size_t i = from; i < from + count; i++) region->supers[i].region = region;
    char *end = hak__unit_start(region, (from + count) * HAK_SUPERSLAB_UNITS);
    bool is_whole;
    hak_mapped mapped;
    do {
        is_whole = region->supers[from + count - 1].mapped;
        mapped = hak__mapping_add_run(&region->supers[from], count, start + *size);
    } while (mapped == HAK_REFUSED && hak__mapping_trim_all());
    if (is_whole) *size = (size_t)(end - start);
    return mapped;
}

/* Marks `count` superslabs from `first` on as the huge block's, mapping those from `from` on, the
 * last of them up to byte `size` of the block. Unless that is done, what was free stays free. */
static hak_mapped claim(hak_region *region, size_t first, size_t from, size_t count, size_t size)
{
    hak_superslab *super = &region->supers[first];
    char *start = hak__unit_start(region, first * HAK_SUPERSLAB_UNITS);
    size_t more = first + count - from;
    hak_mapped mapped = map_run(region, from, more, start, &size);
    if (mapped != HAK_MAPPED) return mapped;
    hak__room_mark(&region->room, from, more, true);
    for (size_t i = from; i < first + count; i++) {
        region->supers[i].type = HAK_SUPERSLAB_TAIL;
        region->supers[i].distance = (uint32_t)(i - first);
        region->supers[i].owner = super->owner;
    }
    super->type = HAK_SUPERSLAB_HUGE;
    super->count = (uint32_t)count;
    hak__mapping_set_end(super, size);
    return HAK_MAPPED;
}

static void set_owner(hak_superslab *super, struct hak_pages *pages)
{
    for (size_t i = 0; i < super->count; i++) super[i].owner = pages;
}

/* Of how many bytes of a block the address space is mapped: no more than it has, since a limit
 * counts it; or whole superslabs, where mappings must join. */
static size_t end_of(size_t size, size_t count)
{
    return hak__mapping_crowded() ? count * HAK_SUPERSLAB_SIZE : size;
}

static hak_superslab *claim_new(hak_region *region, size_t at, size_t size, struct hak_pages *pages)
{
    size_t count = superslabs_for(size);
    hak_mapped mapped = claim(region, at, at, count, end_of(size, count));
    if (mapped == HAK_TAKEN) hak__region_lose(region, at, count);
    if (mapped != HAK_MAPPED) return NULL;
    hak_superslab *super = &region->supers[at];
    set_owner(super, pages);
    super->huge_size = size;
    super->huge_spare = 0;
    super->next = super->prev = NULL;
    super->huge_retained = false;
    return super;
}

/* In a region made for it alone. */
static hak_superslab *take_dedicated(struct hak_pages *pages, size_t size, size_t align)
{
    size_t count = superslabs_for(size) + steps_of(align) - 1;
    hak_region *region = hak__region_spill(count < 2 ? 2 : count, true);
    if (!region) return NULL;
    size_t at = find_run(region, 0, superslabs_for(size), align);
    return claim_new(region, at, size, pages);
}

static hak_superslab *take_huge(struct hak_pages *pages, size_t size, size_t align)
{
    size_t count = superslabs_for(size);
    if (count > UINT32_MAX) return NULL;
    for (size_t i = 0; i < TRIES; i++) {
        size_t at = place_huge(&hak__shared, count, align);
        if (at == HAK_ROOM_NOWHERE) break;
        hak_superslab *super = claim_new(&hak__shared, at, size, pages);
        if (super || hak__room_is_free(&hak__shared.room, at, count)) return super;
    }
    hak_region *region;
    for (size_t slot = 0; (region = hak__region_next(&slot)) != NULL;) {
        size_t at = find_run(region, 0, count, align);
        hak_superslab *super = at == HAK_ROOM_NOWHERE ? NULL : claim_new(region, at, size, pages);
        if (super) return super;
    }
    return take_dedicated(pages, size, align);
}

/* Makes the superslabs of a block behind the first `count` nobody's; `unmapped`: they are so. */
static void let_go(hak_superslab *super, size_t count, bool unmapped)
{
    for (size_t i = count; i < super->count; i++) {
        super[i].type = HAK_SUPERSLAB_FREE;
        super[i].owner = NULL;
        if (unmapped) hak__mapping_set(&super[i], false);
    }
}

/* The same of all of them, which are never to be taken again. */
static void lose(hak_superslab *super, bool unmapped)
{
    let_go(super, 0, unmapped);
    hak__mapping_set_moved(super, false);
    hak__mapping_set_end(super, 0);
}

/* The same, and they are free. */
static void make_free(hak_superslab *super, size_t count, bool unmapped)
{
    size_t run = super->count;
    let_go(super, count, unmapped);
    super->count = (uint32_t)count;
    if (count == 0) hak__mapping_set_moved(super, false);
    if (count < run) hak__region_make_free(&super[count], run - count);
}

/* The last superslab of a block that is mapped in part can stay mapped for no other. */
static bool unmap_part(hak_superslab *super)
{
    size_t part = super->huge_mapped % HAK_SUPERSLAB_SIZE, end = super->huge_mapped - part;
    if (!part) return true;
    if (!hak__os_unmap(hak__superslab_start(super) + end, part)) return false;
    hak__mapping_set_end(super, end);
    hak__mapping_set(&super[super->count - 1], false);
    return true;
}

/* Gives back what lies behind the first `size` bytes of a block, its address space too where
 * `unmaps`. False, and no change, when the OS refuses. */
static bool give_behind(hak_superslab *super, size_t size, bool unmaps)
{
    size_t count = superslabs_for(size), whole = count * HAK_SUPERSLAB_SIZE;
    char *behind = hak__superslab_start(super) + size;
    size_t bytes = super->huge_mapped - size;
    bool unmapped = unmaps && hak__os_unmap(behind, bytes);
    if (!unmapped) {
        if (!hak__region_purge(behind, bytes)) return false;
        if (count < super->count && !unmap_part(super)) return false;
    }
    size_t end = unmapped ? size : super->huge_mapped;
    hak__mapping_set_end(super, end < whole || unmapped ? end : whole);
    make_free(super, count, unmapped);
    return true;
}

/* Whether address space goes with the pages. Where there are many mappings it stays, so that no
 * hole splits one; but that of a block which was moved has to go itself. */
static bool is_to_unmap(const hak_superslab *super)
{
    return super->huge_moved || super->region->dedicated || !hak__mapping_crowded();
}

static void give_huge(hak_superslab *super, bool unmaps)
{
    if (!give_behind(super, 0, unmaps)) lose(super, false); /* not clean */
}

hak_superslab *hak__hugespace_take(struct hak_pages *pages, size_t size, size_t align)
{
    hak__region_start();
    hak__region_lock();
    hak_superslab *super = take_huge(pages, size, align);
    if (super) blocks_taken++;
    else blocks_refused++;
    hak__region_unlock();
    return super;
}

hak_superslab *hak__hugespace_take_waiting(struct hak_pages *pages, size_t size, size_t align,
                                           size_t most)
{
    hak__region_lock();
    hak_superslab *super = hak__waiting_take_huge(size, align, most);
    if (super) {
        set_owner(super, pages);
        super->huge_retained = false;
    }
    hak__region_unlock();
    return super;
}

void hak__hugespace_orphan(hak_superslab *super)
{
    set_owner(super, NULL);
}

void hak__hugespace_drop(hak_superslab *super)
{
    give_huge(super, is_to_unmap(super));
}

void hak__hugespace_give(hak_superslab *super)
{
    hak__region_lock();
    hak__hugespace_drop(super);
    hak__region_unlock();
}

/* Makes a block have `count` superslabs, and be mapped up to byte `end` in the last of them. */
static bool reach(hak_superslab *super, size_t count, size_t end)
{
    hak_region *region = super->region;
    size_t first = hak__superslab_index(super), whole = super->count * HAK_SUPERSLAB_SIZE;
    size_t here = end < whole ? end : whole, mapped = super->huge_mapped;
    if (here > mapped) {
        char *start = hak__superslab_start(super);
        if (hak__os_map_at(start + mapped, here - mapped) != HAK_MAPPED) return false;
        hak__mapping_set_end(super, here);
    }
    if (count <= super->count) return true;
    size_t behind = first + super->count, more = count - super->count;
    return hak__room_is_free(&region->room, behind, more) &&
           claim(region, first, behind, count, end) == HAK_MAPPED;
}

/* The address space is mapped for some more, if the block will grow further. */
static bool extend_huge(hak_superslab *super, size_t size, bool grows)
{
    size_t count = superslabs_for(size), whole = count * HAK_SUPERSLAB_SIZE;
    size_t ahead = hak__up(size + (grows ? size / AHEAD_PART : 0), HAK_PAGE);
    size_t end = end_of(size, count);
    if (end < ahead) end = ahead < whole ? ahead : whole;
    if (super->huge_mapped < size && !reach(super, count, end) &&
        (end == size || !reach(super, count, size)))
        return false;
    super->huge_size = size;
    return true;
}

bool hak__hugespace_extend(hak_superslab *super, size_t size, bool grows)
{
    hak__region_lock();
    bool extended = extend_huge(super, size, grows);
    hak__region_unlock();
    return extended;
}

bool hak__hugespace_cut(hak_superslab *super, size_t size)
{
    hak__region_lock();
    bool cut = size >= super->huge_mapped || give_behind(super, size, is_to_unmap(super));
    if (cut) super->huge_size = size;
    hak__region_unlock();
    return cut;
}

/* Gives up a target of which [lost, lost_end) may belong to others. */
static void lose_target(hak_superslab *target, size_t lost, size_t lost_end)
{
    char *start = hak__superslab_start(target);
    if (lost) hak__os_unmap(start, lost);
    if (lost_end < target->huge_mapped)
        hak__os_unmap(start + lost_end, target->huge_mapped - lost_end);
    lose(target, true);
}

/* Takes address space to move a block to. */
static hak_superslab *take_target(const hak_superslab *super, size_t size)
{
    bool may = !hak__mapping_crowded() || super->huge_moved;
    return may ? take_huge(super->owner, size, HAK_SUPERSLAB_SIZE) : NULL;
}

/* Frees the superslabs of a block whose first `moved` bytes are mapped no longer. */
static void give_source(hak_superslab *super, size_t moved)
{
    size_t rest = super->huge_mapped - moved;
    if (rest && !hak__os_unmap(hak__superslab_start(super) + moved, rest)) {
        lose(super, true);
        return;
    }
    hak__mapping_set_end(super, 0);
    make_free(super, 0, true);
}

bool hak__hugespace_unmap(hak_superslab *super, size_t bytes)
{
    hak__region_lock();
    bool unmapped = hak__os_unmap(hak__superslab_start(super), bytes);
    if (unmapped) give_source(super, super->huge_mapped);
    hak__region_unlock();
    return unmapped;
}

void hak__hugespace_lose(hak_superslab *super)
{
    hak__region_lock();
    lose(super, false);
    hak__region_unlock();
}

/* Moves a block's pages to `target`; returns the block, NULL if they stay. */
static hak_superslab *move_to(hak_superslab *target, hak_superslab *super, size_t size)
{
    char *from = hak__superslab_start(super), *to = hak__superslab_start(target);
    size_t bytes = super->huge_mapped < size ? super->huge_mapped : size;
    size_t lost = 0, lost_end = bytes;
    hak_moved moved = hak__os_move(from, bytes, to), parts = HAK_NOT_MOVED;
    if (moved == HAK_NOT_ONE) parts = hak__move_in_parts(from, to, bytes, &lost, &lost_end);
    target->block_kind = super->block_kind;
    if (moved == HAK_MOVED || parts == HAK_MOVED) {
        hak__mapping_set_moved(target, true);
        if (moved == HAK_MOVED) give_source(super, bytes);
        else give_huge(super, true);
        return target;
    }
    if (moved == HAK_TARGET_LOST || parts == HAK_TARGET_LOST) lose_target(target, lost, lost_end);
    else give_huge(target, true);
    return NULL;
}

/* The lock is held from before the move until the records say what it has unmapped. Another thread
 * may get a region there, whose blocks would be taken for this heap's. */
hak_superslab *hak__hugespace_move(hak_superslab *super, size_t size)
{
    hak__region_lock();
    hak_superslab *target = take_target(super, size);
    if (target) target = move_to(target, super, size);
    hak__region_unlock();
    return target;
}

hak_hugespace_counts hak__hugespace_counts(void)
{
    return (hak_hugespace_counts){.taken = blocks_taken, .refused = blocks_refused};
}
