"""Models for the tests of relaxation whose answers are known, in the place of trained ones.

`Oracle` is the exact denoiser of a distribution that holds one structure per molecule in every orientation: it knows the minimum
of each molecule by its elements, so noise and time follow from the distance to it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from morered.batching import pad
from morered.diffusion.schedule import NoiseSchedule
from morered.models import weights
from morered.models.networks import DiffusionOutput, PotentialOutput, build
from morered.models.weights import LoadedModel, WeightsHeader
from morered.settings.networks import ModelConfig
from morered.structures import Structures


class Oracle(nn.Module):
    """Knows the minimum of each molecule (told apart by its elements), and notes the sizes of the batches it sees."""

    def __init__(self, minima: Structures, kind: str, dtype: torch.dtype = torch.float64, broken: int | None = None) -> None:
        super().__init__()
        self.config = ModelConfig(kind=kind, features=4)
        self.elements = frozenset(minima.numbers.tolist())
        self.minima = {m.numbers.tobytes(): torch.from_numpy(m.positions - m.positions.mean(axis=0)) for m in minima}
        self.schedule = NoiseSchedule()
        self.unused = nn.Parameter(torch.zeros(1, dtype=dtype), requires_grad=False)
        self.broken = broken  # molecules that hold this element get NaN
        self.calls: list[int] = []

    @property
    def dtype(self) -> torch.dtype:
        return self.unused.dtype

    def forward(self, numbers: Tensor, positions: Tensor, mask: Tensor, time: Tensor | None = None) -> DiffusionOutput:
        assert positions.dtype == self.dtype
        self.calls.append(len(numbers))
        x = positions.double()  # which need not be centred where atoms are frozen
        x = torch.where(mask[..., None], x - x.sum(1, keepdim=True) / mask.sum(1)[:, None, None], 0.0)
        n = numbers.shape[1]
        # Zeros on padding, which change no rotation.
        known = [self.minima[row.tobytes().rstrip(b"\0")] for row in _bytes(numbers)]
        target = torch.stack([nn.functional.pad(t, (0, 0, 0, n - len(t))) for t in known])
        x0 = target @ _rotation(target, x)
        distance = ((x - x0).square().sum((1, 2)) / (3 * mask.sum(1))).sqrt()
        levels = (1 - self.schedule.alpha_bar).sqrt()
        # At the last steps a structure is all noise: the time cannot be known, and the reverse steps blow up what is too large.
        predicted = self.schedule.time((levels - distance[:, None]).abs().argmin(1)).clamp(max=0.9)
        step = self.schedule.step(predicted if time is None else time)
        alpha_bar = self.schedule.alpha_bar[step][:, None, None]
        noise = (x - alpha_bar.sqrt() * x0) / (1 - alpha_bar).sqrt()
        if self.broken is not None:
            noise[(numbers == self.broken).any(1)] = torch.nan
        heads = self.config
        predicted = predicted.to(self.dtype)
        return DiffusionOutput(
            noise.to(self.dtype) if heads.predicts_noise else None,
            predicted[:, None].expand(mask.shape) if heads.predicts_time else None,
            predicted if heads.predicts_time else None,
        )


class Springs(nn.Module):
    """A force field of springs between all pairs of atoms, of the lengths they have in the minimum."""

    def __init__(self, minima: Structures, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        self.config = ModelConfig(kind="mlff", features=4)
        self.elements = frozenset(minima.numbers.tolist())
        self.lengths = {m.numbers.tobytes(): torch.cdist(*[torch.from_numpy(m.positions)] * 2) for m in minima}
        self.unused = nn.Parameter(torch.zeros(1, dtype=dtype), requires_grad=False)

    @property
    def dtype(self) -> torch.dtype:
        return self.unused.dtype

    def forward(self, numbers: Tensor, positions: Tensor, mask: Tensor) -> PotentialOutput:
        n = mask.shape[1]
        lengths = positions.new_zeros(len(mask), n, n)
        for row, (z, m) in enumerate(zip(numbers, mask, strict=True)):
            size = int(m.sum())
            lengths[row, :size, :size] = self.lengths[z[m].to(torch.uint8).numpy().tobytes()]
        difference = positions[:, :, None] - positions[:, None]
        distance = (difference.square().sum(-1) + 1e-12).sqrt()
        stiff = 4.0 / lengths.clamp(min=0.5).square()
        pairs = mask[:, :, None] & mask[:, None] & ~torch.eye(n, dtype=torch.bool)
        energies = (0.25 * stiff * (distance - lengths).square() * pairs).sum(2)
        return PotentialOutput(energies.sum(1), energies)

    def energy_forces(
        self, numbers: Tensor, positions: Tensor, mask: Tensor, create_graph: bool | None = None
    ) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            positions = positions.detach().clone().requires_grad_(True)
            energy, _ = self(numbers, positions, mask)
            (gradient,) = torch.autograd.grad(energy.sum(), positions)
        return energy.detach(), -gradient


def model(network: nn.Module) -> LoadedModel:
    """A network as if it had been loaded from a file."""
    return LoadedModel(network, network.config, WeightsHeader(), "")  # type: ignore[arg-type]


def _bytes(numbers: Tensor) -> np.ndarray:
    """Atomic numbers [B, N] as bytes."""
    return numbers.to(torch.uint8).numpy()


def _rotation(mobile: Tensor, target: Tensor) -> Tensor:
    """Rotations [B, 3, 3] that turn ``mobile`` onto ``target``, both [B, N, 3] and centred."""
    u, _, vt = torch.linalg.svd(mobile.transpose(1, 2) @ target)
    flip = torch.ones(len(mobile), 1, 3, dtype=mobile.dtype)
    flip[:, 0, 2] = torch.sign(torch.det(u @ vt))
    return (u * flip) @ vt


def minima(index: range | list[int] = range(0, 60, 3)) -> Structures:
    """Real minima of QM7 with different elements in different order, so that the oracles can tell them apart."""
    from morered.datasets import qm7

    molecules = qm7.load().without_columns()
    chosen, seen = [], set()
    for m in index:
        key = molecules.molecule(m).numbers.tobytes()
        if key not in seen:
            seen.add(key)
            chosen.append(m)
    return molecules[chosen]


def diffused(structures: Structures, step: int = 250, seed: int = 5) -> Structures:
    """The structures after ``step`` forward steps."""
    from morered.diffusion.forward import diffuse
    from morered.diffusion.random_numbers import centre, normal

    batch = pad(structures.centred())
    noise = centre(normal(seed, batch.keys, 0, batch.n_padded), batch.mask)
    x = diffuse(batch.positions, torch.full((len(batch),), step - 1), noise, NoiseSchedule())
    return structures.with_positions(x[batch.mask].numpy())


def untrained_joint(path: Path, molecules: Structures) -> Path:
    """Writes an untrained joint network that knows the elements of the molecules."""
    torch.manual_seed(0)
    elements = tuple(sorted(set(molecules.numbers.tolist())))
    training = {"molecules": 7, "steps": 30, "epochs": 2.5, "seconds": 12.0}
    header = WeightsHeader(elements=elements, sizes=(3, 23), training=training)
    weights.save(path, build(ModelConfig(features=4, interactions=1)), header)
    return path
