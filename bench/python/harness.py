"""Runs one program of the suites `python-churn` and `python`, and reports what it cost.

    [HAKMEM_PYTHON=1] python3 bench/python/harness.py SUITE NAME [SCALE]
    python3 bench/python/harness.py SUITE --list

SUITE is a folder beside this file, `churn` or `programs`. With HAKMEM_PYTHON=1 hakmem is
installed first, by its one import. Prints one line of JSON: the CPU time of run(SCALE)
in seconds, and the peak and final resident set of this process in KiB; with hakmem, the
number of system calls its heap made is added as "os_calls". A wrong result, an unknown program or a bad scale ends with a message on
stderr and exit status 1.

A program is a module with run(scale), which does the work, checks its own result, and
raises an exception if it is wrong. `scale` multiplies how often things are done; how
much is alive at once does not depend on it.
"""

import os
import sys
import time

if os.environ.get("HAKMEM_PYTHON") == "1":
    import hakmem

    hakmem.install()

FOLDER = __file__.rpartition("/")[0] or "."


def fail(message):
    sys.exit(f"harness.py: {message}")


def programs(suite):
    """The names of a suite's programs, in order."""
    try:
        files = os.listdir(f"{FOLDER}/{suite}")
    except OSError as error:
        fail(f"no suite {suite!r}: {error}")
    return sorted(file[:-3] for file in files if file.endswith(".py"))


def load(suite, name):
    """The program, in a module that can be found as an imported one would be."""
    module = type(sys)(f"bench_{name}")
    module.__file__ = f"{FOLDER}/{suite}/{name}.py"
    sys.modules[module.__name__] = module
    try:
        with open(module.__file__, encoding="utf-8") as file:
            source = file.read()
    except OSError:
        fail(f"unknown program {name!r}; known are: {', '.join(programs(suite))}")
    exec(compile(source, module.__file__, "exec"), module.__dict__)
    return module.run


def status_kib():
    """The peak and the present resident set. Read here, and not by the parent from
    rusage, because a process inherits its rusage peak over exec."""
    found = {}
    with open("/proc/self/status", encoding="ascii") as file:
        for line in file:
            name, _, value = line.partition(":")
            if name in ("VmHWM", "VmRSS"):
                found[name] = int(value.split()[0])
    return found["VmHWM"], found["VmRSS"]


def os_calls():
    """What hakmem's heap asked of the system, as a field of the report."""
    hakmem = sys.modules.get("hakmem")
    if hakmem is None or not hakmem.installed():
        return ""
    return f', "os_calls": {hakmem.stats()["os_calls"]["total"]}'


def main(suite, name, scale_text="1"):
    if name == "--list":
        print("\n".join(programs(suite)))
        return
    try:
        scale = float(scale_text)
    except ValueError:
        scale = 0.0
    if not 0 < scale <= 1000:
        fail(f"the scale must be a number above 0 and at most 1000, not {scale_text!r}")
    run = load(suite, name)
    start = time.process_time()
    run(scale)
    seconds = time.process_time() - start
    peak, end = status_kib()
    print(
        f'{{"case": "{name}", "time_s": {seconds:.3f}, "peak_rss_kib": {peak}, '
        f'"end_rss_kib": {end}{os_calls()}}}'
    )


if __name__ == "__main__":
    if not 2 <= len(sys.argv) - 1 <= 3:
        fail("usage: harness.py SUITE NAME [SCALE] | SUITE --list")
    main(*sys.argv[1:])
