#!/bin/sh
# count_instructions.sh PROGRAM LIMIT [FUNCTION]: how many instructions hak_lua_alloc, or FUNCTION, takes,
# with all it calls, for one allocation and one free of 56 bytes; more than LIMIT is a failure. Counted
# by valgrind's callgrind as the difference of two runs, which leaves out whatever happens once.
set -eu
program=$1
limit=$2
function=${3:-hak_lua_alloc}
times=100000

instructions() {
    log=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null \
        --toggle-collect="$function" "$program" "$1" "$function" 2>&1) || {
        echo "count_instructions.sh: $program failed under valgrind:" "$log" >&2
        exit 1
    }
    echo "$log" | sed -n 's/.*Collected : \([0-9]*\).*/\1/p' | grep . || {
        echo "count_instructions.sh: callgrind counted nothing:" "$log" >&2
        exit 1
    }
}

once=$(instructions $times)
twice=$(instructions $((2 * times)))
hundredths=$(((twice - once) * 100 / times))
echo "instructions of $function for alloc + free of 56 bytes: $((hundredths / 100)).$(printf %02d $((hundredths % 100)))"
if [ $hundredths -eq 0 ] || [ $hundredths -gt $((limit * 100)) ]; then
    echo "count_instructions.sh: that is none, or more than $limit" >&2
    exit 1
fi
