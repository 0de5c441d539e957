"""Jumps that go further: what one step does, and what they are worth on a map with soft directions."""

import numpy as np
import pytest
import torch

from morered.datasets.organic import shipped_tests, tested
from morered.metrics.rmsd import rmsd
from morered.relaxation import from_config, relax
from morered.relaxation.samplers import overrelaxation
from morered.settings.relaxation import Overrelaxation

CPU = torch.device("cpu")


def test_the_plan_is_plain_jumps_with_long_ones_between() -> None:
    settings = Overrelaxation(lengths=(0.4, 0.2), before=1, between=2)
    plan = overrelaxation.lengths(settings, CPU)
    assert plan.tolist() == [0, 0.4, 0, 0, 0.2, 0, 0, 0]
    assert overrelaxation.over(plan, torch.tensor([0, 6, 7, 8])).tolist() == [False, False, True, True]


def test_a_long_jump_has_the_length_of_the_plan_for_the_atom_that_moves_furthest() -> None:
    settings = Overrelaxation(lengths=(0.3,), before=1, between=1, factor=50)
    plan = overrelaxation.lengths(settings, CPU)
    positions = torch.zeros(5, 2, 3, dtype=torch.float64)
    jump = torch.tensor([[0.01, 0, 0], [0, -0.02, 0]], dtype=torch.float64)
    jumps = torch.stack([jump, jump, jump, 1e-4 * jump, 100 * jump])  # the last two: hardly any way to go, and a long one
    moved = overrelaxation.step(settings, plan, positions, positions + jumps, torch.tensor([0, 1, 7, 1, 1]))
    assert torch.equal(moved[0], jump)
    assert torch.allclose(moved[1], 15 * jump)
    assert torch.equal(moved[2], jump)  # past the plan
    assert torch.allclose(moved[3], 50e-4 * jump)
    assert torch.equal(moved[4], 100 * jump)  # the clean structure itself is further
    still = overrelaxation.step(settings, plan, positions, positions.clone(), torch.ones(5, dtype=torch.int64))
    assert torch.equal(still, positions)


@pytest.mark.parametrize("soft", [0.01, 0.03])
def test_it_goes_where_jumps_hardly_get(soft: float) -> None:
    """A map whose jumps take one direction at once, and another by a small part of the way."""
    share = torch.tensor([[[1.0, soft, 0.9]]], dtype=torch.float64)
    start = torch.tensor([[[0.02, 0.5, -0.03]]], dtype=torch.float64)
    settings = Overrelaxation()
    plan = overrelaxation.lengths(settings, CPU)
    long, plain = start.clone(), start.clone()
    for k in range(len(plan) - 1):
        long = overrelaxation.step(settings, plan, long, long - share * long, torch.tensor([k]))
        plain = plain - share * plain
    assert plain.norm() > 0.5 * start.norm()
    assert long.norm() < 0.3 * plain.norm()


def test_drugs_come_nearer_in_fewer_evaluations() -> None:
    """Against jumps that are mixed, of the network for organic molecules."""
    inputs, minima = (shipped_tests.load(f"validation.{part}").structures for part in ("inputs", "minima"))
    chosen, _ = tested.select(inputs, minima, start=tested.MMFF94, molecules=24)
    aims = minima[minima.index_of(chosen.ids)].without_columns()
    mixed = {"move": "accelerated", "steps": 100, "stop": {"settled": {"window": 3, "threshold": 1e-3}}}
    found = {}
    for name, changed in (("long", {}), ("mixed", mixed)):
        relaxed = relax(chosen, from_config({"preset": "organic", "restarts": None, **changed})).structures
        assert (relaxed.column("verdict") == b"converged").mean() > 0.9
        found[name] = np.median(rmsd(relaxed.without_columns(), aims)), relaxed.column("steps").mean()
    assert found["long"][0] < 1.1 * found["mixed"][0]
    assert found["long"][1] < 0.6 * found["mixed"][1]
