/* Whatever the OS refuses of a move of pages, as a whole or in pieces, the block stays as it was,
 * or is copied, though the kernel may have unmapped the target by then. */
#include "scenario.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_single_refusal_is_survived_where_pages_move_in_pieces),
        cmocka_unit_test(a_move_given_up_half_way_leaves_the_block),
        cmocka_unit_test(a_refused_move_may_have_unmapped_its_target),
    };
    return cmocka_run_group_tests(tests, refusing_setup, NULL);
}
