#!/bin/sh
# The profile of the build `make pgo`, which calls this: trains it, and ties it to what it was trained
# with, since a profile of other sources costs speed without a word.
#
#     pgo.sh compiler         whether $CC can do it
#     pgo.sh stamp            prints what a profile is tied to: the sources, $CC, $FLAGS, SWIG,
#                             $PYTHON_VERSION and $TRAINING, below a hash of all of it
#     pgo.sh train BUILD      runs the programs of the instrumented BUILD; $PYTHON runs the Python ones.
#                             With TRAINING=short a fiftieth of it, for tests of all this: no measure of
#                             what is hot
#     pgo.sh seal PROFILE     completes the folder PROFILE, with the stamp.begun that is in it
#     pgo.sh check PROFILE    whether the profile fits all that, and is whole
#     pgo.sh sources STAMP    whether it fits the sources; nothing else is looked at
#
# A check that fails says what has changed and ends with status 1.
set -eu
cd "$(dirname "$0")/.."

fail() {
    echo "hakmem: $*" >&2
    exit 1
}

compiler() {
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    echo 'int main(void) { return 0; }' >"$work/a.c"
    if ! $CC -dM -E -x c /dev/null | grep -q '__GNUC__' ||
        $CC -dM -E -x c /dev/null | grep -q '__clang__' ||
        ! $CC -fprofile-generate="$work" -fprofile-prefix-path="$work" "$work/a.c" \
            -o "$work/a" 2>/dev/null; then
        fail "a profile-guided build needs gcc 12 or later, and CC is '$CC':" \
            "$($CC --version 2>&1 | head -n 1). Try: make pgo CC=gcc"
    fi
}

sources() {
    sha256sum core/*.h core/*/*.[ch] bindings/*.[chi] bindings/module.map bindings/*/*.[chi] bench/*.c |
        sed 's/^/source /'
}

stamp() {
    tied=$(
        echo "compiler $($CC --version | sed -n '1s/^[^ ]* //p')" # without the name of the command
        echo "flags $FLAGS"
        echo "swig $(swig -version | sed -n 's/^SWIG Version //p')"
        echo "python $PYTHON_VERSION"
        echo "training ${TRAINING:-full}"
        sources
    )
    echo "hash $(echo "$tied" | sha256sum | cut -d ' ' -f 1)"
    echo "$tied"
}

# of FILE KIND: what a stamp has of one kind.
of() {
    sed -n "s/^$2 //p" "$1"
}

# changed BEFORE NOW: names the sources in which two stamps differ.
changed() {
    {
        of "$1" source
        of "$2" source
    } | sort | uniq -u | sed 's/^[^ ]*  //' | sort -u | paste -sd ' '
}

check_sources() {
    [ -z "$(changed "$1" "$2")" ] ||
        fail "the profile is stale: since it was trained, these sources have changed:" \
            "$(changed "$1" "$2"). Train it anew: make pgo-train"
}

check_line() {
    [ "$(of "$1" "$3")" = "$(of "$2" "$3")" ] ||
        fail "the profile is stale: it was trained with the $4 '$(of "$1" "$3")', and now it is" \
            "'$(of "$2" "$3")'. Train it anew: make pgo-train"
}

check() {
    [ -e "$1/stamp" ] || fail "there is no profile in $1. Train one: make pgo-train"
    now=$(mktemp)
    trap 'rm -f "$now"' EXIT
    stamp >"$now"
    check_sources "$1/stamp" "$now"
    check_line "$1/stamp" "$now" compiler compiler
    check_line "$1/stamp" "$now" flags "compiler's flags"
    check_line "$1/stamp" "$now" swig "SWIG version"
    check_line "$1/stamp" "$now" training "length of training"
    check_line "$1/stamp" "$now" python "Python version"
    damaged=$(of "$1/stamp" data | (cd "$1" && sha256sum -c --quiet 2>/dev/null) |
        sed 's/: FAILED.*//' | paste -sd ' ')
    [ -z "$damaged" ] || fail "the profile is damaged: $damaged. Train it anew: make pgo-train"
}

# clean VARIABLE=VALUE... COMMAND...: quietly, in an environment with nothing else.
clean() {
    env -i PATH="$PATH" HOME="$HOME" LANG=C "$@" >/dev/null || fail "the training failed in: $*"
}

train() {
    case ${TRAINING:-full} in
    full) operations=5000000 lua=0.08 states=2000 closes=50 python=0.05 ;;
    short) operations=100000 lua=0.002 states=40 closes=1 python=0.001 ;;
    *) fail "TRAINING is full or short, not '$TRAINING'" ;;
    esac
    for slots in 50 400 4000 40000 400000; do
        for seed in 1 2 3; do
            echo "  TRAIN    random-mixed, $slots slots, seed $seed"
            clean "$1/bench/random_mixed-hakmem" --ws $slots --ops $operations --seed $seed
        done
    done
    for name in $(lua5.4 bench/lua/harness.lua --list); do
        echo "  TRAIN    Lua, $name"
        clean LUA_CPATH="$1/lua/5.4/?.so;;" lua5.4 -l hakmem.auto bench/lua/harness.lua "$name" $lua
    done
    echo "  TRAIN    Lua states"
    clean "$1/bench/lua_states" hakmem $states
    clean "$1/bench/lua_close" hakmem $closes
    for suite in churn programs; do
        for name in $($PYTHON bench/python/harness.py $suite --list); do
            echo "  TRAIN    Python, $suite, $name"
            clean PYTHONPATH="$1/python/$PYTHON_VERSION" HAKMEM_PYTHON=1 PYTHONHASHSEED=0 \
                "$PYTHON" bench/python/harness.py $suite "$name" $python
        done
    done
}

# Each part must have told of its hot path.
seal() {
    for name in "static#core#heap#alloc" "static#core#heap#free" "bench#random_mixed-hakmem-random_mixed" \
        "static#lua5.4#lua_alloc" "lua#5.4#hakmem.so-lua_alloc" \
        "python#$PYTHON_VERSION#hakmem#_hakmem*-py_alloc"; do
        # shellcheck disable=SC2086 # a pattern
        (cd "$1" && ls $name.gcda >/dev/null 2>&1) || fail "the training wrote no data '$name.gcda'"
    done
    stamp | cmp -s - "$1/stamp.begun" || fail "sources, compiler or flags have changed during the training"
    {
        cat "$1/stamp.begun"
        (cd "$1" && sha256sum -- *.gcda) | sed 's/^/data /'
    } >"$1/stamp.whole"
    mv "$1/stamp.whole" "$1/stamp"
    rm "$1/stamp.begun"
}

case ${1-} in
compiler) compiler ;;
stamp) stamp ;;
train) train "$2" ;;
seal) seal "$2" ;;
check) check "$2" ;;
sources)
    now=$(mktemp)
    trap 'rm -f "$now"' EXIT
    sources >"$now"
    check_sources "$2" "$now"
    ;;
*) fail "pgo.sh knows: compiler, stamp, train BUILD, seal PROFILE, check PROFILE, sources STAMP" ;;
esac
