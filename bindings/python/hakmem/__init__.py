"""hakmem: a memory allocator for CPython's objects.

    import hakmem
    hakmem.install()

From then on, new objects and buffers come from a heap of hakmem. Existing
blocks stay with the allocator that they came from. The functions may be called
from any thread of the main interpreter; they hold the GIL.
"""

import gc as _gc
import os as _os
import sys as _sys

if "_hakmem" in _sys.builtin_module_names:  # the program that embeds Python contains hakmem
    import _hakmem
else:
    from . import _hakmem

__all__ = [
    "build",
    "configure",
    "heap_map",
    "heap_name",
    "install",
    "installed",
    "limit",
    "observations",
    "observations_json",
    "observe",
    "observing",
    "openmetrics",
    "options",
    "prewarm",
    "process_stats",
    "process_stats_json",
    "profile",
    "stats",
    "stats_json",
    "thread_configure",
    "thread_heap_map",
    "thread_profile",
    "thread_stats",
    "thread_stats_json",
    "thread_trim",
    "trace",
    "trim",
    "uninstall",
    "using_profile",
    "version",
]

version = _hakmem.version
build = _hakmem.build
__version__ = version

_DOMAINS = {"mem": 1, "obj": 2, "raw": 4}
_PROFILES = tuple(_hakmem.profile_names().split(", "))
_ALIASES = ("MIXED_TINYV3_C7_SAFE", "MIXED_TINYV3_C7_BALANCED")


def _domain_bits(domains):
    bits = 0
    for domain in (domains,) if isinstance(domains, str) else domains:
        if domain not in _DOMAINS:
            raise ValueError(f"unknown domain {domain!r}, accepted are: {', '.join(_DOMAINS)}")
        bits |= _DOMAINS[domain]
    if not bits:
        raise ValueError(f"no domain given, accepted are: {', '.join(_DOMAINS)}")
    return bits


def _check_profile(name):
    if name is not None and name not in _PROFILES + _ALIASES:
        accepted = ", ".join(_PROFILES)
        if build == "fast":
            accepted += ", to which the profile of this build is fixed"
        raise ValueError(f"unknown profile {name!r}, accepted are: {accepted}")


def _check_limit(bytes):
    if not isinstance(bytes, int) or isinstance(bytes, bool):
        raise TypeError(f"limit must be an int of bytes, not {type(bytes).__name__}")
    if not 0 <= bytes <= _hakmem.size_max:
        raise ValueError(
            f"limit must be from 0 (no limit) to 2**53 bytes, not {bytes}"
        )


_previous_getallocatedblocks = _sys.getallocatedblocks


def _getallocatedblocks():
    """Return the number of memory blocks currently allocated, by hakmem and others."""
    return _previous_getallocatedblocks() + _hakmem.live_blocks()


_previous_debugmallocstats = _sys._debugmallocstats


def _debugmallocstats():
    """Print information to stderr about free lists and hakmem's size classes."""
    from . import _mallocstats

    _previous_debugmallocstats()
    _mallocstats.write(stats(), _hakmem.slab_block_max)


def install(domains=None, profile=None, limit=None):
    """Take over CPython's allocation domains.

    domains: "obj" (objects), "mem" (buffers), "raw" (what CPython needs without the
        GIL: from a heap for each thread, beside limit and stats()); one or several. By
        default "obj" and "mem". In a free-threaded CPython "obj" cannot be taken, "mem" is
        like "raw", and these two are the default.
    profile: "speed", "balanced", "lean" or "custom"; by default the environment's
        HAKMEM_PROFILE, else "balanced".
    limit: bytes that the heap's pages may take, at least 65536; 0 for no limit.

    Returns True if a domain was taken over, False if all of them were before. A
    profile and a limit that are given take effect in both cases.

    Raises ValueError for a wrong argument or a limit below the bytes in use.
    Raises RuntimeError with the reason if hakmem cannot be installed safely.
    After an error nothing has changed.
    """
    bits = 0 if domains is None else _domain_bits(domains)
    _check_profile(profile)
    if limit is not None:
        _check_limit(limit)
    anew = _hakmem.install(bits, profile, limit or 0)
    if limit == 0:
        _hakmem.limit(0)
    if _hakmem.after_collection not in _gc.callbacks:
        _gc.callbacks.append(_hakmem.after_collection)
    _sys.getallocatedblocks = _getallocatedblocks
    _sys._debugmallocstats = _debugmallocstats
    return anew


def uninstall():
    """Let new blocks come from the previous allocators again.

    Blocks of hakmem are still recognized and freed in its heap.
    """
    _hakmem.uninstall()
    if _hakmem.after_collection in _gc.callbacks:
        _gc.callbacks.remove(_hakmem.after_collection)


def installed():
    """Return the domains taken over, as a tuple; empty if there are none."""
    bits = _hakmem.installed()
    return tuple(name for name, bit in _DOMAINS.items() if bits & bit)


def stats():
    """Return a snapshot of the heap as a dict; the reference has each entry and its unit.

    Before any install() all numbers are 0, and the lists of classes and kinds are empty.
    """
    return _hakmem.stats() if _hakmem.has_heap() else _hakmem.empty_stats()


def stats_json():
    """Return the snapshot as JSON text. Before any install() all numbers are 0."""
    if _hakmem.has_heap():
        return _hakmem.stats_json()
    from json import dumps

    return dumps(stats())


def process_stats():
    """Return statistics of all heaps of the process, and of the process itself, as a dict."""
    return _hakmem.process_stats()


def process_stats_json():
    """Return process_stats() as JSON text."""
    return _hakmem.process_stats_json()


def profile(name=None):
    """Switch to a profile, if a name is given; return the name of the current one.

    Raises ValueError for an unknown name; then nothing has changed. Before any
    install(), returns the profile that install() would use, and raises RuntimeError
    for a switch.
    """
    if name is None:
        return _hakmem.profile() if _hakmem.has_heap() else options()["profile"]["value"]
    _check_profile(name)
    return _hakmem.profile(name)


def _as_text(settings):
    return " ".join(
        f"{name}={int(value) if isinstance(value, bool) else value}"
        for name, value in settings.items()
    )


def configure(**settings):
    """Refine the heap's profile. It is called "custom" from then on.

    settings: options of options() by name, such as retain_least=1 << 20 or
        decommit="OFF"; bytes may be text too, such as "64k".

    Raises ValueError for a name or a value that is not accepted; then nothing has
    changed.
    """
    _hakmem.configure(_as_text(settings))


def options():
    """Return every option with the value in effect: a dict of dicts, by name.

    Entries: the variable of the environment, which is read once; type; range; help;
    value; and its origin: "default", "profile", "environment", "heap" or "build".
    """
    return {each.pop("name"): each for each in _hakmem.options()}


class using_profile:
    """Use a profile for the duration of a with statement."""

    # Without contextlib: importing it takes longer than all of hakmem's imports.

    def __init__(self, name):
        _check_profile(name)
        self._name = name

    def __enter__(self):
        self._before = profile()
        profile(self._name)

    def __exit__(self, *exception):
        profile(self._before)


def limit(bytes=None):
    """Set the limit in bytes (0: none), if one is given; return the limit.

    An allocation that would pass the limit raises MemoryError. Raises ValueError if
    more bytes are in use already. Before any install() there is no limit, and
    setting one raises RuntimeError.
    """
    if bytes is None:
        return _hakmem.limit() if _hakmem.has_heap() else 0
    _check_limit(bytes)
    return _hakmem.limit(bytes)


def prewarm(bytes):
    """Touch bytes of memory ahead of use and retain them until a trim; return how many."""
    _check_limit(bytes)
    return _hakmem.prewarm(bytes)


def trim():
    """Return all pages without a block to the OS; return how many bytes.

    Before any install() it returns 0.
    """
    return _hakmem.trim() if _hakmem.has_heap() else 0


def thread_stats():
    """Return statistics of the heaps of threads, summed, as a dict.

    These hold the "raw" domain, if it was taken over, and what malloc returns, if
    the program runs under `hakmem run`. No install() is needed.
    """
    return _hakmem.thread_stats()


def thread_stats_json():
    """Return thread_stats() as JSON text."""
    return _hakmem.thread_stats_json()


def thread_trim():
    """Return all pages without a block in the heaps of threads to the OS; return how many bytes."""
    return _hakmem.thread_trim()


def thread_profile(name=None):
    """Switch the heaps of all threads to a profile, if a name is given; return the name of theirs.

    Raises ValueError for an unknown name; then nothing has changed.
    """
    if name is None:
        return _hakmem.thread_profile()
    _check_profile(name)
    return _hakmem.thread_profile(name)


def thread_configure(**settings):
    """Refine the profile of the heaps of all threads, as configure() does that of the interpreter's."""
    _hakmem.thread_configure(_as_text(settings))


def thread_heap_map(path):
    """Write a picture of each heap of a thread to a file: a self-contained page of HTML."""
    _hakmem.thread_heap_map(_writable(path))


def heap_name():
    """Return the name of the heap in statistics, "python"."""
    return _hakmem.heap_name() if _hakmem.has_heap() else "python"


def _metrics():
    """The statistics of the heap, of the process and of thread heaps, each with the list of its fields;
    and a dict of version, build, profile and whether hakmem is installed."""
    about = {"version": version, "build": build, "profile": profile()}
    about["installed"] = bool(installed())
    heap, process = (stats(), _hakmem.fields()), (process_stats(), _hakmem.process_fields())
    return heap, process, (thread_stats(), _hakmem.thread_fields()), about


def _writable(path):
    """The path as text, after emptying the file; OSError if it cannot be written."""
    path = _os.fspath(path)
    with open(path, "wb"):
        pass
    return path


def heap_map(path):
    """Write a picture of the heap to a file: a self-contained page of HTML."""
    _hakmem.heap_map(_writable(path))


def observe(on=True):
    """Begin to count and trace every allocation, from zero, or end it; return whether it was on.

    It exchanges the functions that CPython calls: an unobserved heap counts nothing.
    """
    if not isinstance(on, bool):
        raise TypeError(f"observe takes True or False, not {type(on).__name__}")
    return _hakmem.observe(on)


def observing():
    """Return whether the heap is observed; False before any install()."""
    return _hakmem.has_heap() and _hakmem.observing()


def observations():
    """Return what was counted since observing began, as a dict; see the reference.

    Raises ValueError before any observe(), RuntimeError before any install().
    """
    return _hakmem.observations()


def observations_json():
    """Return observations() as JSON text."""
    return _hakmem.observations_json()


def trace(path):
    """Write the last events of the observed heap to a file, as CSV."""
    _hakmem.observing()  # raises before the file is emptied
    _hakmem.trace(_writable(path))


def openmetrics(labels=None):
    """Return the statistics of the heap and of the process as OpenMetrics text.

    labels: a dict for every sample, such as {"worker": "3"}, to distinguish workers.

    Raises ValueError for a name that is not accepted, TypeError if labels is not a
    dict of text. If hakmem is not installed, its numbers and hakmem_installed are 0.
    """
    from . import _openmetrics

    return _openmetrics.text(_metrics(), _openmetrics.check_labels(labels))
