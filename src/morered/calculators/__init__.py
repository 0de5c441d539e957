"""Energies and forces: one registry for every level of theory.

``get("gfn2").compute(structures)`` gives `Labels`; `names` lists what there is.
"""

from morered.calculators.base import CalculationError, Calculator, Labels, Surface
from morered.calculators.registry import check_installed, get, names, options, register

__all__ = ["CalculationError", "Calculator", "Labels", "Surface", "check_installed", "get", "names", "options", "register"]
