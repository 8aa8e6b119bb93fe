#!/bin/sh
# conformance.sh FOLDER SOURCES: Lua's own test suites, of 5.3 to 5.5, run by interpreters whose states
# are made by hak_lua_newstate and closed by hak_lua_close. All is built in FOLDER. SOURCES keeps the
# download.
#
# The sources and the suites, of the same releases, come from scripts/lupa.sh.
#
# `_port` leaves out what depends on the terminal, on signals or on not being root.
set -eu
folder=$1
root=$(cd "$(dirname "$0")/../.." && pwd)
archive=$("$root/scripts/lupa.sh" "$2")
release=$(basename "$archive" .tar.gz)

mkdir -p "$folder"
cd "$folder"

# build NAME: the interpreter of lupa's folder NAME, on hakmem.
build() {
    rm -rf "$1"
    tar xzf "$archive" --strip-components=2 "$release/third-party/$1"
    flags="-std=gnu11 -O2 -w -DLUA_USE_POSIX -DLUA_USE_DLOPEN -DLUA_COMPAT_5_2 -DLUA_COMPAT_5_3"
    hakmem="-I$root/core -I$root/bindings/lua"
    rm -f "$1"/ltests.c "$1"/onelua.c
    # shellcheck disable=SC2086 # several flags
    cc $flags $hakmem -include hakmem_lua.h -D'luaL_newstate()=hak_lua_newstate(NULL)' \
        -Dlua_close=hak_lua_close -I"$1" -c "$1/lua.c" -o "$1/lua.o"
    rm "$1/lua.c"
    # shellcheck disable=SC2086
    cc $flags $hakmem -I"$1" "$1"/*.c "$root"/bindings/lua/lua_alloc.c "$root"/bindings/lua/lua_shared.c \
        "$root"/bindings/lua/lua_close.c "$root"/bindings/lua/lua_external.c \
        "$root"/bindings/lua/lua_kinds.c \
        "$root"/bindings/lua/lua_observe.c "$root"/bindings/lua/lua_observed.c \
        "$root"/bindings/lua/lua_pace.c "$root"/bindings/lua/lua_sentinel.c \
        "$root"/bindings/lua/lua_state.c "$root"/bindings/lua/lua_vm.c "$root"/core/*/*.c \
        "$1/lua.o" -o "$1/lua" -Wl,-E -lm -ldl -pthread
    make -s -C "$1/testes/libs" >"$1/libs.log" 2>&1
}

for name in lua53 lua54 lua55; do
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
