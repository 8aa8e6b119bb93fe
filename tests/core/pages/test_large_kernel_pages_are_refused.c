/* Where the kernel's pages are larger than the step in which a heap gives memory back, giving back
 * one page would take live neighbours with it: no heap can be made there, but on the caller's
 * memory, which never asks the OS. */
#include "support.h"

#include <errno.h>

static int page = 4096;

int __wrap_getpagesize(void);
int __real_getpagesize(void);

int __wrap_getpagesize(void)
{
    return page;
}

/* On the pages that there are, which an emulator can make large, and on larger ones. */
static void they_are_refused(void **state)
{
    (void)state;
    int real = __real_getpagesize();
    const int pages[] = {real > 4096 ? real : 16384, 65536};
    for (size_t i = 0; i < COUNT(pages); i++) {
        page = pages[i];
        errno = 0;
        assert_null(hak_heap_new(NULL));
        assert_int_equal(errno, ENOTSUP);
        static char memory[MIB];
        hak_heap *heap =
            hak_heap_new(&(hak_heap_options){.memory = memory, .memory_size = sizeof memory});
        assert_non_null(heap);
        assert_non_null(hak_heap_alloc(heap, 100));
        hak_heap_trim(heap);
        hak_heap_destroy(heap);
    }
    page = 4096;
    hak_heap *heap = hak_heap_new(NULL);
    assert_non_null(heap);
    hak_heap_destroy(heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(they_are_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
