"""A long run on hakmem:

    soak.py [SECONDS [SEED]]

Threads make objects of all kinds, grow them, check what is in them and free them, each also those
of the others. Another thread meanwhile installs and uninstalls hakmem, switches profiles, trims and
reads statistics; a third collects garbage. Ends with status 1 at the first wrong content.
"""

import faulthandler
import gc
import random
import sys
import threading
import time
import traceback
import zlib

import hakmem

WORKERS = 4
POOL = 2000  # items alive, about
CYCLES = 1000  # of install and uninstall, at least

# An item is a generator: its frame holds the objects, each step checks them and makes them grow,
# by whichever thread has it then. When it is dropped, finished or not, they are freed.


def some_size(rng):
    """Mostly small, sometimes of pages, and now and then of whole spans."""
    return int(2 ** rng.uniform(0, rng.choice([5, 8, 8, 10, 14, 18])))


def texts(rng):
    letter = rng.choice("aé€😀")
    kept = letter * some_size(rng)
    while True:
        size = len(kept)
        yield
        assert kept.count(letter) == len(kept) == size
        kept += letter * (size % 1000 + 1)


def data(rng):
    kept = [
        rng.getrandbits(8 * size).to_bytes(size, "big")
        for size in [some_size(rng) % 50000 + 1]
    ]
    sums = [zlib.crc32(kept[0])]
    while True:
        yield
        assert [zlib.crc32(each) for each in kept] == sums
        kept.append(kept[-1][::-1])
        sums.append(zlib.crc32(kept[-1]))


def zeroes(rng):
    kept = []
    while True:
        yield
        assert not any(map(any, kept))
        kept.append(bytes(some_size(rng) % 5000))


def buffers(rng):
    kept, step = bytearray(), some_size(rng)
    while True:
        yield
        assert kept == bytes(i % 251 for i in range(len(kept)))
        kept.extend(i % 251 for i in range(len(kept), len(kept) + step % 5000))
        if len(kept) > 100_000:
            del kept[rng.randrange(len(kept)) :]


def lists(rng):
    kept = list(range(some_size(rng)))
    while True:
        yield
        assert all(index == each for index, each in enumerate(kept))
        kept.extend(range(len(kept), len(kept) + rng.randrange(2000)))
        del kept[rng.randrange(len(kept) + 1) :]


def dicts(rng):
    kept = {i: str(i) for i in range(some_size(rng) % 5000)}
    while True:
        yield
        assert all(each == str(i) for i, each in kept.items())
        for _ in range(rng.randrange(200)):
            i = rng.randrange(10_000)
            kept[i] = str(i)
        for i in list(kept)[: rng.randrange(200)]:
            del kept[i]


def sets(rng):
    kept = set(map(str, range(some_size(rng) % 5000)))
    total = len(kept)
    while True:
        yield
        assert len(kept) == total and all(str(int(each)) == each for each in kept)
        total += "x" not in kept
        kept = {*kept, str(10**9 + total)}


class WithDict:
    def __init__(self, value):
        self.value = value
        self.twice = [value, value]


class WithSlots:
    __slots__ = "value", "twice"
    __init__ = WithDict.__init__


def instances(rng):
    kind = rng.choice([WithDict, WithSlots])
    kept = []
    while True:
        yield
        assert all(
            each.twice == [i, i] == [each.value] * 2 for i, each in enumerate(kept)
        )
        kept.extend(kind(i) for i in range(len(kept), len(kept) + rng.randrange(50)))


def numbers(rng):
    floats = [float(i) / 7 for i in range(some_size(rng) % 2000)]
    power = 3 ** (some_size(rng) % 3000)
    while True:
        yield
        assert all(each * 7 - i < 1e-6 for i, each in enumerate(floats))
        assert (power * 3**50) // 3**50 == power
        floats = [each + 0.0 for each in floats]
        power *= 3


def tuples(rng):
    kept, depth = (), 0
    while True:
        yield
        each, found = kept, 0
        while each:
            each, found = each[1], found + 1
        assert found == depth
        for _ in range(rng.randrange(20)):
            kept, depth = (depth, kept, str(depth)), depth + 1


def generators(rng):
    kept = [
        (i, (each for each in range(i, i + 1000))) for i in range(some_size(rng) % 500)
    ]
    for step in range(1000):
        yield
        assert all(next(each) == i + step for i, each in kept)


def cycles(rng):
    def ring(size):
        first = last = {"number": 0}
        for number in range(1, size):
            last["next"] = last = {"number": number}
        last["next"] = first
        return first

    size = some_size(rng) % 300 + 1
    kept = ring(size)
    while True:
        yield
        each = kept
        for number in range(size):
            assert each["number"] == number
            each = each["next"]
        assert each is kept
        kept = ring(size)  # the old one is garbage for the collector


KINDS = [
    zeroes,
    texts,
    data,
    buffers,
    lists,
    dicts,
    sets,
    instances,
    numbers,
    tuples,
    generators,
    cycles,
]


class Soak:
    def __init__(self, seconds, seed):
        self.seed = seed
        self.end = time.monotonic() + seconds
        self.failures = []
        self.pool, self.lock = [], threading.Lock()
        self.made = self.checked = self.cycles = self.collections = 0

    def goes_on(self):
        return not self.failures and (
            time.monotonic() < self.end or self.cycles < CYCLES
        )

    def guarded(self, work, number):
        try:
            work(random.Random(f"{self.seed} {number}"))
        except BaseException:
            self.failures.append(traceback.format_exc())

    def take(self, rng):
        """An item of whichever thread, or None for a new one."""
        with self.lock:
            if len(self.pool) < POOL // 2 or (
                len(self.pool) < POOL and rng.random() < 0.3
            ):
                return None
            index = rng.randrange(len(self.pool))
            self.pool[index], self.pool[-1] = self.pool[-1], self.pool[index]
            return self.pool.pop()

    def work(self, rng):
        while self.goes_on():
            item = self.take(rng)
            if item is None:
                item = rng.choice(KINDS)(random.Random(rng.getrandbits(64)))
                self.made += 1
            elif rng.random() < 0.2:
                continue  # freed here, wherever it was made
            if next(item, "end") == "end":
                continue
            self.checked += 1
            with self.lock:
                self.pool.append(item)

    def control(self, rng):
        while self.goes_on():
            for _ in range(10):  # it waits long for its turn
                hakmem.uninstall()
                assert hakmem.installed() == ()
                kept = [object() for _ in range(rng.randrange(100))]
                hakmem.install()
                assert set(hakmem.installed()) == {"mem", "obj"}
                kept += [str(i) for i in range(rng.randrange(100))]
                self.cycles += 1
            name = hakmem.profile(rng.choice(["speed", "balanced", "lean"]))
            assert hakmem.profile() == name
            assert hakmem.trim() >= 0
            stats = hakmem.stats()
            assert stats["retained"] <= stats["footprint"] <= stats["footprint_peak"]
            in_slabs = sum(entry["live"] for entry in stats["classes"])
            assert in_slabs + stats["large_blocks"] == stats["live_blocks"]
            time.sleep(0.001)

    def collect(self, rng):
        while self.goes_on():
            gc.collect(rng.randrange(3))
            self.collections += 1
            time.sleep(0.02)

    def run(self):
        works = [self.work] * WORKERS + [self.control, self.collect]
        threads = [
            threading.Thread(target=self.guarded, args=(work, number))
            for number, work in enumerate(works)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def main(seconds=60, seed=None):
    seconds = float(seconds)
    seed = seed or random.randrange(10**6)
    faulthandler.enable()
    faulthandler.dump_traceback_later(
        4 * seconds + 60, exit=True
    )  # threads that wait for ever
    sys.setswitchinterval(0.0002)
    hakmem.install()
    before = hakmem.stats()["live_blocks"]

    soak = Soak(seconds, seed)
    soak.run()
    peak = hakmem.stats()["footprint_peak"]
    print(
        f"soak: {soak.made} items made, {soak.checked} checks, {soak.cycles} cycles of install and"
        f" uninstall, {soak.collections} collections, peak {peak >> 20} MiB, seed {seed}"
    )
    if soak.failures:
        sys.exit("\n".join(soak.failures))

    soak.pool.clear()
    gc.collect()
    left = hakmem.stats()["live_blocks"] - before
    hakmem.trim()
    footprint = hakmem.stats()["footprint"]
    print(f"soak: {left} blocks more than before, footprint {footprint >> 10} KiB")
    if left > 5000 or footprint > max(peak // 4, 4 << 20):
        sys.exit("soak: blocks or pages were not given back")


if __name__ == "__main__":
    main(*sys.argv[1:])
