#include "held.h"

#include <sys/mman.h>

held hold(hak_heap *heap, size_t count, size_t size)
{
    held made = {mmap(NULL, count * sizeof(void *), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                 count};
    assert_true(made.blocks != MAP_FAILED);
    for (size_t i = 0; i < count; i++) {
        made.blocks[i] = hak_heap_alloc(heap, size);
        assert_non_null(made.blocks[i]);
        support_fill(made.blocks[i], size, i);
    }
    return made;
}

void let_go(hak_heap *heap, held *of)
{
    for (size_t i = 0; i < of->count; i++) hak_heap_free(heap, of->blocks[i]);
    munmap(of->blocks, of->count * sizeof(void *));
}

size_t trim(hak_heap *heap)
{
    hak_stats before = support_stats(heap);
    size_t resident = support_resident();
    size_t given = hak_heap_trim(heap);
    hak_stats after = support_stats(heap);
    size_t now = support_resident();
    assert_int_equal(before.footprint - after.footprint, given);
    assert_int_equal(after.retained, 0);
    assert_true(given >= before.retained);
    assert_true(resident + NOISE >= now + given);
    assert_true(after.purges >= before.purges);
    if (given) assert_true(after.purges > before.purges);
    support_check_stats(heap);
    return given;
}

held hold_bytes(hak_heap *heap, size_t bytes, size_t size)
{
    size_t fewer = support_scaled(bytes), least = bytes / 16;
    if (size < 1000) bytes = fewer < least ? least : fewer;
    return hold(heap, bytes / size + 1, size);
}

void thin_out(hak_heap *heap, held *all, size_t part)
{
    for (size_t i = 0; i < all->count; i++) {
        if (i % part == 0) continue;
        hak_heap_free(heap, all->blocks[i]);
        all->blocks[i] = NULL;
    }
}

void held_end(hak_heap *heap, held *all, size_t size)
{
    for (size_t i = 0; i < all->count; i++) {
        if (!all->blocks[i]) continue;
        REQUIRE(support_intact(all->blocks[i], size, i) == size);
        hak_heap_free(heap, all->blocks[i]);
    }
    munmap(all->blocks, all->count * sizeof(void *));
}
