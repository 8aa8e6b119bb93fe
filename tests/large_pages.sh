#!/bin/sh
# large_pages.sh FOLDER: what is built in FOLDER, for kernel pages of 4 KiB, on a system with larger ones:
# EMULATOR, the command that runs its programs, has such. There heaps are refused in words, but for those
# on the caller's memory, and a Lua program goes on without.
set -eu
folder=$1
fail() {
    echo "large_pages: $*" >&2
    exit 1
}
words="the kernel's pages are larger than the 4096 bytes that hakmem gives back at a time"
tests/core/run.sh "$EMULATOR" "$folder/tests/core/release/test_large_kernel_pages_are_refused"

# lua ARGUMENT...
lua() {
    # shellcheck disable=SC2086 # several words
    env -i LUA_CPATH="$folder/lua/5.4/?.so" $EMULATOR "$folder/vm/programs/lua5.4" "$@" 2>&1
}
said=$(lua -e 'print(select(2, pcall(require("hakmem").install))); print "goes on"')
[ "$said" = "$words
goes on" ] || fail "install() says: $said"
if said=$(lua -l hakmem.auto -e 'print "goes on"'); then fail "hakmem.auto says nothing: $said"; fi
case $said in
*"$words"*) ;;
*) fail "hakmem.auto says: $said" ;;
esac
echo "large_pages: refused in words, with $EMULATOR"
