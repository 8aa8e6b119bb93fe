#!/bin/sh
# Three real Lua programs on the stock interpreter, with its own allocator and with hakmem, side by
# side; then what hakmem knows about the heap of one of them.
set -eu
cd "$(dirname "$0")/.."

echo "Lua programs (bench/lua), lua5.4 as it is against lua5.4 -l hakmem.auto:"
echo
bench/hakbench run lua --cases trees,strings,lru --allocators hakmem,lua-default --runs 5

echo
echo "hakmem.stats() after bench/lua/lru.lua:"
LUA_CPATH='build/lua/5.4/?.so;;' lua5.4 - <<'LUA'
local hakmem = require "hakmem"
hakmem.install()
dofile("bench/lua/lru.lua")(0.2)

local stats = hakmem.stats()
local order = { "live_bytes", "live_blocks", "large_bytes", "footprint", "footprint_peak",
    "retained", "metadata", "superslabs", "refills", "retires", "purges" }
for _, name in ipairs(order) do print(("  %-16s %12d"):format(name, stats[name])) end
print(("  %-16s %12d"):format("os_calls.total", stats.os_calls.total))

table.sort(stats.classes, function(a, b) return a.live * a.size > b.live * b.size end)
print("  the size classes with the most live bytes:")
for i = 1, math.min(5, #stats.classes) do
    local class = stats.classes[i]
    print(("  %6d bytes: %8d live in %4d slabs, %9d bytes of pages"):format(
        class.size, class.live, class.slabs, class.footprint))
end
LUA
