/* Whatever system call the OS refuses, and whenever: the function that needed it returns NULL with
 * ENOMEM or does without, contents stay as they are, zeroed memory is zero, the heap goes on, and
 * nothing is lost once the OS relents.
 *
 * A scenario runs with the N-th call refused: for N = 1, 2, … until none is left to refuse; then
 * with one kind of call always refused; and all of this also on old kernels and where address space
 * is scarce. */
#include "scenario.h"

static const char *const kinds[] = {"mmap", "madvise", "mremap", "munmap"};

static void no_refusal_is_no_trouble(void **state)
{
    (void)state;
    for (size_t variant = 0; variant < 8; variant++) {
        run_in_child((plan){.old_kernel = variant & 1,
                            .no_place = variant & 2,
                            .limited = variant & 4,
                            .twice = true});
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

static void any_single_refusal_is_survived_under_a_limit(void **state)
{
    (void)state;
    refuse_each_in_turn((plan){.kinds = ALL, .limited = true});
    refuse_each_in_turn((plan){.kinds = 1u << MUNMAP, .limited = true});
}

static void any_single_refusal_is_survived_on_old_kernels(void **state)
{
    (void)state;
    refuse_each_in_turn((plan){.kinds = 1u << MMAP | 1u << MREMAP, .old_kernel = true});
    refuse_each_in_turn(
        (plan){.kinds = 1u << MMAP | 1u << MREMAP, .old_kernel = true, .no_place = true});
}

static void refuse_always(unsigned which)
{
    size_t apart = support_scale() > 1 ? 1000 : 10;
    for (size_t from = 1; from < 1000; from *= apart) {
        for (size_t variant = 0; variant < 8; variant++) {
            run_in_child((plan){.kinds = which,
                                .from = from,
                                .until = SIZE_MAX,
                                .after_creation = variant & 1,
                                .no_place = variant & 2,
                                .limited = variant & 4,
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_refusal_is_no_trouble),
        cmocka_unit_test(any_single_refusal_is_survived),
        cmocka_unit_test(any_single_refusal_is_survived_with_little_address_space),
        cmocka_unit_test(any_single_refusal_is_survived_under_a_limit),
        cmocka_unit_test(any_single_refusal_is_survived_on_old_kernels),
        cmocka_unit_test(a_kind_of_call_always_refused_is_survived),
        cmocka_unit_test(all_calls_refused_are_survived),
    };
    return cmocka_run_group_tests(tests, refusing_setup, NULL);
}
