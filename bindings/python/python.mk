# The Python package, built in place for one interpreter: PYTHONPATH=build/python/3.11 uses it.
# (`pip install .` builds it by setup.py instead.)

PYTHON ?= $(firstword $(wildcard /usr/bin/python3) python3)
PYTHON_C := $(wildcard bindings/python/*.c)
PY := $(shell $(PYTHON) -c 'import sys, sysconfig as s; \
	print("%d.%d" % sys.version_info[:2], s.get_config_var("EXT_SUFFIX"), s.get_path("include"))')
PY_DIR := $(B)/python/$(word 1,$(PY))
PY_SOURCES := $(wildcard bindings/python/hakmem/*.py*) bindings/python/hakmem/py.typed
PY_PACKAGE := $(sort $(PY_SOURCES:bindings/python/%=$(PY_DIR)/%))
PY_MODULE  := $(PY_DIR)/hakmem/_hakmem$(word 2,$(PY))

.PHONY: python
python: $(PY_MODULE) $(PY_PACKAGE) ## the Python package only, for $(PYTHON)

$(B)/swig/hakmem_python_wrap.c: bindings/hakmem.i bindings/python/hakmem_python.i
	mkdir -p $(@D); $(call say,SWIG)
	swig -python -Ibindings -outdir $(@D) -o $@ $<

$(PY_MODULE): $(B)/swig/hakmem_python_wrap.c $(CONTROL) $(PYTHON_C) $(CORE) $(HEADERS)
	mkdir -p $(@D); $(call say,MODULE)
	$(CC) $(HAK_CFLAGS) $(PIC) -w -Os -Ibindings -Ibindings/python -I$(word 3,$(PY)) -c $< \
		-o $(PY_DIR)/wrap.o
	$(CC) $(HAK_CFLAGS) $(PIC) -flto -shared -Wl,-z,nodelete -Wl,--gc-sections -Ibindings \
		-Ibindings/python -I$(word 3,$(PY)) $(PY_DIR)/wrap.o $(CONTROL) $(PYTHON_C) $(CORE) \
		-o $@ -pthread -ldl

$(PY_DIR)/hakmem/%: bindings/python/hakmem/%
	mkdir -p $(@D); cp $< $@
