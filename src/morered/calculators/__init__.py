"""Energies and forces: one registry for every level of theory.

``get("gfn2").compute(structures)`` gives `Labels`; `names` lists what there is.
"""

from morered.calculators.base import CalculationError, Calculator, Labels, Surface
from morered.calculators.registry import get, names, options, register

__all__ = ["CalculationError", "Calculator", "Labels", "Surface", "get", "names", "options", "register"]
