# hakmem in place of malloc: libhakmem-preload.so for a program that is started with it, and
# libhakmem-malloc.a, one object, for a program that is linked with it.

PRELOAD_C := $(sort $(wildcard bindings/preload/*.c))
PRELOAD_O := $(PRELOAD_C:bindings/%.c=$(B)/pic/%.o)
PRELOAD   := $(B)/libhakmem-preload.so
MALLOC    := $(B)/libhakmem-malloc.a
RUN_PYTHON := $(B)/hakmem-run/sitecustomize.py

.PHONY: preload
preload: $(PRELOAD) $(MALLOC) $(B)/hakmem $(RUN_PYTHON) ## the libraries that replace malloc, and the command
core libs: $(PRELOAD) $(MALLOC) $(RUN_PYTHON)

# What `hakmem run` has Python begin with.
$(RUN_PYTHON): bindings/preload/python/sitecustomize.py
	mkdir -p $(@D); cp $< $@

$(B)/pic/preload/%.o: bindings/preload/%.c $(HEADERS) Makefile
	mkdir -p $(@D); $(call say,CC)
	$(COMPILE) $(PIC) -DHAK_STATIC_TLS -c $< -o $@

$(PRELOAD): $(CORE:%.c=$(B)/pic/%.o) $(PRELOAD_O) bindings/preload/preload.map
	$(call say,LINK)
	$(COMPILE) $(LDFLAGS) -shared -Wl,-soname,$(@F) -Wl,-z,nodelete \
		-Wl,--version-script=bindings/preload/preload.map $(filter %.o,$^) -o $@ -pthread

# One object, so that a program that takes malloc takes all. Names that are the library's own are no
# longer seen by the program.
# Without C++'s operators: in a static program nothing else could throw.
$(B)/hakmem-malloc.o: $(CORE:%.c=$(B)/pic/%.o) $(filter-out %/operators.o,$(PRELOAD_O))
	$(call say,LINK)
	$(CC) $(CFLAGS) -r -nostdlib -Wl,-d $^ -o $@
	$(OBJCOPY) --localize-hidden $@

$(MALLOC): $(B)/hakmem-malloc.o
	$(call say,AR); rm -f $@
	$(AR) rcsD $@ $^
