#!/bin/sh
# count_emulated.sh PROGRAM LIMIT: what count_instructions.sh counts, for a program of another machine, by
# the log of qemu, which EMULATOR names: one line for each instruction, with the name of the function.
# All but those of main, the loop, are of hak_lua_alloc and what it calls. The difference of two runs
# leaves out whatever happens once; in the first thousands of calls blocks still come from the nest.
set -eu
program=$1
limit=$2
times=10000

# Its name since qemu 8.1, or the one before.
# shellcheck disable=SC2086 # several words
case $($EMULATOR --help) in
*-one-insn-per-tb*) each=-one-insn-per-tb ;;
*) each=-singlestep ;;
esac

instructions() {
    # shellcheck disable=SC2086
    $EMULATOR $each -d exec,nochain -D /dev/stdout "$program" "$1" hak_lua_alloc |
        grep '^Trace' | grep -vc ' main$'
}

once=$(instructions $times)
twice=$(instructions $((2 * times)))
hundredths=$(((twice - once) * 100 / times))
echo "instructions of hak_lua_alloc for alloc + free of 56 bytes: $((hundredths / 100)).$(printf %02d $((hundredths % 100))), emulated"
if [ $hundredths -eq 0 ] || [ $hundredths -gt $((limit * 100)) ]; then
    echo "count_emulated.sh: that is none, or more than $limit" >&2
    exit 1
fi
