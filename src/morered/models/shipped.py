"""The weights that ship with the package, by name; nothing of them is read here."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

#: How the name of a weights file ends.
SUFFIX = ".safetensors"


def folder() -> Path:
    """Where they lie."""
    return Path(str(resources.files("morered"))) / "weights"


def names() -> list[str]:
    """Their names."""
    return sorted(file.stem for file in folder().glob(f"*{SUFFIX}")) if folder().is_dir() else []
