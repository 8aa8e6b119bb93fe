"""Every observation is documented, and the programs that observe print what the documents say."""

import json
import os

from documents import DOCS, HEAP_AT_WORK, ROOT, assert_described, blocks, run, validator, with_output


OBSERVED = HEAP_AT_WORK + """
h.observe(true)
for i = 1, 3000 do kept[i] = ("y"):rep(i) .. i end
pcall(string.rep, "x", 1500000000)
kept = {}
collectgarbage()
"""


def test_every_observation_is_documented(lua_environment):
    program = OBSERVED + """
local o = h.observations()
for key in pairs(o) do print(key) end
for key in pairs(o.classes[1]) do print(key) end
for key in pairs(o.sizes[1]) do print(key) end"""
    text = (DOCS / "observing.md").read_text()
    keys = set(run(["lua5.4", "-e", program], env=lua_environment).split()) - {"count"}
    assert len(keys) > 25
    for key in keys:
        assert f"`{key}`" in text, key


def test_the_schema_describes_observations(lua_environment):
    schema = validator("observations.schema.json")
    text = run(["lua5.4", "-e", f"{OBSERVED} print(h.observations_json())"], env=lua_environment)
    seen = json.loads(text)
    assert_described(seen, schema)
    assert seen["name"] == 'a "name"' and seen["refusals"] > 0
    assert seen["sizes"] and seen["lifetimes"] and seen["ages"] and seen["classes"]
    assert not schema.is_valid({**seen, "classes": [{**seen["classes"][0], "more": 1}]})


def test_shell_commands_for_observing_work():
    commands = [text for kind, text in blocks("observing.md") if kind == "sh"]
    assert commands
    for command in commands:
        run(["sh", "-ec", command], cwd=ROOT)


def test_programs_that_observe_print_what_is_said(lua_environment, tmp_path):
    program, output = with_output("observing.md", "lua")[0]
    script = tmp_path / "script.lua"
    script.write_text(program)
    assert run(["lua5.4", str(script)], env=lua_environment) == output


def test_a_trace_looks_as_the_guide_says(tmp_path):
    program = """
#include <hakmem.h>
int main(int argc, char **argv)
{
    static void *blocks[3000];
    hak_heap *heap = hak_heap_new(&(hak_heap_options){.granularity = 8});
    for (int i = 0; i < 3000; i++) blocks[i] = hak_heap_alloc(heap, 56);
    hak_heap_free(heap, blocks[2999]);
    if (!hak_heap_observe(heap, false) || !hak_heap_observe(heap, true)) return 1;
    void *block = hak_heap_realloc(heap, hak_heap_alloc(heap, 56), 100);
    hak_heap_free(heap, block);
    return argc != 2 || !hak_heap_trace(heap, argv[1]);
}
"""
    (tmp_path / "trace.c").write_text(program)
    library = ROOT / "build" / "observe" / "libhakmem.a"
    run(["make", "-s", "-C", str(ROOT), "B=build/observe", "CFLAGS=-DHAK_OBSERVE", "libs"])
    compiler = [os.environ.get("CC", "cc"), "-Wall", "-I", str(ROOT / "core")]
    run([*compiler, "trace.c", str(library), "-o", "trace", "-pthread"], cwd=tmp_path)
    run(["./trace", "trace.csv"], cwd=tmp_path)
    shown = [text for kind, text in blocks("observing.md") if text.startswith("operation,")]
    assert (tmp_path / "trace.csv").read_text() == shown[0]
