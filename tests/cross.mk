# The tests of the core and of Lua on other systems than this one, each in a folder of its own: with musl
# instead of glibc, and on aarch64, emulated. This same make builds them, with another compiler; the
# interpreters and cmocka, which Debian has for this system only, are built from source.

MUSL    := $(B)/musl
AARCH64 := $(B)/aarch64

ON_MUSL    = CC=musl-gcc
ON_AARCH64 = CC=aarch64-linux-gnu-gcc EMULATOR='qemu-aarch64 -L /usr/aarch64-linux-gnu'

# $(1): the folder, $(2): what sets CC and EMULATOR, $(3): the names of the Luas.
define prepare
	$(2) scripts/cmocka.sh $(1)/cmocka
	$(2) DOWNLOADS=$(VM)/sources PKG_CONFIG_PATH= PKG_CONFIG_LIBDIR=$(abspath $(1))/vm/lib/pkgconfig \
		scripts/vms.sh $(1)/vm $(3)
endef

# $(1): the folder, $(2): the same. The interpreters of that system go before those of this one.
cross_make = +$(2) PATH="$(abspath $(1))/vm/bin:$$PATH" PKG_CONFIG_PATH= \
	PKG_CONFIG_LIBDIR=$(abspath $(1))/vm/lib/pkgconfig $(MAKE) --no-print-directory B=$(1) \
	VM=$(abspath $(1))/vm $(filter CC=%,$(2)) CPPFLAGS=-I$(abspath $(1))/cmocka/include \
	LDFLAGS=-L$(abspath $(1))/cmocka/lib
