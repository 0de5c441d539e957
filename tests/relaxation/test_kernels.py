"""The optimisers' steps in compiled kernels: the same as in PyTorch, and as ASE's."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from relaxation_support import Springs, diffused, model

from morered.batching import Batch, pad
from morered.diffusion.schedule import NoiseSchedule
from morered.metrics.rmsd import rmsd
from morered.models.networks import DiffusionOutput
from morered.relaxation import DiffusionMethod, PotentialMethod, relax
from morered.relaxation.downhill.inverse_hessian import Compact, Recursive, Scaled
from morered.relaxation.downhill.lbfgs import BatchedLbfgs
from morered.relaxation.downhill.potentials import NetworkPotential
from morered.relaxation.engine.loop import relax_batched
from morered.relaxation.engine.state import advance, start
from morered.relaxation.samplers import mixing
from morered.relaxation.samplers.reverse_diffusion import ReverseDiffusion
from morered.settings.relaxation import Mixing, Settled, StopRules
from morered.structures import Structures

BATCH = 32
DIMENSIONS = 21  # no multiple of what a register holds


@pytest.mark.parametrize("memory", [1, 4, 100])
def test_the_recursion_is_the_compact_form(memory: int) -> None:
    torch.manual_seed(0)
    atoms = torch.zeros(5, DIMENSIONS // 3, dtype=torch.int64)
    batch = Batch(atoms, torch.zeros(*atoms.shape, 3, dtype=torch.float64), atoms == 0, atoms[:, 0])
    hessian = torch.diag(torch.linspace(1, 50, DIMENSIONS, dtype=torch.float64))
    compact, recursive = Compact(memory, Scaled(1 / 70)), Recursive(memory, 1 / 70)
    first, second = (history.init(batch) for history in (compact, recursive))
    for pair in range(30):
        s = torch.randn(5, DIMENSIONS, dtype=torch.float64)
        s[2] *= pair >= 7  # a row that came later
        for history, scratch in ((compact, first), (recursive, second)):
            history.append(scratch, s, s @ hessian)
        f = torch.randn(5, DIMENSIONS, dtype=torch.float64)
        expected = compact.direction(first, f)
        assert torch.allclose(recursive.direction(second, f), expected, rtol=0, atol=1e-12 * expected.abs().max().item())
        newest = recursive.direction(second, s @ hessian)  # the secant condition, H y = s
        known = torch.arange(5) != 2 if pair < 7 else torch.ones(5, dtype=torch.bool)
        assert torch.allclose(newest[known], s[known], atol=1e-10)


@pytest.mark.parametrize("rules", [{}, {"memory": 3}, {"maxstep": 0.05}], ids=str)
def test_relaxations_in_kernels_are_those_of_ase(rules: dict[str, float], molecules: Structures) -> None:
    springs = model(Springs(molecules))
    displaced = diffused(molecules, 120)[:6].centred()
    method = PotentialMethod(potential="mlff", model=springs, precision="double", **rules)  # type: ignore[arg-type]
    relaxer = BatchedLbfgs(method, NetworkPotential(springs.network), kernels=True)  # type: ignore[arg-type]
    ours = relax_batched(displaced, relaxer, batch_size=4)
    theirs = relax(displaced, replace(method, optimizer="ase")).structures
    assert np.array_equal(ours.steps, theirs.column("steps"))
    assert rmsd(displaced.with_positions(ours.positions), theirs).max() < 1e-8


def test_anderson_mixing_in_kernels_is_that_in_pytorch() -> None:
    torch.manual_seed(0)
    settings = Mixing(memory=4, warmup=2, max_move=0.2)
    x = y = torch.randn(6, 7, 3, dtype=torch.float64)
    plain, compiled = (mixing.init(settings, x) for _ in range(2))
    for step in range(15):
        taken = torch.tensor([step, step, step, max(0, step - 5), step, max(0, step - 9)])
        jumps = [torch.tanh(0.7 * z) + 0.1 * z.roll(1, 1) for z in (x, y)]
        before = x
        x = mixing.step(settings, x, jumps[0], taken, plain, step % 4)
        y = mixing.step(settings, y, jumps[1], taken, compiled, step % 4, kernels=True)
        assert torch.allclose(x, y, rtol=0, atol=1e-12)
        assert (x - before).norm(dim=2).max() > 1e-3 or step > 8
    for name, rows in plain.items():
        assert torch.allclose(rows, compiled[name], rtol=0, atol=1e-12), name


class FreeNetwork:
    """Answers at once: what is left is the engine's own time."""

    def __init__(self, batch: Batch) -> None:
        self.answer = DiffusionOutput(torch.full_like(batch.positions, 1e-3), None, torch.full((len(batch),), 0.5))
        self.forces = torch.zeros(len(batch)), torch.full_like(batch.positions, 1e-3)

    def __call__(self, *_: Any, **__: Any) -> DiffusionOutput:
        return self.answer

    def energy_forces(self, _: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        return self.forces


@pytest.mark.benchmark
@pytest.mark.parametrize("move", ["reverse", "jump", "ddim", "accelerated", "lbfgs"])
def test_a_step_costs_little_beside_a_network(move: str, molecules: Structures) -> None:
    """CPU time of a step of 32 molecules outside the network: 0.17 to 0.29 ms, where 64 features take 4 ms, forces 8.7.

    Three times that is allowed here, for slower machines and cold caches.
    """
    batch = pad(molecules[np.repeat(int(np.argmax(molecules.sizes)), BATCH)].centred())
    free = FreeNetwork(batch)
    if move == "lbfgs":
        method = PotentialMethod(potential="mlff", model="free", fmax=1e-9, steps=10**6)
        relaxer: Any = BatchedLbfgs(method, free, kernels=True)  # type: ignore[arg-type]
    else:
        rules = StopRules(settled=Settled(threshold=1e-12)) if move in ("jump", "accelerated") else StopRules()
        diffusion = DiffusionMethod(noise="free", time="free", move=move, stop=rules, steps=10**6)  # type: ignore[arg-type]
        relaxer = ReverseDiffusion(diffusion, free, free, NoiseSchedule(), joint=True, kernels=True)
    costs = []
    with torch.no_grad():
        relaxer.begin()
        state = start(relaxer, batch)
        for _ in range(6):
            begin = time.process_time()
            for _ in range(40):
                state, _ = advance(relaxer, state, all_run=True)
                state.code.zero_()
            costs.append((time.process_time() - begin) / 40)
    assert min(costs) < 0.9e-3
