# The programs the benchmark driver runs, and the suites of `make bench`.

SUITES := random-mixed lua luajit lua-close lua-states python-churn python burst lua-burst whole-heap \
	preload-mixed threads programs
MIXED := $(addprefix $(B)/bench/random_mixed-,hakmem null system)
.PHONY: peers bench-programs peer-programs
bench-programs: $(MIXED) $(B)/bench/lua_close $(B)/bench/lua_states $(B)/bench/whole_heap peer-programs \
	$(B)/bench/threads-hakmem $(B)/bench/threads-system $(B)/bench/small_scale $(PRELOAD) \
	$(B)/bench/whole_program $(B)/bench/history

peers: ## allocators to compare with that Debian may not have, into build/peers
	scripts/peers.sh build/peers

# What they share.
$(MIXED) $(addprefix $(B)/bench/,threads-hakmem threads-system small_scale): bench/measure.h

# All variants of a program are compiled alike; hakmem's is linked with its static library, each
# peer's as the distribution ships it.
BENCH_CFLAGS = -std=gnu11 $(OPT) $(MODULE_LTO) -Wall -Wextra $(FLAGS_$(VARIANT))

$(B)/bench/random_mixed-hakmem: bench/random_mixed.c $(B)/libhakmem.a
	mkdir -p $(@D); $(call say,BENCH)
	$(CC) $(BENCH_CFLAGS) -DHAKMEM -DALLOCATOR='"hakmem"' -Icore $(filter-out %.h,$^) -o $@ -pthread

$(B)/bench/random_mixed-null: bench/random_mixed.c
	mkdir -p $(@D); $(call say,BENCH)
	$(CC) $(BENCH_CFLAGS) -DNULL_FLOOR -DALLOCATOR='"null"' $< -o $@

$(B)/bench/random_mixed-system: bench/random_mixed.c
	mkdir -p $(@D); $(call say,BENCH)
	$(CC) $(BENCH_CFLAGS) -DALLOCATOR='"system"' $< -o $@

$(B)/bench/threads-hakmem: bench/threads.c $(B)/libhakmem.a
	mkdir -p $(@D); $(call say,BENCH)
	$(CC) $(BENCH_CFLAGS) -DHAKMEM -DALLOCATOR='"hakmem"' -Icore $(filter-out %.h,$^) -o $@ -pthread

$(B)/bench/threads-system: bench/threads.c
	mkdir -p $(@D); $(call say,BENCH)
	$(CC) $(BENCH_CFLAGS) -DALLOCATOR='"system"' $< -o $@ -pthread

$(B)/bench/small_scale $(B)/bench/whole_program: $(B)/bench/%: bench/%.c
	mkdir -p $(@D); $(call say,BENCH)
	$(CC) $(BENCH_CFLAGS) $< -o $@

# A repository that git packs, where there is git.
$(B)/bench/history: bench/programs/history.py
	mkdir -p $(@D); $(call say,BENCH)
	if command -v git >/dev/null; then rm -rf $@ $@.new && git init -q --bare $@.new && \
		$(PYTHON) $< | git -C $@.new fast-import --quiet && mv $@.new $@; fi

# Linked with the very file, for which no headers are needed.
peer-programs:
	mkdir -p $(B)/bench
	bench/hakbench peers | while read -r name file version; do \
		for source in random_mixed threads; do \
			program=$(B)/bench/$$source-$$name; \
			[ $$program -nt bench/$$source.c ] && [ $$program -nt bench/measure.h ] && [ $$program -nt $$file ] && continue; \
			printf '  %-8s %s\n' BENCH $$program; \
			$(CC) $(BENCH_CFLAGS) -DALLOCATOR="\"$$name\"" bench/$$source.c -o $$program \
				-Wl,--no-as-needed,-rpath,$$(dirname $$file) $$file -pthread || exit 1; \
		done; \
	done

$(B)/bench/whole_heap: bench/whole_heap.c $(B)/libhakmem.a
	mkdir -p $(@D); $(call say,BENCH)
	$(CC) $(BENCH_CFLAGS) -Icore $(filter-out %.h,$^) -o $@ -pthread

$(B)/bench/lua_close $(B)/bench/lua_states: $(B)/bench/%: bench/%.c $(B)/libhakmem_lua5.4.a $(B)/libhakmem.a
	mkdir -p $(@D); $(call say,BENCH)
	$(CC) $(BENCH_CFLAGS) -Icore -Ibindings/lua $$(pkg-config --cflags lua5.4) $^ -o $@ \
		$$(pkg-config --libs lua5.4) -pthread
