# The tests. Each folder has its own rules.
include tests/core/core.mk
include tests/lua/lua.mk

PYTEST := $(shell for p in python3 /usr/bin/python3; do \
	$$p -c 'import pytest' 2>/dev/null && echo $$p -m pytest && break; done)

test-bench: bench-programs modules
	$(PYTEST) -q tests/bench

test-docs: libs modules
	$(PYTEST) -q tests/docs
