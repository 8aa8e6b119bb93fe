"""Whether hakmem can be built for the Python that runs this file. Prints what make has to know of it: the
version, the end of a module's name, and the folder of the headers. Otherwise prints the reason and what
to do, in one line, with status 1.

Every Python can read it, also 2.7, so that those that are too old are told."""

import os
import platform
import sys
import sysconfig


def refusal():
    """Why this Python is none for hakmem; empty if it is one."""
    this = "%s %s (%s)" % (platform.python_implementation(), platform.python_version(), sys.executable)
    if platform.python_implementation() != "CPython" or sys.version_info < (3, 9):
        return "hakmem needs CPython 3.9 or later, and this is %s: use another, as PYTHON=python3.11 " \
            "with make, or python3.11 -m pip" % this
    return ""


def lacking():
    """What this Python lacks for compiling; empty if nothing."""
    header = os.path.join(sysconfig.get_path("include"), "Python.h")
    if os.path.exists(header):
        return ""
    return "hakmem needs Python's headers, and there is no %s: install them (Debian, Ubuntu: " \
        "python%d.%d-dev; Fedora: python3-devel; Alpine: python3-dev)" % ((header,) + sys.version_info[:2])


if __name__ == "__main__":
    reason = refusal() or lacking()
    if reason:
        sys.exit(reason)
    free_threaded = "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
    facts = (free_threaded, sysconfig.get_config_var("EXT_SUFFIX"), sysconfig.get_path("include"))
    sys.stdout.write("%d.%d%s %s %s\n" % (sys.version_info[:2] + facts))
