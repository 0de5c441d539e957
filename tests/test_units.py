"""Conversion factors against ASE's, an independent set of the same constants."""

import ase.units
import numpy as np
import pytest

from morered import units

# ASE ships an older CODATA set: the two differ in the ninth digit.
RELATIVE = 1e-8


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (units.EV_PER_KCAL_MOL, ase.units.kcal / ase.units.mol),
        (units.KCAL_MOL_PER_EV, ase.units.mol / ase.units.kcal),
        (units.EV_PER_HARTREE, ase.units.Hartree),
        (units.ANGSTROM_PER_BOHR, ase.units.Bohr),
    ],
)
def test_factors_agree_with_ase(found: float, expected: float) -> None:
    assert found == pytest.approx(expected, rel=RELATIVE)


def test_boltzmann_agrees_with_ase() -> None:
    np.testing.assert_allclose(units.BOLTZMANN_EV, ase.units.kB, rtol=1e-6)  # ASE's is CODATA 2014's, before kB was fixed


def test_the_papers_force_threshold() -> None:
    np.testing.assert_allclose(1.15e-3 * units.EV_PER_KCAL_MOL, 5e-5, rtol=0.01)
