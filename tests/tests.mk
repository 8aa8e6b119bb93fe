# The tests. Each folder with C has its own rules.
include tests/core/core.mk
include tests/lua/lua.mk
include tests/fuzz/fuzz.mk
include tests/cross.mk

# What takes long or downloads much is no part of `test`.
.PHONY: test-page test-python-regression test-python-packages test-free-threaded soak-python
.PHONY: test-model test-rooms test-core test-lua test-python test-preload test-bench test-docs test-sanitize
PYTEST_PROGRAM = $(call once,PYTEST_PROGRAM,$(shell for p in python3 /usr/bin/python3; do \
	$$p -c 'import pytest' 2>/dev/null && echo $$p -m pytest && break; done))
# A make that a test runs is no part of this one: it would warn that it cannot share the jobs of -j.
OWN_JOBS = MAKEFLAGS="$$(printf %s "$$MAKEFLAGS" | sed 's/ -j[0-9]*//; s/ --jobserver[^ ]*//')"
PYTEST   = $(OWN_JOBS) $(PYTEST_PROGRAM)

test-rooms: libs ## what includes and calls what: nothing goes up
	$(PYTEST) -q tests/rooms

test-model: ## how threads share heaps, in all orders of events
	tests/model/model.sh $(B)/model

test-bench: everything ## the tests of the benchmark driver
	PYTHON=$(PYTHON) $(PYTEST) -q tests/bench

test-python: python ## the tests of the Python side, on every CPython found
	PYTHON=$(PYTHON) $(PYTEST) -q -rs tests/python

test-preload: preload ## malloc replaced: its promises, and real programs
	PYTHON=$(PYTHON) $(PYTEST) -q -rs tests/preload

# A browser is a large installation, for one page.
test-page: python ## the page that shows a heap, in a browser, which this installs
	scripts/deps.sh test page
	PYTHON=$(PYTHON) $(PYTEST) -q tests/python/test_heap_map.py

test-python-regression: python ## CPython's own tests with hakmem and without, for $(PYTHON): 15 minutes
	$(PYTHON) tests/python/regression.py --python $(PYTHON)

test-free-threaded: python ## what hakmem does in a CPython without the GIL, which this builds: 10 minutes
	scripts/free_threaded.sh $(B)/free-threaded
	PYTHON=$(PYTHON) $(PYTEST) -q -rs tests/python/test_free_threaded.py

test-python-packages: python ## tests of packages from PyPI with hakmem and without, for $(PYTHON): 10 minutes
	$(PYTHON) tests/python/packages.py --python $(PYTHON)

# The extension module under the sanitizers, in an interpreter that is not.
PY_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
.PHONY: test-python-sanitize
test-sanitize: test-python-sanitize
test-python-sanitize:
	$(MAKE) --no-print-directory python B=$(B)/sanitize OPT=-O1 CFLAGS="$(PY_SANITIZE)"
	HAK_BUILD=$(B)/sanitize HAK_SANITIZER=$$($(CC) -print-file-name=libasan.so) PYTHON=$(PYTHON) \
		$(PYTEST) -q tests/python/test_install.py tests/python/test_control.py \
		tests/python/test_company.py

STATES ?= 10000
.PHONY: soak-lua
soak-lua: ## STATES=10000 states made and closed in each way on each Lua: minutes
	for program in $(dirs_found:%=$(LT)/%/test_many_states); do \
		$(MAKE) --no-print-directory $$program && HAK_TEST_STATES=$(STATES) $$program || exit; done

SECONDS ?= 600
soak-python: python ## threads, install and uninstall, checked contents, for SECONDS=600 on $(PYTHON)
	PYTHONPATH=$(PY_DIR) $(PYTHON) tests/python/soak.py $(SECONDS)

# docs/testing.md
.PHONY: fast-set test-fast mutate
WRAPPERS := $(B)/swig/hakmem_lua_wrap.c $(B)/swig/hakmem_python_wrap.c
fast-set: $(WRAPPERS)
	$(MAKE) --no-print-directory -f tests/fast.mk PYTHON=$(PYTHON)

test-fast: fast-set ## the tests that find most mistakes, in seconds
	PYTHON=$(PYTHON) python3 tests/fast.py

COUNT ?= 200
SEED  ?= 1
JOBS  ?= 2
mutate: $(WRAPPERS) ## COUNT=200 small mistakes, one at a time, drawn by SEED: how many do the fast tests find?
	PYTHON=$(PYTHON) python3 scripts/mutate.py --count $(COUNT) --seed $(SEED) --jobs $(JOBS) $(MUTATE)

RELEASES ?=
.PHONY: systems
systems: ## demo and test on fresh systems, RELEASES="bookworm trixie sid": hours, as root
	scripts/systems.sh $(B)/systems $(RELEASES)

test-docs: libs modules python ## the programs and commands in the documents
	PYTHON=$(PYTHON) $(PYTEST) -q tests/docs
