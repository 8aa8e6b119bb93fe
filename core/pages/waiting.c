#include "pages/waiting.h"

#define LOOK_AT 16 /* huge blocks examined for one of the right size */

static hak_superslab_line slabs, huge; /* oldest first */
static size_t waiting_bytes;
static uint32_t tick;

static hak_superslab_line *line_of(const hak_superslab *super)
{
    return super->type == HAK_SUPERSLAB_HUGE ? &huge : &slabs;
}

/* `pooled` and `huge_size` share their place in a record: for a huge block `bytes` is its size. */
void hak__waiting_put(hak_superslab *super, size_t bytes, unsigned ticks)
{
    super->pooled = bytes;
    super->over = tick + ticks;
    hak__line_put_last(line_of(super), super);
    __atomic_store_n(&waiting_bytes, waiting_bytes + bytes, __ATOMIC_RELAXED);
}

static hak_superslab *take(hak_superslab *super)
{
    if (!super) return NULL;
    hak__line_remove(line_of(super), super);
    __atomic_store_n(&waiting_bytes, waiting_bytes - super->pooled, __ATOMIC_RELAXED);
    return super;
}

hak_superslab *hak__waiting_take(void)
{
    return take(slabs.last);
}

bool hak__waiting_has_slabs(void)
{
    return slabs.last != NULL;
}

hak_superslab *hak__waiting_take_huge(size_t size, size_t align, size_t most)
{
    hak_superslab *super = huge.last;
    for (size_t i = 0; super && i < LOOK_AT; super = super->prev, i++) {
        if (super->huge_size < size || super->huge_size > most) continue;
        if ((uintptr_t)hak__superslab_start(super) % align == 0) return take(super);
    }
    return NULL;
}

static bool is_over(const hak_superslab *super)
{
    return (int32_t)(tick - super->over) >= 0;
}

hak_superslab *hak__waiting_take_first(bool only_over)
{
    hak_superslab *super = huge.first;
    if (!super || (slabs.first && (int32_t)(slabs.first->over - super->over) < 0))
        super = slabs.first;
    return super && only_over && !is_over(super) ? NULL : take(super);
}

void hak__waiting_tick(void)
{
    tick++;
}

size_t hak__waiting_bytes(void)
{
    return __atomic_load_n(&waiting_bytes, __ATOMIC_RELAXED);
}
