# The Lua modules, and the adapters for programs that embed Lua.

LUA_C   := $(wildcard bindings/lua/*.c)
CONTROL := bindings/control.c

# Interpreters, as directory below build/lua and pkg-config name; where that is another:
# `make LUAS=5.4:lua-5.4 lua-5.4`.
LUAS    ?= 5.1:lua5.1 5.2:lua5.2 5.3:lua5.3 5.4:lua5.4 jit:luajit
lua_dirs := $(foreach l,$(LUAS),$(firstword $(subst :, ,$(l))))
lua_pcs  := $(foreach l,$(LUAS),$(lastword $(subst :, ,$(l))))
lua_pc    = $(word 2,$(subst :, ,$(filter $(1):%,$(LUAS))))

MODULES := $(if $(SWIG),$(lua_dirs:%=$(B)/lua/%/hakmem.so))
HOSTS   := $(lua_pcs:%=$(B)/libhakmem_%.a)
.PHONY: modules install-lua
modules: $(MODULES) ## the Lua modules only
libs: $(HOSTS)

$(B)/swig/hakmem_lua_wrap.c: bindings/hakmem.i bindings/lua/hakmem_lua.i
	mkdir -p $(@D); $(call say,SWIG)
	$(SWIG) -lua -Ibindings -o $@ $<

# A module exports what the interpreter looks up, so that it never mixes with a hakmem that the host is linked
# with; and it is small, since a script's process pays for all of it.
# In one piece, so that what the linker inlines does not depend on where it would cut.
MODULE_LTO = $(call once,MODULE_LTO,$(or $(call accepted,-flto -flto-partition=one),$(call accepted,-flto)))
MODULE_LD  = $(LDFLAGS) -shared -Wl,--version-script=bindings/module.map -Wl,-z,nodelete \
	-Wl,-z,noseparate-code -Wl,--gc-sections

# $(1): directory, $(2): pkg-config name. In a module, core and adapter are compiled together, so
# that the fast path is inlined into hak_lua_alloc; the generated wrapper is compiled for size.
define lua_rules
$(B)/lua/$(1)/wrap.o: $(B)/swig/hakmem_lua_wrap.c $(HEADERS)
	mkdir -p $$(@D); $$(call say,CC)
	$(CC) $(HAK_CFLAGS) $(PIC) -w -Os -Ibindings -Ibindings/lua $$$$($(PKG_CONFIG) --cflags $(2)) \
		-c $$< -o $$@

$(B)/lua/$(1)/hakmem.so: $(B)/lua/$(1)/wrap.o $(CONTROL) $(LUA_C) $(CORE) $(HEADERS) \
		bindings/module.map
	$$(call say,MODULE)
	$(CC) $(HAK_CFLAGS) $(PIC) $$(MODULE_LTO) $$(MODULE_LD) -Ibindings -Ibindings/lua \
		$$$$($(PKG_CONFIG) --cflags $(2)) $$(filter %.o %.c,$$^) -o $$@ -pthread

$(B)/static/$(2)/%.o: bindings/lua/%.c $(HEADERS)
	mkdir -p $$(@D); $$(call say,CC)
	$(CC) $(HAK_CFLAGS) $$(LTO) -Ibindings $$$$($(PKG_CONFIG) --cflags $(2)) -c $$< -o $$@

$(B)/static/$(2)/control.o: $(CONTROL) $(HEADERS)
	mkdir -p $$(@D); $$(call say,CC)
	$(CC) $(HAK_CFLAGS) $$(LTO) -c $$< -o $$@

$(B)/static/$(2)/wrap.o: $(B)/swig/hakmem_lua_wrap.c $(HEADERS)
	mkdir -p $$(@D); $$(call say,CC)
	$(CC) $(HAK_CFLAGS) -w -Os -Ibindings -Ibindings/lua $$$$($(PKG_CONFIG) --cflags $(2)) -c $$< -o $$@

$(B)/libhakmem_$(2).a: $(patsubst bindings/lua/%.c,$(B)/static/$(2)/%.o,$(LUA_C)) \
		$(B)/static/$(2)/control.o $(if $(SWIG),$(B)/static/$(2)/wrap.o)
	$$(call say,AR); rm -f $$@
	$$(AR) rcs $$@ $$^

# Without SWIG there is no module, and hosts have no luaopen_hakmem.
.PHONY: $(2) install-$(2)
$(2): $(B)/libhakmem_$(2).a $(if $(SWIG),$(B)/lua/$(1)/hakmem.so)

install-$(2): $(2) install-core
	install -m 644 bindings/lua/hakmem_lua.h $(DESTDIR)$(INCLUDEDIR)
	install -m 644 $(B)/libhakmem_$(2).a $(DESTDIR)$(LIBDIR)
	$$(call install_pc,hakmem-lua.pc.in,hakmem-$(2).pc,-e 's|@LUA@|$(2)|')
	$(if $(and $(SWIG),$(call lua_folder,$(1))),$$(call install_module,$(1),$(call lua_folder,$(1))))
endef

# LuaJIT loads what is built for Lua 5.1, whose ABI it shares: a module of its own is installed where
# that is not.
lua_folder = $(if $(filter jit,$(1)),$(if $(filter 5.1,$(lua_dirs)),,5.1),$(1))

# $(1): directory of the module, $(2): where Lua looks for it
define install_module
	install -d $(DESTDIR)$(LIBDIR)/lua/$(2)
	install -m 755 $(B)/lua/$(1)/hakmem.so $(DESTDIR)$(LIBDIR)/lua/$(2)
endef

$(foreach d,$(lua_dirs),$(eval $(call lua_rules,$(d),$(call lua_pc,$(d)))))

install-lua: $(lua_pcs:%=install-%)
