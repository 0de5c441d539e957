"""PBE0+MBD of small molecules against PySCF called plainly, published ratios, and finite differences."""

import numpy as np
import pytest
from ase.build import molecule

from morered.dft import hirshfeld, pbe0
from morered.dft.single_point import single_point
from morered.settings.level import Level
from morered.settings.reading import read
from morered.units import EV_PER_HARTREE, KCAL_MOL_PER_EV

SMALL = Level(basis="def2-svp")
WATER = np.array([8, 1, 1]), np.array([[0, 0, 0], [0, -0.757, 0.587], [0, 0.757, 0.587]])


def partition(numbers, positions, level):
    field = pbe0.converge(numbers, positions, level)
    return hirshfeld.partition(
        field.mean_field.mol, field.mean_field.grids, field.density_matrix, numbers, level.functional, level.basis
    )


def test_waters_volume_ratios_are_the_published_ones():
    parts = partition(*WATER, Level(functional="pbe", basis="def2-svp", density_fitting=False))
    np.testing.assert_allclose(parts.volume_ratios, [0.95199, 0.549794, 0.549794], atol=2e-4)


@pytest.mark.parametrize(
    ("name", "ratios"),
    [
        ("CH4", {"C": 0.729, "H": 0.595}),
        pytest.param("C6H6", {"C": 0.819, "H": 0.612}, marks=pytest.mark.slow),
        ("CH3Cl", {"Cl": 0.976}),
    ],
)
def test_volume_ratios_at_pbe0_are_the_known_ones(name, ratios):
    atoms = molecule(name)
    parts = partition(atoms.numbers, atoms.positions, Level(grid=1, convergence=1e-5))
    for symbol, ratio in ratios.items():
        found = parts.volume_ratios[np.array(atoms.get_chemical_symbols()) == symbol]
        np.testing.assert_allclose(found, ratio, atol=1e-3)


def test_charges_sum_to_the_total_charge_and_water_is_polar():
    parts = partition(*WATER, SMALL)
    assert parts.charges.sum() == pytest.approx(0, abs=1e-3)
    assert parts.charges[0] < -0.1 < 0.1 < parts.charges[1] + 0.05


def test_two_stages_agree_with_pyscf_called_plainly():
    from pyscf import dft, gto

    formaldehyde = molecule("H2CO")
    numbers, start = formaldehyde.numbers, formaldehyde.positions
    displaced = start + 0.05 * np.random.default_rng(1).normal(size=start.shape)

    def plain(positions, fitted):
        system = gto.M(atom=list(zip(formaldehyde.get_chemical_symbols(), positions, strict=True)), basis="def2-svp", verbose=0)
        field = dft.RKS(system, xc="pbe0")
        field = field.density_fit() if fitted else field
        field.grids.level = 3
        return field.kernel() * EV_PER_HARTREE

    ours = [single_point(numbers, x, Level(basis="def2-svp", dispersion=False)).energy for x in (start, displaced)]
    for fitted, tolerance in ((True, 1e-3), (False, 0.02)):  # kcal/mol, of the difference
        reference = [plain(x, fitted) for x in (start, displaced)]
        error = (ours[1] - ours[0] - reference[1] + reference[0]) * KCAL_MOL_PER_EV
        assert abs(error) < tolerance, error


def test_the_grid_is_converged_and_the_pose_does_not_matter():
    rotation, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))
    numbers, positions = WATER
    energy = single_point(numbers, positions, SMALL).total
    assert abs(single_point(numbers, positions @ rotation.T + 1, SMALL).total - energy) * KCAL_MOL_PER_EV < 0.01
    finer = single_point(numbers, positions, Level(basis="def2-svp", grid=5)).total
    stretched = positions * 1.03
    difference = single_point(numbers, stretched, SMALL).total - energy
    reference = single_point(numbers, stretched, Level(basis="def2-svp", grid=5)).total - finer
    assert abs(difference - reference) * KCAL_MOL_PER_EV < 0.01


def test_forces_are_the_gradient_of_the_energy():
    numbers, positions = WATER
    level = Level(basis="def2-svp", dispersion=False, grid=3, coarse_grid=3, convergence=1e-10)
    forces = single_point(numbers, positions, level, forces=True).forces
    step = 0.005
    shifted = []
    for sign in (1, -1):
        moved = positions.copy()
        moved[1, 1] += sign * step
        shifted.append(single_point(numbers, moved, level).energy)
    assert forces[1, 1] == pytest.approx(-(shifted[0] - shifted[1]) / (2 * step), abs=2e-3)
    assert np.abs(forces.sum(axis=0)).max() < 5e-3


@pytest.mark.parametrize(
    ("numbers", "positions", "words"),
    [
        ([8, 1], [[0, 0, 0], [0, 0, 1]], "radical"),
        ([8, 1, 1], [[0, 0, np.nan], [0, 0, 1], [0, 1, 0]], "not finite"),
        ([1, 1], [[0, 0, 0], [0, 0, 0]], ""),
    ],
)
def test_what_cannot_be_computed_ends_in_a_reason_and_no_number(numbers, positions, words):
    point = single_point(numbers, positions, SMALL)
    assert point.status == "failed"
    assert np.isnan(point.total)
    assert words in point.reason
    assert point.reason


def test_a_field_that_does_not_converge_is_tried_in_other_ways_and_never_passed_off(monkeypatch):
    numbers, positions = WATER
    starved = Level(basis="def2-svp", max_cycles=1)
    tried = []
    real = pbe0._ways
    monkeypatch.setattr(pbe0, "_ways", lambda *a: (tried.append(name) or (name, solver) for name, solver in real(*a)))
    point = single_point(numbers, positions, starved)
    assert tried[:2] == ["DIIS", "level shift and damping"]
    if point.status == "converged":
        assert "converged by" in point.reason
        assert point.energy == pytest.approx(single_point(numbers, positions, SMALL).energy, abs=1e-4)
    monkeypatch.setattr(pbe0, "_ways", lambda *a: (("DIIS", solver) for name, solver in real(*a) if name == "DIIS"))
    failed = single_point(numbers, positions, starved)
    assert failed.status == "failed"
    assert "no self-consistent field after" in failed.reason
    assert np.isnan(failed.energy)


def test_a_level_says_what_is_impossible():
    with pytest.raises(ValueError, match="coarse_grid"):
        Level(grid=1, coarse_grid=3)
    with pytest.raises(ValueError, match="dispersion: false"):
        Level(functional="b3lyp")
    with pytest.raises(ValueError, match="basiss: unknown key"):
        read(Level, {"basiss": "def2-svp"})
    assert Level().name == "PBE0+MBD/def2-TZVP"


def test_ions_and_stated_radicals_have_an_energy():
    """Hydroxide, the hydroxyl radical and its triplet cation, as PySCF has them when called plainly; a misfit has none."""
    from pyscf import dft, gto

    numbers, positions = [8, 1], [[0, 0, 0], [0, 0, 0.97]]
    level = Level(basis="sto-3g", grid=1, coarse_grid=1, density_fitting=False, convergence=1e-9)
    for charge, unpaired in ((-1, 0), (0, 1), (1, 2)):
        point = single_point(numbers, positions, level, charge, unpaired, forces=True)
        plain = gto.M(atom=list(zip(["O", "H"], positions, strict=True)), basis="sto-3g", charge=charge, spin=unpaired, verbose=0)
        field = (dft.UKS if unpaired else dft.RKS)(plain, xc="pbe0")
        field.grids.level, field.conv_tol = 1, 1e-9
        assert point.status == "converged", point.reason
        assert point.energy == pytest.approx(field.kernel() * EV_PER_HARTREE, abs=1e-4)
        assert np.isfinite(point.mbd)
        assert np.abs(point.forces.sum(axis=0)).max() < 5e-3
    misfit = single_point(numbers, positions, level, -1, 1)
    assert "charge and multiplicity do not fit together" in misfit.reason
