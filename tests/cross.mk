# The tests of the core and of Lua on other systems than this one, each in a folder of its own: with musl
# instead of glibc, and on aarch64, emulated. This same make builds them, with another compiler; the
# interpreters and cmocka, which Debian has for this system only, are built from source.

MUSL    := $(B)/musl
AARCH64 := $(B)/aarch64

# The emulator of this architecture, with kernel pages of $(1) bytes.
QEMU       = qemu-aarch64 -p $(1) -L /usr/aarch64-linux-gnu
ON_MUSL    = CC=musl-gcc
ON_AARCH64 = CC=aarch64-linux-gnu-gcc EMULATOR='$(call QEMU,4096)'
IN_VM      = PKG_CONFIG_PATH= PKG_CONFIG_LIBDIR=$(abspath $(1))/vm/lib/pkgconfig

# $(1): the folder, $(2): what sets CC and EMULATOR, $(3): the names of the Luas.
define prepare
	$(2) scripts/cmocka.sh $(1)/cmocka
	$(2) DOWNLOADS=$(abspath $(VM))/sources $(call IN_VM,$(1)) scripts/vms.sh $(1)/vm $(3)
endef

# make for a system: the interpreters of that system go before those of this one.
cross_make = $(2) PATH="$(abspath $(1))/vm/bin:$$PATH" $(call IN_VM,$(1)) $(MAKE) --no-print-directory \
	B=$(1) VM=$(abspath $(1))/vm $(filter CC=%,$(2)) LDFLAGS=-L$(abspath $(1))/cmocka/lib \
	CPPFLAGS='-I$(abspath $(1))/cmocka/include -isystem $(abspath $(1))/kernel'

# The kernel's headers do not depend on the C library; musl-gcc does not find those of Debian.
.PHONY: test-musl
MUSL_LUAS := 5.3 5.4 5.5
test-musl: ## the tests of the core and of Lua with musl: 15 minutes
	scripts/deps.sh musl
	mkdir -p $(MUSL)/kernel
	ln -sfn /usr/include/linux /usr/include/asm-generic $(MUSL)/kernel
	ln -sfn /usr/include/$$(gcc -print-multiarch)/asm $(MUSL)/kernel/asm
	$(call prepare,$(MUSL),$(ON_MUSL),$(MUSL_LUAS:%=lua%))
	+$(call cross_make,$(MUSL),$(ON_MUSL)) core test-core $(MUSL_LUAS:%=test-lua-%) \
		LUAS="$(foreach l,$(MUSL_LUAS),$(l):lua$(l))"

# Instructions of hak_lua_alloc for an allocation and a free, with all that it calls.
AARCH64_INSTRUCTIONS := 40

.PHONY: test-aarch64 test-aarch64-quick
test-aarch64: test-aarch64-quick ## the tests of the core and of Lua on aarch64, emulated: 15 minutes
	+$(call cross_make,$(AARCH64),$(ON_AARCH64)) test-core-emulated test-lua-emulated LUAS=5.4:lua5.4

test-aarch64-quick: ## what is counted on aarch64, and larger kernel pages: 3 minutes
	scripts/deps.sh aarch64
	$(call prepare,$(AARCH64),$(ON_AARCH64),lua5.4)
	+$(call cross_make,$(AARCH64),$(ON_AARCH64)) core $(AARCH64)/lua/5.4/hakmem.so \
		$(addprefix $(AARCH64)/tests/,lua/instructions core/release/test_large_kernel_pages_are_refused) \
		LUAS=5.4:lua5.4
	$(foreach page,16384 65536,EMULATOR='$(call QEMU,$(page))' tests/large_pages.sh $(AARCH64) && ) true
	EMULATOR='$(call QEMU,4096)' tests/lua/count_emulated.sh $(AARCH64)/tests/lua/instructions \
		$(AARCH64_INSTRUCTIONS)
