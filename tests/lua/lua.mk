# The tests of the Lua side: what each interpreter and each version of the host API must do.

LT         := $(B)/tests/lua
LT_SUPPORT := $(wildcard tests/lua/*.h) bindings/lua/hakmem_lua.h core/hakmem.h tests/lua/lua.mk
LT_EACH    := test_close test_company test_external test_kinds test_leaks test_many_states test_marks test_observe \
	test_shared test_state test_takeover test_threads test_unprotected test_wrapped run_state

LT_THREADED := test_shared test_threads

# $(1): directory below build/tests/lua, $(2): pkg-config name, $(3): library of the adapter
define lua_tests
$(LT)/$(1)/%: tests/lua/%.c $(LT_SUPPORT) $(B)/lib$(3).a $(B)/libhakmem.a
	mkdir -p $$(@D); $$(call say,CC)
	$(CC) $(HAK_CFLAGS) $(LDFLAGS) -Ibindings/lua -Itests/lua $$$$(pkg-config --cflags $(2)) $$< \
		$(B)/lib$(3).a $(B)/libhakmem.a -o $$@ $$$$(pkg-config --libs $(2)) -lcmocka -pthread
endef

define lua_test_target
.PHONY: test-lua-$(1)
test-lua-$(1): $(LT_EACH:%=$(LT)/$(1)/%) $(B)/lua/$(1)/hakmem.so
	tests/lua/run.sh $(2) $(B)/lua/$(1) $(LT)/$(1)
endef

$(foreach d,$(lua_dirs),$(eval $(call lua_tests,$(d),$(call lua_pc,$(d)),hakmem_$(call lua_pc,$(d)))))
test-lua: $$(addprefix test-lua-,$$(dirs_found))
$(foreach d,$(lua_dirs),$(eval $(call lua_test_target,$(d),$(call lua_pc,$(d)))))

# The adapter's function knows no version: once is enough.
test-lua-5.4: $(LT)/5.4/test_alloc $(LT)/5.4/test_before

# LuaJIT is what Lua 5.1 says it is.
test-lua-5.1: $(LT)/5.1/test_luajit

# LuaJIT with the module and the adapter for Lua 5.1, which an installation gives it.
LT_JIT         := test_close test_company test_kinds test_leaks test_many_states test_wrapped
LT_JIT_SCRIPTS := test_control test_endings test_install test_kinds test_observe test_options test_stats
$(eval $(call lua_tests,jit-5.1,luajit,hakmem_lua5.1))
.PHONY: test-lua-jit-5.1
test-lua: test-lua-jit-5.1
test-lua-jit-5.1: $(LT_JIT:%=$(LT)/jit-5.1/%) $(B)/lua/5.1/hakmem.so
	tests/lua/run.sh luajit $(B)/lua/5.1 $(LT)/jit-5.1 $(LT_JIT_SCRIPTS:%=tests/lua/%.lua)

# The fast path's length, compiled as the module is.
LT_FAST := tests/lua/instructions.c $(filter-out %/lua_control.c %/lua_metrics.c,$(LUA_C)) $(CORE)
$(LT)/instructions: $(LT_FAST) $(HEADERS)
	mkdir -p $(@D); $(call say,CC)
	$(CC) $(HAK_CFLAGS) $(PIC) $(MODULE_LTO) -Ibindings/lua $$(pkg-config --cflags lua5.4) $(LT_FAST) \
		-o $@ $$(pkg-config --libs lua5.4) -pthread

# The same with the profile fixed at compile time.
$(LT)/instructions-fast: $(LT_FAST) $(HEADERS)
	mkdir -p $(@D); $(call say,CC)
	$(CC) $(HAK_CFLAGS) $(FLAGS_fast) $(PIC) $(MODULE_LTO) -Ibindings/lua $$(pkg-config --cflags lua5.4) \
		$(LT_FAST) -o $@ $$(pkg-config --libs lua5.4) -pthread

# For tests/cross.mk. Left out is what limits the address space of the process, which the emulator
# shares, and a script of many minutes.
LT_NOT_EMULATED := test_observe
LT_EMULATED     := $(filter-out $(LT_NOT_EMULATED),$(LT_EACH))
LT_SCRIPTS_NOT  := test_address_space test_observe test_pace
.PHONY: test-lua-emulated
test-lua-emulated: $(LT_EMULATED:%=$(LT)/5.4/%) $(LT)/5.4/test_alloc $(LT)/5.4/test_before \
		$(B)/lua/5.4/hakmem.so $(LT)/instructions
	tests/lua/run.sh lua5.4 $(B)/lua/5.4 $(LT)/5.4 $(filter-out $(LT_SCRIPTS_NOT:%=tests/lua/%.lua), \
		$(sort $(wildcard tests/lua/test_*.lua)))
	echo "lua5.4: not emulated: $(LT_NOT_EMULATED) $(LT_SCRIPTS_NOT:%=%.lua)"

# Each module in each interpreter.
.PHONY: test-lua-versions
test-lua: test-lua-versions
test-lua-versions: $$(MODULES)
	tests/lua/versions.sh $(B)/lua $(foreach l,$(luas_found),$(call pc_of,$(l)):$(call dir_of,$(l)))

# Lua's own test suites.
.PHONY: test-lua-conformance
test-lua: test-lua-conformance
test-lua-conformance:
	tests/lua/conformance.sh $(LT)/conformance $(VM)/sources

# What threads do with states, on an adapter and a core that the sanitizer sees.
.PHONY: test-lua-sanitize
test-sanitize: test-lua-sanitize
test-lua-sanitize:
	$(MAKE) --no-print-directory B=$(B)/thread OPT=-O1 CFLAGS=-fsanitize=thread LDFLAGS=-fsanitize=thread \
		$(LT_THREADED:%=$(B)/thread/tests/lua/5.4/%)
	HAK_TEST_SCALE=10 tests/core/run.sh thread $(LT_THREADED:%=$(B)/thread/tests/lua/5.4/%)

.PHONY: test-lua test-lua-instructions
test-lua: test-lua-instructions ## the tests of the Lua side
test-lua-instructions: $(LT)/instructions $(LT)/instructions-fast
	tests/lua/count_instructions.sh $< 40
	tests/lua/count_instructions.sh $< 45 hak_lua_alloc_kinds
	tests/lua/same_instructions.sh $^
