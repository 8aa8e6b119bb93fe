#!/bin/sh
# free_threaded.sh FOLDER: a CPython without the GIL, for the tests: built from Debian's source package of
# 3.14, or of 3.13 where that cannot be had, and installed in FOLDER. Debian's own builds have the GIL.
# Takes some minutes.
set -eu
mkdir -p "$1"
folder=$(cd "$1" && pwd)
[ ! -x "$folder/bin/python3" ] || exit 0
here=$(cd "$(dirname "$0")" && pwd)

echo "  FETCH    the sources of CPython" >&2
archive=$("$here/debian_source.sh" "$folder/sources" "sid forky trixie" python3.14 python3.13)
cd "$folder/sources"

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
