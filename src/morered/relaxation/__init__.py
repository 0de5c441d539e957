"""Relaxation: methods that take one step of many molecules, the engine that runs them, and a verdict for each molecule.

Read in this order: ``engine/state.py`` (a method is an (init, step) pair), ``engine/loop.py`` (who runs them), ``samplers``
(reverse diffusion, Algorithm 2 of the paper, and when it stops), ``downhill`` (energies and forces), ``verdicts``, ``entry.py``.

The names below are imported when they are first used: a process that runs a program needs no PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from morered.relaxation.entry import relax
    from morered.relaxation.methods import from_config
    from morered.relaxation.recording import Recording
    from morered.relaxation.result import RelaxationInterrupted, Result
    from morered.settings.relaxation import DiffusionMethod, Method, PhysicalMethod, PotentialMethod

__all__ = [
    "DiffusionMethod",
    "Method",
    "PhysicalMethod",
    "PotentialMethod",
    "Recording",
    "RelaxationInterrupted",
    "Result",
    "from_config",
    "relax",
]

_HOMES = {
    "DiffusionMethod": "morered.settings.relaxation",
    "Method": "morered.settings.relaxation",
    "PhysicalMethod": "morered.settings.relaxation",
    "PotentialMethod": "morered.settings.relaxation",
    "Recording": "morered.relaxation.recording",
    "RelaxationInterrupted": "morered.relaxation.result",
    "Result": "morered.relaxation.result",
    "from_config": "morered.relaxation.methods",
    "relax": "morered.relaxation.entry",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'morered.relaxation' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
