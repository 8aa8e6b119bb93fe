"""Runs a Python program on hakmem: python -m hakmem [-q] script.py | -m module | -c code."""

import os
import sys
import types

USAGE = """\
usage: python -m hakmem [-q] script.py [args]
       python -m hakmem [-q] -m module [args]
       python -m hakmem [-q] -c code [args]
  -q  without the summary at exit"""


# Whether this version gives each module __main__ an empty __annotations__.
_HAS_ANNOTATIONS = "__annotations__" in globals()


def _summary():
    import hakmem

    stats, threads = hakmem.stats(), hakmem.thread_stats()
    both = {name: stats[name] + threads[name] for name in ("footprint", "footprint_peak", "live_blocks")}
    mib = 1024 * 1024
    print(
        f"hakmem {hakmem.version}, {hakmem.profile()}:"
        f" footprint {both['footprint'] / mib:.1f} MiB,"
        f" peak {both['footprint_peak'] / mib:.1f} MiB,"
        f" {both['live_blocks']} blocks alive, {stats['os_calls']['total']} OS calls",
        file=sys.stderr,
    )


def _fresh_main(**attributes):
    """Makes a module __main__ as the interpreter does; returns its namespace."""
    main = types.ModuleType("__main__")
    main.__dict__.update(__builtins__=sys.modules["builtins"], **attributes)
    if _HAS_ANNOTATIONS:
        main.__dict__["__annotations__"] = {}
    sys.modules["__main__"] = main
    return main.__dict__


def _run_code(code):
    sys.path[0] = ""
    exec(compile(code, "<string>", "exec"), _fresh_main())


def _run_module(name):
    import runpy

    sys.path[0] = os.getcwd()
    _fresh_main()
    runpy._run_module_as_main(name)


def _run_script(path):
    import pkgutil

    if pkgutil.get_importer(path) is not None:  # a directory or an archive
        import runpy

        sys.path[0] = path
        _fresh_main()
        runpy._run_module_as_main("__main__", alter_argv=False)
        return
    import importlib.machinery
    import io

    sys.path[0] = os.path.dirname(os.path.realpath(path))
    path = os.path.abspath(path)
    with io.open_code(path) as file:
        source = file.read()
    loader = importlib.machinery.SourceFileLoader("__main__", path)
    namespace = _fresh_main(__file__=path, __loader__=loader, __spec__=None)
    if sys.version_info < (3, 15):
        namespace["__cached__"] = None
    exec(compile(source, path, "exec"), namespace)


def _without_our_frames(traceback):
    while traceback and traceback.tb_frame.f_code.co_filename == __file__:
        traceback = traceback.tb_next
    return traceback


def _fail(error):
    """Ends the process as the interpreter does after an uncaught exception."""
    error = error.with_traceback(_without_our_frames(error.__traceback__))
    sys.excepthook(type(error), error, error.__traceback__)
    if isinstance(error, KeyboardInterrupt):
        import signal

        sys.stdout.flush()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    sys.exit(1)


def _usage_error():
    print(USAGE, file=sys.stderr)
    sys.exit(2)


def main(arguments):
    """Runs the command line; returns when the program has ended."""
    quiet = arguments[:1] == ["-q"]
    if quiet:
        arguments = arguments[1:]
    if arguments[:1] in (["-h"], ["--help"]):
        print(USAGE)
        return
    if arguments[:1] in (["-m"], ["-c"]):
        if len(arguments) < 2:
            _usage_error()
        run = _run_module if arguments[0] == "-m" else _run_code
        what, sys.argv = arguments[1], [arguments[0], *arguments[2:]]
    elif arguments and not arguments[0].startswith("-"):
        run, what, sys.argv = _run_script, arguments[0], arguments
    else:
        _usage_error()

    import hakmem
    from hakmem._begin import say

    try:
        hakmem.install()
    except RuntimeError as error:  # the program runs all the same
        say(error)
    if hakmem.installed() and not quiet:
        import atexit

        atexit.register(_summary)
    try:
        run(what)
    except OSError as error:
        if run is _run_script and error.filename == os.path.abspath(what) and _is_ours(error):
            # The interpreter names itself as it was called; which way, 3.9 does not tell.
            called = getattr(sys, "orig_argv", [sys.executable])[0]
            print(
                f"{called}: can't open file {os.path.abspath(what)!r}:"
                f" [Errno {error.errno}] {error.strerror}",
                file=sys.stderr,
            )
            sys.exit(2)
        _fail(error)
    except SystemExit:
        raise
    except BaseException as error:
        _fail(error)


def _is_ours(error):
    return _without_our_frames(error.__traceback__) is None


if __name__ == "__main__":
    main(sys.argv[1:])
