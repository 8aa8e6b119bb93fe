# The C tests of core/: one program for each promise, test_<promise>.c in the folder of the room that
# keeps it, built against the core as it is released and against the core that asserts its invariants.

CT       := $(B)/tests/core

# What there is to test only in one build; the others run in all.
CT_OF_FAST  := test_profile_is_fixed
CT_OBSERVED := test_observations_are_exact test_observer_does_without_memory
CT_RELEASED := test_costs_do_not_grow
CT_NAMES := $(filter-out $(CT_OF_FAST) $(CT_OBSERVED) $(CT_RELEASED), \
	$(basename $(notdir $(sort $(wildcard tests/core/*/test_*.c)))))

CT_CFLAGS := -std=gnu11 -g $(WARN) -Icore -Itests/core

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
CT_SANITIZED := test_blocks_fit_and_align test_kinds_are_counted test_limit_holds \
	test_misuse_is_reported test_model_agrees test_ownership_is_known test_realloc_keeps_contents \
	test_refusal_changes_nothing test_settings_are_checked test_statistics_are_exact \
	test_zalloc_zeroes
CT_THREADED  := test_heaps_are_independent test_pages_wait

# What runs against the core as CPython's module has it, with slabs of 16 KiB. The others know the
# sizes of the released one.
CT_FOR_CPYTHON := test_blocks_fit_and_align test_heaps_are_small test_kinds_are_counted test_limit_holds \
	test_many_heaps_take_little test_memory_is_used_again test_misuse_is_reported test_model_agrees test_order_is_kept \
	test_os_failure_is_survived test_pages_are_accounted_for \
	test_ownership_is_known test_realloc_keeps_contents test_short_superslabs_grow test_slabs_agree \
	test_statistics_are_exact test_trim_gives_back test_zalloc_zeroes

# What runs against the build with a fixed profile. The others choose one.
CT_FOR_FAST := test_blocks_fit_and_align test_growth_moves_pages test_limit_holds \
	test_memory_is_used_again test_model_agrees test_realloc_keeps_contents test_zalloc_zeroes

# What runs against the core that observes: what it observes, and that it changes nothing else.
CT_FOR_OBSERVE := $(CT_OBSERVED) test_fork_keeps_heaps test_misuse_is_reported test_model_agrees \
	test_os_failure_is_survived test_realloc_keeps_contents test_refusal_changes_nothing

vpath test_%.c $(wildcard tests/core/*/)

# $(1): the build; $(CT_$(1)) are its flags.
define core_tests
$(CT)/$(1)/core/%.o: core/%.c $$(HEADERS) Makefile tests/core/core.mk
	@mkdir -p $$(@D)
	@$$(CC) $$(CT_CFLAGS) $$(CT_$(1)) -fvisibility=hidden -c $$< -o $$@

$(CT)/$(1)/test_%.o: test_%.c $$(wildcard tests/core/*.h) $$(HEADERS) Makefile tests/core/core.mk
	@mkdir -p $$(@D)
	@$$(CC) $$(CT_CFLAGS) $$(CT_$(1)) -c $$< -o $$@

$(CT)/$(1)/%.o: tests/core/%.c $$(wildcard tests/core/*.h) $$(HEADERS) Makefile tests/core/core.mk
	@mkdir -p $$(@D)
	@$$(CC) $$(CT_CFLAGS) $$(CT_$(1)) -c $$< -o $$@

$(CT)/$(1)/test_%: $(CT)/$(1)/test_%.o $(CT)/$(1)/support.o $(CT)/$(1)/steps.o $(CORE:%.c=$(CT)/$(1)/%.o)
	@$$(CC) $$(CT_$(1)) $$^ -o $$@ $$(CT_LINK) -lcmocka -pthread

.PRECIOUS: $(CT)/$(1)/core/%.o $(CT)/$(1)/%.o
endef
$(foreach build,release debug cpython fast fast_lean observe sanitize thread,$(eval $(call core_tests,$(build))))

# Refuses the core's system calls, one after the other.
CT_CALLS := mmap madvise mremap munmap
$(CT)/%/test_os_failure_is_survived: CT_LINK := $(CT_CALLS:%=-Wl,--wrap=%)

# Refuse some of them.
$(CT)/%/test_prewarmed_pages_stay: CT_LINK := -Wl,--wrap=madvise
$(CT)/%/test_refused_purges_pause: CT_LINK := -Wl,--wrap=madvise -Wl,--wrap=munmap
$(CT)/%/test_reports_are_lines: CT_LINK := -Wl,--wrap=write
$(CT)/%/test_large_kernel_pages_are_refused: CT_LINK := -Wl,--wrap=getpagesize
$(CT)/%/test_process_is_read_at_once: CT_LINK := -Wl,--wrap=pthread_mutex_unlock
$(CT)/%/test_pages_wait: CT_LINK := -Wl,--wrap=pthread_create -Wl,--wrap=pthread_join

# Refuses the observer's.
$(CT)/%/test_observer_does_without_memory: CT_LINK := -Wl,--wrap=mmap

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

$(CT)/release/os_calls: $(CT)/release/os_calls.o $(CORE:%.c=$(CT)/release/%.o)
	@$(CC) $^ -o $@ -pthread

test-sanitize: $(CT_SANITIZED:%=$(CT)/sanitize/%) $(CT_THREADED:%=$(CT)/thread/%)
	@status=0; \
	tests/core/run.sh sanitize $(CT_SANITIZED:%=$(CT)/sanitize/%) || status=1; \
	tests/core/run.sh thread $(CT_THREADED:%=$(CT)/thread/%) || status=1; \
	exit $$status
