# What the fast set (tests/fast.py) runs, built for making it anew after a small change: the core of a
# build is a shared library, so that its test programs need no new link, and each object depends on
# the headers that its source includes and on no others.
#     make -f tests/fast.mk GROUP
# stands alone, since reading the whole Makefile takes longer than compiling one file; but for what
# SWIG writes, which `make fast-set` makes first.

B      ?= build
CC     := cc
PYTHON ?= $(firstword $(wildcard /usr/bin/python3) python3)

ifndef V
.SILENT:
endif

F        := $(B)/tests/fast
CORE     := $(wildcard core/*/*.c)
# A number that is returned as a pointer is nothing worth testing.
F_CFLAGS := -std=gnu11 -Werror=int-conversion -fPIC -fno-semantic-interposition -MMD -MP -Icore

F_release := -O2
F_debug   := -O1 -DHAK_DEBUG
F_cpython := -O1 -DHAK_DEBUG -DHAK_UNIT_SHIFT=14 -DTEST_CPYTHON
F_observe := -O1 -DHAK_DEBUG -DHAK_OBSERVE
F_thread  := -O1 -fsanitize=thread
F_fixed   := -O1 -DHAK_FAST -DHAK_FAST_PROFILE=speed

# ------------------------------------------------------------------ the core

T_release := test_address_limit_is_survived test_costs_do_not_grow test_destroy_releases_all \
	test_fork_keeps_heaps test_growth_moves_pages test_heaps_are_independent \
	test_heaps_learn_what_to_keep test_holes_are_given_back test_huge_blocks_lie_apart \
	test_large_kernel_pages_are_refused test_limited_space_is_filled \
	test_misuse_is_reported test_order_is_kept \
	test_prewarmed_pages_stay test_purging_is_paid_for test_retained_memory_is_bounded \
	test_settling_gives_back test_size_classes test_steady_state_is_quiet \
	test_structures_keep_their_size test_trim_gives_back
T_debug   := test_bases_differ test_births_are_known test_blocks_are_visited test_blocks_fit_and_align \
	test_broken_units_are_found \
	test_callers_memory_suffices test_colours_tell_blocks_apart test_environment_is_read \
	test_fuller_slabs_go_first test_grace_lifts_the_limit \
	test_growing_blocks_take_pages_over test_heaps_are_small test_huge_blocks_are_kept \
	test_invariants_are_asked test_invariants_are_found test_kinds_are_counted \
	test_limit_can_be_changed test_limit_holds test_limit_is_reckoned \
	test_scans_are_worth_it test_lost_addresses_are_nobodys test_many_heaps_take_little \
	test_many_mappings_are_spared test_map_shows_the_heap test_memory_is_used_again \
	test_misuse_is_reported test_model_agrees test_options_take_effect test_packed_blocks_agree \
	test_os_failure_is_survived test_ownership_is_known test_pages_wait \
	test_policy_in_numbers test_pool_is_exact test_process_is_summed_up \
	test_realloc_keeps_contents test_reaper_is_in_nobodys_way test_refusal_changes_nothing \
	test_refused_moves_are_survived test_refused_pages_stay_pooled \
	test_refused_purges_pause test_region_grows test_reports_are_lines test_room_is_found \
	test_runs_of_bits_are_found test_settings_are_checked test_short_superslabs_grow \
	test_slabs_agree test_statistics_are_exact test_statistics_are_json \
	test_superslabs_are_found test_what_waits_goes_in_order test_what_waits_is_used_again \
	test_words_are_compared test_zalloc_zeroes
T_cpython := test_blocks_fit_and_align test_callers_memory_suffices test_fuller_slabs_go_first \
	test_grace_lifts_the_limit test_growing_blocks_take_pages_over test_heaps_are_small \
	test_limit_can_be_changed test_limit_holds test_memory_is_used_again test_misuse_is_reported \
	test_model_agrees test_order_is_kept test_packed_blocks_agree test_pages_are_accounted_for
T_observe := test_misuse_is_reported test_observations_are_exact test_observations_are_json \
	test_observer_does_without_memory test_observers_memory_is_told \
	test_single_operations_are_observed
T_thread  := test_heaps_are_independent
T_fixed   := test_profile_is_fixed

include tests/core/wrapped.mk

# What they share. The linker takes what a test needs.
SHARED := $(patsubst tests/core/%.c,%.o,$(filter-out tests/core/os_calls.c \
	$(wildcard tests/core/*/test_*.c),$(wildcard tests/core/*.c tests/core/*/*.c)))

vpath test_%.c $(wildcard tests/core/*/)

# $(1): the build
define core_group
.PHONY: $(1)
$(1): $(F)/$(1)/libcore.so $(T_$(1):%=$(F)/$(1)/%)

$(F)/$(1)/core/%.o: core/%.c
	mkdir -p $$(@D)
	$(CC) $(F_CFLAGS) $(F_$(1)) -c $$< -o $$@

$(F)/$(1)/test_%.o: test_%.c
	mkdir -p $$(@D)
	$(CC) $(F_CFLAGS) $(F_$(1)) -Itests/core -c $$< -o $$@

$(F)/$(1)/%.o: tests/core/%.c
	mkdir -p $$(@D)
	$(CC) $(F_CFLAGS) $(F_$(1)) -Itests/core -c $$< -o $$@

$(F)/$(1)/libsupport.a: $(SHARED:%=$(F)/$(1)/%)
	rm -f $$@; ar rcs $$@ $$^

$(F)/$(1)/libcore.so: $(CORE:%.c=$(F)/$(1)/%.o)
	$(CC) $(F_$(1)) -shared -Wl,-soname,libcore.so $$^ -o $$@ -pthread

$(WRAPPING:%=$(F)/$(1)/%): $(F)/$(1)/%: $(F)/$(1)/%.o $(F)/$(1)/libsupport.a $(CORE:%.c=$(F)/$(1)/%.o)
	$(CC) $$^ -o $$@ $$(call wraps,$$@) -lcmocka -pthread

$(filter-out $(WRAPPING:%=$(F)/$(1)/%),$(T_$(1):%=$(F)/$(1)/%)): \
		$(F)/$(1)/%: $(F)/$(1)/%.o $(F)/$(1)/libsupport.a | $(F)/$(1)/libcore.so
	$(CC) $(F_$(1)) $$^ -o $$@ -L$(F)/$(1) -lcore -Wl,-rpath,'$$$$ORIGIN' -lcmocka -pthread
endef
$(foreach build,release debug cpython observe thread fixed,$(eval $(call core_group,$(build))))

# ------------------------------------------------------------------ Lua

# The module, which is also the library that the C tests are linked with. On the core of `release`.
L_C    := $(wildcard bindings/lua/*.c)

# $(1): the version
define lua_group
.PHONY: lua$(1)
lua$(1): $(F)/lua$(1)/hakmem.so $(addprefix $(F)/lua$(1)/,run_state $(T_lua$(1)))
L_FLAGS_$(1) := -O2 -Ibindings -Ibindings/lua -Itests/lua $(shell pkg-config --cflags lua$(1))
L_OBJECTS_$(1) := $(L_C:bindings/lua/%.c=$(F)/lua$(1)/%.o) $(F)/lua$(1)/control.o $(F)/lua$(1)/control_threads.o \
	$(F)/lua$(1)/wrap.o

$(F)/lua$(1)/%.o: bindings/lua/%.c
	mkdir -p $$(@D)
	$(CC) $(F_CFLAGS) $$(L_FLAGS_$(1)) -c $$< -o $$@

$(F)/lua$(1)/control.o $(F)/lua$(1)/control_threads.o: $(F)/lua$(1)/%.o: bindings/%.c
	mkdir -p $$(@D)
	$(CC) $(F_CFLAGS) $$(L_FLAGS_$(1)) -c $$< -o $$@

$(F)/lua$(1)/wrap.o: $(B)/swig/hakmem_lua_wrap.c
	mkdir -p $$(@D)
	$(CC) $(F_CFLAGS) $$(L_FLAGS_$(1)) -c $$< -o $$@

$(F)/lua$(1)/%.o: tests/lua/%.c
	mkdir -p $$(@D)
	$(CC) $(F_CFLAGS) $$(L_FLAGS_$(1)) -c $$< -o $$@

$(F)/lua$(1)/hakmem.so: $$(L_OBJECTS_$(1)) $(CORE:%.c=$(F)/release/%.o)
	$(CC) -shared -Wl,-soname,hakmem.so -Wl,-z,nodelete $$^ -o $$@ -pthread

$(addprefix $(F)/lua$(1)/,run_state $(T_lua$(1))): $(F)/lua$(1)/%: $(F)/lua$(1)/%.o | $(F)/lua$(1)/hakmem.so
	$(CC) $$^ $(F)/lua$(1)/hakmem.so -o $$@ -Wl,-rpath,'$$$$ORIGIN' \
		$(shell pkg-config --libs lua$(1)) -lcmocka -pthread
endef
T_lua5.4 := test_alloc test_before test_close test_kinds test_leaks test_marks test_observe \
	test_state test_takeover test_threads test_unprotected
T_lua5.1 := test_close test_leaks test_luajit test_marks test_observe test_state test_takeover \
	test_unprotected
$(eval $(call lua_group,5.4))
T_luajit  := test_close test_leaks test_takeover
$(eval $(call lua_group,5.1))
$(eval $(call lua_group,jit))

# ------------------------------------------------------------------ Python

# The package, and the program of embed/, on the core of `cpython`.
PY         := $(shell $(PYTHON) -c 'import sys, sysconfig as s; \
	print("%d.%d" % sys.version_info[:2], s.get_config_var("EXT_SUFFIX"), s.get_path("include"))')
PY_C       := $(wildcard bindings/python/*.c)
PY_CONFIG  := $(realpath $(shell command -v $(PYTHON)))-config
PY_DIR     := $(F)/python/$(word 1,$(PY))
PY_FLAGS   := $(filter-out -DTEST_CPYTHON,$(F_cpython)) -Ibindings -Ibindings/python -I$(word 3,$(PY))
PY_OBJECTS := $(PY_C:bindings/python/%.c=$(PY_DIR)/%.o) $(PY_DIR)/control.o $(PY_DIR)/control_threads.o $(PY_DIR)/wrap.o \
	$(CORE:%.c=$(F)/cpython/%.o)
PY_SOURCES := $(wildcard bindings/python/hakmem/*.py*) bindings/python/hakmem/py.typed
PY_EMBED   := $(patsubst tests/python/embed/%.c,$(PY_DIR)/embed/%.o,$(wildcard tests/python/embed/*.c))
PY_MODULE  := $(PY_DIR)/hakmem/_hakmem$(word 2,$(PY))

.PHONY: python
python: $(PY_MODULE) $(sort $(PY_SOURCES:bindings/python/%=$(PY_DIR)/%)) $(PY_DIR)/program

$(PY_DIR)/%.o: bindings/python/%.c
	mkdir -p $(@D)
	$(CC) $(F_CFLAGS) $(PY_FLAGS) -c $< -o $@

$(PY_DIR)/control.o $(PY_DIR)/control_threads.o: $(PY_DIR)/%.o: bindings/%.c
	mkdir -p $(@D)
	$(CC) $(F_CFLAGS) $(PY_FLAGS) -c $< -o $@

$(PY_DIR)/wrap.o: $(B)/swig/hakmem_python_wrap.c
	mkdir -p $(@D)
	$(CC) $(F_CFLAGS) $(PY_FLAGS) -c $< -o $@

$(PY_EMBED): $(PY_DIR)/embed/%.o: tests/python/embed/%.c
	mkdir -p $(@D)
	$(CC) $(F_CFLAGS) $(PY_FLAGS) -c $< -o $@

# A process may have two copies of it, as programs that embed have.
$(PY_MODULE): $(PY_OBJECTS)
	mkdir -p $(@D)
	$(CC) -shared -Wl,--version-script=bindings/module.map -Wl,-z,nodelete $^ -o $@ -pthread -ldl

$(PY_DIR)/program: $(PY_EMBED) $(PY_OBJECTS)
	$(CC) -rdynamic $^ -o $@ $$($(PY_CONFIG) --embed --ldflags) -pthread -ldl

$(PY_DIR)/hakmem/%: bindings/python/hakmem/%
	mkdir -p $(@D); cp $< $@

# ------------------------------------------------------------------ all of it

GROUPS := debug release cpython observe thread fixed lua5.4 lua5.1 luajit python
.PHONY: all list
.DEFAULT_GOAL := all
all: $(GROUPS)

# For tests/fast.py: the group and the name of each C program.
list:
	$(foreach group,$(GROUPS),$(foreach name,$(T_$(group)),echo $(group) $(name);))

.SECONDARY:
-include $(wildcard $(F)/*/*.d $(F)/*/*/*.d $(F)/*/core/*/*.d $(F)/python/*/*.d)
