"""Relaxation: one engine for every batched method, physical methods in worker processes, a verdict for each molecule."""

from morered.relaxation.methods import DiffusionMethod, Method, PhysicalMethod, PotentialMethod, from_config
from morered.relaxation.recording import Recording
from morered.relaxation.relax import Relaxation, RelaxationInterrupted, relax

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
