"""Conversion factors. Files, docstrings and columns use Å, eV and eV/Å; tables for people use kcal/mol.

Values are CODATA's, as scipy ships them; multiply to convert: ``energy_ev * KCAL_MOL_PER_EV``.
"""

from scipy import constants

EV_PER_KCAL_MOL: float = 1000 * constants.calorie / constants.Avogadro / constants.elementary_charge
KCAL_MOL_PER_EV: float = 1 / EV_PER_KCAL_MOL
EV_PER_HARTREE: float = constants.physical_constants["Hartree energy in eV"][0]
ANGSTROM_PER_BOHR: float = constants.physical_constants["Bohr radius"][0] / constants.angstrom
BOLTZMANN_EV: float = constants.Boltzmann / constants.elementary_charge
"""Boltzmann's constant in eV/K."""
