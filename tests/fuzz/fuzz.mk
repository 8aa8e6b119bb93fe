# Fuzzing of the core: random programs of operations (fuzz_heap.c), for both sizes of a unit, under
# sanitizers and with the core's assertions. libFuzzer keeps what reaches something new in
# build/fuzz/, and begins with the corpus kept here.

FZ       := $(B)/fuzz
FZ_UNITS := 16 14
FZ_CC    ?= clang
FZ_SEED  ?= 20240229
FZ_CORPUS  := tests/fuzz/corpus
FZ_SECONDS = $(if $(filter file,$(origin SECONDS)),1800,$(SECONDS))
FZ_PROGRAMS := $(FZ_UNITS:%=$(FZ)/fuzz_heap_%)

# Bytes of an input; seconds that one may take; MiB of the process, the heaps' memory too.
FZ_RUN := -max_len=1024 -timeout=25 -rss_limit_mb=3072 -detect_leaks=0 -print_final_stats=1

FZ_CFLAGS   := -std=gnu11 -O1 -g $(WARN) -Wextra -Werror -fno-omit-frame-pointer -DHAK_DEBUG \
	-Icore -Itests/fuzz -fsanitize=address,undefined -fno-sanitize-recover=all
FZ_COVERED  := -fsanitize=fuzzer-no-link
FZ_WRAPPED  := mmap madvise mremap munmap clock_gettime pthread_atfork getrlimit
FZ_HEADERS  := $(wildcard tests/fuzz/*.h) tests/core/wrapped_calls.h $(HEADERS) Makefile tests/fuzz/fuzz.mk

# $(1): log2 of a unit
define fuzz_program
$(FZ)/$(1)/core/%.o: core/%.c $(FZ_HEADERS)
	@mkdir -p $$(@D)
	@$(FZ_CC) $(FZ_CFLAGS) $(FZ_COVERED) $(FZ_EXTRA) -DHAK_UNIT_SHIFT=$(1) \
		-include tests/fuzz/core_sections.h -fvisibility=hidden -c $$< -o $$@

# What reaches something new is to be told by the core and by the operations, not by the checks.
$(FZ)/$(1)/fuzz_heap.o $(FZ)/$(1)/manage.o: FZ_OWN := $(FZ_COVERED)
$(FZ)/$(1)/%.o: tests/fuzz/%.c $(FZ_HEADERS)
	@mkdir -p $$(@D)
	@$(FZ_CC) $(FZ_CFLAGS) $$(FZ_OWN) -DHAK_UNIT_SHIFT=$(1) -c $$< -o $$@

$(FZ)/fuzz_heap_$(1): $(CORE:%.c=$(FZ)/$(1)/%.o) \
		$(patsubst tests/fuzz/%.c,$(FZ)/$(1)/%.o,$(wildcard tests/fuzz/*.c))
	@$(FZ_CC) $(FZ_CFLAGS) -fsanitize=fuzzer $(FZ_EXTRA) $$^ -o $$@ $(FZ_WRAPPED:%=-Wl,--wrap=%) -pthread
endef
$(foreach unit,$(FZ_UNITS),$(eval $(call fuzz_program,$(unit))))

.PHONY: fuzz test-fuzz
fuzz: deps ## fuzzes the core on two processors, for SECONDS=1800
	@$(MAKE) --no-print-directory $(FZ_PROGRAMS)
	@tests/fuzz/run.sh $(FZ) $(FZ)/corpus $(FZ_CORPUS) $(FZ_SECONDS) $(FZ_RUN)

test-fuzz: $(FZ_PROGRAMS) ## the same for a minute, from the same seed
	@rm -rf $(FZ)/short # so that a run does not depend on those before
	@tests/fuzz/run.sh $(FZ) $(FZ)/short $(FZ_CORPUS) 60 -seed=$(FZ_SEED) $(FZ_RUN)
