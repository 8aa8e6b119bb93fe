#!/bin/sh
# Runs cmocka programs one after the other. Of each that passes it shows the closing lines, of one
# that fails everything.
#     run.sh TITLE PROGRAM...
# EMULATOR is the command that runs the programs of another machine.
set -u
title=$1
shift
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
failed=
for program in "$@"; do
    begin=$(date +%s%N)
    # shellcheck disable=SC2086 # several words
    if ${EMULATOR-} "$program" >"$log" 2>&1; then
        status=0
    else
        status=$?
        failed="$failed $(basename "$program")"
    fi
    tenths=$((($(date +%s%N) - begin) / 100000000))
    printf '%s: %s, %d.%d s\n' "$title" "$(basename "$program")" $((tenths / 10)) $((tenths % 10))
    if [ "$status" = 0 ]; then
        grep -a -E '^(seed |\[==========\] [0-9]+ test\(s\) run|\[  (PASSED|SKIPPED|FAILED) *\] [0-9]+ test)' "$log"
    else
        cat "$log"
        echo "$title: $(basename "$program") ended with status $status"
    fi
done
[ -z "$failed" ] && exit 0
echo "$title: failed:$failed"
exit 1
