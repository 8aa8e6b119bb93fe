#!/bin/sh
# model.sh FOLDER: checks the models of this folder with Spin, each in all its orders of events; and
# that Spin finds the error in those that are made wrong. Works in FOLDER.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
cd "$1"

if ! command -v spin >/dev/null; then
    echo "model.sh: spin is missing: install the Debian package spin" >&2
    exit 1
fi

# errors MODEL [-DWRONG]: how many Spin finds; it stops at the first.
errors() {
    model=$1
    shift
    rm -f pan*
    spin -a "$@" "$here/$model.pml" >/dev/null
    ${CC:-cc} -O2 -w -DSAFETY -o pan pan.c
    ./pan -m1000000 >pan.told
    if grep -q 'max search depth too small' pan.told; then
        echo "$model: the search was cut" >&2
        exit 1
    fi
    sed -n 's/.*errors: \([0-9]*\).*/\1/p' pan.told
}

check() {
    found=$(errors "$1")
    states=$(sed -n 's/ *\([0-9.e+]*\) states, stored.*/\1/p' pan.told)
    wrong=$(errors "$1" "$2")
    echo "$1: $states states, $found errors; with $2: $wrong"
    [ "$found" = 0 ] && [ "$wrong" != 0 ]
}

check holding -DNO_BARRIER
check bundles -DNO_FLAG
