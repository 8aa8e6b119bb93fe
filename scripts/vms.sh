#!/bin/sh
# vms.sh FOLDER: the interpreters that Debian may not have, built and installed in FOLDER: Lua 5.5, and
# LuaJIT as it is released today ("rolling"), each with its pkg-config file. What the system has is not
# built. The sources are those that lupa's source distribution on PyPI carries, as their authors
# release them; nothing else of it is used.
set -eu
mkdir -p "$1"
folder=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
archive=$("$here/lupa.sh" "$folder/sources")
release=$(basename "$archive" .tar.gz)
cc=${CC:-cc}

# has NAME: whether pkg-config finds it, here or in the system.
has() {
    PKG_CONFIG_PATH="$folder/lib/pkgconfig:${PKG_CONFIG_PATH-}" pkg-config --exists "$1"
}

# unpack NAME: a folder of lupa's, afresh.
unpack() {
    cd "$folder/sources"
    rm -rf "$1"
    tar xzf "$archive" --strip-components=2 "$release/third-party/$1"
    cd "$1"
}

# describe NAME VERSION LIBRARY HEADERS: the pkg-config file.
describe() {
    mkdir -p "$folder/lib/pkgconfig"
    cat >"$folder/lib/pkgconfig/$1.pc" <<END
prefix=$folder
Name: $1
Description: an interpreter of Lua for the tests
Version: $2
Libs: -L\${prefix}/lib -Wl,-rpath,\${prefix}/lib -l$3 -lm -ldl
Cflags: -I\${prefix}/include/$4
END
}

lua_5_5() {
    unpack lua55
    version=$(sed -n 's/^#define LUA_VERSION_RELEASE_N[^0-9]*//p' lua.h)
    flags='-std=gnu11 -O2 -w -fPIC -DLUA_USE_POSIX -DLUA_USE_DLOPEN'
    for source in l*.c; do
        case $source in ltests.c | lua.c) continue ;; esac
        # shellcheck disable=SC2086 # several flags
        $cc $flags -c "$source"
    done
    mkdir -p "$folder/bin" "$folder/lib" "$folder/include/lua5.5"
    # shellcheck disable=SC2086
    $cc $flags lua.c l*.o -o "$folder/bin/lua5.5" -Wl,-E -lm -ldl
    $cc -shared l*.o -o "$folder/lib/liblua5.5.so" -lm -ldl
    cp lua.h luaconf.h lualib.h lauxlib.h "$folder/include/lua5.5"
    describe lua5.5 "5.5.$version" lua5.5 lua5.5
}

luajit_rolling() {
    unpack luajit21
    # Its version is the date of its last change, which its build would ask git for.
    cp src/luajit_relver.txt .relver
    make -s amalg CC="$cc" TARGET_SONAME=libluajit-rolling.so >make.log 2>&1 || {
        cat make.log
        exit 1
    }
    version=2.1.$(cat src/luajit_relver.txt)
    mkdir -p "$folder/bin" "$folder/lib" "$folder/include/luajit-rolling"
    cp src/luajit "$folder/bin/luajit-rolling"
    cp src/libluajit.so "$folder/lib/libluajit-rolling.so"
    cp src/lua.h src/luaconf.h src/lualib.h src/lauxlib.h src/luajit.h "$folder/include/luajit-rolling"
    describe luajit-rolling "$version" luajit-rolling luajit-rolling
}

has lua5.5 || (lua_5_5)
has luajit-rolling || (luajit_rolling)
