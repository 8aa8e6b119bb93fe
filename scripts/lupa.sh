#!/bin/sh
# lupa.sh FOLDER: downloads lupa's source distribution from PyPI to FOLDER, unless it is there, and
# prints where it is. It holds the repositories of Lua 5.1 to 5.5 and of LuaJIT as they are, with Lua's
# test suites, which Debian has no package of.
set -eu
release=2.8
sha256=d8022641b9ec8ecf2c5ecbe9f47e5a70e0b87c4b5ae921b92cb02a638e0acd08

mkdir -p "$1"
cd "$1"
archive=lupa-$release.tar.gz
if ! echo "$sha256  $archive" | sha256sum --check --status 2>/dev/null; then
    rm -f "$archive"
    # It would build several Luas only to tell its dependencies, which are not wanted.
    LUPA_NO_BUNDLE=true python3 -m pip download --quiet --no-deps --no-binary :all: \
        "lupa==$release" >pip.log 2>&1 || {
        cat pip.log >&2
        echo "hakmem: cannot download lupa $release, which holds Lua's sources, from PyPI" >&2
        exit 1
    }
    echo "$sha256  $archive" | sha256sum --check --quiet >&2
fi
echo "$PWD/$archive"
