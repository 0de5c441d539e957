"""MoreRed: relaxing molecules by reverse diffusion with time step prediction.

``morered.relax(molecules)`` relaxes, ``morered.view(relaxed)`` shows it in a notebook; the rest of the public names below are
imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from morered.api import MoreRed, relax, search_conformers
    from morered.pages.notebook import view
    from morered.relaxation import RelaxationInterrupted
    from morered.structures import Structures

    __version__: str
    """Of the installed package."""

__all__ = ["MoreRed", "RelaxationInterrupted", "Structures", "__version__", "relax", "search_conformers", "view"]

_HOMES = {
    "MoreRed": "morered.api",
    "RelaxationInterrupted": "morered.relaxation",
    "Structures": "morered.structures",
    "relax": "morered.api",
    "search_conformers": "morered.api",
    "view": "morered.pages.notebook",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("morered")
    if name not in _HOMES:
        raise AttributeError(f"module 'morered' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
