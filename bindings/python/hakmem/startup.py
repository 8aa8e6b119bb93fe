"""Switches hakmem on for programs whose command line cannot be changed.

    python -m hakmem.startup enable|disable|status

`enable` places a file in the site-packages of this environment. At the start of
each Python of the environment, the file installs hakmem if HAKMEM_PYTHON=1 is
set. Otherwise it only reads the variable.

If PYTHONMALLOC names an allocator, that one is used, after one line on stderr;
HAKMEM_PYTHON=force installs hakmem all the same. Python's -E and -I ignore the
variable, as they ignore PYTHONMALLOC.
"""

import os
import sys

from ._begin import begin

__all__ = ["LINE", "NAME", "PROGRAM", "begin", "disable", "enable", "main", "status"]

NAME = "hakmem-startup.pth"
# The program of the file. Every interpreter of a process runs it once: in a venv,
# site reads the file twice. Interpreters with their own GIL cannot import the
# extension module, but the first one has installed hakmem. Nothing is imported if
# hakmem is switched off. A misspelt name of the variable is reported, since it would
# have no effect otherwise.
PROGRAM = """\
import os, sys
def say(*why):
    if sys.stderr is not None:
        print("hakmem: not installed:", *why, file=sys.stderr)
if not hasattr(sys, "_hakmem_startup"):
    sys._hakmem_startup = True
    switch = os.environ.get("HAKMEM_PYTHON")
    if switch is None:
        for name in os.environ:
            if name.startswith(("HAKMEM_PY", "HAKMEM_PT")) or sorted(name) == sorted("HAKMEM_PYTHON"):
                say(name, "is no variable, the nearest is HAKMEM_PYTHON")
    elif switch.strip().lower() not in ("", "0", "no", "off", "false"):
        try:
            from hakmem._begin import begin
        except ImportError as error:
            if "subinterpreters" not in str(error):
                say(error)
        else:
            begin()
"""
LINE = (
    "import os, sys; not sys.flags.ignore_environment"
    " and any(name[:7] == 'HAKMEM_' for name in os.environ)"
    f" and exec({PROGRAM!r}, {{}})\n"
)


def _path():
    import sysconfig  # not at the top: begin() should not pay for it

    return os.path.join(sysconfig.get_path("purelib"), NAME)


def enable():
    """Places the file; returns its path. OSError if it cannot be written."""
    with open(_path(), "w", encoding="ascii") as file:
        file.write(LINE)
    return _path()


def disable():
    """Removes the file; returns whether there was one. OSError if it cannot be removed."""
    try:
        os.remove(_path())
    except FileNotFoundError:
        return False
    return True


def status():
    """Whether the file exists."""
    return os.path.exists(_path())


def _is_ours():
    """Whether the file is as enable() would write it now."""
    with open(_path(), encoding="ascii", errors="replace") as file:
        return file.read() == LINE


def _status_text():
    if not status():
        return "not enabled"
    return "enabled" if _is_ours() else "enabled by another version of hakmem (enable again)"


def main(arguments):
    """Runs the command; returns the exit status."""
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
            print(_status_text(), f"HAKMEM_PYTHON: {variable}", sep=", ")
    except OSError as error:
        print(f"hakmem: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
