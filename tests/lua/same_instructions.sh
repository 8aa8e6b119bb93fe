#!/bin/sh
# same_instructions.sh PROGRAM OTHER: whether hak_lua_alloc takes as many instructions in one build as in
# another, as count_instructions.sh counts them.
set -eu
counted() {
    "$(dirname "$0")/count_instructions.sh" "$1" 1000
}
one=$(counted "$1")
other=$(counted "$2")
echo "$(basename "$2"): $other"
if [ "$one" != "$other" ]; then
    echo "same_instructions.sh: $1 takes another number: $one" >&2
    exit 1
fi
