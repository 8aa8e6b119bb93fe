#!/bin/sh
# Checks that the Debian packages this project builds and measures with are installed, and installs
# what is missing: as root, or through sudo where it asks for no password. Otherwise it prints the
# command to run. Arguments name further packages, for targets that need more.
set -eu

again=
if [ "${1-}" = --again ]; then
    again=yes
    shift
fi

# nginx and its Lua module, which tests/docs runs, are not among them: the module wants OpenResty's LuaJIT,
# for which apt would remove the one that is below. The test unpacks them in build/nginx.
#
# One package a line; after a bar, the names it has on other releases.
packages='
gcc
libc6-dev
pkg-config|pkgconf
python3
python3-pip
python3-dev
python3-pytest
python3-jsonschema
chromium
python3-venv
libpython3.11-testsuite|libpython3.13-testsuite|libpython3.12-testsuite
python3-prometheus-client
swig
lua5.4
liblua5.4-dev
lua5.3
liblua5.3-dev
lua5.2
liblua5.2-dev
lua5.1
liblua5.1-0-dev
luajit
libluajit-5.1-dev
lua-unit
libcmocka-dev
clang
llvm
libclang-rt-14-dev|libclang-rt-19-dev|libclang-rt-dev
valgrind
strace
curl
time
libmimalloc2.0|libmimalloc3
libmimalloc-dev
libjemalloc2
libjemalloc-dev
libtcmalloc-minimal4|libtcmalloc-minimal4t64
libgoogle-perftools-dev
'
packages="$packages $*"

if ! command -v dpkg-query >/dev/null; then
    echo "hakmem: this machine has no dpkg; install by hand what these Debian packages hold:" \
        $packages >&2
    exit 1
fi

installed() {
    dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

missing=
for names in $packages; do
    found=
    for name in $(echo "$names" | tr '|' ' '); do
        if installed "$name"; then found=yes; fi
    done
    [ -n "$found" ] || missing="$missing $names"
done
[ -n "$missing" ] || exit 0

if [ -n "$again" ]; then
    echo "hakmem: still missing after the installation:$missing" >&2
    exit 1
elif [ "$(id -u)" = 0 ]; then
    as_root=
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root='sudo -n'
else
    echo "hakmem: packages are missing; run:" >&2
    echo "    sudo apt-get install$(echo "$missing" | sed 's/|[^ ]*//g')" >&2
    exit 1
fi

echo "hakmem: installing$missing"
DEBIAN_FRONTEND=noninteractive
export DEBIAN_FRONTEND
$as_root apt-get update -qq || true
chosen=
for names in $missing; do
    for name in $(echo "$names" | tr '|' ' '); do
        if apt-cache show "$name" >/dev/null 2>&1; then
            chosen="$chosen $name"
            break
        fi
    done
done
$as_root apt-get install -y -qq --no-install-recommends $chosen >/dev/null || {
    echo "hakmem: apt could not install$missing" >&2
    exit 1
}
exec "$0" --again "$@"
