"""The compact inverse Hessian against the textbook update of a full matrix, and what a good start is worth."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from relaxation_support import Springs, diffused, model

from morered.batching import Batch, pad
from morered.datasets.organic import choice, tested
from morered.diffusion import valence
from morered.metrics.rmsd import rmsd
from morered.relaxation import PotentialMethod, relax
from morered.relaxation.downhill.inverse_hessian import Compact, InitialInverse, Scaled, Valence
from morered.structures import Structures


def bfgs_update(h: np.ndarray, s: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Nocedal and Wright, Numerical Optimization, Eq. 6.17."""
    rho = 1 / (s @ y)
    left = np.eye(len(s)) - rho * np.outer(s, y)
    return left @ h @ left.T + rho * np.outer(s, s)


@pytest.mark.parametrize("initial", [Scaled(1 / 70), Valence()], ids=["diagonal", "valence"])
def test_it_is_the_bfgs_update_of_the_start(initial: InitialInverse, molecules: Structures) -> None:
    three = molecules[:3]
    batch: Batch = pad(three, dtype=torch.float64)
    size = 3 * batch.n_padded
    rng = np.random.default_rng(0)
    inverse = Compact(20, initial)
    inverse.begin()
    scratch = inverse.init(batch)
    unit = torch.eye(size, dtype=torch.float64)
    start = torch.stack([initial.apply(scratch, unit[k].expand(3, -1)) for k in range(size)], 2).numpy()
    if isinstance(initial, Valence):
        for m, (_, numbers, positions) in enumerate(three):
            n = 3 * len(numbers)
            matrix = valence.hessian(numbers, positions) + Valence.SOFTEST * np.eye(n)
            assert np.allclose(start[m, :n, :n] @ matrix, np.eye(n), atol=1e-8)
    root = rng.standard_normal((3, size, size))
    curvature = root @ root.transpose(0, 2, 1) / size + np.eye(size)
    full = [start[m] for m in range(3)]
    for _ in range(12):
        s = rng.standard_normal((3, size))
        y = np.einsum("mij,mj->mi", curvature, s)
        inverse.append(scratch, torch.from_numpy(s), torch.from_numpy(y))
        full = [bfgs_update(h, s[m], y[m]) for m, h in enumerate(full)]
        f = rng.standard_normal((3, size))
        expected = np.stack([h @ f[m] for m, h in enumerate(full)])
        assert np.allclose(inverse.direction(scratch, torch.from_numpy(f)).numpy(), expected, rtol=1e-7, atol=1e-9)


def test_a_valence_start_finds_the_same_minima_in_fewer_steps(molecules: Structures) -> None:
    springs = model(Springs(molecules))
    displaced = diffused(molecules, 60)
    settings = {"potential": "mlff", "model": springs, "precision": "double", "fmax": 1e-3}
    plain = relax(displaced, PotentialMethod(**settings)).structures  # type: ignore[arg-type]
    better = relax(displaced, PotentialMethod(**settings, initial_hessian="valence")).structures  # type: ignore[arg-type]
    assert set(better.column("verdict").tolist()) == {b"converged"}
    assert rmsd(plain, better).max() < 0.1
    assert better.column("steps").mean() < plain.column("steps").mean()


def test_ases_optimiser_has_no_such_start() -> None:
    with pytest.raises(ValueError, match="initial_hessian"):
        PotentialMethod(potential="so3lr", optimizer="ase", initial_hessian="valence")


def test_a_molecule_that_went_far_begins_anew_and_the_others_go_on(molecules: Structures) -> None:
    batch = pad(molecules[:3], dtype=torch.float64)
    inverse = Compact(20, Valence())
    inverse.begin()
    scratch = inverse.init(batch)
    s = torch.from_numpy(np.random.default_rng(0).standard_normal((3, 3 * batch.n_padded)))
    inverse.append(scratch, s, 2 * s)
    before = {name: values.clone() for name, values in scratch.items()}
    assert not inverse.renew(scratch, batch).any()
    moved = batch.positions.clone()
    moved[1, 0, 2] += 1.01 * Valence.REACH
    moved[2, 0, 2] += 0.99 * Valence.REACH
    there = batch.with_positions(moved)
    assert inverse.renew(scratch, there).tolist() == [False, True, False]
    for name, values in Compact(20, Valence()).init(there).items():
        assert torch.equal(scratch[name][1], values[1])
        assert torch.equal(scratch[name][[0, 2]], before[name][[0, 2]])
    assert not inverse.renew(scratch, there).any()


@pytest.mark.slow
def test_a_drug_comes_to_rest_from_where_it_is_embedded() -> None:
    """With the Hessian of the start alone it is not at rest after 600 steps."""
    tests = {entry.name: entry for entry in choice.frozen_tests()}
    starts, _ = tested.started(tests["chembl_drugs/581"])
    start = starts[0]
    molecule = Structures.build([start.numbers], [start.positions], [start.name])
    relaxed = relax(molecule, PotentialMethod("aimnet2", fmax=0.005, steps=300, initial_hessian="valence")).structures
    assert relaxed.column("verdict").tolist() == [b"converged"]
