# hakmem: see README.md. `make help` lists the targets, `make V=1 …` shows the commands.
# docs/building.md tells what each part needs, and which variables there are.

.DEFAULT_GOAL := all

VERSION := $(shell sed -n 's/^\#define HAK_VERSION "\(.*\)"/\1/p' core/hakmem.h)
ABI     := $(shell sed -n 's/^\#define HAK_ABI *//p' core/hakmem.h)
PREFIX     ?= /usr/local
BINDIR     ?= $(PREFIX)/bin
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR     ?= $(PREFIX)/share/man
DESTDIR    ?=
B          := build
VM         := $(abspath $(B)/vm)

CC         ?= cc
PKG_CONFIG ?= pkg-config
SWIG       ?= swig

# Where scripts/vms.sh installs interpreters that the system may not have, for the tests.
export PKG_CONFIG_PATH := $(PKG_CONFIG_PATH):$(VM)/lib/pkgconfig
export PATH := $(PATH):$(VM)/bin

# A variable that asks a program for its value when it is first needed, and then keeps it.
once = $(eval $(1) := $(2))$($(1))

# $(1) as one word of the shell.
quoted = '$(subst ','\'',$(1))'

# The archiver that belongs to the compiler: make's own default knows no other machine's objects.
ifeq ($(origin AR),default)
AR = $(call once,AR,$(shell $(CC) -print-prog-name=ar))
endif

ifeq ($(origin OBJCOPY),undefined)
OBJCOPY = $(call once,OBJCOPY,$(shell $(CC) -print-prog-name=objcopy))
endif

# $(1), or nothing where the compiler or its linker do not take it without a word.
accepted = $(shell out=$$(mktemp) && echo 'int main(void) { return 0; }' | \
	$(CC) -Werror $(1) -x c - -o $$out 2>/dev/null && echo '$(1)'; rm -f $$out)

# Two folders give the same bytes: what is made does not tell where it was. Data for -flto have the folder
# that is in PWD; data of a profile are found by it, and keep the real one. A folder with a space in its name
# would be two words here.
NO_PATHS := $(if $(word 2,$(CURDIR)),,$(call accepted,-ffile-prefix-map=$(CURDIR)=. \
	-ffile-prefix-map=$(abspath $(B))=build))
COMPILE   = $(if $(findstring -fprofile,$(HAK_CFLAGS)),,PWD=/proc/self/cwd) $(CC) $(HAK_CFLAGS)

# Chosen by measurement: docs/design.md, "Build flags".
OPT     ?= -O2
WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes
HAK_CFLAGS := -std=gnu11 $(OPT) -g $(WARN) -fvisibility=hidden -Icore -Ibindings $(NO_PATHS) $(CPPFLAGS) $(CFLAGS)
PIC     := -fPIC -fno-semantic-interposition
# Objects of the static libraries carry both machine code and what -flto needs, so that a program
# linked with -flto gets the fast path inlined, and any other program links as usual. =auto, or gcc warns
# that it links them one after the other. FAT_LTO=no leaves that out, and so do compilers that cannot.
FAT_LTO ?= yes
LTO      = $(call once,LTO,$(if $(filter yes,$(FAT_LTO)),$(call accepted,-flto=auto -ffat-lto-objects)))
# By itself the compiler would draw the names of what is in these data at random.
FAT      = $(if $(LTO),$(LTO) -frandom-seed=$(patsubst $(B)/%,%,$<))

# What everything is compiled with. Where that changes, everything is compiled anew, except by goals that
# install: these copy what has been built.
BUILT_WITH = $(CC) $(HAK_CFLAGS) $(FAT_LTO) $(LDFLAGS) $(BUILT_FOR)
.PHONY: always
$(B)/built-with: $(if $(filter-out install% uninstall,$(or $(MAKECMDGOALS),all)),always)
	mkdir -p $(@D)
	echo $(call quoted,$(BUILT_WITH)) | cmp -s - $@ || echo $(call quoted,$(BUILT_WITH)) >$@

CORE    := $(sort $(wildcard core/*/*.c))
HEADERS := $(wildcard core/*.h core/*/*.h bindings/*.h bindings/lua/*.h bindings/python/*.h) $(B)/built-with

ifndef V
.SILENT:
endif
say = printf '  %-8s %s\n' $(1) $@

# ------------------------------------------------------------------ what people call

.PHONY: all demo test bench help deps everything run-demo run-tests
all: everything ## builds everything, into build/, and installs nothing
# Each begins with the check of what must be installed, and then looks at the machine afresh.
demo: ## real Lua and Python programs, stock against hakmem, side by side
	scripts/deps.sh demo
	$(MAKE) --no-print-directory libs modules python
	$(MAKE) --no-print-directory run-demo
test: deps ## all tests
	$(MAKE) --no-print-directory everything
	$(MAKE) --no-print-directory run-tests
bench: ## measure everything (more than an hour): the tables of the README
	scripts/deps.sh bench
	scripts/vms.sh $(VM)
	$(MAKE) --no-print-directory peers
	$(MAKE) --no-print-directory everything
	bench/hakbench run $(SUITES) --python $(PYTHON)

deps: ## check that everything the tests need is installed, and install what is missing
	scripts/deps.sh test
	scripts/vms.sh $(VM)

help: ## this list
	grep -hE '^[a-z_-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 24

everything: libs modules python bench-programs
run-demo:
	PYTHON=$(PYTHON) scripts/demo.sh
run-tests: test-rooms test-model test-core test-lua test-python test-preload test-bench test-docs test-fuzz test-sanitize

# ------------------------------------------------------------------ the allocator

.PHONY: core libs
LIBS := $(B)/libhakmem.a $(B)/libhakmem.so $(B)/hakmem
core: $(LIBS) ## the allocator's libraries and the command only: needs nothing but a compiler
libs: $(LIBS) ## these, and the adapters for hosts of each Lua and of $(PYTHON)

$(B)/hakmem: bindings/command.c bindings/run.c bindings/run_vms.c $(B)/libhakmem.a bindings/run.h bindings/run_vms.h
	$(call say,LINK)
	$(COMPILE) $(LDFLAGS) $(filter-out %.h,$^) -o $@ -pthread

$(B)/static/core/%.o: core/%.c $(HEADERS) Makefile
	mkdir -p $(@D); $(call say,CC)
	$(COMPILE) $(FAT) -c $< -o $@

$(B)/pic/core/%.o: core/%.c $(HEADERS) Makefile
	mkdir -p $(@D); $(call say,CC)
	$(COMPILE) $(PIC) -DHAK_STATIC_TLS -c $< -o $@

$(B)/libhakmem.a: $(CORE:%.c=$(B)/static/%.o)
	$(call say,AR); rm -f $@
	$(AR) rcsD $@ $^

$(B)/libhakmem.so: $(CORE:%.c=$(B)/pic/%.o) bindings/library.map
	$(call say,LINK)
	$(COMPILE) $(LDFLAGS) -shared -Wl,-soname,libhakmem.so.$(ABI) -Wl,-z,nodelete \
		-Wl,--version-script=bindings/library.map $(filter %.o,$^) -o $@ -pthread

include variants.mk
include bindings/preload/preload.mk
include bindings/lua/lua.mk
include bindings/python/python.mk
include bench/bench.mk
include tests/tests.mk

# ------------------------------------------------------------------ install and upkeep

.PHONY: install install-core uninstall format lint clean
install: install-core install-lua install-python ## copy all to $(DESTDIR)$(PREFIX)

# They are found by installing once more, into an empty folder.
uninstall: ## remove the files that `make install` copies
	staged=$$(mktemp -d) && $(MAKE) -s install DESTDIR="$$staged" && \
		(cd "$$staged" && find . ! -type d) | while read -r file; do rm -f "$(DESTDIR)$${file#.}"; done; \
		rm -rf "$$staged"

in_prefix = $(patsubst $(PREFIX)/%,$${prefix}/%,$(1))

# $(1): the file in scripts/, $(2): its folder and name in LIBDIR, $(3): commands of sed for it alone.
define install_told
	install -d $(DESTDIR)$(LIBDIR)/$(dir $(2))
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' -e 's|@ABI@|$(ABI)|' $(3) \
		-e 's|@LIBDIR@|$(call in_prefix,$(LIBDIR))|' -e 's|@INCLUDEDIR@|$(call in_prefix,$(INCLUDEDIR))|' \
		-e 's|@LIBDIR_IN_PREFIX@|$(LIBDIR:$(PREFIX)/%=%)|' scripts/$(1) > $(DESTDIR)$(LIBDIR)/$(2)
endef
install_pc = $(call install_told,$(1),pkgconfig/$(2),$(3))

# libhakmem_static.a is for `-lhakmem_static`, which every linker knows: -lhakmem finds the shared library.
install-core: core ## copy what `make core` builds
	install -d $(DESTDIR)$(INCLUDEDIR) $(DESTDIR)$(LIBDIR) $(DESTDIR)$(BINDIR)
	install -m 644 core/hakmem.h $(DESTDIR)$(INCLUDEDIR)
	install -m 755 $(B)/hakmem $(DESTDIR)$(BINDIR)
	install -m 644 $(B)/libhakmem.a $(DESTDIR)$(LIBDIR)
	ln -sf libhakmem.a $(DESTDIR)$(LIBDIR)/libhakmem_static.a
	install -m 755 $(B)/libhakmem.so $(DESTDIR)$(LIBDIR)/libhakmem.so.$(ABI)
	ln -sf libhakmem.so.$(ABI) $(DESTDIR)$(LIBDIR)/libhakmem.so
	install -m 755 $(PRELOAD) $(DESTDIR)$(LIBDIR)
	install -d $(DESTDIR)$(LIBDIR)/hakmem-run
	install -m 644 $(RUN_PYTHON) $(DESTDIR)$(LIBDIR)/hakmem-run
	install -m 644 $(MALLOC) $(DESTDIR)$(LIBDIR)
	$(call install_pc,hakmem.pc.in,hakmem.pc)
	$(call install_told,hakmemConfig.cmake.in,cmake/hakmem/hakmemConfig.cmake)
	$(call install_told,hakmemConfigVersion.cmake.in,cmake/hakmem/hakmemConfigVersion.cmake)
	install -d $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man3
	install -m 644 docs/man/hakmem.1 $(DESTDIR)$(MANDIR)/man1
	install -m 644 docs/man/hakmem.3 $(DESTDIR)$(MANDIR)/man3
	$(if $(or $(DESTDIR),$(filter-out /lib% /usr/lib% /usr/local/lib%,$(LIBDIR))),,echo \
		"  now run ldconfig as root: before that programs do not find $(LIBDIR)/libhakmem.so.$(ABI)")

.PHONY: amalgamation
amalgamation: ## the core as one source file and its header, into build/amalgamation
	python3 scripts/amalgamate.py $(B)/amalgamation

SOURCES := $(wildcard core/*.h core/*/*.[ch] bindings/*.[ch] bindings/lua/*.[ch] bindings/preload/*.[ch] bindings/python/*.[ch] bench/*.[ch] \
	tests/*/*.[ch] tests/core/*/*.[ch])
format: ## lay the C sources out by clang-format
	scripts/deps.sh format
	clang-format -i $(SOURCES)

lint: ## clang-format, clang-tidy and pyflakes, without changing anything
	scripts/deps.sh lint
	pyflakes3 $$(git ls-files '*.py')
	clang-format --dry-run --Werror $(SOURCES)
	clang-tidy --quiet $(CORE) $(CONTROL) $(LUA_C) $(PYTHON_C) -- -std=gnu11 -Icore -Ibindings \
		-Ibindings/lua $(PY_FLAGS) $$($(PKG_CONFIG) --cflags lua5.4)

clean: ## remove build/
	rm -rf $(B)
