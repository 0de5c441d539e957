"""Inputs that networks are judged on, and the minima that they fall into, as one small file that ships with the package.

The file is an `archive`. Inputs and minima of the frozen test molecules, and of the validation molecules that settings are chosen
on, are one file each in the format of `compact`, by the names in `PARTS`.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from morered.datasets.organic import archive, choice, compact, tested
from morered.resumable import Built

FORMAT = "morered organic tests 1"
#: What the file holds, each as `tested.build` makes it: inputs under ``tests.inputs``, their minima under ``tests.minima``, ...
PARTS = ("tests.inputs", "tests.minima", "validation.inputs", "validation.minima")


def file() -> Path:
    """The file of the package."""
    return Path(str(files("morered.datasets") / "data/organic_tests.zip"))


def write(path: str | os.PathLike[str], parts: Mapping[str, Built]) -> None:
    """Write what `tested.build` made at its default settings, by the names in `PARTS`; equal ones give equal bytes."""
    made = {"version": tested.VERSION, "molecules": choice.TESTS_SHA256}
    packed = ((f"{name}.zip", compact.packed(parts[name]), zipfile.ZIP_STORED) for name in PARTS)
    archive.write(path, FORMAT, made, packed)


def about(path: str | os.PathLike[str] | None = None) -> dict[str, Any]:
    """How inputs and minima were made.

    Raises
    ------
    ValueError
        If the file is none of these.
    """
    return archive.about(path or file(), FORMAT, "organic tests")


def load(part: str, path: str | os.PathLike[str] | None = None) -> Built:
    """One of `PARTS` of a file, the package's own if None: coordinates within 0.0005 Å, energies within 5e-6 eV.

    Raises
    ------
    ValueError
        If there is no such part, or the file is none of these.
    """
    if part not in PARTS:
        raise ValueError(f"{part!r} is none of {', '.join(PARTS)}")
    about(path)
    with zipfile.ZipFile(path or file()) as content:
        return compact.unpacked(content.read(f"{part}.zip"))
