#!/bin/sh
# Runs the fuzzers of all unit sizes at the same time, each on a processor, for so many seconds, on
# working corpora that begin with the one of the repository. Fails when one of them has found
# something, and says how to run that input again.
#     run.sh FOLDER WORKING CORPUS SECONDS OPTION...
set -u
folder=$1 working=$2 corpus=$3 seconds=$4
shift 4

echo "fuzz: $seconds seconds for each unit size; libFuzzer's options: $*"
begun=
for program in "$folder"/fuzz_heap_*; do
    [ -x "$program" ] || continue
    name=$(basename "$program")
    mkdir -p "$working/$name" "$folder/found/$name"
    rm -f "$folder/found/$name"/*
    "$program" "$@" -max_total_time="$seconds" -artifact_prefix="$folder/found/$name/" \
        "$working/$name" "$corpus" >"$folder/$name.log" 2>&1 &
    begun="$begun $!:$name"
done

failed=
for each in $begun; do
    name=${each#*:}
    if wait "${each%%:*}"; then
        result=passed
    else
        result=failed
        failed="$failed $name"
    fi
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$folder/$name.log")
    echo "fuzz: $name $result, ${runs:-no} programs run"
done
[ -n "$failed" ] || exit 0

for name in $failed; do
    log=$folder/$name.log
    grep -a -E '^(tests/fuzz/|hakmem: |core/|==[0-9]+== ?ERROR)|^    #.*/(core|tests/fuzz)/' "$log" |
        head -n 20
    echo "fuzz: $name has failed; all it said is in $log. To run its input again, step by step:"
    for input in "$folder/found/$name"/*; do
        [ -e "$input" ] && echo "    FUZZ_TRACE=1 $folder/$name -detect_leaks=0 $input"
    done
done
exit 1
