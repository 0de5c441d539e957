"""Build the kernels: one library for each instruction set, and the binding that Python imports (`src/morered/models/native`).

Where they cannot be built (no C++ compiler, no headers of Python), the installation goes on without them, and PyTorch computes.
"""

from __future__ import annotations

import copy
import os
import platform
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError

try:
    import nanobind
except ModuleNotFoundError:  # an installation without build isolation
    nanobind = None

NATIVE = Path("src/morered/models/native")
#: Flags of each instruction set; `instruction_sets` in library.h asks the CPU for the same.
SETS = {"baseline": []}
if platform.machine() in ("x86_64", "AMD64"):
    SETS["avx2"] = ["-mavx2", "-mfma"]
    SETS["avx512"] = [*SETS["avx2"], "-mavx512f", "-mavx512vl", "-mavx512dq", "-mavx512bw"]
COMMON = ["-std=c++17", "-g0", "-fvisibility=hidden"]
FAST = ["-O3", "-fstrict-overflow", "-fno-math-errno", "-fno-trapping-math"]
#: One binding for every Python from 3.12 on; builds without the global lock have no stable interface yet.
STABLE = not sysconfig.get_config_var("Py_GIL_DISABLED")
#: Seconds after which a compiler hangs; the longest call takes about ten.
PATIENCE = 600


def extensions() -> list[Extension]:
    """What to build; nothing is imported from the libraries, but they lie beside the binding and are named like it."""
    headers = [str(path) for path in sorted(NATIVE.glob("*.h"))]
    symbolic = ["-Wl,-Bsymbolic"] if platform.system() == "Linux" else []  # no set of kernels calls what another one compiled
    found = [
        Extension(
            f"morered.models.native.kernels_{name}",
            [str(NATIVE / "kernels.cpp")],
            define_macros=[("INSTRUCTION_SET", f'"{name}"')],
            extra_compile_args=[*COMMON, *FAST, *flags],
            extra_link_args=symbolic,
            depends=headers,
            language="c++",
            optional=True,
            py_limited_api=STABLE,
        )
        for name, flags in SETS.items()
    ]
    root = Path(nanobind.__file__).parent
    found.append(
        Extension(
            "morered.models.native.binding",
            [str(NATIVE / "binding.cpp"), str(NATIVE / "nanobind.cpp")],
            include_dirs=[str(root / part) for part in ("include", "ext/robin_map/include", "src")],
            define_macros=[("NB_COMPACT_ASSERTIONS", None), *([("Py_LIMITED_API", "0x030C0000")] if STABLE else [])],
            extra_compile_args=[*COMMON, "-Os", "-fno-strict-aliasing", "-ffunction-sections", "-fdata-sections"],
            extra_link_args=["-Wl,--gc-sections"] if platform.system() == "Linux" else ["-Wl,-undefined,dynamic_lookup"],
            depends=headers,
            language="c++",
            optional=True,
            py_limited_api=STABLE,
        )
    )
    return found


class Build(build_ext):
    """Build side by side, and stop a compiler that hangs."""

    def finalize_options(self) -> None:
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def build_extensions(self) -> None:
        self.compiler.spawn = spawn
        super().build_extensions()

    def build_extension(self, ext: Extension) -> None:
        own = copy.copy(self)  # several libraries are made from one source: each has a folder for its objects
        own.build_temp = os.path.join(self.build_temp, ext.name.rpartition(".")[2])
        super(Build, own).build_extension(ext)


def spawn(command: list[str], **_: object) -> None:
    """Run the compiler."""
    try:
        subprocess.run(command, check=True, timeout=PATIENCE)
    except (OSError, subprocess.SubprocessError) as error:
        raise CompileError(f"{shlex.join(map(str, command[:1]))}: {error}") from error


if __name__ == "__main__":
    if nanobind is None:
        print("morered: nanobind is not installed, so there will be no kernels, and PyTorch computes", file=sys.stderr)
    setup(
        ext_modules=extensions() if nanobind is not None else [],
        cmdclass={"build_ext": Build},
        options={"bdist_wheel": {"py_limited_api": "cp312"}} if STABLE and nanobind is not None else {},
    )
