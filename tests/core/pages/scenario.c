#include "scenario.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#define RECORDS  (64 * KIB) /* are mapped at a time */
#define FAR_AWAY (64 * GIB)
#define SPARES   (32 * MIB) /* of superslabs that a spill region has never used may stay mapped */

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

hak_heap *new_heap(const char *profile)
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

static void set_limit(void)
{
    struct rlimit limit;
    REQUIRE(getrlimit(RLIMIT_AS, &limit) == 0);
    limit.rlim_cur = support_status("VmSize:") + FAR_AWAY;
    REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
}

static void run(void *context)
{
    const plan *with = context;
    size_t begin = support_resident();
    memset(made, 0, sizeof made);
    refuse = *with;
    if (refuse.no_place) support_take_places();
    if (refuse.limited) set_limit();
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

void run_in_child(plan with)
{
    support_child child = support_fork(run, &with, 60);
    if (child.signal || child.code) print_error("%s\n", child.text);
    REQUIRE_THAT(child.signal == 0 && child.code == 0,
                 "signal %d, code %d, calls %#x refused from %zu to %zu%s%s%s%s%s%s", child.signal,
                 child.code, with.kinds, with.from, with.until, with.in_pieces ? ", in pieces" : "",
                 with.no_place ? ", little address space" : "",
                 with.old_kernel ? ", old kernel" : "", with.late_refusal ? ", late" : "",
                 with.after_creation ? ", after creation" : "", with.limited ? ", limited" : "");
}

void refuse_each_in_turn(plan with)
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
