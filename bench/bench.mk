# The programs the benchmark driver runs, and the suites of `make bench`.

SUITES := random-mixed lua luajit lua-close lua-states python-churn python burst lua-burst whole-heap
PEERS := mimalloc jemalloc tcmalloc system
MIXED := $(addprefix $(B)/bench/random_mixed-,hakmem null $(PEERS))
.PHONY: bench-programs
bench-programs: $(MIXED) $(B)/bench/lua_close $(B)/bench/lua_states $(B)/bench/whole_heap

# All variants of a program are compiled alike; hakmem's is linked with its static library, each
# peer's as the distribution ships it.
BENCH_CFLAGS = -std=gnu11 $(OPT) $(MODULE_LTO) -Wall -Wextra $(FLAGS_$(VARIANT))

$(B)/bench/random_mixed-hakmem: bench/random_mixed.c $(B)/libhakmem.a
	mkdir -p $(@D); $(call say,BENCH)
	$(CC) $(BENCH_CFLAGS) -DHAKMEM -DALLOCATOR='"hakmem"' -Icore $^ -o $@ -pthread

$(B)/bench/random_mixed-null: bench/random_mixed.c
	mkdir -p $(@D); $(call say,BENCH)
	$(CC) $(BENCH_CFLAGS) -DNULL_FLOOR -DALLOCATOR='"null"' $< -o $@

peer_library = $(filter-out -lsystem,-l$(patsubst tcmalloc,tcmalloc_minimal,$(1)))
$(PEERS:%=$(B)/bench/random_mixed-%): $(B)/bench/random_mixed-%: bench/random_mixed.c
	mkdir -p $(@D); $(call say,BENCH)
	$(CC) $(BENCH_CFLAGS) -DALLOCATOR='"$*"' $< -o $@ -Wl,--no-as-needed $(call peer_library,$*)

$(B)/bench/whole_heap: bench/whole_heap.c $(B)/libhakmem.a
	mkdir -p $(@D); $(call say,BENCH)
	$(CC) $(BENCH_CFLAGS) -Icore $^ -o $@ -pthread

$(B)/bench/lua_close $(B)/bench/lua_states: $(B)/bench/%: bench/%.c $(B)/libhakmem_lua5.4.a $(B)/libhakmem.a
	mkdir -p $(@D); $(call say,BENCH)
	$(CC) $(BENCH_CFLAGS) -Icore -Ibindings/lua $$(pkg-config --cflags lua5.4) $^ -o $@ \
		$$(pkg-config --libs lua5.4) -pthread
