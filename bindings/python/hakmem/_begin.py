"""Installs hakmem at the start of an interpreter. The file of hakmem.startup calls begin().

In its own module, so that `python -m hakmem.startup` finds hakmem.startup not imported yet.
"""

import os as _os
import sys as _sys

ON = ("1", "yes", "on", "true", "force")
OFF = ("", "0", "no", "off", "false")

# Values of PYTHONMALLOC that name no allocator.
_NO_ALLOCATOR = ("", "default", "debug")


def say(why):
    """Tells why the program runs without hakmem, in one line on stderr."""
    # A program without a console has no stderr.
    if _sys.stderr is not None:
        print("hakmem: not installed:", why, file=_sys.stderr)


def _reason_not_to(switch):
    """Why the environment asks not to install hakmem; None if it does not."""
    if switch not in ON:
        return (
            f"HAKMEM_PYTHON is {switch[:40]!r}, accepted are {', '.join(ON)}"
            f" and {', '.join(OFF[1:])}"
        )
    allocator = _os.environ.get("PYTHONMALLOC", "")
    if switch != "force" and allocator not in _NO_ALLOCATOR:
        return (
            f"PYTHONMALLOC={allocator} chooses another allocator;"
            " HAKMEM_PYTHON=force installs hakmem all the same"
        )
    return None


def begin():
    """Installs hakmem, once for all interpreters. A reason not to is one line on stderr.

    Does nothing if HAKMEM_PYTHON is off or Python ignores the environment (-E, -I). To be called
    from the main interpreter, at its start. Raises nothing.
    """
    switch = _os.environ.get("HAKMEM_PYTHON", "1").strip().lower()
    if _sys.flags.ignore_environment or switch in OFF:
        return
    from . import install, installed

    try:
        if installed():
            return
        reason = _reason_not_to(switch)
        if reason is None:
            install()
    except (RuntimeError, ValueError) as error:
        reason = error
    if reason is not None:
        say(reason)
