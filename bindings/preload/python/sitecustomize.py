"""Installs hakmem in each Python under `hakmem run`, which puts this folder into PYTHONPATH.

Then the environment's own sitecustomize takes its place, and the folder leaves sys.path: the
program sees neither.
"""

import importlib
import os
import sys


def _begin():
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [each for each in sys.path if not each or os.path.abspath(each) != here]
    try:
        from hakmem._begin import begin
    except ImportError:  # this Python has no hakmem, or an interpreter with its own GIL may not import it
        pass
    else:
        begin()
    me = sys.modules.pop("sitecustomize", None)
    try:
        importlib.import_module("sitecustomize")
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
    finally:
        sys.modules.setdefault("sitecustomize", me)


_begin()
