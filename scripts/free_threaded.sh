#!/bin/sh
# free_threaded.sh FOLDER: a CPython without the GIL, for the tests: built from Debian's source package of
# 3.14, or of 3.13 where that cannot be had, and installed in FOLDER. Debian's own builds have the GIL.
# Takes some minutes.
set -eu
mkdir -p "$1"
folder=$(cd "$1" && pwd)
[ ! -x "$folder/bin/python3" ] || exit 0
sources=$folder/sources
mkdir -p "$sources/lists/partial" "$sources/cache" "$sources/parts"
cd "$sources"

# apt with lists of its own: the system's need no sources, and may be of another release.
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -n 1)
for release in sid forky trixie; do
    echo "deb-src $mirror $release main"
done >sources.list
own() {
    program=$1
    shift
    "$program" -q -o Dir::Etc::SourceList="$sources/sources.list" -o Dir::Etc::SourceParts="$sources/parts" \
        -o Dir::State::Lists="$sources/lists" -o Dir::Cache="$sources/cache" -o APT::Sandbox::User=root "$@"
}
versions() {
    for package in python3.14 python3.13; do
        own apt-cache showsrc --only-source $package | sed -n "s/^Version: /$package=/p" | sort -rV
    done
}
echo "  FETCH    the sources of CPython" >&2
own apt-get update >log 2>&1 || {
    cat log >&2
    exit 1
}
for version in $(versions); do
    ! own apt-get source --download-only --tar-only "$version" >>log 2>&1 || break
done
archive=$(ls python*.orig.tar.xz) || {
    cat log >&2
    exit 1
}

echo "  BUILD    $(basename "$archive" .orig.tar.xz), free-threaded" >&2
rm -rf tree
mkdir tree
tar xf "$archive" -C tree --strip-components=1
cd tree
./configure -q --disable-gil --with-ensurepip=no --prefix="$folder" >../log 2>&1 &&
    make -s -j"$(nproc)" >>../log 2>&1 && make -s install >>../log 2>&1 || {
    tail -n 30 ../log >&2
    exit 1
}
