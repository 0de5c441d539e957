"""Relaxation: methods that take one step of many molecules, the engine that runs them, and a verdict for each molecule.

Read in this order: ``engine/state.py`` (a method is an (init, step) pair), ``engine/loop.py`` (who runs them), ``samplers``
(reverse diffusion, Algorithm 2 of the paper, and when it stops), ``downhill`` (energies and forces), ``verdicts``, ``relax.py``.
"""

from morered.relaxation.engine.recording import Recording
from morered.relaxation.methods import from_config
from morered.relaxation.relax import relax
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
