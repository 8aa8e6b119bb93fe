"""What memory profilers from PyPI see of a program on hakmem, as docs/python.md says. On the system's
Python. Downloads memray, scalene and ddtrace.
"""

import json

import pytest
from test_package import make_venv

KEEPS = """
def keeps():
    return [{"id": i, "name": str(i) * 3} for i in range(100_000)]
"""
MIB = 1 << 20


@pytest.fixture(scope="module")
def profilers(system_python, tmp_path_factory):
    """An environment that has them, and finds the package."""
    folder = tmp_path_factory.mktemp("profilers")
    made = make_venv(system_python, folder, "memray", "scalene", "ddtrace")
    made.package = system_python.package
    return made


def seen_by_memray(python, path, install, python_allocators):
    """Bytes at the peak, by what asked for them."""
    told = python.code(
        KEEPS
        + f"""
import hakmem, json, memray
{install}
with memray.Tracker({str(path)!r}, trace_python_allocators={python_allocators}):
    kept = keeps()
    buffer = bytearray(20 << 20)
seen = {{}}
for record in memray.FileReader({str(path)!r}).get_high_watermark_allocation_records():
    name = memray.AllocatorType(record.allocator).name
    seen[name] = seen.get(name, 0) + record.size
print(json.dumps(seen))
"""
    )
    return json.loads(told)


def test_memray_sees_the_requests_or_what_is_mapped_for_them(profilers, tmp_path):
    def seen(name, install, python_allocators):
        return seen_by_memray(profilers, tmp_path / name, install, python_allocators)

    stock = seen("a", "", True)
    ours = seen("b", "hakmem.install()", True)
    for by_name in stock, ours:
        assert set(by_name) <= {"PYMALLOC_MALLOC", "PYMALLOC_CALLOC", "PYMALLOC_REALLOC"} | {
            "MALLOC", "CALLOC", "REALLOC", "MMAP"}, by_name
    requested = [sum(n for name, n in each.items() if "PYMALLOC" in name) for each in (stock, ours)]
    assert requested[1] > 40 * MIB and abs(requested[0] - requested[1]) < MIB, requested
    # Without the flag it sees what pymalloc, and hakmem, take from the system.
    assert sum(seen("c", "", False).values()) > 40 * MIB
    assert seen("d", "hakmem.install()", False)["MMAP"] > 30 * MIB


def test_memray_begins_after_hakmem(profilers, tmp_path):
    told = profilers.code(f"""
        import hakmem, memray
        with memray.Tracker({str(tmp_path / "a")!r}, trace_python_allocators=True):
            try: hakmem.install()
            except RuntimeError as error: print(error)
        assert hakmem.install()
        with memray.Tracker({str(tmp_path / "b")!r}):
            assert not hakmem.install()
        """)
    assert told.startswith("an allocator hook of somebody else is in place")


def test_tracemalloc_sees_all(profilers):
    profilers.code(
        KEEPS
        + """
import hakmem, tracemalloc
def traced():
    tracemalloc.start()
    kept = keeps()
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return size
stock = traced()
hakmem.install()
assert abs(traced() - stock) < stock / 100
"""
    )


def test_scalene_keeps_hakmem_out(profilers, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        KEEPS
        + """
import hakmem
try: hakmem.install()
except RuntimeError as error: print("refused:", error)
kept = [keeps() for _ in range(8)]
print("ended", hakmem.installed())
"""
    )
    profile = tmp_path / "profile.json"
    scalene = ["-m", "scalene", "run", "-o", profile]
    ended = profilers.run(*scalene, "--memory", program)
    assert "refused: an allocator hook of somebody else is in place" in ended.stdout
    assert "ended ()" in ended.stdout
    assert json.loads(profile.read_text())["max_footprint_mb"] > 100
    ended = profilers.run(*scalene, "--cpu-only", program)
    assert "refused" not in ended.stdout and "ended ('mem', 'obj')" in ended.stdout


def test_ddtrace_samples_what_hakmem_gives(profilers, tmp_path):
    program = (
        KEEPS
        + """
import hakmem, sys
if "first" in sys.argv: hakmem.install()
from ddtrace.internal.datadog.profiling import ddup
from ddtrace.profiling.collector import memalloc
ddup.config(service="test", output_filename=sys.argv[1])
ddup.start()
collector = memalloc.MemoryCollector(heap_sample_size=65536)
collector.start()
live = hakmem.stats()["live_blocks"]
kept = keeps()
if "first" in sys.argv: assert hakmem.stats()["live_blocks"] > live + 200_000
else:
    try: hakmem.install()
    except RuntimeError as error: print(error)
collector.snapshot()
ddup.upload()
collector.stop()
hakmem.install()
"""
    )

    def samples(name, *arguments):
        told = profilers.run("-c", program, tmp_path / name, *arguments).stdout
        (metadata,) = tmp_path.glob(f"{name}.*.json")
        return json.loads(metadata.read_text())["heap_tracker_count"], told

    stock, told = samples("stock")
    assert told.startswith("an allocator hook of somebody else is in place")
    ours, told = samples("ours", "first")
    assert told == "" and stock > 100 and abs(stock - ours) < stock / 5, (stock, ours)
