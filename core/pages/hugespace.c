#include "pages/hugespace.h"

#include <string.h>

#include "os/os.h"
#include "pages/region.h"
#include "pages/waiting.h"

static size_t blocks_taken, blocks_refused; /* for statistics */

#define HUGE_ROOM ((size_t)4) /* a block is placed where it could grow that many times */

static size_t superslabs_for(size_t size)
{
    return (size + HAK_SUPERSLAB_SIZE - 1) / HAK_SUPERSLAB_SIZE;
}

/* Of what alignment is asked for, in superslabs, which are aligned to their size. */
static size_t steps_of(size_t align)
{
    return align > HAK_SUPERSLAB_SIZE ? align / HAK_SUPERSLAB_SIZE : 1;
}

/* The first run of `count` free superslabs from `from` on that begins at a multiple of `align`
 * bytes.
 */
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
    for (size_t room = hak__region_crowded() ? 1 : HUGE_ROOM; room >= 1; room /= 2) {
        size_t starts[] = {hak__region_crowded() ? middle : region->huge_hint, middle, 0};
        for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
            if (i == 2 && room > 1) break;
            size_t at = find_run(region, starts[i], count * room, align);
            if (at == HAK_ROOM_NOWHERE) continue;
            size_t behind = at + count * room;
            region->huge_hint = behind < region->superslabs ? behind : middle;
            return at;
        }
    }
    return HAK_ROOM_NOWHERE;
}

/* Marks `count` superslabs from `first` as the huge block's, committing its tail from `from` on.
 * On refusal what was free stays free. */
static bool claim(hak_region *region, size_t first, size_t from, size_t count)
{
    char *start = hak__unit_start(region, from * HAK_SUPERSLAB_UNITS);
    size_t size = (first + count - from) * HAK_SUPERSLAB_SIZE;
    if (!hak__os_commit(start, size)) return false;
    hak__room_mark(&region->room, from, first + count - from, true);
    for (size_t i = from; i < first + count; i++) {
        hak_superslab *super = &region->supers[i];
        super->region = region;
        super->type = HAK_SUPERSLAB_TAIL;
        super->run = (uint32_t)(i - first);
        hak__region_set_committed(super, true);
        super->owner = region->supers[first].owner;
    }
    region->supers[first].type = HAK_SUPERSLAB_HUGE;
    region->supers[first].run = (uint32_t)count;
    return true;
}

static hak_superslab *claim_new(hak_region *region, size_t at, size_t size, struct hak_pages *pages)
{
    hak_superslab *super = &region->supers[at];
    super->owner = pages;
    if (!claim(region, at, at, superslabs_for(size))) return NULL;
    super->huge_size = size;
    super->huge_spare = 0;
    super->next = super->prev = NULL;
    super->huge_retained = super->huge_moved = false;
    return super;
}

/* In a region made for it alone. */
static hak_superslab *take_dedicated(struct hak_pages *pages, size_t size, size_t align)
{
    size_t count = superslabs_for(size) + steps_of(align) - 1;
    hak_region *region = hak__region_spill(count < 2 ? 2 : count, true);
    if (!region) return NULL;
    size_t at = find_run(region, 0, superslabs_for(size), align);
    hak_superslab *super = claim_new(region, at, size, pages);
    if (!super) hak__region_release(region);
    return super;
}

static hak_superslab *take_huge(struct hak_pages *pages, size_t size, size_t align)
{
    size_t count = superslabs_for(size);
    if (count > UINT32_MAX) return NULL;
    size_t at = place_huge(&hak__shared, count, align);
    if (at != HAK_ROOM_NOWHERE) return claim_new(&hak__shared, at, size, pages);

    hak_region *region;
    for (size_t slot = 0; (region = hak__region_next(&slot)) != NULL;) {
        at = find_run(region, 0, count, align);
        if (at != HAK_ROOM_NOWHERE) return claim_new(region, at, size, pages);
    }
    return take_dedicated(pages, size, align);
}

/* Superslabs that cannot be used again stay taken for good, by nobody. */
static void lose(hak_superslab *super, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        super[i].type = HAK_SUPERSLAB_LOST;
        super[i].owner = NULL;
    }
}

/* Takes the pages of superslabs [from, end), and the access if `resets`, and frees them. */
static void reset(hak_region *region, size_t from, size_t end, bool resets)
{
    char *start = hak__unit_start(region, from * HAK_SUPERSLAB_UNITS);
    size_t size = (end - from) * HAK_SUPERSLAB_SIZE;
    bool is_reset = resets && hak__os_reset(start, size);
    if (!is_reset && !hak__region_purge(start, size)) {
        lose(&region->supers[from], end - from); /* not clean: never to be used again */
        return;
    }
    for (size_t i = from; i < end; i++) {
        if (is_reset) hak__region_set_committed(&region->supers[i], false);
        region->supers[i].owner = NULL;
    }
    hak__region_make_free(&region->supers[from], end - from);
}

static void set_moved(hak_superslab *super, bool moved)
{
    if (super->huge_moved != moved) hak__region_count_moved(moved ? 1 : -1);
    super->huge_moved = moved;
}

/* Whether the access goes with the pages. Where there are many mappings it stays, so that no hole
 * splits one; but that of a block which was moved has to go itself. */
static bool is_to_reset(const hak_superslab *super)
{
    return super->huge_moved || !hak__region_crowded();
}

static void give_huge(hak_superslab *super, bool resets)
{
    hak_region *region = super->region;
    size_t first = hak__superslab_index(super);
    set_moved(super, false);
    if (region->dedicated) hak__region_release(region);
    else reset(region, first, first + super->run, resets);
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

static void set_owner(hak_superslab *super, struct hak_pages *pages)
{
    for (size_t i = 0; i < super->run; i++) super[i].owner = pages;
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
    give_huge(super, is_to_reset(super));
}

void hak__hugespace_give(hak_superslab *super)
{
    hak__region_lock();
    hak__hugespace_drop(super);
    hak__region_unlock();
}

static bool extend_huge(hak_superslab *super, size_t size)
{
    hak_region *region = super->region;
    size_t first = hak__superslab_index(super);
    size_t count = superslabs_for(size);
    if (count > super->run) {
        size_t more = count - super->run;
        if (!hak__room_is_free(&region->room, first + super->run, more)) return false;
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
        reset(super->region, first + count, first + super->run, is_to_reset(super));
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

/* Moves the pages of a block that lies in several kernel mappings, as after an earlier move, one
 * superslab after the other. Those that the OS does not move are copied. The source keeps its
 * access, so that what has moved can be brought back: NOT_MOVED or TARGET_LOST is as if nothing had
 * been done. */
static hak_moved move_in_parts(char *from, char *to, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *source = from + i * HAK_SUPERSLAB_SIZE, *target = to + i * HAK_SUPERSLAB_SIZE;
        hak_moved moved = hak__os_move_part(source, HAK_SUPERSLAB_SIZE, target);
        if (moved == HAK_MOVED) continue;
        if (moved != HAK_TARGET_LOST && hak__os_commit(target, HAK_SUPERSLAB_SIZE)) {
            memcpy(target, source, HAK_SUPERSLAB_SIZE);
            continue;
        }
        memcpy(from, to, i * HAK_SUPERSLAB_SIZE);
        return moved == HAK_TARGET_LOST ? HAK_TARGET_LOST : HAK_NOT_MOVED;
    }
    return HAK_MOVED;
}

/* Takes address space to move a block to. */
static hak_superslab *take_target(const hak_superslab *super, size_t size)
{
    hak__region_lock();
    bool may = !hak__region_crowded() || super->huge_moved;
    hak_superslab *target = may ? take_huge(super->owner, size, HAK_SUPERSLAB_SIZE) : NULL;
    hak__region_unlock();
    return target;
}

/* After a move, or a refused one, it is not known whether the superslabs are accessible. */
static void forget_commit(hak_superslab *super)
{
    for (size_t i = 0; i < super->run; i++) hak__region_set_committed(&super[i], false);
}

/* Gives back the address space that a block was moved from. */
static void give_source(hak_superslab *super, hak_moved moved)
{
    if (moved != HAK_MOVED) forget_commit(super);
    if (moved != HAK_MOVED_HOLE) {
        give_huge(super, true);
        return;
    }
    set_moved(super, false);
    lose(super, super->run);
}

hak_superslab *hak__hugespace_move(hak_superslab *super, size_t size)
{
    hak_superslab *target = take_target(super, size);
    if (!target) return NULL;
    char *from = hak__superslab_start(super), *to = hak__superslab_start(target);
    hak_moved moved = hak__os_move(from, super->run * HAK_SUPERSLAB_SIZE, to);
    if (moved == HAK_NOT_ONE) moved = move_in_parts(from, to, super->run);
    hak__region_lock();
    target->block_kind = super->block_kind;
    if (moved == HAK_MOVED || moved == HAK_MOVED_AWAY || moved == HAK_MOVED_HOLE) {
        set_moved(target, true);
        give_source(super, moved);
    } else {
        forget_commit(target);
        if (moved == HAK_TARGET_LOST) lose(target, target->run);
        else give_huge(target, true);
        target = NULL;
    }
    hak__region_unlock();
    return target;
}

hak_hugespace_counts hak__hugespace_counts(void)
{
    return (hak_hugespace_counts){.taken = blocks_taken, .refused = blocks_refused};
}
