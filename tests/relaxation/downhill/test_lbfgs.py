"""The batched L-BFGS against ASE's, with the same potential."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from relaxation_support import Springs, diffused, model

from morered.metrics.rmsd import rmsd
from morered.models.networks import build
from morered.models.weights import LoadedModel, WeightsHeader
from morered.relaxation import PotentialMethod, Recording, relax
from morered.settings.networks import ModelConfig
from morered.structures import Structures


@pytest.fixture(scope="module")
def springs(molecules: Structures) -> LoadedModel:
    return model(Springs(molecules))


@pytest.fixture(scope="module")
def displaced(molecules: Structures) -> Structures:
    return diffused(molecules, 120)


@pytest.mark.parametrize(
    "rules",
    [{}, {"memory": 3}, {"maxstep": 0.05}, {"damping": 0.7}, {"alpha": 30.0}, {"memory": 5, "steps": 60}],
    ids=lambda rules: "-".join(f"{k}{v}" for k, v in rules.items()) or "default",
)
def test_steps_and_results_are_those_of_ase(rules: dict[str, float], springs: LoadedModel, displaced: Structures) -> None:
    """Same rule, other arithmetic: rounding differs in the 16th digit, and hundreds of steps may amplify it a millionfold."""
    method = PotentialMethod(potential="mlff", model=springs, precision="double", **rules)  # type: ignore[arg-type]
    some = displaced[:6]
    ours = relax(some, method, batch_size=4).structures
    theirs = relax(some, replace(method, optimizer="ase")).structures
    assert np.array_equal(ours.column("steps"), theirs.column("steps"))
    assert np.array_equal(ours.column("verdict"), theirs.column("verdict"))
    assert np.array_equal(ours.column("reason"), theirs.column("reason"))
    assert rmsd(ours, theirs).max() < 1e-8
    for name in ("first_fmax", "last_fmax"):
        assert np.allclose(ours.column(name), theirs.column(name), rtol=1e-4, atol=1e-9)


def test_a_trained_architecture_gives_what_ase_gives(molecules: Structures) -> None:
    """A real network of kind mlff (untrained, so its surface is odd), in double precision, for as long as rounding stays
    small.
    """
    torch.manual_seed(3)
    network = build(ModelConfig(kind="mlff", features=16)).eval().requires_grad_(False)
    potential = LoadedModel(network, network.config, WeightsHeader(), "")
    method = PotentialMethod(potential="mlff", model=potential, precision="double", steps=25)
    ours = relax(molecules[:5], method).structures
    theirs = relax(molecules[:5], replace(method, optimizer="ase")).structures
    assert np.array_equal(ours.column("steps"), theirs.column("steps"))
    assert rmsd(ours, theirs).max() < 1e-8
    assert rmsd(ours, molecules[:5]).max() > 1e-3


def test_it_finds_minima(springs: LoadedModel, displaced: Structures, molecules: Structures) -> None:
    relaxed = relax(displaced, PotentialMethod(potential="mlff", model=springs, precision="double")).structures
    assert set(relaxed.column("verdict").tolist()) == {b"converged"}
    assert relaxed.column("last_fmax").max() < 5e-5
    assert (relaxed.column("first_fmax") > 0.1).all()
    # Springs that pull all pairs leave soft directions: 5e-5 eV/Å is within 0.05 Å of the minimum there.
    assert rmsd(relaxed, molecules).max() < 0.05
    assert np.isnan(relaxed.column("last_time")).all()


def test_a_relaxed_molecule_takes_no_step(springs: LoadedModel, molecules: Structures) -> None:
    relaxed = relax(molecules, PotentialMethod(potential="mlff", model=springs, precision="double")).structures
    assert set(relaxed.column("steps").tolist()) == {0}
    assert set(relaxed.column("verdict").tolist()) == {b"converged"}
    assert np.abs(relaxed.positions - molecules.positions).max() < 1e-9


def test_the_cap_counts_moves_and_the_last_force_is_that_of_the_result(springs: LoadedModel, displaced: Structures) -> None:
    method = PotentialMethod(potential="mlff", model=springs, precision="double", steps=3)
    relaxed = relax(displaced, method).structures
    assert set(relaxed.column("verdict").tolist()) == {b"step-cap"}
    assert set(relaxed.column("steps").tolist()) == {3}
    again = relax(relaxed.without_columns(), replace(method, steps=1)).structures
    assert np.allclose(again.column("first_fmax"), relaxed.column("last_fmax"), rtol=1e-9)


@pytest.mark.parametrize("optimizer", ["batched-lbfgs", "ase"])
def test_records_begin_with_the_input_and_end_with_the_result(
    optimizer: str, springs: LoadedModel, displaced: Structures
) -> None:
    method = PotentialMethod(potential="mlff", model=springs, precision="double", optimizer=optimizer)  # type: ignore[arg-type]
    relaxation = relax(displaced[:3], method, recording=Recording(stride=7, frames=True))
    relaxed, trajectories = relaxation.structures, relaxation.trajectories
    assert trajectories is not None
    assert trajectories.columns["fmax"].unit == "eV/Å"
    for m, steps in enumerate(trajectories):
        last = int(relaxed.column("steps")[m])
        assert steps.columns["step"].tolist() == sorted({*range(0, last + 1, 7), last})
        assert steps.columns["fmax"][0] == pytest.approx(relaxed.column("first_fmax")[m], rel=1e-12)
        assert steps.columns["fmax"][-1] == pytest.approx(relaxed.column("last_fmax")[m], rel=1e-12)
        assert steps.columns["energy"][-1] < steps.columns["energy"][0]
        assert steps.frames is not None
        start = displaced.centred().molecule(m).positions
        assert np.allclose(steps.frames[0] - steps.frames[0].mean(0), start, atol=1e-5)  # frames are float32


def test_broken_forces_are_a_verdict(molecules: Structures, displaced: Structures) -> None:
    class Broken(Springs):
        def energy_forces(self, numbers, positions, mask, create_graph=None):  # type: ignore[no-untyped-def]
            energy, forces = super().energy_forces(numbers, positions, mask, create_graph)
            forces[(numbers == 8).any(1)] = torch.nan
            return energy, forces

    for optimizer in ("batched-lbfgs", "ase"):
        method = PotentialMethod(potential="mlff", model=model(Broken(molecules)), precision="double", optimizer=optimizer)  # type: ignore[arg-type]
        some = displaced[:8]
        relaxed = relax(some, method).structures
        sick = np.array([8 in m.numbers for m in some])
        assert 0 < sick.sum() < len(some)
        assert np.array_equal(relaxed.column("verdict") == b"failed", sick)
        assert set(relaxed.column("reason")[sick].tolist()) == {b"the calculator gave no finite forces"}
        atoms = sick[some.molecule_index]
        assert np.array_equal(relaxed.positions[atoms], some.positions[atoms])


def test_batched_calculators_run_in_the_engine(molecules: Structures) -> None:
    """SO3LR, two small molecules: the same as ASE with it."""
    small = diffused(molecules[[0, 1]], 30)
    method = PotentialMethod(potential="so3lr", fmax=5e-3, precision="double")
    ours = relax(small, method).structures
    theirs = relax(small, replace(method, optimizer="ase")).structures
    assert np.array_equal(ours.column("steps"), theirs.column("steps"))
    assert rmsd(ours, theirs).max() < 1e-8
    assert set(ours.column("verdict").tolist()) == {b"converged"}
