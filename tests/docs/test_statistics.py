"""Every statistic is documented, and the schema describes the JSON."""

import json

import pytest

from documents import DOCS, HEAP_AT_WORK, assert_described, run, validator


def test_every_statistic_is_documented(lua_environment):
    program = HEAP_AT_WORK + """
for _, stats in ipairs { h.stats(), h.process_stats(), h.thread_stats() } do
  for key in pairs(stats) do print(key) end
end"""
    text = (DOCS / "statistics.md").read_text()
    keys = run(["lua5.4", "-e", program], env=lua_environment).split()
    assert len(keys) > 30
    for key in keys:
        assert f"`{key}`" in text, key


@pytest.mark.parametrize("call", ["stats_json", "process_stats_json", "thread_stats_json"])
def test_the_schema_describes_the_json(call, lua_environment):
    text = run(["lua5.4", "-e", f"{HEAP_AT_WORK} print(h.{call}())"], env=lua_environment)
    assert_described(json.loads(text), validator("stats.schema.json"))


def test_the_schema_describes_pythons_json(python_environment):
    schema = validator("stats.schema.json")
    for install in "", "; hakmem.install()":
        program = f"import hakmem, json{install}; print(hakmem.stats_json()); print(json.dumps("
        program += "hakmem.stats())); print(json.dumps(hakmem.process_stats()))"
        texts = run(["python3", "-c", program], env=python_environment).splitlines()
        stats, same, process = map(json.loads, texts)
        for each in stats, same, process:
            schema.validate(each)
        assert stats.keys() == same.keys() and "heaps" in process


def test_the_schema_describes_pythons_observations(python_environment):
    schema = validator("observations.schema.json")
    program = """
import hakmem, json
hakmem.install()
hakmem.observe()
kept = [[i] for i in range(1000)]
print(json.dumps(hakmem.observations()))
print(hakmem.observations_json())"""
    texts = run(["python3", "-c", program], env=python_environment).splitlines()
    for seen in map(json.loads, texts):
        schema.validate(seen)
        assert seen["sizes"] and seen["ages"] and seen["classes"]
