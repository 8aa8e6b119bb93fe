#!/bin/sh
# conformance.sh FOLDER: Lua's own test suites, of 5.3 and of 5.4, run by interpreters whose states
# are made by hak_lua_newstate and closed by hak_lua_close. All is built in FOLDER, which also keeps
# the download.
#
# Debian has no package of the suites. On PyPI, the source distribution of lupa holds Lua's
# repository as it is, with sources and suite of the same release; nothing else of it is used.
#
# `_port` leaves out what depends on the terminal, on signals or on not being root.
set -eu
folder=$1
root=$(cd "$(dirname "$0")/../.." && pwd)
release=2.8
sha256=d8022641b9ec8ecf2c5ecbe9f47e5a70e0b87c4b5ae921b92cb02a638e0acd08

mkdir -p "$folder"
cd "$folder"
archive=lupa-$release.tar.gz
if ! echo "$sha256  $archive" | sha256sum --check --status 2>/dev/null; then
    rm -f "$archive"
    # It would build several Luas only to tell its dependencies, which are not wanted.
    LUPA_NO_BUNDLE=true python3 -m pip download --quiet --no-deps --no-binary :all: \
        "lupa==$release" >pip.log 2>&1 || {
        cat pip.log
        echo "conformance: cannot download lupa $release, which holds Lua's test suites, from PyPI" >&2
        exit 1
    }
    echo "$sha256  $archive" | sha256sum --check --quiet
fi

# build NAME: the interpreter of lupa's folder NAME, on hakmem.
build() {
    rm -rf "$1"
    tar xzf "$archive" --strip-components=2 "lupa-$release/third-party/$1"
    flags="-std=gnu11 -O2 -w -DLUA_USE_POSIX -DLUA_USE_DLOPEN -DLUA_COMPAT_5_2 -DLUA_COMPAT_5_3"
    hakmem="-I$root/core -I$root/bindings/lua"
    rm -f "$1"/ltests.c "$1"/onelua.c
    # shellcheck disable=SC2086 # several flags
    cc $flags $hakmem -include hakmem_lua.h -D'luaL_newstate()=hak_lua_newstate(NULL)' \
        -Dlua_close=hak_lua_close -I"$1" -c "$1/lua.c" -o "$1/lua.o"
    rm "$1/lua.c"
    # shellcheck disable=SC2086
    cc $flags $hakmem -I"$1" "$1"/*.c "$root"/bindings/lua/lua_alloc.c \
        "$root"/bindings/lua/lua_close.c "$root"/bindings/lua/lua_kinds.c \
        "$root"/bindings/lua/lua_observe.c "$root"/bindings/lua/lua_observed.c \
        "$root"/bindings/lua/lua_pace.c "$root"/bindings/lua/lua_sentinel.c \
        "$root"/bindings/lua/lua_state.c "$root"/bindings/lua/lua_vm.c "$root"/core/*/*.c \
        "$1/lua.o" -o "$1/lua" -Wl,-E -lm -ldl -pthread
    make -s -C "$1/testes/libs" >"$1/libs.log" 2>&1
}

for name in lua53 lua54; do
    build $name
    begin=$(date +%s)
    if ! (cd $name/testes && ../lua -e '_port = true' all.lua >../suite.log 2>&1) ||
        ! grep -q 'final OK' $name/suite.log; then
        tail -n 20 $name/suite.log
        echo "conformance: $name failed"
        exit 1
    fi
    echo "conformance: $($name/lua -e 'io.write(_VERSION)'), $(($(date +%s) - begin)) s:" \
        "$(grep 'final OK' $name/suite.log)"
done
