"""AIMNet2 against the original TorchScript module, finite differences, and what its file may be."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from ase.build import molecule as g2

from morered import calculators
from morered.calculators.aimnet2 import WeightsError, weights
from morered.extras import MissingExtra
from morered.relaxation import PotentialMethod, relax
from morered.structures import Structures


def trimethyl(central: str, length: float) -> tuple[list[int], np.ndarray]:
    """A pyramid of an atom and three methyl groups, for elements of which ASE has no molecule."""
    from ase.data import atomic_numbers

    numbers, positions = [atomic_numbers[central]], [np.zeros(3)]
    for k in range(3):
        turn = 2 * np.pi * k / 3
        axis = np.array([np.cos(turn) * 0.9, np.sin(turn) * 0.9, -0.4])
        axis /= np.linalg.norm(axis)
        side = np.cross(axis, [0, 0, 1.0])
        side /= np.linalg.norm(side)
        up = np.cross(axis, side)
        carbon = length * axis
        numbers.append(6)
        positions.append(carbon)
        for m in range(3):
            angle = 2 * np.pi * m / 3
            numbers.append(1)
            positions.append(carbon + 0.37 * axis + 1.03 * (np.cos(angle) * side + np.sin(angle) * up))
    return numbers, np.array(positions)


@pytest.fixture(scope="module")
def crowd() -> Structures:
    """All fourteen elements, several sizes, ions."""
    rng = np.random.default_rng(3)
    numbers, positions, charges = [], [], []
    for name in ("H2O", "C6H6", "CH3CONH2", "BF3", "SiH4", "PH3", "CH3Cl", "C4H4S", "HCN", "OH"):
        atoms, charge = g2(name), -1 if name == "OH" else 0
        numbers.append(atoms.numbers)
        positions.append(atoms.positions)
        charges.append(charge)
    for symbol, length, charge in (("As", 1.96, 0), ("Se", 1.95, 1), ("N", 1.46, 0), ("S", 1.80, 1)):
        z, x = trimethyl(symbol, length)
        numbers.append(np.array(z))
        positions.append(x)
        charges.append(charge)
    methane = g2("CH4")
    for halogen, length in ((35, 1.94), (53, 2.14)):
        z, x = methane.numbers.copy(), methane.positions.copy()
        z[1], x[1] = halogen, x[0] + (x[1] - x[0]) * length / 1.09
        numbers.append(z)
        positions.append(x)
        charges.append(0)
    moved = [x + 0.03 * rng.standard_normal(np.shape(x)) for x in positions]
    return Structures.build(numbers, moved, [f"m{k}" for k in range(len(moved))]).with_electrons(charges)


def original(structures: Structures) -> tuple[np.ndarray, np.ndarray]:
    """Energies [M] and forces [A, 3] of the package's own module, molecule by molecule."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = torch.jit.load(str(weights.find()), map_location="cpu")
    energies, forces = [], []
    for m, (_, numbers, positions) in enumerate(structures):
        x = torch.tensor(positions[None], dtype=torch.float32, requires_grad=True)
        data = {
            "coord": x,
            "numbers": torch.tensor(numbers[None].astype(np.int64)),
            "charge": torch.tensor([float(structures.charges[m])]),
        }
        energy = module(data)["energy"]
        (gradient,) = torch.autograd.grad(energy.sum(), x)
        energies.append(energy.item())
        forces.append(-gradient[0].numpy())
    return np.array(energies), np.concatenate(forces)


def test_it_knows_fourteen_elements(crowd: Structures) -> None:
    calculator = calculators.get("aimnet2")
    assert len(calculator.elements) == 14
    assert set(crowd.numbers.tolist()) == set(calculator.elements)


def test_a_batch_gives_what_the_original_gives_one_by_one(crowd: Structures) -> None:
    labels = calculators.get("aimnet2").compute(crowd)
    assert labels.reasons == [None] * len(crowd)
    energies, forces = original(crowd)
    assert labels.forces is not None
    # float32 holds an energy of 1e4 eV to 1e-3; forces differ by how sums are split.
    assert np.abs(labels.energies - energies).max() < 2e-3
    assert np.abs(labels.forces - forces).max() < 5e-5
    double = calculators.get("aimnet2", dtype="float64").compute(crowd)
    assert double.forces is not None
    assert np.abs(double.energies - energies).max() < 1e-2
    assert np.abs(double.forces - forces).max() < 5e-5


def test_forces_are_minus_the_gradient(crowd: Structures) -> None:
    calculator = calculators.get("aimnet2", dtype="float64")
    labels = calculator.compute(crowd)
    assert labels.forces is not None
    rng = np.random.default_rng(5)
    direction = rng.standard_normal((crowd.n_atoms, 3))
    step = 1e-4
    sides = [
        calculator.compute(crowd.with_positions(crowd.positions + sign * step * direction), forces=False).energies
        for sign in (1, -1)
    ]
    slopes = (sides[0] - sides[1]) / (2 * step)
    expected = -crowd.per_molecule_sum((labels.forces * direction).sum(axis=1))
    assert slopes == pytest.approx(expected, abs=1e-4)


def test_a_result_does_not_depend_on_the_batch(crowd: Structures) -> None:
    together = calculators.get("aimnet2", dtype="float64").compute(crowd)
    alone = calculators.get("aimnet2", dtype="float64", max_pairs=1).compute(crowd)
    assert together.energies == pytest.approx(alone.energies, abs=1e-9)
    assert together.forces == pytest.approx(alone.forces, abs=1e-9)


def test_the_charge_counts(crowd: Structures) -> None:
    chosen = crowd[[9]]
    calculator = calculators.get("aimnet2")
    anion = calculator.compute(chosen).energies[0]
    radical = calculator.compute(chosen.with_electrons(0))
    assert np.isfinite(anion)
    assert radical.reasons[0] is not None  # an odd number of electrons: it knows closed shells only
    assert "unpaired" in radical.reasons[0] or "radical" in radical.reasons[0]
    assert not np.isclose(anion, calculator.compute(chosen.with_electrons(1)).energies[0], atol=1.0)


def test_molecules_relax_to_its_minima(crowd: Structures) -> None:
    method = PotentialMethod("aimnet2", fmax=0.005, initial_hessian="valence")
    relaxed = relax(crowd[[0, 1, 4, 7, 9]], method).structures
    assert relaxed.column("verdict").tolist() == [b"converged"] * 5
    forces = calculators.get("aimnet2").compute(relaxed).forces
    assert forces is not None
    assert np.linalg.norm(forces, axis=1).max() < 0.0051


def test_another_file_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "model.jpt"
    other.write_bytes(weights.find().read_bytes()[:-1] + b"x")
    with pytest.raises(WeightsError, match="SHA-256"):
        weights.load(path=other)


def test_without_its_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "PACKAGE", "no_such_package")
    weights.load.cache_clear()
    with pytest.raises(MissingExtra, match=r"pip install 'morered\[aimnet2\]'"):
        calculators.get("aimnet2")
    weights.load.cache_clear()
