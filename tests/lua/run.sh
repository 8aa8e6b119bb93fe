#!/bin/sh
# run.sh LUA MODULES PROGRAMS [SCRIPT...]: the tests of one interpreter: the C programs test_* in the
# folder PROGRAMS, the scripts (test_*.lua unless named) with the module in the folder MODULES, and
# stress.lua, which must say the same in the stock interpreter, with hakmem installed, and in
# PROGRAMS/run_state, if that is there. Of what passes it shows the closing line, of what fails
# everything. EMULATOR is the command that runs the programs of another machine; LUA has its own way.
set -u
lua=$1
modules=$2
programs=$3
shift 3
here=$(dirname "$0")
[ $# -gt 0 ] || set -- "$here"/test_*.lua

# Where the interpreter looks, else wherever some version of Lua has it: it is the same file.
luaunit=$(ls /usr/share/lua/5.*/luaunit.lua /usr/local/share/lua/5.*/luaunit.lua 2>/dev/null | head -n 1)
path="$here/?.lua;;${luaunit:+${luaunit%luaunit.lua}?.lua}"
clean="env -i PATH=$PATH LUA_PATH=$path LUA_CPATH=$modules/?.so;;"

# A limit that does not hold should not take the machine along: 3 GB of data a process.
ulimit -d 3000000

log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
failed=

# check NAME COMMAND...
check() {
    name=$1
    shift
    begin=$(date +%s%N)
    if "$@" >"$log" 2>&1; then
        result=$(grep -a -E '^(\[  PASSED  |Ran [0-9]+ tests|OK:)' "$log" | paste -sd ' ')
    else
        result="FAILED with status $?"
        failed="$failed $name"
        cat "$log"
    fi
    tenths=$((($(date +%s%N) - begin) / 100000000))
    printf '%s: %s, %d.%d s: %s\n' "$lua" "$name" $((tenths / 10)) $((tenths % 10)) "$result"
}

same_under_stress() {
    expected=$($clean "$lua" "$here/stress.lua" default) || return 1
    for mode in default eager lazy steps full generational; do
        installed=$($clean "$lua" -l hakmem.auto "$here/stress.lua" $mode) || return 1
        own=$(${EMULATOR-} "$programs/run_state" "$here/stress.lua" $mode) || return 1
        kinds=$expected
        if [ $mode = eager ]; then
            kinds=$(HAKMEM_KINDS=1 ${EMULATOR-} "$programs/run_state" "$here/stress.lua" $mode) || return 1
        fi
        if [ "$installed" != "$expected" ] || [ "$own" != "$expected" ] ||
            [ "$kinds" != "$expected" ]; then
            printf '%s\n' "the stock interpreter says:" "$expected" \
                "with hakmem installed, mode $mode:" "$installed" "run_state, mode $mode:" "$own" \
                "run_state with HAKMEM_KINDS=1:" "$kinds"
            return 1
        fi
    done
    echo "OK: 6 modes"
}

for program in "$programs"/test_*; do
    # shellcheck disable=SC2086 # several words
    check "$(basename "$program")" ${EMULATOR-} "$program"
done
for script in "$@"; do
    # shellcheck disable=SC2086 # several words
    check "$(basename "$script" .lua)" $clean "$lua" "$script"
done
[ -x "$programs/run_state" ] && check stress same_under_stress

[ -z "$failed" ] && exit 0
echo "$lua: failed:$failed"
exit 1
