# The builds beside the standard one: each is this same make with a folder and flags of its own.
# docs/builds.md says what each is for.

VARIANT ?= standard

FAST_PROFILE ?= balanced
ifeq ($(filter $(FAST_PROFILE),speed balanced lean),)
$(error FAST_PROFILE is '$(FAST_PROFILE)', accepted are: speed, balanced, lean)
endif

# The names of its data are relative to the folder of the build.
PROFILE       := $(B)/pgo/profile
IN_THE_FOLDER := -fprofile-prefix-path=$(abspath $(B))

FLAGS_fast     := -DHAK_FAST -DHAK_FAST_PROFILE=$(FAST_PROFILE)
FLAGS_observe  := -DHAK_OBSERVE
FLAGS_debug    := -DHAK_DEBUG -O1
FLAGS_training := -DHAK_PGO -fprofile-generate=$(abspath $(B))/profile \
	-fprofile-update=prefer-atomic $(IN_THE_FOLDER)
# A profile that does not fit is an error; functions that the training has not met have none.
FLAGS_pgo      := -DHAK_PGO -fprofile-use=$(abspath $(B))/profile -Werror=coverage-mismatch \
	-Wno-missing-profile $(IN_THE_FOLDER)

# What a stamp has of the flags: those of all parts, but for the profile's own, and without the folder.
PGO_FLAGS = $(filter-out -ffile-prefix-map=%,$(HAK_CFLAGS)) $(PIC) $(LTO) $(PY_CORE) $(BENCH_CFLAGS)
PGO       = CC='$(CC)' FLAGS='$(PGO_FLAGS)' PYTHON='$(PYTHON)' PYTHON_VERSION=$(PY_VERSION) scripts/pgo.sh

HAK_CFLAGS += $(FLAGS_$(VARIANT))

# What is made of a variant: what is measured, or what a program is linked with or loads. A profile is
# there for one version of Lua only.
VARIANT_LUA           = $(dirs_found)
VARIANT_LUA_pgo      := 5.4
VARIANT_LUA_training := 5.4
variant_parts         = libhakmem.a hakmem \
	$(patsubst %,lua/%/hakmem.so,$(or $(VARIANT_LUA_$(1)),$(VARIANT_LUA))) \
	$(addprefix bench/,random_mixed-hakmem lua_close lua_states)

# Makes the variant $(2) in the folder $(1); anew if the flags have changed, or $(3), a profile.
define make_variant
	+$(MAKE) --no-print-directory B=$(B)/$(1) VM=$(VM) VARIANT=$(2) BUILT_FOR=$(3) \
		$(addprefix $(B)/$(1)/,$(call variant_parts,$(2))) python
endef

RELATIVE = $(if $(filter /%,$(B)),$(error gcc finds the data of a profile by relative names only, and B is '$(B)'))

.PHONY: fast observe debug pgo pgo-train
fast: ## into build/fast: one profile, FAST_PROFILE=balanced, fixed at compile time
	$(call make_variant,fast,fast)

observe: ## into build/observe: counts on every call
	$(call make_variant,observe,observe)

debug: ## into build/debug: asserts the invariants of the heap, and aborts with a line where one is broken
	+$(MAKE) --no-print-directory B=$(B)/debug VM=$(VM) VARIANT=debug libs modules python

pgo: ## into build/pgo: guided by a profile of its execution, trained if there is none
	$(RELATIVE)
	$(PGO) compiler
	[ -e $(PROFILE)/stamp ] || $(MAKE) --no-print-directory pgo-profile
	$(PGO) check $(PROFILE)
	rm -f $(B)/pgo/stamp
	$(call make_variant,pgo,pgo,"$$(head -n 1 $(PROFILE)/stamp)")
	cp $(PROFILE)/stamp $(B)/pgo/stamp

pgo-train: ## trains that profile anew, and makes the build
	$(RELATIVE)
	$(PGO) compiler
	$(MAKE) --no-print-directory pgo-profile
	$(MAKE) --no-print-directory pgo

# The instrumented build has the folder of the one that it is made for: the data of a static function
# is found by the name of the object.
.PHONY: pgo-profile
pgo-profile:
	rm -rf $(PROFILE); mkdir -p $(PROFILE)
	$(PGO) stamp >$(PROFILE)/stamp.begun
	$(call make_variant,pgo,training)
	$(PGO) train $(B)/pgo
	$(PGO) seal $(PROFILE)

# The predecessor's mixed runner: random-mixed, by name of what is compared.
PERF_CASES ?= ws400
PERF = bench/hakbench run random-mixed --build $(B) --profile $(FAST_PROFILE) --cases $(PERF_CASES)
.PHONY: perf_fast perf_observe perf_all
perf_fast: fast bench-programs ## random-mixed, the standard build against FAST
	$(PERF) --allocators hakmem,hakmem-fast,mimalloc,null

perf_observe: observe ## random-mixed in the OBSERVE build, and what it observed
	$(PERF) --allocators hakmem-observe
	$(B)/observe/bench/random_mixed-hakmem --ws 400 --observations $(B)/observe/observations.json
	$(PYTHON) bench/observations.py $(B)/observe/observations.json

perf_all: fast observe pgo bench-programs ## random-mixed, all builds and all peers
	$(PERF) --allocators hakmem,hakmem-fast,hakmem-pgo,hakmem-observe,$$(bench/hakbench peers | \
		sed 's/ .*//' | paste -sd ,),system,null
