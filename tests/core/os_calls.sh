#!/bin/sh
# Counts the system calls for memory of a program that does nothing, and of the same program with
# heaps at work, by strace. The difference must be what the statistics say, kind by kind.
#
#     os_calls.sh PROGRAM
set -eu
program=$1
calls="mmap madvise mremap munmap"
if [ -n "${EMULATOR-}" ]; then
    echo "os_calls: not counted, since strace would see the calls of the emulator"
    exit 0
fi
if ! strace -o /dev/null true 2>/dev/null; then
    echo "os_calls: not counted, since strace may not trace here"
    exit 0
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

strace -f -o "$folder/idle" -e trace=mmap,madvise,mremap,munmap "$program" > /dev/null
strace -f -o "$folder/busy" -e trace=mmap,madvise,mremap,munmap "$program" busy \
    > "$folder/told"

status=0
for call in $calls; do
    idle=$(grep -c " $call(" "$folder/idle" || :)
    busy=$(grep -c " $call(" "$folder/busy" || :)
    told=$(sed -n "s/^$call //p" "$folder/told")
    echo "os_calls: $call, $((busy - idle)) counted by strace, $told by the statistics"
    [ "$((busy - idle))" = "$told" ] || status=1
    [ "$told" -gt 0 ] || status=1
done
[ $status = 0 ] || echo "os_calls.sh: they differ, or there are none" >&2
exit $status
