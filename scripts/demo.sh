#!/bin/sh
# Real Lua and Python programs on their stock interpreters, with the interpreter's own allocator and
# with hakmem, side by side; then what hakmem knows about the heap of one of each.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-/usr/bin/python3}
package=build/python/$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')

echo "Lua programs (bench/lua), lua5.4 as it is against lua5.4 -l hakmem.auto:"
echo
bench/hakbench run lua --cases trees,strings,lru --allocators hakmem,lua-default --runs 3

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

echo
echo "Python programs (bench/python), $python as it is against hakmem.install():"
echo
bench/hakbench run python-churn python --python "$python" \
    --cases records,lists,json_roundtrip --allocators hakmem,pymalloc --runs 3

echo
echo "$python -m hakmem bench/python/harness.py programs json_roundtrip 0.2 says at its end:"
PYTHONPATH=$package "$python" -m hakmem bench/python/harness.py programs json_roundtrip 0.2 \
    2>&1 >/dev/null | sed 's/^/  /'

echo
echo "hakmem.stats() while bench/python/churn/records.py holds its orders:"
PYTHONPATH=$package "$python" - <<'PYTHON'
import runpy

import hakmem

hakmem.install()
kept = runpy.run_path("bench/python/churn/records.py")["make_orders"](0)

stats = hakmem.stats()
for name, value in stats.items():
    if isinstance(value, int):
        print(f"  {name:16} {value:12}")
print(f"  {'os_calls.total':16} {stats['os_calls']['total']:12}")

print("  the size classes with the most live bytes:")
for entry in sorted(stats["classes"], key=lambda e: e["live"] * e["size"])[:-6:-1]:
    print(
        f"  {entry['size']:6} bytes: {entry['live']:8} live in {entry['slabs']:4} slabs,"
        f" {entry['footprint']:9} bytes of pages"
    )
PYTHON
