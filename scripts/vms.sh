#!/bin/sh
# vms.sh FOLDER [NAME...]: interpreters, built and installed in FOLDER, each with its pkg-config file:
# those that Debian may not have, Lua 5.5 and LuaJIT as it is released today ("rolling"); or, of another
# compiler (CC), those named: lua5.1 to lua5.5 and luajit-rolling. What pkg-config finds is not built.
# The sources are those that lupa's source distribution on PyPI carries, as their authors release them;
# nothing else of it is used. DOWNLOADS is where it lies, if not in FOLDER.
#
# EMULATOR is the command that runs the compiler's programs, if this machine cannot; then what is called
# as an interpreter is a script that does it.
set -eu
mkdir -p "$1/sources"
folder=$(cd "$1" && pwd)
shift
[ $# -gt 0 ] || set -- lua5.5 luajit-rolling
here=$(cd "$(dirname "$0")" && pwd)
archive=$("$here/lupa.sh" "${DOWNLOADS:-$folder/sources}")
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

# place FILE NAME: a program, under the name that it is called by. It learns that name (-0), since a
# script may want to start its interpreter again.
place() {
    mkdir -p "$folder/bin" "$folder/programs"
    if [ -z "${EMULATOR-}" ]; then
        mv "$1" "$folder/bin/$2"
        return
    fi
    mv "$1" "$folder/programs/$2"
    cat >"$folder/bin/$2" <<END
#!/bin/sh
exec $EMULATOR -0 "\$0" "$folder/programs/$2" "\$@"
END
    chmod +x "$folder/bin/$2"
}

# lua VERSION: such as 5.4
lua() {
    number=$(echo "$1" | tr -d .)
    unpack "lua$number"
    [ ! -d src ] || cd src
    minor=$(sed -n -E 's/^#define LUA_(VERSION_)?RELEASE(_N)?[[:blank:]]+"?(Lua 5\.1\.)?([0-9]+)"?$/\4/p' lua.h)
    flags='-std=gnu11 -O2 -w -fPIC -DLUA_USE_POSIX -DLUA_USE_DLOPEN'
    flags="$flags -DLUA_COMPAT_ALL -DLUA_COMPAT_5_2 -DLUA_COMPAT_5_3"
    rm -f ltests.c luac.c print.c onelua.c
    mkdir objects
    for source in l*.c; do
        # shellcheck disable=SC2086 # several flags
        [ "$source" = lua.c ] || (cd objects && $cc $flags -c "../$source")
    done
    mkdir -p "$folder/lib" "$folder/include/lua$1"
    # shellcheck disable=SC2086
    $cc $flags lua.c objects/*.o -o program -Wl,-E -lm -ldl
    $cc -shared objects/*.o -o "$folder/lib/liblua$1.so" -lm -ldl
    place program "lua$1"
    cp lua.h luaconf.h lualib.h lauxlib.h "$folder/include/lua$1"
    describe "lua$1" "$1.$minor" "lua$1" "lua$1"
}

luajit_rolling() {
    unpack luajit21
    # Its version is the date of its last change, which its build would ask git for.
    cp src/luajit_relver.txt .relver
    # It is built by programs that run on this machine, which another machine's compiler does not make.
    if [ -z "${EMULATOR-}" ]; then
        set -- CC="$cc"
    else
        set -- HOST_CC=gcc CC=gcc CROSS="${cc%gcc}"
    fi
    make -s amalg "$@" TARGET_SONAME=libluajit-rolling.so >make.log 2>&1 || {
        cat make.log
        exit 1
    }
    version=2.1.$(cat src/luajit_relver.txt)
    mkdir -p "$folder/lib" "$folder/include/luajit-rolling"
    place src/luajit luajit-rolling
    cp src/libluajit.so "$folder/lib/libluajit-rolling.so"
    cp src/lua.h src/luaconf.h src/lualib.h src/lauxlib.h src/luajit.h "$folder/include/luajit-rolling"
    describe luajit-rolling "$version" luajit-rolling luajit-rolling
}

for name in "$@"; do
    case $name in
    luajit-rolling) has $name || (luajit_rolling) ;;
    *) has "$name" || (lua "${name#lua}") ;;
    esac
done
