"""Relaxation: one engine for every batched method, physical methods in worker processes, a verdict for each molecule."""

from morered.relaxation.methods import from_config
from morered.relaxation.recording import Recording
from morered.relaxation.relax import Relaxation, RelaxationInterrupted, relax
from morered.settings.relaxation import DiffusionMethod, Method, PhysicalMethod, PotentialMethod

__all__ = [
    "DiffusionMethod",
    "Method",
    "PhysicalMethod",
    "PotentialMethod",
    "Recording",
    "Relaxation",
    "RelaxationInterrupted",
    "from_config",
    "relax",
]
