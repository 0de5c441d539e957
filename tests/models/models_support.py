"""Molecules and networks for the tests of networks."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from morered.batching import Batch
from morered.models.compile import maybe_compile
from morered.models.networks import DiffusionNetwork, Potential, build
from morered.settings.networks import ModelConfig
from morered.structures import Structures

#: What the networks are tested with: (representation, engine); "kernels" is the dense engine with compiled kernels, in float32.
ENGINES = [("painn", "dense"), ("painn", "kernels"), ("painn", "schnetpack"), ("so3net", "schnetpack")]


def random_molecules(sizes: tuple[int, ...] = (5, 9, 3, 12), seed: int = 0) -> Structures:
    """Molecules of H, C, N, O at random places, no two atoms closer than 0.9 Å, most pairs within the cutoff and some beyond."""
    generator = np.random.default_rng(seed)
    positions = []
    for n in sizes:
        places: list[np.ndarray] = []
        while len(places) < n:
            new = generator.uniform(-1, 1, 3) * 1.4 * n ** (1 / 3)
            if all(np.linalg.norm(new - old) > 0.9 for old in places):
                places.append(new)
        positions.append(np.array(places))
    numbers = [generator.choice([1, 6, 7, 8], n) for n in sizes]
    return Structures.build(numbers, positions, [f"random/{k}" for k in range(len(sizes))])


def network(kind: str, representation: str = "painn", engine: str = "dense", features: int = 16) -> DiffusionNetwork | Potential:
    """A network in double precision, in which physics holds to 1e-9 and numerical derivatives are sharp; kernels know float32."""
    torch.manual_seed(7)
    kernels = engine == "kernels"
    config = ModelConfig(kind=kind, representation=representation, engine="dense" if kernels else engine, features=features)
    built = build(config)
    for name, parameter in built.named_parameters():  # biases start at zero, where a lost bias would not show
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.1)
    if kernels:
        assert maybe_compile(built).execution == "kernels"
        return built.eval()
    return built.double().eval()


def times(batch: Batch) -> Tensor:
    """A time in [0, 1] for each molecule [B] that goes with the molecule, not with its place in the batch."""
    return (batch.keys % 97) / 97.0


def predict(model: DiffusionNetwork | Potential, batch: Batch) -> dict[str, Tensor]:
    """All outputs by name, in float64: vectors [B, N, 3], time_atoms [B, N], and energy and time [B]."""
    if isinstance(model, Potential):
        energy, forces = model.energy_forces(batch.numbers, batch.positions, batch.mask)
        return {"energy": energy, "vectors": forces.double()}
    with torch.no_grad():
        output = model(batch.numbers, batch.positions, batch.mask, times(batch) if model.time_head is None else None)
    named = {"vectors": output.noise, "time_atoms": output.time_atoms, "time": output.time}
    return {name: value.double() for name, value in named.items() if value is not None}
