# hakmem: see README.md. `make help` lists the targets.

VERSION := $(shell sed -n 's/^\#define HAK_VERSION "\(.*\)"/\1/p' core/hakmem.h)
PREFIX  ?= /usr/local
DESTDIR ?=
B       := build

CC      ?= cc
# Chosen by measurement: docs/design.md, "Build flags".
OPT     ?= -O2
WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes
HAK_CFLAGS := -std=gnu11 $(OPT) -g $(WARN) -fvisibility=hidden -Icore $(CFLAGS)
PIC     := -fPIC -fno-semantic-interposition
# Objects of the static library carry both machine code and what -flto needs, so that a program
# linked with -flto gets the fast path inlined, and any other program links as usual.
LTO     := -flto -ffat-lto-objects

CORE    := $(wildcard core/*.c)
HEADERS := $(wildcard core/*.h bindings/*.h bindings/lua/*.h)
LUA_C   := $(wildcard bindings/lua/*.c)
CONTROL := bindings/control.c

# Interpreters a module is built for: directory below build/lua, pkg-config name.
LUAS    := 5.1:lua5.1 5.2:lua5.2 5.3:lua5.3 5.4:lua5.4 jit:luajit
lua_pc   = $(word 2,$(subst :, ,$(filter $(1):%,$(LUAS))))
lua_dirs := $(foreach l,$(LUAS),$(firstword $(subst :, ,$(l))))

PEERS   := mimalloc jemalloc tcmalloc system
LIBS    := $(B)/libhakmem.a $(B)/libhakmem.so
MODULES := $(lua_dirs:%=$(B)/lua/%/hakmem.so)
HOSTS   := $(foreach d,$(lua_dirs),$(B)/libhakmem_$(call lua_pc,$(d)).a)
MIXED   := $(addprefix $(B)/bench/random_mixed-,hakmem null $(PEERS))

.PHONY: all deps demo test test-core test-lua test-bench test-docs test-sanitize bench install \
        format lint clean help

all: deps libs modules bench-programs
.PHONY: libs modules bench-programs
libs: $(LIBS) $(HOSTS)
modules: $(MODULES)
bench-programs: $(MIXED) $(B)/bench/lua_close

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

# ------------------------------------------------------------------ what must be there

# Looked for on every run, quickly; installed through apt where that is possible.
deps: ## check that everything needed is installed, and install what is missing
	@scripts/deps.sh

# ------------------------------------------------------------------ libraries

$(B)/static/%.o: %.c $(HEADERS) Makefile
	@mkdir -p $(@D)
	$(CC) $(HAK_CFLAGS) $(LTO) -c $< -o $@

$(B)/pic/%.o: %.c $(HEADERS) Makefile
	@mkdir -p $(@D)
	$(CC) $(HAK_CFLAGS) $(PIC) -c $< -o $@

$(B)/libhakmem.a: $(CORE:%.c=$(B)/static/%.o)
	rm -f $@
	gcc-ar rcs $@ $^

$(B)/libhakmem.so: $(CORE:%.c=$(B)/pic/%.o)
	$(CC) $(HAK_CFLAGS) -shared -Wl,-soname,libhakmem.so.0 -Wl,-z,nodelete $^ -o $@ -pthread

# ------------------------------------------------------------------ Lua modules

$(B)/swig/hakmem_lua_wrap.c: bindings/hakmem.i bindings/lua/hakmem_lua.i
	@mkdir -p $(@D)
	swig -lua -Ibindings -o $@ $<

# One module for each interpreter: core and adapter compiled together, so that the fast path is
# inlined into hak_lua_alloc.
define lua_module
$(B)/lua/$(1)/hakmem.so: $(B)/swig/hakmem_lua_wrap.c $(CONTROL) $(LUA_C) $(CORE) $(HEADERS) Makefile
	@mkdir -p $(B)/lua/$(1) $(B)/lua-obj/$(1)
	$(CC) $(HAK_CFLAGS) $(PIC) -w -Os -Ibindings -Ibindings/lua \
		$$$$(pkg-config --cflags $(call lua_pc,$(1))) -c $$< -o $(B)/lua-obj/$(1)/wrap.o
	$(CC) $(HAK_CFLAGS) $(PIC) -flto -shared -Wl,-z,nodelete -Wl,--gc-sections -Ibindings \
		-Ibindings/lua $$$$(pkg-config --cflags $(call lua_pc,$(1))) \
		$(B)/lua-obj/$(1)/wrap.o $(CONTROL) $(LUA_C) $(CORE) -o $$@ -pthread

# The adapter for programs that embed this Lua.
$(B)/static/$(call lua_pc,$(1))/%.o: bindings/lua/%.c $(HEADERS) Makefile
	@mkdir -p $$(@D)
	$(CC) $(HAK_CFLAGS) $(LTO) $$$$(pkg-config --cflags $(call lua_pc,$(1))) -c $$< -o $$@

$(B)/libhakmem_$(call lua_pc,$(1)).a: \
		$(patsubst bindings/lua/%.c,$(B)/static/$(call lua_pc,$(1))/%.o,$(filter-out %/lua_control.c,$(LUA_C)))
	rm -f $$@
	gcc-ar rcs $$@ $$^
endef
$(foreach d,$(lua_dirs),$(eval $(call lua_module,$(d))))

# ------------------------------------------------------------------ benchmarks

MIXED_CFLAGS := -std=gnu11 $(OPT) -Wall -Wextra

$(B)/bench/random_mixed-hakmem: bench/random_mixed.c $(B)/libhakmem.a
	@mkdir -p $(@D)
	$(CC) $(MIXED_CFLAGS) -flto -DHAKMEM -DALLOCATOR='"hakmem"' -Icore $^ -o $@ -pthread

$(B)/bench/random_mixed-null: bench/random_mixed.c
	@mkdir -p $(@D)
	$(CC) $(MIXED_CFLAGS) -flto -DNULL_FLOOR -DALLOCATOR='"null"' $< -o $@

peer_library = $(filter-out -lsystem,-l$(patsubst tcmalloc,tcmalloc_minimal,$(1)))
$(addprefix $(B)/bench/random_mixed-,$(PEERS)): $(B)/bench/random_mixed-%: bench/random_mixed.c
	@mkdir -p $(@D)
	$(CC) $(MIXED_CFLAGS) -flto -DALLOCATOR='"$*"' $< -o $@ -Wl,--no-as-needed \
		$(call peer_library,$*)

$(B)/bench/lua_close: bench/lua_close.c $(B)/libhakmem_lua5.4.a $(B)/libhakmem.a
	@mkdir -p $(@D)
	$(CC) $(MIXED_CFLAGS) -flto -Icore -Ibindings/lua $$(pkg-config --cflags lua5.4) $^ -o $@ \
		$$(pkg-config --libs lua5.4) -pthread

bench: all ## measure everything: the tables of the README
	bench/hakbench run random-mixed lua

# ------------------------------------------------------------------ demo, tests

demo: all ## real Lua programs, stock against hakmem, side by side
	@scripts/demo.sh

test: all test-core test-lua test-bench test-docs ## everything
include tests/tests.mk

# ------------------------------------------------------------------ install and upkeep

# LuaJIT loads the module for Lua 5.1, whose ABI it shares.
INSTALLED := $(filter-out jit,$(lua_dirs))
install: libs modules ## copy to $(DESTDIR)$(PREFIX)
	install -d $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(PREFIX)/lib/pkgconfig
	install -m 644 core/hakmem.h bindings/lua/hakmem_lua.h $(DESTDIR)$(PREFIX)/include
	install -m 644 $(B)/libhakmem.a $(HOSTS) $(DESTDIR)$(PREFIX)/lib
	install -m 755 $(B)/libhakmem.so $(DESTDIR)$(PREFIX)/lib/libhakmem.so.0
	ln -sf libhakmem.so.0 $(DESTDIR)$(PREFIX)/lib/libhakmem.so
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' scripts/hakmem.pc.in \
		> $(DESTDIR)$(PREFIX)/lib/pkgconfig/hakmem.pc
	for lua in $(foreach d,$(lua_dirs),$(call lua_pc,$(d))); do \
		sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' -e "s|@LUA@|$$lua|" \
			scripts/hakmem-lua.pc.in > $(DESTDIR)$(PREFIX)/lib/pkgconfig/hakmem-$$lua.pc || exit; \
	done
	for version in $(INSTALLED); do \
		install -d $(DESTDIR)$(PREFIX)/lib/lua/$$version && \
		install -m 755 $(B)/lua/$$version/hakmem.so $(DESTDIR)$(PREFIX)/lib/lua/$$version || exit; \
	done

SOURCES := $(wildcard core/*.[ch] bindings/*.[ch] bindings/lua/*.[ch] bench/*.c tests/*/*.[ch])
format: ## lay the C sources out by clang-format
	clang-format -i $(SOURCES)

lint: ## clang-tidy and clang-format, without changing anything
	clang-format --dry-run --Werror $(SOURCES)
	clang-tidy --quiet $(CORE) bindings/control.c $(LUA_C) -- -std=gnu11 -Icore -Ibindings \
		-Ibindings/lua $$(pkg-config --cflags lua5.4)

clean: ## remove build/
	rm -rf $(B)
