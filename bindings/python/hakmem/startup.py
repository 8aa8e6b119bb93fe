"""Switches hakmem on for programs whose command line cannot be changed.

    python -m hakmem.startup enable|disable|status

`enable` places a file in this environment's site-packages that installs hakmem
at the start of every Python of it, if HAKMEM_PYTHON=1 is in the environment;
otherwise it does nothing but look.
"""

import os
import sys

NAME = "hakmem-startup.pth"
# What the file runs, for every interpreter of a process, and once in each: in a
# venv, site reads the file twice. The extension module cannot be imported in those
# with a GIL of their own; the first has done it.
PROGRAM = """\
import sys
if not hasattr(sys, "_hakmem_startup"):
    sys._hakmem_startup = True
    try:
        from hakmem.startup import begin
    except ImportError as error:
        if "subinterpreters" not in str(error):
            print("hakmem: not installed:", error, file=sys.stderr)
    else:
        begin()
"""
LINE = (
    "import os; os.environ.get('HAKMEM_PYTHON') == '1'"
    f" and exec({PROGRAM!r}, {{}})\n"
)


def begin():
    """Installs hakmem, once for all interpreters; a reason not to is one line on stderr."""
    from . import install, installed

    try:
        if not installed():
            install()
    except (RuntimeError, ValueError) as error:
        print("hakmem: not installed:", error, file=sys.stderr)


def _path():
    import sysconfig  # here, since begin() should not pay for it

    return os.path.join(sysconfig.get_path("purelib"), NAME)


def enable():
    """Places the file; returns its path."""
    with open(_path(), "w", encoding="ascii") as file:
        file.write(LINE)
    return _path()


def disable():
    """Removes the file; returns whether there was one."""
    try:
        os.remove(_path())
    except FileNotFoundError:
        return False
    return True


def status():
    """Whether the file is there."""
    return os.path.exists(_path())


def main(arguments):
    """The command; returns the exit status."""
    actions = ("enable", "disable", "status")
    if len(arguments) != 1 or arguments[0] not in actions:
        print("usage: python -m hakmem.startup enable|disable|status", file=sys.stderr)
        return 2
    try:
        if arguments[0] == "enable":
            print(f"enabled: {enable()} (takes effect where HAKMEM_PYTHON=1 is set)")
        elif arguments[0] == "disable":
            print("disabled" if disable() else "was not enabled")
        else:
            variable = os.environ.get("HAKMEM_PYTHON", "not set")
            print("enabled" if status() else "not enabled", f"HAKMEM_PYTHON: {variable}", sep=", ")
    except OSError as error:
        print(f"hakmem: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
