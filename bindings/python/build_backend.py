"""The build backend: setuptools, and SWIG as a build requirement where the system has none."""

import shutil
import sys

import interpreter

# Before setuptools, which a Python that is too old has not got (pyproject.toml).
if interpreter.refusal():
    sys.exit(interpreter.refusal())

from setuptools import build_meta
from setuptools.build_meta import (
    build_editable,
    build_sdist,
    build_wheel,
    get_requires_for_build_sdist,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

# The hooks of PEP 517 and PEP 660.
__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

_SWIG = [] if shutil.which("swig") else ["swig>=4.0"]


def get_requires_for_build_wheel(config_settings=None):
    return build_meta.get_requires_for_build_wheel(config_settings) + _SWIG


def get_requires_for_build_editable(config_settings=None):
    return build_meta.get_requires_for_build_editable(config_settings) + _SWIG
