# The C tests of core/: one program for each promise, test_<promise>.c in the folder of the room that
# keeps it, built against the core as it is released and against the core that asserts its invariants.

include tests/core/wrapped.mk

CT       := $(B)/tests/core

# What there is to test only in one build; the others run in all.
CT_OF_FAST  := test_profile_is_fixed
CT_OBSERVED := test_observations_are_exact test_observations_are_json \
	test_observer_does_without_memory test_observers_memory_is_told \
	test_single_operations_are_observed
CT_RELEASED := test_costs_do_not_grow
CT_NAMES := $(filter-out $(CT_OF_FAST) $(CT_OBSERVED) $(CT_RELEASED), \
	$(basename $(notdir $(sort $(wildcard tests/core/*/test_*.c)))))

CT_CFLAGS := -std=gnu11 -g $(WARN) -Icore -Itests/core $(CPPFLAGS)
# Tests ask where blocks lie.
CT_WHERE  := -D'HAK_ALLOC_ATTRIBUTES(size_arg)=HAK_API'

CT_release  := $(OPT)
CT_debug    := -O1 -DHAK_DEBUG
CT_cpython  := -O1 -DHAK_DEBUG -DHAK_UNIT_SHIFT=14 -DTEST_CPYTHON
CT_fast     := $(OPT) -DHAK_FAST -DHAK_FAST_PROFILE=speed
CT_fast_lean := $(OPT) -DHAK_FAST -DHAK_FAST_PROFILE=lean
CT_observe  := -O1 -DHAK_DEBUG -DHAK_OBSERVE
CT_sanitize := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CT_thread   := -O1 -fsanitize=thread

# What runs under the sanitizers: contracts and the model, and what threads do. The others measure
# memory, limit the address space or take its calls away, which the sanitizers need for themselves.
CT_SANITIZED := test_blocks_fit_and_align test_callers_memory_suffices test_grace_lifts_the_limit \
	test_kinds_are_counted test_limit_can_be_changed test_limit_holds test_misuse_is_reported \
	test_model_agrees test_ownership_is_known test_process_is_summed_up \
	test_realloc_keeps_contents test_refusal_changes_nothing test_settings_are_checked \
	test_statistics_are_exact test_statistics_are_json test_threads_come_and_go \
	test_threads_share_blocks test_zalloc_zeroes
CT_THREADED  := test_profiles_of_threads test_remote_frees_come_back test_threads_come_and_go test_threads_share_blocks \
	test_heaps_are_independent test_pages_wait test_reaper_is_in_nobodys_way \
	test_what_waits_is_used_again

# What runs against the core as CPython's module has it, with slabs of 16 KiB. The others know the
# sizes of the released one.
CT_FOR_CPYTHON := test_blocks_are_visited test_blocks_fit_and_align test_callers_memory_suffices test_fuller_slabs_go_first \
	test_grace_lifts_the_limit test_growing_blocks_take_pages_over test_heaps_are_small \
	test_holes_are_given_back test_kinds_are_counted test_limit_can_be_changed \
	test_limit_holds test_limited_space_is_filled test_lost_addresses_are_nobodys \
	test_many_heaps_take_little test_memory_is_used_again test_misuse_is_reported \
	test_model_agrees test_order_is_kept test_os_failure_is_survived test_ownership_is_known \
	test_packed_blocks_agree test_pages_are_accounted_for test_process_is_summed_up test_realloc_keeps_contents \
	test_refused_moves_are_survived test_retained_memory_is_bounded \
	test_settling_gives_back test_short_superslabs_grow test_slabs_agree \
	test_statistics_are_exact test_statistics_are_json test_fork_keeps_thread_heaps \
	test_remote_frees_come_back test_threads_come_and_go test_threads_share_blocks \
	test_trim_gives_back test_zalloc_zeroes

# What runs against the build with a fixed profile. The others choose one.
CT_FOR_FAST := test_blocks_fit_and_align test_callers_memory_suffices test_fuller_slabs_go_first \
	test_grace_lifts_the_limit test_growing_blocks_take_pages_over test_growth_moves_pages \
	test_limit_can_be_changed test_limit_holds test_memory_is_used_again test_model_agrees \
	test_realloc_keeps_contents test_zalloc_zeroes

# What runs against the core that observes: what it observes, and that it changes nothing else.
CT_FOR_OBSERVE := $(CT_OBSERVED) test_fork_keeps_heaps test_lost_addresses_are_nobodys \
	test_misuse_is_reported test_model_agrees test_os_failure_is_survived \
	test_realloc_keeps_contents test_refusal_changes_nothing test_refused_moves_are_survived

# What cannot run emulated: it measures the memory, the address space or the threads of the process,
# limits them, or forks among threads, and the emulator is in the same process.
CT_NOT_EMULATED := test_fork_keeps_thread_heaps test_address_limit_is_survived test_destroy_releases_all test_fork_keeps_heaps \
	test_growth_moves_pages test_heaps_are_small test_lost_addresses_are_nobodys \
	test_many_blocks_fit test_many_heaps_take_little test_options_take_effect \
	test_os_failure_is_survived test_packed_blocks_agree test_pages_wait \
	test_prewarmed_pages_stay test_reaper_is_in_nobodys_way test_refused_moves_are_survived \
	test_refused_pages_stay_pooled test_region_grows test_short_superslabs_grow \
	test_limited_space_is_filled
CT_EMULATED := $(filter-out $(CT_NOT_EMULATED),$(CT_NAMES))

# What they share, for all rooms or beside the tests of one. The linker takes what a test needs, by
# its names, of which no two are alike but those of functions that wrap.
CT_HEADERS := $(wildcard tests/core/*.h tests/core/*/*.h)
CT_SHARED  := $(patsubst tests/core/%.c,%.o,$(filter-out tests/core/os_calls.c \
	$(wildcard tests/core/*/test_*.c),$(wildcard tests/core/*.c tests/core/*/*.c)))

vpath test_%.c $(wildcard tests/core/*/)

# $(1): the build; $(CT_$(1)) are its flags.
define core_tests
$(CT)/$(1)/core/%.o: core/%.c $$(HEADERS) Makefile tests/core/core.mk
	@mkdir -p $$(@D)
	@$$(CC) $$(CT_CFLAGS) $$(CT_$(1)) -fvisibility=hidden -c $$< -o $$@

$(CT)/$(1)/test_%.o: test_%.c $$(CT_HEADERS) $$(HEADERS) Makefile tests/core/core.mk
	@mkdir -p $$(@D)
	@$$(CC) $$(CT_CFLAGS) $$(CT_WHERE) $$(CT_$(1)) -c $$< -o $$@

$(CT)/$(1)/%.o: tests/core/%.c $$(CT_HEADERS) $$(HEADERS) Makefile tests/core/core.mk
	@mkdir -p $$(@D)
	@$$(CC) $$(CT_CFLAGS) $$(CT_$(1)) -c $$< -o $$@

$(CT)/$(1)/libsupport.a: $(CT_SHARED:%=$(CT)/$(1)/%)
	@rm -f $$@; $$(AR) rcs $$@ $$^

$(CT)/$(1)/test_%: $(CT)/$(1)/test_%.o $(CT)/$(1)/libsupport.a $(CORE:%.c=$(CT)/$(1)/%.o)
	@$$(CC) $$(CT_$(1)) $$(LDFLAGS) $$^ -o $$@ $$(call wraps,$$@) -lcmocka -pthread

.PRECIOUS: $(CT)/$(1)/core/%.o $(CT)/$(1)/%.o
endef
$(foreach build,release debug cpython fast fast_lean observe sanitize thread,$(eval $(call core_tests,$(build))))

test-core: $(CT_NAMES:%=$(CT)/release/%) $(CT_RELEASED:%=$(CT)/release/%) $(CT_NAMES:%=$(CT)/debug/%) \
		$(CT_FOR_CPYTHON:%=$(CT)/cpython/%) $(CT_FOR_FAST:%=$(CT)/fast/%) \
		$(CT_OF_FAST:%=$(CT)/fast/%) $(CT_OF_FAST:%=$(CT)/fast_lean/%) \
		$(CT_FOR_OBSERVE:%=$(CT)/observe/%) $(CT)/release/os_calls
	@status=0; \
	tests/core/run.sh release $(CT_NAMES:%=$(CT)/release/%) $(CT_RELEASED:%=$(CT)/release/%) || \
		status=1; \
	tests/core/run.sh debug $(CT_NAMES:%=$(CT)/debug/%) || status=1; \
	tests/core/run.sh cpython $(CT_FOR_CPYTHON:%=$(CT)/cpython/%) || status=1; \
	tests/core/run.sh fast $(CT_FOR_FAST:%=$(CT)/fast/%) $(CT_OF_FAST:%=$(CT)/fast/%) || status=1; \
	tests/core/run.sh fast_lean $(CT_OF_FAST:%=$(CT)/fast_lean/%) || status=1; \
	tests/core/run.sh observe $(CT_FOR_OBSERVE:%=$(CT)/observe/%) || status=1; \
	tests/core/os_calls.sh $(CT)/release/os_calls || status=1; \
	exit $$status

# For tests/cross.mk. In the build with assertions each operation takes ten times as long.
.PHONY: test-core-emulated
test-core-emulated: $(CT_EMULATED:%=$(CT)/release/%) $(CT_EMULATED:%=$(CT)/debug/%)
	@status=0; \
	tests/core/run.sh release $(CT_EMULATED:%=$(CT)/release/%) || status=1; \
	HAK_TEST_SCALE=20 tests/core/run.sh debug $(CT_EMULATED:%=$(CT)/debug/%) || status=1; \
	tests/core/os_calls.sh $(CT)/release/os_calls || status=1; \
	echo "not emulated: $(CT_NOT_EMULATED)"; \
	exit $$status

$(CT)/release/os_calls: $(CT)/release/os_calls.o $(CORE:%.c=$(CT)/release/%.o)
	@$(CC) $(LDFLAGS) $^ -o $@ -pthread

test-sanitize: $(CT_SANITIZED:%=$(CT)/sanitize/%) $(CT_THREADED:%=$(CT)/thread/%)
	@status=0; \
	tests/core/run.sh sanitize $(CT_SANITIZED:%=$(CT)/sanitize/%) || status=1; \
	tests/core/run.sh thread $(CT_THREADED:%=$(CT)/thread/%) || status=1; \
	exit $$status
