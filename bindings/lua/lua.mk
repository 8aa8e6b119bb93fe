# The Lua modules, and the adapters for programs that embed Lua.

LUA_C   := $(wildcard bindings/lua/*.c)
CONTROL := bindings/control.c

# Interpreters, as directory below build/lua and pkg-config name.
LUAS    := 5.1:lua5.1 5.2:lua5.2 5.3:lua5.3 5.4:lua5.4 jit:luajit
lua_dirs := $(foreach l,$(LUAS),$(firstword $(subst :, ,$(l))))
lua_pcs  := $(foreach l,$(LUAS),$(lastword $(subst :, ,$(l))))
lua_pc    = $(word 2,$(subst :, ,$(filter $(1):%,$(LUAS))))

MODULES := $(lua_dirs:%=$(B)/lua/%/hakmem.so)
HOSTS   := $(lua_pcs:%=$(B)/libhakmem_%.a)
.PHONY: modules install-lua
modules: $(MODULES) ## the Lua modules only
libs: $(HOSTS)

$(B)/swig/hakmem_lua_wrap.c: bindings/hakmem.i bindings/lua/hakmem_lua.i
	mkdir -p $(@D); $(call say,SWIG)
	swig -lua -Ibindings -o $@ $<

# A module exports what the interpreter looks up, so that it never mixes with a hakmem that the host is linked
# with; and it is small, since a script's process pays for all of it.
# In one piece, so that what the linker inlines does not depend on where it would cut.
MODULE_LTO := -flto -flto-partition=one
MODULE_LD  := -shared -Wl,--version-script=bindings/module.map -Wl,-z,nodelete \
	-Wl,-z,noseparate-code -Wl,--gc-sections

# $(1): directory, $(2): pkg-config name. In a module, core and adapter are compiled together, so
# that the fast path is inlined into hak_lua_alloc; the generated wrapper is compiled for size.
define lua_rules
$(B)/lua/$(1)/wrap.o: $(B)/swig/hakmem_lua_wrap.c $(HEADERS)
	mkdir -p $$(@D); $$(call say,CC)
	$(CC) $(HAK_CFLAGS) $(PIC) -w -Os -Ibindings -Ibindings/lua $$$$(pkg-config --cflags $(2)) \
		-c $$< -o $$@

$(B)/lua/$(1)/hakmem.so: $(B)/lua/$(1)/wrap.o $(CONTROL) $(LUA_C) $(CORE) $(HEADERS) \
		bindings/module.map
	$$(call say,MODULE)
	$(CC) $(HAK_CFLAGS) $(PIC) $(MODULE_LTO) $(MODULE_LD) -Ibindings -Ibindings/lua \
		$$$$(pkg-config --cflags $(2)) $$(filter %.o %.c,$$^) -o $$@ -pthread

$(B)/static/$(2)/%.o: bindings/lua/%.c $(HEADERS)
	mkdir -p $$(@D); $$(call say,CC)
	$(CC) $(HAK_CFLAGS) $(LTO) -Ibindings $$$$(pkg-config --cflags $(2)) -c $$< -o $$@

$(B)/static/$(2)/control.o: $(CONTROL) $(HEADERS)
	mkdir -p $$(@D); $$(call say,CC)
	$(CC) $(HAK_CFLAGS) $(LTO) -c $$< -o $$@

$(B)/static/$(2)/wrap.o: $(B)/swig/hakmem_lua_wrap.c $(HEADERS)
	mkdir -p $$(@D); $$(call say,CC)
	$(CC) $(HAK_CFLAGS) -w -Os -Ibindings -Ibindings/lua $$$$(pkg-config --cflags $(2)) -c $$< -o $$@

$(B)/libhakmem_$(2).a: $(patsubst bindings/lua/%.c,$(B)/static/$(2)/%.o,$(LUA_C)) \
		$(B)/static/$(2)/control.o $(B)/static/$(2)/wrap.o
	$$(call say,AR); rm -f $$@
	gcc-ar rcs $$@ $$^
endef
$(foreach d,$(lua_dirs),$(eval $(call lua_rules,$(d),$(call lua_pc,$(d)))))

# LuaJIT loads the module for Lua 5.1, whose ABI it shares.
install-lua: libs modules
	install -m 644 bindings/lua/hakmem_lua.h $(DESTDIR)$(PREFIX)/include
	install -m 644 $(HOSTS) $(DESTDIR)$(PREFIX)/lib
	for lua in $(lua_pcs); do \
		sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' -e "s|@LUA@|$$lua|" \
			scripts/hakmem-lua.pc.in > $(DESTDIR)$(PREFIX)/lib/pkgconfig/hakmem-$$lua.pc || exit; \
	done
	for version in $(filter-out jit,$(lua_dirs)); do \
		install -d $(DESTDIR)$(PREFIX)/lib/lua/$$version && \
		install -m 755 $(B)/lua/$$version/hakmem.so $(DESTDIR)$(PREFIX)/lib/lua/$$version || exit; \
	done
