"""Potential energy surfaces in padded batches, for the batched optimiser.

Shapes: M molecules, A atoms (flat), B batch, N padded atoms.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from morered.batching import Batch
from morered.calculators import Calculator
from morered.models.networks import Potential
from morered.relaxation.networks import pair_bytes
from morered.structures import Structures, offsets_of


class BatchedPotential(Protocol):
    """Energies and forces of a batch."""

    def energy_forces(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Energy [B] float64 in eV and forces [B, N, 3] in eV/Å; NaN for a molecule that has none. Positions are float64, in
        Å.
        """
        ...

    def bytes_per_molecule(self, n_padded: int) -> int:
        """Memory that one molecule of N padded atoms takes, at most."""
        ...


class NetworkPotential:
    """A network of kind mlff; it computes in the precision of its parameters."""

    def __init__(self, network: Potential) -> None:
        self._network = network

    def energy_forces(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """See `BatchedPotential`."""
        positions = batch.positions.to(self._network.dtype)
        return self._network.energy_forces(batch.numbers, positions, batch.mask, create_graph=False)

    def bytes_per_molecule(self, n_padded: int) -> int:
        """See `BatchedPotential`."""
        scale = 2 if self._network.dtype == torch.float64 else 1
        return n_padded**2 * pair_bytes(self._network.config.features, gradients=True) * scale


class CalculatorPotential:
    """A calculator that takes many molecules at once; it bounds its own memory."""

    def __init__(self, calculator: Calculator) -> None:
        self._calculator = calculator

    def energy_forces(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """See `BatchedPotential`."""
        structures = self._structures(batch)
        labels = self._calculator.compute(structures)
        assert labels.forces is not None
        forces = torch.zeros_like(batch.positions)
        forces[batch.mask] = torch.from_numpy(labels.forces).to(forces)
        return torch.from_numpy(labels.energies).to(batch.positions.device), forces

    def reasons(self, batch: Batch) -> list[str | None]:
        """Why each molecule has no energy, [B]; None for one that has."""
        return self._calculator.compute(self._structures(batch)).reasons

    def bytes_per_molecule(self, n_padded: int) -> int:
        """See `BatchedPotential`: next to nothing beside what the calculator bounds itself."""
        return n_padded * 1000

    def _structures(self, batch: Batch) -> Structures:
        mask = batch.mask.cpu()
        structures = Structures(
            numbers=batch.numbers.cpu()[mask].numpy().astype(np.uint8),
            positions=batch.positions.cpu()[mask].numpy(),
            offsets=offsets_of(mask.sum(dim=1).numpy()),
            ids=np.arange(len(batch)).astype("S"),
            references=np.arange(len(batch)).astype("S"),
        )
        if batch.electrons is not None:
            charges, unpaired = batch.electrons.cpu().numpy().T
            structures = structures.with_electrons(charges, unpaired)
        return structures
