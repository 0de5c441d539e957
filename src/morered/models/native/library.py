"""Compile `kernels.cpp`, once per machine, and call it."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ctypes import c_double, c_float, c_int64, c_void_p
from pathlib import Path

import torch

from morered.files import atomic_path

FOLDER = Path(__file__).parent
SOURCE = FOLDER / "kernels.cpp"
FLAGS = ("-O3", "-std=c++17", "-fno-math-errno", "-fno-trapping-math", "-fPIC", "-shared")
#: Flags for this machine, the first that the compiler takes: not every Clang knows "native" on ARM, where all CPUs have NEON.
MACHINE = ("-mcpu=native", None) if platform.machine() in ("arm64", "aarch64") else ("-march=native",)

#: Arguments of each kernel: P pointers (null for None), I integers, F floats, D doubles.
_SIGNATURES = {
    "find_pairs": "PPIFPP",
    "describe_pairs": "PPIFFPPIIPPPP",
    "pack_weight": "PPIIP",
    "unpack_weight": "PIIPP",
    "message_forward": "PII" + "P" * 6,
    "message_backward": "PII" + "P" * 9,
    "message_backward_twice": "PII" + "P" * 13,
    "mix_in": "IIIIF" + "P" * 4,
    "mix_in_backward": "IIII" + "P" * 7,
    "mix_in_backward_twice": "IIII" + "P" * 10,
    "mix_out": "III" + "P" * 7,
    "mix_out_backward": "III" + "P" * 8,
    "mix_out_backward_twice": "III" + "P" * 13,
    "pack_product": "PIIIIP",
    "infer": "PIIII" + "P" * 7,
    "represent_forward": "PPIII" + "P" * 3,
    "represent_backward": "PPIII" + "P" * 6,
    "lbfgs_direction": "IIIIIID" + "P" * 5,
    "mix": "IIIIIIDD" + "P" * 8,
    "silu": "IPP",
    "silu_backward": "IPPP",
    "silu_backward_twice": "IPPPPP",
}


class Unavailable(RuntimeError):
    """The kernels cannot be compiled here; the message says why."""


@functools.cache
def load() -> ctypes.CDLL:
    """The compiled kernels, compiling them if this machine has not done so before.

    Raises
    ------
    Unavailable
        If there is no C++ compiler or it fails.
    """
    compiler = find_compiler()
    if compiler is None:
        raise Unavailable("there is no C++ compiler (c++, g++, clang++, or the one that CXX names)")
    sources = (file.read_text() for file in sorted((*FOLDER.glob("*.cpp"), *FOLDER.glob("*.h"))))
    key = hashlib.sha256("\0".join((*sources, *FLAGS, str(MACHINE), compiler, _machine())).encode()).hexdigest()[:20]
    path = _folder() / f"kernels-{key}.so"
    if not path.is_file():
        if sys.stderr.isatty():
            print("compiling the kernels for this machine, once: about ten seconds", file=sys.stderr)
        with atomic_path(path) as temporary:
            _compile(compiler, temporary)
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise Unavailable(f"the compiled kernels cannot be loaded: {error}") from error
    types = {"P": c_void_p, "I": c_int64, "F": c_float, "D": c_double}
    for name, signature in _SIGNATURES.items():
        function = getattr(library, name)
        function.argtypes = [types[letter] for letter in signature]
        function.restype = c_int64 if name == "find_pairs" else None
    return library


def _compile(compiler: str, out: Path) -> None:
    for machine in MACHINE:
        flags = FLAGS if machine is None else (*FLAGS, machine)
        run = subprocess.run([compiler, *flags, "-o", out, SOURCE], capture_output=True, text=True, check=False)
        if not run.returncode:
            return
    raise Unavailable(f"{compiler} fails: {run.stderr.strip()[-500:]}")


def find_compiler() -> str | None:
    """The C++ compiler to use, as CXX says or as found; None where there is none."""
    return os.environ.get("CXX") or next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)


def parallel(work: Callable[[int, int, int], None], n: int, grain: int) -> None:
    """Call ``work(thread, start, stop)`` for parts of 0..n in PyTorch's number of threads, each at least ``grain`` long."""
    count = threads(n, grain)
    if count == 1:
        work(0, 0, n)
        return
    edges = [n * k // count for k in range(count + 1)]
    # kernels release the interpreter's lock, so threads of Python run side by side
    for future in [_pool().submit(work, k, edges[k], edges[k + 1]) for k in range(count)]:
        future.result()


def threads(n: int, grain: int) -> int:
    """How many threads `parallel` takes."""
    return max(1, min(torch.get_num_threads(), n // grain))


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=os.cpu_count(), thread_name_prefix="kernels")


def _folder() -> Path:
    """Where compiled kernels are kept: MORERED_CACHE, or morered in the user's cache folder, or a temporary one."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "morered"
    folder = Path(os.environ.get("MORERED_CACHE") or default)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except OSError:
        pass
    return Path(tempfile.gettempdir()) / f"morered-{os.getuid()}"


def _machine() -> str:
    """What `-march=native` depends on: machines of a cluster may share a home folder."""
    lines = []
    if (cpuinfo := Path("/proc/cpuinfo")).is_file():
        wanted = ("model name", "flags", "Features", "CPU part")
        lines = sorted({line for line in cpuinfo.read_text().splitlines() if line.startswith(wanted)})
    return "\0".join((platform.system(), platform.machine(), platform.processor(), *lines))
