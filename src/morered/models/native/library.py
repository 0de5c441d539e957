"""Open the compiled kernels that this machine runs best, and share their work among threads."""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.dlpack import to_dlpack

FOLDER = Path(__file__).parent
#: Environment variable that names an instruction set to use, or "none" to compute with PyTorch alone.
CHOICE = "MORERED_KERNELS"


class Unavailable(RuntimeError):
    """There are no kernels for this machine; the message says why and what to do."""


@functools.cache
def load(name: str | None = None) -> Any:
    """The kernels of an instruction set, as `binding.cpp` describes them.

    Parameters
    ----------
    name : str, optional
        "baseline", "avx2" or "avx512"; by default what MORERED_KERNELS names, else the best that is here.

    Returns
    -------
    binding.Library
        Its functions take what `arrays` makes of tensors, or NumPy's arrays. They refuse wrong ones: with a TypeError for
        number, element type or gaps in memory, with a ValueError for shapes.

    Raises
    ------
    Unavailable
        If the kernels were not built, or the machine lacks the instruction set.
    """
    name = name or os.environ.get(CHOICE) or None  # an empty variable is none
    if name == "none":
        raise Unavailable(f"{CHOICE} is none")
    native, usable = binding(), available()
    if not usable or name not in (None, *usable):
        here = f"there are kernels for {', '.join(usable)}" if usable else "there are none"
        raise Unavailable(f"there are no kernels for {name or 'this machine'} that it can run ({here})")
    name = name or usable[0]
    try:
        return native.Library(str(_file(f"kernels_{name}")))
    except RuntimeError as error:
        raise Unavailable(f"the kernels cannot be opened: {error}; {_REMEDY}") from error


def available() -> list[str]:
    """Names of the instruction sets that kernels were built for and this machine runs, best first."""
    return [name for name in binding().instruction_sets() if _file(f"kernels_{name}") is not None]


@functools.cache
def binding() -> Any:
    """The compiled module.

    Raises
    ------
    Unavailable
        If it was not built.
    """
    try:
        return importlib.import_module("morered.models.native.binding")
    except ImportError as error:
        if _file("binding") is None:
            raise Unavailable(f"the compiled kernels are not installed; {_REMEDY}") from error
        raise Unavailable(f"the compiled kernels cannot be imported: {error}; {_REMEDY}") from error


_REMEDY = "install morered's wheel, or a C++ compiler and the headers of Python (python3-dev) and then morered again"


def _file(name: str) -> Path | None:
    """A compiled file of this package, which was built for this Python."""
    return next((path for suffix in EXTENSION_SUFFIXES if (path := FOLDER / f"{name}{suffix}").is_file()), None)


def arrays(*tensors: Tensor | None) -> list[Any]:
    """Tensors as what one call of a kernel takes; a capsule of DLPack serves once."""
    return [None if tensor is None else to_dlpack(tensor) for tensor in tensors]


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
