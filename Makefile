# hakmem: see README.md. `make help` lists the targets, `make V=1 …` shows the commands.

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
# Objects of the static libraries carry both machine code and what -flto needs, so that a program
# linked with -flto gets the fast path inlined, and any other program links as usual. =auto, or gcc warns
# that it links them one after the other.
LTO     := -flto=auto -ffat-lto-objects

CORE    := $(wildcard core/*/*.c)
HEADERS := $(wildcard core/*.h core/*/*.h bindings/*.h bindings/lua/*.h bindings/python/*.h)

ifndef V
.SILENT:
endif
say = printf '  %-8s %s\n' $(1) $@

# ------------------------------------------------------------------ what people call

.PHONY: all demo test bench help deps everything run-demo run-tests
# Each begins with the check of what must be installed, and then looks at the machine afresh.
all: deps ## everything, into build/
	$(MAKE) --no-print-directory everything
demo: deps ## real Lua and Python programs, stock against hakmem, side by side
	$(MAKE) --no-print-directory everything run-demo
test: deps ## all tests
	$(MAKE) --no-print-directory everything run-tests
bench: deps ## measure everything (more than an hour): the tables of the README
	$(MAKE) --no-print-directory everything
	bench/hakbench run $(SUITES) --python $(PYTHON)

deps: ## check that everything needed is installed, and install what is missing
	scripts/deps.sh

help: ## this list
	grep -hE '^[a-z_-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 24

everything: libs modules python bench-programs
run-demo:
	PYTHON=$(PYTHON) scripts/demo.sh
run-tests: test-rooms test-core test-lua test-python test-bench test-docs test-fuzz

# ------------------------------------------------------------------ the allocator

.PHONY: libs
LIBS := $(B)/libhakmem.a $(B)/libhakmem.so $(B)/hakmem
libs: $(LIBS) ## the libraries and the command only

$(B)/hakmem: bindings/command.c $(B)/libhakmem.a
	$(call say,LINK)
	$(CC) $(HAK_CFLAGS) $^ -o $@ -pthread

$(B)/static/core/%.o: core/%.c $(HEADERS) Makefile
	mkdir -p $(@D); $(call say,CC)
	$(CC) $(HAK_CFLAGS) $(LTO) -c $< -o $@

$(B)/pic/core/%.o: core/%.c $(HEADERS) Makefile
	mkdir -p $(@D); $(call say,CC)
	$(CC) $(HAK_CFLAGS) $(PIC) -c $< -o $@

$(B)/libhakmem.a: $(CORE:%.c=$(B)/static/%.o)
	$(call say,AR); rm -f $@
	gcc-ar rcs $@ $^

$(B)/libhakmem.so: $(CORE:%.c=$(B)/pic/%.o)
	$(call say,LINK)
	$(CC) $(HAK_CFLAGS) -shared -Wl,-soname,libhakmem.so.0 -Wl,-z,nodelete $^ -o $@ -pthread

include variants.mk
include bindings/lua/lua.mk
include bindings/python/python.mk
include bench/bench.mk
include tests/tests.mk

# ------------------------------------------------------------------ install and upkeep

.PHONY: install format lint clean
install: libs modules ## copy to $(DESTDIR)$(PREFIX)
	install -d $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(PREFIX)/lib/pkgconfig
	install -m 644 core/hakmem.h $(DESTDIR)$(PREFIX)/include
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(B)/hakmem $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(B)/libhakmem.a $(DESTDIR)$(PREFIX)/lib
	install -m 755 $(B)/libhakmem.so $(DESTDIR)$(PREFIX)/lib/libhakmem.so.0
	ln -sf libhakmem.so.0 $(DESTDIR)$(PREFIX)/lib/libhakmem.so
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' scripts/hakmem.pc.in \
		> $(DESTDIR)$(PREFIX)/lib/pkgconfig/hakmem.pc
	$(MAKE) --no-print-directory install-lua install-python

SOURCES := $(wildcard core/*.h core/*/*.[ch] bindings/*.[ch] bindings/lua/*.[ch] bindings/python/*.[ch] bench/*.c \
	tests/*/*.[ch] tests/core/*/*.c)
format: ## lay the C sources out by clang-format
	scripts/deps.sh clang-format
	clang-format -i $(SOURCES)

lint: ## clang-format and clang-tidy, without changing anything
	scripts/deps.sh clang-format clang-tidy
	clang-format --dry-run --Werror $(SOURCES)
	clang-tidy --quiet $(CORE) $(CONTROL) $(LUA_C) $(PYTHON_C) -- -std=gnu11 -Icore -Ibindings \
		-Ibindings/lua $(PY_FLAGS) $$(pkg-config --cflags lua5.4)

clean: ## remove build/
	rm -rf $(B)
