"""The steps of PaiNN in Triton beside those in PyTorch: run by Triton's interpreter on a CPU, compiled on a GPU.

`python gpu_ops_support.py` checks on a CPU; the environment must say ``TRITON_INTERPRET=1`` before Triton is imported.
"""

from __future__ import annotations

import math

import torch
from models_support import network, random_molecules
from torch import Tensor

from morered.batching import pad
from morered.models import gpu, torch_ops
from morered.models.geometry import pair_geometry
from morered.models.gpu import ops
from morered.models.torch_ops import Ops


def check(device: str, molecules: int, atoms: int, features: int) -> None:
    """Results and gradients by parameters and positions agree, with and without vectors, with padding, for any sizes."""
    generator = torch.Generator().manual_seed(atoms)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator).to(device)

    mask = torch.ones(molecules, atoms, dtype=torch.bool, device=device)
    mask[0, atoms - 2 :] = False
    offsets = torch.linspace(0, 5, 20, device=device)
    pairs = pair_geometry(2 * normal(molecules, atoms, 3), mask, offsets, torch.full_like(offsets, 5 / 19), 5.0)
    rows = (molecules, atoms)
    weight, bias = normal(3 * features, 20), normal(3 * features)
    for mu in (None, normal(*rows, 3, features)):
        inputs = [normal(*rows, features), normal(*rows, 3 * features), mu, weight, bias]
        compare(lambda o, *given: o.message(*given, pairs), inputs)
        positions = 2 * normal(molecules, atoms, 3)

        def forces(o: Ops, q: Tensor, x: Tensor, mu: Tensor | None, at: Tensor, weight: Tensor = weight) -> tuple[Tensor, Tensor]:
            there = pair_geometry(at, mask, offsets, torch.full_like(offsets, 5 / 19), 5.0)
            return o.message(q, x, mu, weight, bias, there)

        compare(forces, [*inputs[:3], positions])
    for out in (features, features // 2, 1):
        compare(lambda o, q, vw: o.mix_in(q, vw, 1e-8), [normal(*rows, features), normal(*rows, 3, 2 * out)])
    rest = [normal(*rows, 3, features), normal(*rows, 3 * features), normal(*rows, 3, 2 * features)]

    def mixed(o: Ops, q: Tensor, mu: Tensor, y: Tensor, vw: Tensor) -> tuple[Tensor, Tensor]:
        _, dots, w = o.mix_in(q, vw, 1e-8)
        return o.mix_out(q, mu, y, w, dots)

    compare(mixed, [normal(*rows, features), *rest])


def compare(function, inputs: list[Tensor | None]) -> None:
    """``function(ops, *inputs)`` and its gradients by all inputs, by both implementations."""
    found = []
    for implementation in (torch_ops, ops):
        leaves = [None if value is None else value.clone().requires_grad_(True) for value in inputs]
        results = function(implementation, *leaves)
        # a loss that weighs every number otherwise
        weights = [torch.arange(r.numel(), device=r.device).reshape(r.shape).mul(math.sqrt(2)).cos() for r in results]
        sum((r * w).sum() for r, w in zip(results, weights, strict=True)).backward()
        found.append([*results, *(leaf.grad for leaf in leaves if leaf is not None)])
    for a, b in zip(*found, strict=True):
        if a is None or b is None:  # what does not depend on an input
            assert a is None
            assert b is None or not b.any()
            continue
        torch.testing.assert_close(b, a, atol=2e-5 * float(a.detach().abs().max()), rtol=2e-5)


def check_forces(device: str, features: int, sizes: tuple[int, ...] = (4, 7, 9)) -> None:
    """Energies and forces of a force field by the kernels are those of PyTorch; without kernels where they are trained on."""
    field = network("mlff", features=features).float().to(device)
    batch = pad(random_molecules(sizes), dtype=torch.float32, device=device)
    inputs = (batch.numbers, batch.positions, batch.mask)
    expected = field.energy_forces(*inputs)
    field.execution = "triton"
    calls = []
    message = ops.message
    ops.message = lambda *given: calls.append(0) or message(*given)
    found, trained = field.energy_forces(*inputs), field.energy_forces(*inputs, create_graph=True)
    ops.message = message
    assert len(calls) == 3  # once for each interaction, and not for what training differentiates once more
    for energy, forces in (found, trained):
        torch.testing.assert_close(energy, expected[0], atol=1e-4, rtol=1e-5)
        torch.testing.assert_close(forces, expected[1], atol=2e-5 * float(expected[1].abs().max()), rtol=2e-5)
    assert not found[1].requires_grad
    assert trained[1].requires_grad


if __name__ == "__main__":
    ops._NEIGHBOURS = ops._FEATURES = 16  # small blocks: the second size has two of neighbours, the first two of features
    for sizes in ((2, 3, 24), (1, 18, 16)):
        check("cpu", *sizes)
    gpu.fits = lambda representation: True
    check_forces("cpu", 16, (3, 5))
    print("agree")
