"""Jumps that go further: what one step does, and what they are worth on a map with soft directions."""

import numpy as np
import pytest
import torch

from morered.datasets.organic import shipped_tests, tested
from morered.metrics.rmsd import rmsd
from morered.relaxation import from_config, relax
from morered.relaxation.samplers.overrelaxation import Plan
from morered.settings.relaxation import Overrelaxation

CPU = torch.device("cpu")


def mask(*sizes: int) -> torch.Tensor:
    return torch.arange(max(sizes)) < torch.tensor(sizes)[:, None]


def test_the_plan_is_plain_jumps_with_long_ones_between() -> None:
    plan = Plan(Overrelaxation(lengths=(0.4, 0.2), before=1, between=2, atoms=3), CPU)
    positions = torch.zeros(8, 3, 3, dtype=torch.float64)
    clean = positions + torch.tensor([0.01, 0, 0])
    moved = plan.instead(positions, positions, clean, mask(*[3] * 8), torch.arange(8))
    assert moved[:, 0, 0].tolist() == pytest.approx([0.01, 0.4, 0.01, 0.01, 0.2, 0.01, 0.01, 0.01])
    assert plan.over(mask(*[3] * 4), torch.tensor([0, 6, 7, 8])).tolist() == [False, False, True, True]


def test_small_molecules_are_mixed() -> None:
    plan = Plan(Overrelaxation(atoms=3), CPU)
    positions = torch.zeros(2, 3, 3, dtype=torch.float64)
    moved = plan.instead(positions - 1, positions, positions + 1, mask(2, 3), torch.tensor([0, 0]))
    assert moved[:, 0, 0].tolist() == [-1, 1]
    assert plan.over(mask(2, 3), torch.tensor([0, 0])).tolist() == [True, False]


def test_a_long_jump_has_the_length_of_the_plan_for_the_atom_that_moves_furthest() -> None:
    plan = Plan(Overrelaxation(lengths=(0.3,), before=1, between=1, factor=50, atoms=2), CPU)
    positions = torch.zeros(5, 2, 3, dtype=torch.float64)
    jump = torch.tensor([[0.01, 0, 0], [0, -0.02, 0]], dtype=torch.float64)
    jumps = torch.stack([jump, jump, jump, 1e-4 * jump, 100 * jump])  # the last two: hardly any way to go, and a long one
    moved = plan.instead(positions, positions, positions + jumps, mask(*[2] * 5), torch.tensor([0, 1, 7, 1, 1]))
    assert torch.equal(moved[0], jump)
    assert torch.allclose(moved[1], 15 * jump)
    assert torch.equal(moved[2], jump)  # past the plan
    assert torch.allclose(moved[3], 50e-4 * jump)
    assert torch.equal(moved[4], 100 * jump)  # the clean structure itself is further
    still = plan.instead(positions, positions, positions.clone(), mask(*[2] * 5), torch.ones(5, dtype=torch.int64))
    assert torch.equal(still, positions)


@pytest.mark.parametrize("soft", [0.01, 0.03])
def test_it_goes_where_jumps_hardly_get(soft: float) -> None:
    """A map whose jumps take one direction at once, and another by a small part of the way."""
    share = torch.tensor([[[1.0, soft, 0.9]] * 2], dtype=torch.float64)
    start = torch.tensor([[[0.02, 0.5, -0.03], [0.0, 0.0, 0.0]]], dtype=torch.float64)
    plan = Plan(Overrelaxation(atoms=2), CPU)
    long, plain = start.clone(), start.clone()
    for k in range(15):
        long = plan.instead(long, long, long - share * long, mask(2), torch.tensor([k]))
        plain = plain - share * plain
    assert plain.norm() > 0.5 * start.norm()
    assert long.norm() < 0.3 * plain.norm()


def test_drugs_come_nearer_in_fewer_evaluations() -> None:
    """Against jumps that are mixed, of the network for organic molecules."""
    inputs, minima = (shipped_tests.load(f"validation.{part}").structures for part in ("inputs", "minima"))
    chosen, _ = tested.select(inputs, minima, start=tested.MMFF94, molecules=24)
    aims = minima[minima.index_of(chosen.ids)].without_columns()
    mixed = {"overrelaxation": None, "steps": 100, "stop": {"settled": {"window": 3, "threshold": 1e-3}}}
    found = {}
    for name, changed in (("long", {}), ("mixed", mixed)):
        relaxed = relax(chosen, from_config({"preset": "organic", "restarts": None, **changed})).structures
        assert (relaxed.column("verdict") == b"converged").mean() > 0.9
        found[name] = np.median(rmsd(relaxed.without_columns(), aims)), relaxed.column("steps").mean()
    assert found["long"][0] < 1.1 * found["mixed"][0]
    assert found["long"][1] < 0.6 * found["mixed"][1]
