"""Builds the extension module from core/, bindings/ and what SWIG makes of bindings/hakmem.i."""

import os
import re
import subprocess
import sys
from glob import glob
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, "bindings/python")
import interpreter

# Before setuptools, which a Python that is too old has not got (pyproject.toml).
if interpreter.refusal():
    sys.exit(interpreter.refusal())

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

VERSION = re.search(
    r'#define HAK_VERSION "(.*)"', Path("core/hakmem.h").read_text()
).group(1)


# In one piece, so that what the linker inlines does not depend on where it would cut; with a compiler
# that cannot, as it can.
LTO = ["-flto", "-flto-partition=one"], ["-flto"], []


class BuildWithSwig(build_ext):
    """As setuptools does it, but SWIG's output stays out of the sources, and link-time optimization is
    what the compiler and its linker take without a word."""

    def takes(self, flags):
        with TemporaryDirectory() as folder:
            source = Path(folder, "a.c")
            source.write_text("int main(void) { return 0; }\n")
            command = [*self.compiler.compiler, "-Werror", *flags, str(source), "-o", f"{folder}/a"]
            return subprocess.run(command, capture_output=True).returncode == 0

    def build_extension(self, extension):
        if interpreter.lacking():
            sys.exit(interpreter.lacking())
        lto = next(flags for flags in LTO if self.takes(flags))
        # Two folders give the same bytes: what is made does not tell where it was. Data for -flto have the
        # folder that is in PWD.
        os.environ["PWD"] = "/proc/self/cwd"
        no_paths = [f"-ffile-prefix-map={os.getcwd()}=."]
        extension.extra_compile_args += lto + (no_paths if self.takes(no_paths) else [])
        extension.extra_link_args += lto
        super().build_extension(extension)

    def swig_sources(self, sources, extension):
        made = []
        for source in sources:
            if source.endswith(".i"):
                wrapper = Path(self.build_temp, "hakmem_python_wrap.c")
                wrapper.parent.mkdir(parents=True, exist_ok=True)
                subprocess.run(
                    ["swig", "-python", "-Ibindings", "-outdir", str(wrapper.parent)]
                    + ["-o", str(wrapper), source],
                    check=True,
                )
                source = str(wrapper)
            made.append(source)
        return made


# Slabs of 16 KiB, and the alignment: docs/design.md, "CPython".
FLAGS = ["-DHAK_UNIT_SHIFT=14", "-falign-functions=32", "-std=gnu11", "-O2"]
FLAGS += ["-fvisibility=hidden", "-fno-semantic-interposition"]

setup(
    version=VERSION,
    cmdclass={"build_ext": BuildWithSwig},
    ext_modules=[
        Extension(
            "hakmem._hakmem",
            sources=["bindings/hakmem.i", "bindings/control.c", "bindings/control_threads.c"]
            + sorted(glob("bindings/python/*.c") + glob("core/*/*.c")),
            depends=["bindings/module.map"]
            + glob("core/*.h")
            + glob("core/*/*.h")
            + glob("bindings/*.h")
            + glob("bindings/python/*.[hi]"),
            include_dirs=["core", "bindings", "bindings/python"],
            extra_compile_args=FLAGS,
            extra_link_args=["-O2", "-pthread", "-Wl,-z,nodelete"]
            + ["-Wl,--version-script=bindings/module.map"],
            libraries=["dl"],
        )
    ],
)
