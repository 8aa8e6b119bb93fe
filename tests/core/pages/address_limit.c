#include "address_limit.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

void *limit_to(const job *of, size_t own)
{
    void *memory = mmap(NULL, own, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    size_t now = support_status("VmSize:"); /* sanitizers aside, a few MiB */
    struct rlimit limit = {now + of->limit, now + of->limit};
    REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
    return memory;
}

void *block_or_enomem(void *block)
{
    if (!block) REQUIRE_THAT(errno == ENOMEM, "errno %d", errno);
    return block;
}

size_t fill_up(hak_heap *heap, void **blocks, size_t count, size_t room, size_t size)
{
    errno = 0;
    while (count < room && (blocks[count] = block_or_enomem(hak_heap_alloc(heap, size)))) {
        memcpy((char *)blocks[count] + size - sizeof count, &count, sizeof count);
        count++;
    }
    return count;
}
