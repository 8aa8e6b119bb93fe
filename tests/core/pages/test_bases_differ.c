/* The region begins at an address that is drawn at random, with room above within what the kernel
 * allows, so that two processes do not share it. */
#include "support.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "os/mman.h"
#include "os/os.h"
#include "pages/plan.h"
#include "pages/region.h"

static void a_base_has_room_above(void **state)
{
    (void)state;
    for (unsigned bits = 36; bits <= 47; bits++) {
        size_t end = (size_t)1 << bits, span = hak__plan_span(end);
        REQUIRE(span == (bits > 43 ? (size_t)1 << 40 : end / 8));
        size_t records = span / 64; /* more than they are */
        uintptr_t least = end, most = 0;
        for (uint64_t number = 0; number < 2000; number++) {
            uintptr_t base = hak__plan_base(end, records, number * 0x9e3779b97f4a7c15u);
            REQUIRE_THAT(base >= end / 4 + records && base + span <= end / 8 * 5, "%#zx of %#zx",
                         (size_t)base, end);
            REQUIRE(base % HAK_SUPERSLAB_SIZE == 0);
            if (base < least) least = base;
            if (base > most) most = base;
        }
        REQUIRE(most - least > end / 16); /* drawn from all of that */
    }
}

/* Pointers must fit 47 bits, for LuaJIT; and 39, where there are no more. */
static void the_end_of_addresses_is_known(void **state)
{
    (void)state;
    size_t end = hak__os_address_end();
    uintptr_t here = (uintptr_t)&state;
    REQUIRE((end & (end - 1)) == 0 && end <= (size_t)1 << 47);
    REQUIRE(end == (size_t)1 << 47 || (here >= end / 2 && here < end));
}

/* Whatever stack asks: one of a thread or a coroutine may lie low. */
static void *look_from_below(void *seen)
{
    *(size_t *)seen = hak__os_address_end();
    return NULL;
}

static void the_end_is_the_same_from_any_stack(void **state)
{
    (void)state;
    const size_t size = 256 * KIB;
    char *low = (char *)(uintptr_t)(GIB / 2);
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    REQUIRE(mmap(low, size, PROT_READ | PROT_WRITE, flags, -1, 0) == low);
    size_t seen = 0;
    pthread_t thread;
    pthread_attr_t attributes;
    REQUIRE(pthread_attr_init(&attributes) == 0);
    REQUIRE(pthread_attr_setstack(&attributes, low, size) == 0);
    REQUIRE(pthread_create(&thread, &attributes, look_from_below, &seen) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
    REQUIRE(seen == hak__os_address_end());
    munmap(low, size);
}

static void tell_base(void *where)
{
    REQUIRE(hak_heap_new(NULL));
    *(uintptr_t *)where = hak__region_shared()->base;
}

static void processes_do_not_share_it(void **state)
{
    (void)state;
    uintptr_t *bases = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < 10; i++) {
        support_in_child(tell_base, &bases[i], 20);
        size_t end = hak__os_address_end();
        REQUIRE(bases[i] >= end / 4 && bases[i] < end / 8 * 5);
        for (size_t j = 0; j < i; j++) REQUIRE(bases[i] != bases[j]);
    }
    munmap(bases, PAGE);
}

/* As in an old kernel, or under a filter of system calls. */
static bool refuse_getrandom(void)
{
    struct sock_filter instructions[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getrandom, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {COUNT(instructions), instructions};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

static void tell_base_without_getrandom(void *where)
{
    if (refuse_getrandom()) tell_base(where);
}

/* Nor where the kernel has no random numbers, but for some that may coincide. */
static void nor_without_random_numbers(void **state)
{
    (void)state;
    uintptr_t *bases = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    size_t others = 0;
    for (size_t i = 0; i < 10; i++) {
        support_in_child(tell_base_without_getrandom, &bases[i], 20);
        if (!bases[i]) skip(); /* a filter is not to be had */
        others += bases[i] != bases[0];
    }
    REQUIRE_THAT(others >= 5, "%zu others", others);
    munmap(bases, PAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_base_has_room_above),
        cmocka_unit_test(the_end_of_addresses_is_known),
        cmocka_unit_test(the_end_is_the_same_from_any_stack),
        cmocka_unit_test(processes_do_not_share_it),
        cmocka_unit_test(nor_without_random_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
