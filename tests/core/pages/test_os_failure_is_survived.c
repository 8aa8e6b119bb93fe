/* Whatever system call the OS refuses, and whenever: the function that needed it returns NULL with
 * ENOMEM or does without, contents stay as they are, zeroed memory is zero, the heap goes on, and
 * nothing is lost once the OS relents.
 *
 * The linker puts the functions below in place of the core's system calls (--wrap). A scenario of
 * all that leads to such calls runs in a child, where the region is fresh, with the N-th call
 * refused: for N = 1, 2, … until none is left to refuse; then with one kind of call always refused;
 * and all of this also on old kernels and where address space is scarce. */
#include "support.h"

#include "os/os.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

/* ------------------------------------------------------------------ refusing */

#define PIECE   (4 * MIB)  /* the least that is moved */
#define RECORDS (64 * KIB) /* are mapped at a time */
#define SPARES  (32 * MIB) /* of superslabs never used, which a spill region has, may stay mapped */

enum { MMAP, MADVISE, MREMAP, MUNMAP, KINDS };
static const char *const kinds[] = {"mmap", "madvise", "mremap", "munmap"};
#define ALL ((1u << KINDS) - 1)

typedef struct plan {
    unsigned kinds;      /* which calls are refused, a bit for each */
    size_t from, until;  /* numbers of the first and the last call refused; from 0: none */
    bool no_place;       /* the addresses that the region would lie at are taken by others */
    bool old_kernel;     /* before Linux 4.17: no MREMAP_DONTUNMAP, no MAP_FIXED_NOREPLACE */
    bool in_pieces;      /* before Linux 6.17: no call moves several mappings */
    bool no_claims;      /* the target of a refused move cannot be mapped again */
    bool late_refusal;   /* a refused mremap has unmapped its target, as before Linux 6.17 */
    bool odd_refusal;    /* a refused mremap says what a kernel does that lacks its flag: EINVAL */
    bool after_creation; /* calls count once there is a heap */
    bool twice;          /* look for growth from one run to the next */
} plan;

static plan refuse;
static size_t calls, refusals; /* calls of the plan's kinds; refused ones of any kind */
static size_t made[KINDS];     /* all calls */
static char *last_target;      /* of a move */

/* What children tell the parent. */
static struct {
    bool finished; /* the plan has not met its call */
    size_t space;  /* bytes of address space at the end */
    unsigned kind; /* of call refused last */
} * told;

static bool is_refused(unsigned kind)
{
    made[kind]++;
    if (!(refuse.kinds >> kind & 1)) return false;
    calls++;
    bool refused = refuse.from && calls >= refuse.from && calls <= refuse.until;
    refusals += refused;
    if (refused) told->kind = kind;
    return refused;
}

void *__real_mmap(void *at, size_t size, int access, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t size, int access, int flags, int fd, off_t offset);
int __real_madvise(void *at, size_t size, int advice);
int __wrap_madvise(void *at, size_t size, int advice);
void *__real_mremap(void *at, size_t size, size_t new_size, int flags, void *to);
void *__wrap_mremap(void *at, size_t size, size_t new_size, int flags, void *to);
int __real_munmap(void *at, size_t size);
int __wrap_munmap(void *at, size_t size);

void *__wrap_mmap(void *at, size_t size, int access, int flags, int fd, off_t offset)
{
    bool refused = is_refused(MMAP);
    if (refuse.no_claims && at && at == last_target) {
        refusals += !refused;
        refused = true;
    }
    if (refuse.old_kernel) flags &= ~MAP_FIXED_NOREPLACE;
    if (!refused) return __real_mmap(at, size, access, flags, fd, offset);
    errno = ENOMEM;
    return MAP_FAILED;
}

int __wrap_madvise(void *at, size_t size, int advice)
{
    if (!is_refused(MADVISE)) return __real_madvise(at, size, advice);
    errno = EINVAL;
    return -1;
}

void *__wrap_mremap(void *at, size_t size, size_t new_size, int flags, void *to)
{
    bool refused = is_refused(MREMAP);
    last_target = to;
    if (refuse.old_kernel && flags & MREMAP_DONTUNMAP) {
        refusals += !refused;
        errno = EINVAL;
        return MAP_FAILED;
    }
    if (refuse.in_pieces && size > PIECE) {
        refusals += !refused;
        errno = EFAULT;
        return MAP_FAILED;
    }
    if (!refused) return __real_mremap(at, size, new_size, flags, to);
    if (refuse.late_refusal) __real_munmap(to, new_size);
    errno = refuse.odd_refusal ? EINVAL : ENOMEM;
    return MAP_FAILED;
}

int __wrap_munmap(void *at, size_t size)
{
    if (!is_refused(MUNMAP)) return __real_munmap(at, size);
    errno = ENOMEM;
    return -1;
}

/* To be called before the first heap is made. */
static void take_places(void)
{
    size_t end = hak__os_address_end();
    char *first = (char *)(end / 4);
    void *taken =
        __real_mmap(first, end / 8 * 3, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    REQUIRE(taken == first);
}

/* As others might, unless something is mapped there. */
static void map_behind(char *block)
{
    __real_mmap(block, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
}

/* ------------------------------------------------------------------ blocks */

#define SMALL 200 /* blocks */
#define SPANS 6
#define HUGE  4
#define SLOTS (SMALL + SPANS + HUGE)

static struct slot {
    char *start; /* NULL: refused, or not allocated yet */
    size_t size;
    uint64_t stamp;
} slots[SLOTS];

static hak_heap *heap;
static uint64_t stamps;

/* Thousands of runs must not take long: one word is written in so many bytes, and the last byte. */
static size_t stride(size_t size)
{
    return size > MIB ? 256 * KIB : size > 16 * KIB ? 64 * KIB : 1024;
}

static void write_slot(struct slot *s)
{
    s->stamp = ++stamps * 0x9e3779b97f4a7c15u;
    for (size_t at = 0; at + sizeof s->stamp <= s->size; at += stride(s->size)) {
        memcpy(s->start + at, &s->stamp, sizeof s->stamp);
    }
    s->start[s->size - 1] = (char)s->stamp;
}

static void check_slot(const struct slot *s, size_t size)
{
    for (size_t at = 0; at + 2 * sizeof s->stamp <= size; at += stride(s->size)) {
        REQUIRE_THAT(memcmp(s->start + at, &s->stamp, sizeof s->stamp) == 0,
                     "byte %zu of %zu was overwritten", at, s->size);
    }
    if (size == s->size) REQUIRE(s->start[size - 1] == (char)s->stamp);
}

/* All of it up to 64 KiB, beyond that where something may have been written. */
static void check_zero(const struct slot *s)
{
    size_t whole = s->size < 64 * KIB ? s->size : 64 * KIB;
    size_t zeros = support_zeros(s->start, whole);
    REQUIRE_THAT(zeros == whole, "byte %zu of %zu is not zero", zeros, s->size);
    for (size_t at = whole; at<s->size; at += s->size> MIB ? 64 * KIB : 16 * KIB) {
        size_t part = s->size - at < 64 ? s->size - at : 64;
        zeros = support_zeros(s->start + at, part);
        REQUIRE_THAT(zeros == part, "byte %zu of %zu is not zero", at + zeros, s->size);
    }
    REQUIRE(s->start[s->size - 1] == 0);
}

/* A call that came back with NULL must have met a refusal on its way. */
static void *expected(void *block, size_t refusals_before)
{
    if (!block) {
        REQUIRE_THAT(errno == ENOMEM, "errno %d", errno);
        REQUIRE_THAT(refusals > refusals_before, "refused without need");
    }
    return block;
}

static void put(size_t i, size_t size, bool zero)
{
    struct slot *s = &slots[i];
    size_t before = refusals;
    errno = 0;
    s->start = expected(zero ? hak_heap_zalloc(heap, 1, size) : hak_heap_alloc(heap, size), before);
    s->size = size;
    if (!s->start) return;
    if (zero) check_zero(s);
    write_slot(s);
}

static void resize(size_t i, size_t size)
{
    struct slot *s = &slots[i];
    if (!s->start) return;
    check_slot(s, s->size);
    size_t before = refusals, kept = s->size < size ? s->size : size;
    errno = 0;
    void *start = expected(hak_heap_realloc(heap, s->start, size), before);
    if (start) {
        s->start = start;
        check_slot(s, kept);
        s->size = size;
        write_slot(s);
    } else {
        check_slot(s, s->size);
    }
}

static void drop(size_t i)
{
    struct slot *s = &slots[i];
    if (!s->start) return;
    check_slot(s, s->size);
    hak_heap_free(heap, s->start);
    s->start = NULL;
}

static void check_all(void)
{
    size_t count = 0, bytes = 0;
    for (size_t i = 0; i < SLOTS; i++) {
        if (!slots[i].start) continue;
        check_slot(&slots[i], slots[i].size);
        count++;
        bytes += hak_heap_usable_size(heap, slots[i].start);
    }
    support_check_live(heap, count, bytes);
    support_check_stats(heap);
}

static void fill(bool zero)
{
    for (size_t i = 0; i < SMALL; i++) {
        if (!slots[i].start) put(i, i % 5 ? 8000 : 16 + i % 300, zero);
    }
    for (size_t i = SMALL; i < SMALL + SPANS; i++) {
        if (!slots[i].start) put(i, 17000 + (SMALL + SPANS - i) * 90000, zero);
    }
    for (size_t i = SMALL + SPANS; i < SLOTS; i++) {
        if (!slots[i].start) put(i, 2 * MIB + (i - SMALL - SPANS) * 700000 + 1, zero);
    }
}

static void drop_part(size_t part, size_t of)
{
    for (size_t i = 0; i < SLOTS; i++) {
        if (i % of == part) drop(i);
    }
}

/* ------------------------------------------------------------------ the scenario */

/* A new heap; where its creation is refused, another try. NULL when that is refused too. */
static hak_heap *new_heap(const char *profile)
{
    for (size_t attempt = 0; attempt < 2; attempt++) {
        size_t before = refusals;
        errno = 0;
        hak_heap *made_one = expected(
            hak_heap_new(&(hak_heap_options){.granularity = 8, .profile = profile}), before);
        if (made_one) return made_one;
    }
    return NULL;
}

/* Takes superslabs for slabs where huge blocks have been, uses their ends, and gives them back. */
static void take_and_give(void)
{
    enum { TAKEN = 8 };
    char *taken[TAKEN];
    size_t size = 2 * MIB - 64 * KIB;
    for (size_t i = 0; i < TAKEN; i++) {
        size_t before = refusals;
        errno = 0;
        taken[i] = expected(hak_heap_alloc(heap, size), before);
        if (taken[i]) taken[i][0] = taken[i][size - 1] = 1;
    }
    for (size_t i = 0; i < TAKEN; i++) hak_heap_free(heap, taken[i]);
    check_all();
}

/* Grows large blocks in turn, so that they are in each other's way, and shrinks them. */
static void grow_and_shrink(void)
{
    static const size_t to[] = {5 * MIB, 17 * MIB, 18 * MIB, 82 * MIB};
    for (size_t round = 0; round < COUNT(to); round++) {
        for (size_t i = SMALL + SPANS; i < SMALL + SPANS + 2; i++) {
            resize(i, to[round] + i);
            if (round == 0) take_and_give();
        }
    }
    for (size_t i = SMALL; i < SMALL + SPANS; i += 4) resize(i, slots[i].size * 5 / 4 + 50000);
    check_all();
    for (size_t i = SMALL; i < SMALL + SPANS; i += 4) resize(i, slots[i].size / 3);
    for (size_t i = SMALL + SPANS; i < SLOTS; i++) resize(i, slots[i].size / 3 + 2 * MIB);
    resize(SMALL + SPANS, 9 * MIB);
    take_and_give();
}

static void scenario(void)
{
    memset(slots, 0, sizeof slots);
    heap = new_heap("speed");
    if (!heap) return;
    if (refuse.after_creation) calls = 0;
    fill(false);
    check_all();
    grow_and_shrink();

    /* Free and trim in parts, and fill up with zeroed blocks, which must be zero. */
    for (size_t round = 0; round < 2; round++) {
        drop_part(round, 2);
        if (round == 1) hak_heap_trim(heap);
        check_all();
        fill(true);
        check_all();
    }
    drop_part(0, 1);
    REQUIRE(hak_heap_set_profile(heap, "lean"));
    hak_heap_trim(heap);
    check_all();
    fill(true);
    check_all();
    grow_and_shrink();
    drop_part(1, 2);
    check_all();

    /* Dropped as it is; the next heap lives on what it leaves. */
    REQUIRE(hak_heap_set_profile(heap, "speed"));
    void *large[2] = {slots[SLOTS - 2].start, slots[SMALL].start};
    hak_heap_destroy(heap);
    for (size_t i = 0; i < COUNT(large); i++) REQUIRE(!hak_owns(large[i]));
    memset(slots, 0, sizeof slots);
    heap = new_heap("speed");
    if (!heap) return;
    fill(true);
    check_all();
    hak_heap_destroy(heap);
}

/* ------------------------------------------------------------------ runs */

static void no_plan(void)
{
    memset(&refuse, 0, sizeof refuse);
    calls = refusals = 0;
}

/* What there is of the process when nothing is alive. */
static void trim_everything(void)
{
    heap = new_heap("speed");
    REQUIRE(heap);
    hak_heap_trim(heap);
    REQUIRE(support_stats(heap).footprint == 0);
    hak_os_calls os = support_stats(heap).os;
    REQUIRE(os.mmap == made[MMAP] && os.madvise == made[MADVISE]);
    REQUIRE(os.mremap == made[MREMAP] && os.munmap == made[MUNMAP]);
    hak_heap_destroy(heap);
}

static void run(void *context)
{
    const plan *with = context;
    size_t begin = support_resident();
    memset(made, 0, sizeof made);
    refuse = *with;
    if (refuse.no_place) take_places();
    calls = refusals = 0;
    scenario();
    told->finished = calls < with->from || !with->from;

    /* The OS relents, but for what this kernel cannot do. Now nothing is refused any more. */
    no_plan();
    refuse.no_place = with->no_place;
    refuse.old_kernel = with->old_kernel;
    refuse.in_pieces = with->in_pieces;
    scenario();
    trim_everything();
    size_t resident = support_resident(), size = support_status("VmSize:");
    size_t mappings = support_mappings();
    bool all_refused = with->kinds == ALL && with->until > with->from;
    if (!all_refused) {
        REQUIRE_THAT(resident < begin + 2 * MIB, "%zu bytes at first, %zu now", begin, resident);
    }
    told->space = size;
    if (!with->twice) return;
    scenario();
    trim_everything();
    size_t again = support_resident();
    REQUIRE_THAT(again < resident + 256 * KIB, "%zu bytes resident, then %zu", resident, again);
    /* Huge blocks may have come to new places. */
    again = support_status("VmSize:");
    bool nothing_is_unmapped = with->kinds & 1u << MUNMAP && with->until > with->from;
    size_t may_stay = RECORDS + (with->no_place ? SPARES : 0);
    REQUIRE_THAT(again <= size + may_stay || nothing_is_unmapped,
                 "%zu bytes of address space, then %zu", size, again);
    again = support_mappings();
    REQUIRE_THAT(again <= mappings + 8, "%zu mappings, then %zu", mappings, again);
}

static void run_in_child(plan with)
{
    support_child child = support_fork(run, &with, 60);
    if (child.signal || child.code) print_error("%s\n", child.text);
    REQUIRE_THAT(child.signal == 0 && child.code == 0,
                 "signal %d, code %d, calls %#x refused from %zu to %zu%s%s%s%s%s", child.signal,
                 child.code, with.kinds, with.from, with.until, with.in_pieces ? ", in pieces" : "",
                 with.no_place ? ", little address space" : "",
                 with.old_kernel ? ", old kernel" : "", with.late_refusal ? ", late" : "",
                 with.after_creation ? ", after creation" : "");
}

/* Refuses the first, the second, … call of the plan's kinds, until the scenario has no further. */
static void refuse_each_in_turn(plan with)
{
    size_t step = support_debug ? 7 : 1, n = 1;
    if (support_scale() > 1) step = with.kinds == ALL ? 41 : 7;
    run_in_child(with);
    size_t space = told->space;
    for (; n < 100000; n += n < 6 ? 1 : step) {
        with.from = with.until = n;
        with.twice = n % 8 == 1;
        run_in_child(with);
        /* A spill region more may have been needed for a moment, but none was lost, but for the one
         * that the OS would not take. */
        REQUIRE_THAT(told->space <= space + 40 * MIB || told->kind == MUNMAP,
                     "call %zu of %#x: %zu MiB of address space, not %zu", n, with.kinds,
                     told->space / MIB, space / MIB);
        if (told->finished) break;
    }
    assert_true(told->finished);
    assert_true(n > 1);
    print_message("%zu calls\n", n - 1);
}

static int setup(void **state)
{
    (void)state;
    told = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return told == MAP_FAILED;
}

static void no_refusal_is_no_trouble(void **state)
{
    (void)state;
    for (size_t variant = 0; variant < 4; variant++) {
        run_in_child((plan){.old_kernel = variant & 1, .no_place = variant & 2, .twice = true});
    }
}

static void any_single_refusal_is_survived(void **state)
{
    (void)state;
    refuse_each_in_turn((plan){.kinds = ALL});
}

static void any_single_refusal_is_survived_with_little_address_space(void **state)
{
    (void)state;
    refuse_each_in_turn((plan){.kinds = ALL, .no_place = true});
}

static void any_single_refusal_is_survived_on_old_kernels(void **state)
{
    (void)state;
    refuse_each_in_turn((plan){.kinds = 1u << MMAP | 1u << MREMAP, .old_kernel = true});
    refuse_each_in_turn(
        (plan){.kinds = 1u << MMAP | 1u << MREMAP, .old_kernel = true, .no_place = true});
}

/* As a block's pages do that lie in several of the kernel's mappings. */
static void any_single_refusal_is_survived_where_pages_move_in_pieces(void **state)
{
    (void)state;
    refuse_each_in_turn((plan){.kinds = 1u << MREMAP, .in_pieces = true});
    refuse_each_in_turn((plan){.kinds = 1u << MREMAP, .in_pieces = true, .odd_refusal = true});
    if (support_scale() > 1) return;
    refuse_each_in_turn((plan){.kinds = 1u << MREMAP | 1u << MUNMAP, .in_pieces = true});
    refuse_each_in_turn(
        (plan){.kinds = 1u << MREMAP | 1u << MMAP, .in_pieces = true, .old_kernel = true});
}

/* Neither moved nor copied on, nor moved back: the block stays as it was. */
static void a_move_given_up_half_way_leaves_the_block(void **state)
{
    (void)state;
    for (size_t from = 1; from <= 60; from++) {
        run_in_child((plan){.kinds = 1u << MREMAP | 1u << MMAP,
                            .from = from,
                            .until = SIZE_MAX,
                            .in_pieces = true,
                            .late_refusal = from % 2,
                            .after_creation = true});
    }
}

/* Most kernels unmap the target before they find that they cannot move. */
static void a_refused_move_may_have_unmapped_its_target(void **state)
{
    (void)state;
    for (size_t scarce = 0; scarce < 2; scarce++) {
        refuse_each_in_turn(
            (plan){.kinds = 1u << MREMAP, .late_refusal = true, .no_place = scarce});
        run_in_child((plan){.kinds = 1u << MREMAP,
                            .from = 1,
                            .until = SIZE_MAX,
                            .late_refusal = true,
                            .no_place = scarce});
    }
}

/* Whatever others map where a block was that has been moved is not taken for the block, and stays.
 */
static void lose_addresses(void *context)
{
    refuse = *(plan *)context;
    if (refuse.no_place) take_places();
    heap = new_heap("speed");
    REQUIRE(heap);
    for (size_t round = 0; round < 4; round++) {
        char *block = hak_heap_alloc(heap, 30 * MIB);
        REQUIRE(block);
        char *in_the_way = hak_heap_alloc(heap, 3 * MIB);
        map_behind(block + 32 * MIB);
        char *moved = hak_heap_realloc(heap, block, 130 * MIB);
        REQUIRE(in_the_way && moved && moved != block);
        REQUIRE(!hak_heap_owns(heap, block + 5 * MIB) && !hak_owns(block + 5 * MIB));

        char *other = __real_mmap(block + 4 * MIB, 3 * MIB, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        REQUIRE(other == block + 4 * MIB && !hak_owns(other + MIB) && !hak_heap_owns(heap, other));
        support_fill_pages(other, 3 * MIB, round + 77);
        char *blocks[40];
        for (size_t i = 0; i < COUNT(blocks); i++) {
            REQUIRE(blocks[i] = hak_heap_alloc(heap, (3 + 2 * i) * MIB));
            support_fill_pages(blocks[i], 3 * MIB, i);
        }
        for (size_t i = 0; i < COUNT(blocks); i++) {
            REQUIRE(hak_owns(blocks[i]) && hak_heap_owns(heap, blocks[i] + 2 * MIB));
            REQUIRE(support_intact_pages(blocks[i], 3 * MIB, i) == 3 * MIB);
            hak_heap_free(heap, blocks[i]);
        }
        hak_heap_free(heap, moved);
        hak_heap_trim(heap);
        support_check_live(heap, round + 1, (round + 1) * 3 * MIB);
        REQUIRE(support_intact_pages(other, 3 * MIB, round + 77) == 3 * MIB);
    }
    hak_heap_destroy(heap);
}

/* Nor is the target of a refused move, which the kernel has unmapped. */
static void lose_the_target(void *context)
{
    refuse = *(plan *)context;
    refuse.kinds = 1u << MREMAP;
    refuse.from = 1;
    refuse.until = SIZE_MAX;
    refuse.late_refusal = refuse.no_claims = true;
    if (refuse.no_place) take_places();
    heap = new_heap("speed");
    REQUIRE(heap);
    for (size_t round = 0; round < 4; round++) {
        char *block = hak_heap_alloc(heap, 30 * MIB);
        REQUIRE(block);
        support_fill_pages(block, 30 * MIB, round);
        char *in_the_way = hak_heap_alloc(heap, 3 * MIB);
        map_behind(block + 32 * MIB);
        last_target = NULL;
        char *copied = hak_heap_realloc(heap, block, 130 * MIB);
        REQUIRE(in_the_way && copied && copied != block);
        REQUIRE(last_target);
        REQUIRE(support_intact_pages(copied, 30 * MIB, round) == 30 * MIB);
        REQUIRE(!hak_heap_owns(heap, last_target) && !hak_owns(last_target + 5 * MIB));
        hak_heap_free(heap, copied);
        hak_heap_trim(heap);
        REQUIRE(!hak_heap_owns(heap, last_target) && !hak_owns(last_target + 5 * MIB));
        support_check_live(heap, round + 1, (round + 1) * 3 * MIB);
    }
    hak_heap_destroy(heap);
}

static void addresses_once_lost_are_nobodys(void **state)
{
    (void)state;
    support_in_child(lose_the_target, &(plan){0}, 30);
    support_in_child(lose_the_target, &(plan){.no_place = true}, 30);
    support_in_child(lose_addresses, &(plan){0}, 30);
    support_in_child(lose_addresses, &(plan){.old_kernel = true}, 30);
    support_in_child(lose_addresses, &(plan){.no_place = true}, 30);
}

static void refuse_always(unsigned which)
{
    size_t apart = support_scale() > 1 ? 1000 : 10;
    for (size_t from = 1; from < 1000; from *= apart) {
        for (size_t variant = 0; variant < 4; variant++) {
            run_in_child((plan){.kinds = which,
                                .from = from,
                                .until = SIZE_MAX,
                                .after_creation = variant & 1,
                                .no_place = variant & 2,
                                .twice = true});
        }
    }
}

static void a_kind_of_call_always_refused_is_survived(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < KINDS; kind++) {
        print_message("%s\n", kinds[kind]);
        refuse_always(1u << kind);
    }
}

static void all_calls_refused_are_survived(void **state)
{
    (void)state;
    refuse_always(ALL);
}

/* A region for one block that cannot be unmapped keeps its addresses, but none of its pages. */
static void free_where_nothing_is_unmapped(void *context)
{
    (void)context;
    take_places();
    refuse = (plan){.kinds = 1u << MUNMAP, .from = 1, .until = SIZE_MAX};
    heap = hak_heap_new(&(hak_heap_options){.profile = "lean"});
    char *block = hak_heap_alloc(heap, 100 * MIB);
    REQUIRE(block);
    size_t before = support_resident();
    support_fill_pages(block, 40 * MIB, 1);
    hak_heap_free(heap, block);
    hak_heap_trim(heap);
    REQUIRE(refusals > 1);
    size_t after = support_resident();
    REQUIRE_THAT(after < before + MIB, "%zu bytes resident, then %zu", before, after);
    hak_heap_destroy(heap);
}

static void what_is_not_unmapped_has_no_pages(void **state)
{
    (void)state;
    support_in_child(free_where_nothing_is_unmapped, NULL, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_refusal_is_no_trouble),
        cmocka_unit_test(any_single_refusal_is_survived),
        cmocka_unit_test(any_single_refusal_is_survived_with_little_address_space),
        cmocka_unit_test(any_single_refusal_is_survived_on_old_kernels),
        cmocka_unit_test(any_single_refusal_is_survived_where_pages_move_in_pieces),
        cmocka_unit_test(a_move_given_up_half_way_leaves_the_block),
        cmocka_unit_test(a_refused_move_may_have_unmapped_its_target),
        cmocka_unit_test(addresses_once_lost_are_nobodys),
        cmocka_unit_test(a_kind_of_call_always_refused_is_survived),
        cmocka_unit_test(all_calls_refused_are_survived),
        cmocka_unit_test(what_is_not_unmapped_has_no_pages),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
