# The Lua modules, and the adapters for programs that embed Lua.

LUA_C   := $(sort $(wildcard bindings/lua/*.c))
CONTROL := bindings/control.c bindings/control_threads.c

# Interpreters, as directory below build/lua and pkg-config name; where that is another:
# `make LUAS=5.4:lua-5.4 lua-5.4`. Those that pkg-config does not find are left out, unless they were
# asked for. Those that scripts/vms.sh has built are for the tests and are not installed.
LUAS      ?= 5.1:lua5.1 5.2:lua5.2 5.3:lua5.3 5.4:lua5.4 5.5:lua5.5 jit:luajit
dir_of     = $(firstword $(subst :, ,$(1)))
pc_of      = $(lastword $(subst :, ,$(1)))
is_vms     = $(wildcard $(VM)/lib/pkgconfig/$(call pc_of,$(1)).pc)
ROLLING   := jit-rolling:luajit-rolling
VM_LUAS   := $(if $(filter file,$(origin LUAS)),$(if $(call is_vms,$(ROLLING)),$(ROLLING)))
all_luas  := $(LUAS) $(VM_LUAS)
lua_dirs  := $(foreach l,$(all_luas),$(call dir_of,$(l)))
lua_pcs   := $(foreach l,$(all_luas),$(call pc_of,$(l)))
lua_pc     = $(call pc_of,$(filter $(1):%,$(all_luas)))
# Before version 4.4, make does not pass what it exports to $(shell).
pc_path    = PKG_CONFIG_PATH='$(PKG_CONFIG_PATH)'
is_there   = $(shell $(pc_path) $(PKG_CONFIG) --exists $(call pc_of,$(1)) && echo yes)
luas_found = $(call once,luas_found,$(if $(filter file,$(origin LUAS)),$(foreach l,$(all_luas),$(if \
	$(call is_there,$(l)),$(l))),$(LUAS)))
dirs_found = $(foreach l,$(luas_found),$(call dir_of,$(l)))
pcs_found  = $(foreach l,$(luas_found),$(call pc_of,$(l)))

# Goals that need no Lua, or one only, do without that question.
WITHOUT_LUAS := core install-core python install-python $(lua_pcs) $(lua_pcs:%=install-%) clean help format
ifeq ($(filter-out $(WITHOUT_LUAS),$(or $(MAKECMDGOALS),all)),)
luas_found :=
endif

.SECONDEXPANSION:
MODULES = $(if $(SWIG),$(dirs_found:%=$(B)/lua/%/hakmem.so))
HOSTS   = $(pcs_found:%=$(B)/libhakmem_%.a)
.PHONY: modules install-lua luas-left-out
modules: $$(MODULES) ## the Lua modules only
libs: $$(HOSTS) luas-left-out
luas-left-out:
	$(foreach l,$(filter-out $(luas_found),$(LUAS)),echo "  without  $(call pc_of,$(l)), which pkg-config does not find";)

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
	$(COMPILE) $(PIC) -w -Os -include bindings/lua/lua_weak.h -Ibindings -Ibindings/lua \
		$$$$($(PKG_CONFIG) --cflags $(2)) -c $$< -o $$@

$(B)/lua/$(1)/hakmem.so: $(B)/lua/$(1)/wrap.o $(CONTROL) $(LUA_C) $(CORE) $(HEADERS) \
		bindings/module.map
	$$(call say,MODULE)
	$(COMPILE) $(PIC) $$(MODULE_LTO) $$(MODULE_LD) -include bindings/lua/lua_weak.h \
		-Ibindings -Ibindings/lua \
		$$$$($(PKG_CONFIG) --cflags $(2)) $$(filter %.o %.c,$$^) -o $$@ -pthread

$(B)/static/$(2)/%.o: bindings/lua/%.c $(HEADERS)
	mkdir -p $$(@D); $$(call say,CC)
	$(COMPILE) $$(FAT) -Ibindings $$$$($(PKG_CONFIG) --cflags $(2)) -c $$< -o $$@

$(CONTROL:bindings/%.c=$(B)/static/$(2)/%.o): $(B)/static/$(2)/%.o: bindings/%.c $(HEADERS)
	mkdir -p $$(@D); $$(call say,CC)
	$(COMPILE) $$(FAT) -c $$< -o $$@

$(B)/static/$(2)/wrap.o: $(B)/swig/hakmem_lua_wrap.c $(HEADERS)
	mkdir -p $$(@D); $$(call say,CC)
	$(COMPILE) -w -Os -Ibindings -Ibindings/lua $$$$($(PKG_CONFIG) --cflags $(2)) -c $$< -o $$@

$(B)/libhakmem_$(2).a: $(patsubst bindings/lua/%.c,$(B)/static/$(2)/%.o,$(LUA_C)) \
		$(CONTROL:bindings/%.c=$(B)/static/$(2)/%.o) $(if $(SWIG),$(B)/static/$(2)/wrap.o)
	$$(call say,AR); rm -f $$@
	$$(AR) rcsD $$@ $$^

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
lua_folder = $(if $(filter jit%,$(1)),$(if $(filter 5.1,$(lua_dirs)),,5.1),$(1))

# $(1): directory of the module, $(2): where Lua looks for it
define install_module
	install -d $(DESTDIR)$(LIBDIR)/lua/$(2)
	install -m 755 $(B)/lua/$(1)/hakmem.so $(DESTDIR)$(LIBDIR)/lua/$(2)
endef

$(foreach d,$(lua_dirs),$(eval $(call lua_rules,$(d),$(call lua_pc,$(d)))))

install-lua: $$(foreach l,$$(luas_found),$$(if $$(call is_vms,$$(l)),,install-$$(call pc_of,$$(l))))
