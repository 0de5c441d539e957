"""Elements of which the basis describes the valence electrons alone, against PySCF told of the potential by hand."""

import numpy as np
import pytest
from pyscf import dft, gto

from morered.dft import hirshfeld, pbe0
from morered.dft.core_potentials import core_potentials
from morered.dft.free_atoms import free_atom
from morered.dft.single_point import single_point
from morered.settings.level import Level
from morered.units import EV_PER_HARTREE

SMALL = Level(basis="def2-svp")


def iodide(length):
    """Hydrogen iodide."""
    return np.array([53, 1]), np.array([[0, 0, 0], [0, 0, length]])


def test_a_basis_names_its_potentials():
    assert core_potentials("def2-TZVP", ["H", "I", "C", "I", "Br"]) == {"I": "def2-TZVP"}
    assert core_potentials("lanl2dz", ["C", "Cl"]) == {"Cl": "lanl2dz"}
    assert core_potentials("sto-3g", ["I"]) == {}
    assert core_potentials("no such basis", ["I"]) == {}


def test_the_energy_is_pyscfs_with_the_potential():
    numbers, positions = iodide(1.61)
    system = gto.M(atom=[("I", positions[0]), ("H", positions[1])], basis="def2-svp", ecp={"I": "def2-svp"}, verbose=0)
    field = dft.RKS(system, xc="pbe0").density_fit()
    field.grids.level = 3
    ours = single_point(numbers, positions, Level(basis="def2-svp", dispersion=False))
    assert ours.energy == pytest.approx(field.kernel() * EV_PER_HARTREE, abs=1e-3)


def test_hydrogen_iodide_has_its_length():
    lengths = np.array([1.55, 1.62, 1.69])  # 1.609 Å by experiment
    energies = [single_point(*iodide(x), Level(basis="def2-svp", dispersion=False)).energy for x in lengths]
    curve = np.polyfit(lengths, energies, 2)
    assert -curve[1] / (2 * curve[0]) == pytest.approx(1.62, abs=0.03)


def test_hirshfelds_partition_counts_the_electrons_outside_the_core(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    free_atom.cache_clear()
    assert free_atom(53, "pbe0", "def2-svp").electrons == pytest.approx(25, abs=1e-3)
    numbers, positions = iodide(1.61)
    field = pbe0.converge(numbers, positions, SMALL)
    mean_field = field.mean_field
    parts = hirshfeld.partition(mean_field.mol, mean_field.grids, field.density_matrix, numbers, "pbe0", "def2-svp")
    assert parts.charges.sum() == pytest.approx(0, abs=1e-3)
    assert np.abs(parts.charges).max() < 0.2
    assert 0.9 < parts.volume_ratios[0] < 1.1
    free_atom.cache_clear()
