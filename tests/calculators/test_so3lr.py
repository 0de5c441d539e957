"""SO3LR in batches against the package's own ASE calculator."""

import contextlib
import io

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import molecule as g2

from morered import calculators
from morered.calculators.so3lr import all_pairs
from morered.structures import Structures


@pytest.fixture(scope="module")
def ase_calculator():
    from so3krates_torch.calculator.so3 import SO3LRCalculator

    with contextlib.redirect_stdout(io.StringIO()):
        return SO3LRCalculator(r_max_lr=1000.0)


@pytest.fixture(scope="module")
def crowd(molecules):
    """Thirty molecules of three kinds, each distorted in its own way."""
    rng = np.random.default_rng(8)
    chosen = [list(molecules.values())[k % 3] for k in range(30)]
    return Structures.build(
        [numbers for numbers, _ in chosen],
        [positions + 0.05 * rng.standard_normal(positions.shape) for _, positions in chosen],
        [f"m{k}" for k in range(30)],
    )


def test_a_batch_gives_the_forces_of_the_ase_calculator(crowd, ase_calculator):
    labels = calculators.get("so3lr").compute(crowd)
    assert labels.succeeded.all()
    forces = []
    for m, (_, numbers, positions) in enumerate(crowd):
        atoms = Atoms(numbers, positions, info={"charge": 0}, calculator=ase_calculator)
        forces.append(atoms.get_forces())
        # The ASE calculator sums thousands of eV in float32.
        assert labels.energies[m] == pytest.approx(atoms.get_potential_energy(), abs=1e-3)
    # Rounding in float32 depends on how sums are split: 2e-6 eV/Å, root mean square.
    difference = labels.forces - np.concatenate(forces)
    assert np.sqrt(np.mean(difference**2)) < 2e-6
    assert np.abs(difference).max() < 2e-5


def test_in_double_precision_it_is_the_same_surface(crowd):
    from so3krates_torch.calculator.so3 import SO3LRCalculator

    labels = calculators.get("so3lr", dtype="float64").compute(crowd)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            calculator = SO3LRCalculator(r_max_lr=1000.0, default_dtype="float64")
        for m, (_, numbers, positions) in enumerate(crowd):
            atoms = Atoms(numbers, positions, info={"charge": 0}, calculator=calculator)
            rows = slice(*crowd.offsets[m : m + 2])
            # Constants of the physical terms are rounded to float32 at other places.
            np.testing.assert_allclose(labels.forces[rows], atoms.get_forces(), atol=2e-6, rtol=0)
            assert labels.energies[m] == pytest.approx(atoms.get_potential_energy(), abs=1e-5)
    finally:
        torch.set_default_dtype(torch.float32)  # the package's calculator changes it


def test_molecules_without_edges_are_molecules_too(molecules):
    numbers, positions = molecules["water"]
    lone = Structures.build([[8], numbers, [1, 1]], [[[1, 2, 3]], positions, [[0, 0, 0], [0, 0, 9.0]]], ["atom", "water", "far"])
    labels = calculators.get("so3lr").compute(lone)
    assert labels.reasons == [None, None, None]
    np.testing.assert_array_equal(labels.forces[0], 0.0)
    alone = calculators.get("so3lr").compute(lone[:1])
    assert alone.energies[0] == pytest.approx(labels.energies[0], abs=1e-3)
    assert alone.forces.shape == (1, 3)


def test_in_double_precision_the_batch_does_not_matter(crowd):
    whole = calculators.get("so3lr", dtype="float64").compute(crowd)
    chunked = calculators.get("so3lr", dtype="float64", max_pairs=200).compute(crowd)
    np.testing.assert_allclose(chunked.energies, whole.energies, atol=1e-9, rtol=0)
    np.testing.assert_allclose(chunked.forces, whole.forces, atol=1e-10, rtol=0)


def test_single_precision_is_near_double(crowd):
    single, double = (calculators.get("so3lr", dtype=dtype).compute(crowd) for dtype in ("float32", "float64"))
    assert np.abs(single.forces - double.forces).max() < 5e-5
    assert np.abs(single.energies - double.energies).max() < 1e-3


def test_torch_is_left_as_it_was(crowd):
    assert torch.get_default_dtype() == torch.float32
    calculators.get("so3lr", dtype="float64").compute(crowd[:2])
    assert torch.get_default_dtype() == torch.float32


def test_all_pairs_are_within_molecules(crowd):
    expected = [
        [i, j]
        for m in range(len(crowd))
        for i in range(crowd.offsets[m], crowd.offsets[m + 1])
        for j in range(crowd.offsets[m], crowd.offsets[m + 1])
        if i != j
    ]
    np.testing.assert_array_equal(all_pairs(crowd).T, expected)


def test_the_charge_of_each_molecule_reaches_the_model(ase_calculator):
    """Hydronium and hydroxide beside water: what the package's own calculator gives for each alone."""
    water = g2("H2O")
    hydronium = Atoms("OH3", [[0, 0, 0.1], [0.94, 0, -0.2], [-0.47, 0.81, -0.2], [-0.47, -0.81, -0.2]])
    hydroxide = Atoms("OH", [[0, 0, 0], [0, 0, 0.98]])
    given = [(water, 0), (hydronium, 1), (hydroxide, -1)]
    structures = Structures.build([a.numbers for a, _ in given], [a.positions for a, _ in given], ["w", "h", "o"])
    labels = calculators.get("so3lr").compute(structures.with_electrons([charge for _, charge in given]))
    for m, (atoms, charge) in enumerate(given):
        atoms.info["charge"] = charge
        atoms.calc = ase_calculator
        np.testing.assert_allclose(labels.forces[slice(*structures.offsets[m : m + 2])], atoms.get_forces(), atol=2e-5, rtol=0)
    uncharged = calculators.get("so3lr").compute(structures)
    assert uncharged.reasons[0] is None
    assert "closed shells only" in uncharged.reasons[1]
