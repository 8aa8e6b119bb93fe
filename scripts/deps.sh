#!/bin/sh
# deps.sh GOAL...: checks that the Debian packages that a goal needs are installed, and installs what is
# missing: as root, or through sudo where it asks for no password. Otherwise it prints the command to
# run. Goals: demo, test, bench, page (the test that needs a browser), musl, aarch64, format, lint.
set -eu

again=
if [ "${1-}" = --again ]; then
    again=yes
    shift
fi

# One package a line; after a bar, the names it has on other releases. The first one that can be
# installed is taken.
demo='
gcc
libc6-dev
pkgconf|pkg-config
python3
python3-dev
swig
lua5.4
liblua5.4-dev
'
luas='
lua5.1
liblua5.1-0-dev
lua5.2
liblua5.2-dev
lua5.3
liblua5.3-dev
lua5.5?
liblua5.5-dev?
luajit
libluajit-5.1-dev
python3-pip
'
peers='
libmimalloc3|libmimalloc2.0
libjemalloc2
libtcmalloc-minimal4t64|libtcmalloc-minimal4
'
# nginx and its Lua module, which tests/docs runs, are not among them: the module wants OpenResty's LuaJIT,
# for which apt would remove the one that is above. The test unpacks them in build/nginx.
tools='
g++
cmake
python3-pytest
python3-jsonschema
python3-venv
python3-prometheus-client
pyflakes3
libpython3.14-testsuite|libpython3.13-testsuite|libpython3.11-testsuite
lua-unit
libcmocka-dev
clang
llvm
libclang-rt-dev|libclang-rt-14-dev
valgrind
spin
strace
curl
time
man-db
'
# What tests/preload runs on hakmem, beside the tools.
programs='
default-jre-headless
git
nginx
nodejs
openssl
perl
postgresql
redis-server
sqlite3
wrk
xz-utils
zstd
'
# What scripts/peers.sh builds the others with.
made='
g++
cmake
cargo|cargo-web
'
bench="$demo $luas $peers $made time"
test="$demo $luas $peers $tools $programs"
page=chromium
# For tests/cross.mk; dpkg-dev, to unpack the source package of cmocka.
cross='
gcc
libc6-dev
pkgconf|pkg-config
swig
python3-pip
lua-unit
dpkg-dev
strace
'
musl="$cross musl-tools"
aarch64="$cross gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user"
format=clang-format
lint='clang-format clang-tidy pyflakes3'

packages=
for goal in "$@"; do
    case $goal in
    demo | test | bench | page | musl | aarch64 | format | lint) eval "packages=\"\$packages \$$goal\"" ;;
    *)
        echo "deps.sh: unknown goal $goal" >&2
        exit 2
        ;;
    esac
done

if ! command -v dpkg-query >/dev/null; then
    # (A shell ends where a file that it is told to read is not there.)
    system=$([ -r /etc/os-release ] && . /etc/os-release && echo "$PRETTY_NAME" || uname -s)
    case $(uname -s) in
    Linux)
        advice="install by hand what these Debian packages hold:$(echo " $packages" | tr '\n' ' ')"
        advice="$advice(\`make core\` needs a C compiler only)"
        ;;
    *) advice='hakmem needs Linux: its mmap, mremap and madvise' ;;
    esac
    echo "hakmem: this is $system, which has no dpkg; $advice" >&2
    exit 1
fi

installed() {
    dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

# What apt knows, it may know from a package that it replaces, or that depends on it.
installable() {
    apt-cache policy "$1" 2>/dev/null | grep -q '^  Candidate: [^(]'
}

# A package with a question mark is taken if the release has it.
missing=
for names in $packages; do
    found=
    for name in $(echo "${names%\?}" | tr '|' ' '); do
        if installed "$name"; then found=yes; fi
    done
    [ -n "$found" ] || missing="$missing $names"
done

# choose: the names of what is missing that can be installed.
choose() {
    chosen=
    lacking=
    for names in $missing; do
        choice=
        for name in $(echo "${names%\?}" | tr '|' ' '); do
            if [ -z "$choice" ] && installable "$name"; then choice=$name; fi
        done
        chosen="$chosen${choice:+ $choice}"
        case $names:$choice in
        *\?: | *:?*) ;;
        *) lacking="$lacking $names" ;;
        esac
    done
}

choose
[ -n "$chosen$lacking" ] || exit 0

if [ -n "$again" ]; then
    echo "hakmem: still missing after the installation:$chosen$lacking" >&2
    exit 1
elif [ "$(id -u)" = 0 ]; then
    as_root=
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root='sudo -n'
else
    echo "hakmem: packages are missing; run:" >&2
    echo "    sudo apt-get install$chosen$(echo "$lacking" | sed 's/|[^ ]*//g')" >&2
    exit 1
fi

DEBIAN_FRONTEND=noninteractive
export DEBIAN_FRONTEND
$as_root apt-get update -qq || true
choose
echo "hakmem: installing$chosen"
$as_root apt-get install -y -qq --no-install-recommends $chosen >/dev/null || {
    echo "hakmem: apt could not install$chosen" >&2
    exit 1
}
exec "$0" --again "$@"
