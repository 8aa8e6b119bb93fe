/* What malloc and its companions promise, asked of whoever serves them in this process. Prints
 * nothing and returns 0 if all hold; else the first that does not. */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOLDS(what) \
    ((what) ? (void)0 : (fprintf(stderr, "line %d: %s\n", __LINE__, #what), exit(1)))
#define REFUSED(what) (errno = 0, HOLDS((what) == NULL && errno == ENOMEM))

static volatile size_t most = SIZE_MAX; /* the compiler does not see through it */

void free_sized(void *block, size_t size) __attribute__((weak));
void free_aligned_sized(void *block, size_t alignment, size_t size) __attribute__((weak));

static void blocks_are_aligned_and_apart(void)
{
    enum { MOST = 3000 };
    static char *blocks[MOST];
    for (size_t size = 0; size < MOST; size++) {
        blocks[size] = malloc(size);
        HOLDS(blocks[size] && (uintptr_t)blocks[size] % 16 == 0);
        HOLDS(malloc_usable_size(blocks[size]) >= size);
        memset(blocks[size], (int)size, size);
    }
    for (size_t size = 1; size < MOST; size++) {
        HOLDS(blocks[size][0] == (char)size && blocks[size][size - 1] == (char)size);
        free(blocks[size]);
    }
    free(blocks[0]);
}

static void any_alignment(void)
{
    for (size_t alignment = sizeof(void *); alignment <= (size_t)1 << 32; alignment *= 2) {
        void *block = NULL;
        HOLDS(posix_memalign(&block, alignment, 100) == 0);
        HOLDS((uintptr_t)block % alignment == 0);
        memset(block, 1, 100);
        free(block);
        block = aligned_alloc(alignment, alignment);
        HOLDS(block && (uintptr_t)block % alignment == 0);
        free(block);
    }
    char *page = valloc(10), *pages = pvalloc(5000), *odd = memalign(48, 10);
    HOLDS((uintptr_t)page % 4096 == 0 && (uintptr_t)pages % 4096 == 0);
    HOLDS(malloc_usable_size(pages) >= 8192);
    HOLDS((uintptr_t)odd % 64 == 0); /* the next power of two */
    free(page), free(pages), free(odd);
}

static void errors_are_as_the_standards_say(void)
{
    void *block = &block;
    REFUSED(malloc(most));
    REFUSED(malloc(most / 2));
    REFUSED(calloc(most / 2, 3));
    REFUSED(calloc(most, 1));
    REFUSED(reallocarray(NULL, most / 2, 3));
    REFUSED(aligned_alloc(64, most - 100));
    REFUSED(aligned_alloc((size_t)1 << 62, 100)); /* valid, but more than there is */
    REFUSED(memalign((size_t)1 << 50, 100));
    REFUSED(pvalloc(most));
    errno = 77;
    HOLDS(posix_memalign(&block, 3 * sizeof(void *), 10) == EINVAL);
    HOLDS(posix_memalign(&block, 2, 10) == EINVAL);
    HOLDS(posix_memalign(&block, 64, most) == ENOMEM);
    HOLDS(errno == 77 && block == &block);
    char *kept = malloc(100);
    strcpy(kept, "kept");
    REFUSED(realloc(kept, most));
    HOLDS(strcmp(kept, "kept") == 0);
    free(kept);
    errno = 77;
    free(malloc(10));
    HOLDS(errno == 77);
}

static void resizing(void)
{
    char *block = realloc(NULL, 10);
    for (size_t size = 10; size < 10000000; size = size * 3 / 2) {
        block = realloc(block, size);
        HOLDS(block);
        if (size > 10) HOLDS(block[size / 3] == 5 && block[0] == 5);
        memset(block, 5, size);
    }
    block = realloc(block, 20);
    HOLDS(block && block[19] == 5);
    HOLDS(realloc(block, 0) == NULL);
    free(NULL);
    HOLDS(malloc_usable_size(NULL) == 0);
    char *zeros = calloc(1000, 100);
    for (size_t i = 0; i < 100000; i++) HOLDS(zeros[i] == 0);
    memset(zeros, 1, 100000);
    free(zeros);
    if (free_sized) free_sized(malloc(100), 100);
    if (free_aligned_sized) free_aligned_sized(aligned_alloc(64, 128), 64, 128);
}

static void *from_another_thread(void *block)
{
    HOLDS(malloc_usable_size(block) >= 1000);
    block = realloc(block, 200000);
    HOLDS(block && ((char *)block)[999] == 9);
    return block;
}

static void any_thread_any_block(void)
{
    pthread_t thread;
    char *block = malloc(1000);
    void *resized;
    memset(block, 9, 1000);
    HOLDS(pthread_create(&thread, NULL, from_another_thread, block) == 0);
    pthread_join(thread, &resized);
    free(resized);
}

static void figures(void)
{
    char *block = malloc(3000000);
    HOLDS(mallinfo2().uordblks + mallinfo2().hblkhd >= 3000000);
    HOLDS(mallinfo2().arena >= mallinfo2().uordblks);
    free(block);
    HOLDS(malloc_trim(0) <= 1);
}

/* After main: constructors' counterparts and exit handlers may still allocate. */
static void at_exit(void)
{
    free(malloc(5000));
}

__attribute__((destructor)) static void at_the_very_end(void)
{
    free(malloc(50));
}

int main(void)
{
    atexit(at_exit);
    blocks_are_aligned_and_apart();
    any_alignment();
    errors_are_as_the_standards_say();
    resizing();
    any_thread_any_block();
    figures();
    return 0;
}
