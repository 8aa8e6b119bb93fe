# The Python package, built in place for one interpreter: PYTHONPATH=build/python/3.11 uses it.
# (`pip install .` builds it by setup.py instead.) And the adapter for programs that embed that
# interpreter.

PYTHON ?= $(firstword $(wildcard /usr/bin/python3) python3)
PYTHON_C := $(sort $(wildcard bindings/python/*.c))

# An interpreter is asked only for goals that may have to do with Python.
WITHOUT_PYTHON := clean help deps format core install-core modules install-lua $(lua_pcs) \
	$(lua_pcs:%=install-%) test-core test-lua test-lua-% fuzz test-fuzz
ifneq ($(filter-out $(WITHOUT_PYTHON),$(or $(MAKECMDGOALS),all)),)
PY         := $(shell $(PYTHON) bindings/python/interpreter.py 2>&1 || echo refused)
PY_REFUSAL := $(if $(filter refused,$(PY)),$(filter-out refused,$(PY)))
PY_VERSION := $(word 1,$(PY))
PY_FLAGS   := -Ibindings -Ibindings/python -I$(word 3,$(PY))
# The module's own core has slabs of 16 KiB, and its functions are aligned: docs/design.md,
# "CPython".
PY_CORE    := -DHAK_UNIT_SHIFT=14 -falign-functions=32
PY_DIR     := $(B)/python/$(PY_VERSION)
PY_SOURCES := $(wildcard bindings/python/hakmem/*.py*) bindings/python/hakmem/py.typed
PY_PACKAGE := $(sort $(PY_SOURCES:bindings/python/%=$(PY_DIR)/%))
PY_MODULE  := $(PY_DIR)/hakmem/_hakmem$(word 2,$(PY))
PY_HOST    := $(B)/libhakmem_python$(PY_VERSION).a
PY_STATIC  := $(B)/static/python$(PY_VERSION)

.PHONY: python install-python
ifneq ($(PY_REFUSAL),)
# An interpreter that nobody has named, for goals that are more than Python, is left out.
PY_ASKED := $(filter-out file,$(origin PYTHON)) $(filter python install-python,$(MAKECMDGOALS))
python install-python:
	echo $(call quoted,$(if $(strip $(PY_ASKED)),,  without  Python: )$(PY_REFUSAL)) >&2
	$(if $(strip $(PY_ASKED)),exit 1)
else
python: $(if $(SWIG),$(PY_MODULE) $(PY_PACKAGE)) $(PY_HOST) ## the Python side only, for $(PYTHON)
libs: $(PY_HOST)

$(B)/swig/hakmem_python_wrap.c: bindings/hakmem.i bindings/python/hakmem_python.i
	mkdir -p $(@D); $(call say,SWIG)
	$(SWIG) -python -Ibindings -outdir $(@D) -o $@ $<

$(PY_MODULE): $(B)/swig/hakmem_python_wrap.c $(CONTROL) $(PYTHON_C) $(CORE) $(HEADERS) \
		bindings/module.map
	mkdir -p $(@D); $(call say,MODULE)
	$(COMPILE) $(PIC) -w -Os $(PY_FLAGS) -c $< -o $(PY_DIR)/wrap.o
	$(COMPILE) $(PY_CORE) $(PIC) $(MODULE_LTO) $(MODULE_LD) $(PY_FLAGS) $(PY_DIR)/wrap.o $(CONTROL) \
		$(PYTHON_C) $(CORE) -o $@ -pthread -ldl

$(PY_DIR)/hakmem/%: bindings/python/hakmem/%
	mkdir -p $(@D); cp $< $@

$(PY_STATIC)/%.o: bindings/python/%.c $(HEADERS)
	mkdir -p $(@D); $(call say,CC)
	$(COMPILE) $(FAT) $(PY_FLAGS) -c $< -o $@

PY_CONTROL := $(CONTROL:bindings/%.c=$(PY_STATIC)/%.o)
$(PY_CONTROL): $(PY_STATIC)/%.o: bindings/%.c $(HEADERS)
	mkdir -p $(@D); $(call say,CC)
	$(COMPILE) $(FAT) -c $< -o $@

$(PY_STATIC)/wrap.o: $(B)/swig/hakmem_python_wrap.c $(HEADERS)
	mkdir -p $(@D); $(call say,CC)
	$(COMPILE) -w -Os $(PY_FLAGS) -c $< -o $@

$(PY_HOST): $(PYTHON_C:bindings/python/%.c=$(PY_STATIC)/%.o) $(PY_CONTROL) \
		$(if $(SWIG),$(PY_STATIC)/wrap.o)
	$(call say,AR); rm -f $@
	$(AR) rcsD $@ $^

install-python: $(PY_HOST) install-core
	install -m 644 bindings/python/hakmem_python.h $(DESTDIR)$(INCLUDEDIR)
	install -m 644 $(PY_HOST) $(DESTDIR)$(LIBDIR)
	$(call install_pc,hakmem-python.pc.in,hakmem-python-$(PY_VERSION).pc,-e 's|@PYTHON@|$(PY_VERSION)|')
endif
endif
