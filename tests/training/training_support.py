"""Molecules and settings for trainings of a second."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from ase.build import molecule

from morered.settings.networks import ModelConfig
from morered.structures import Column, Structures
from morered.training.checkpoints import Checkpoints, TrainingInterrupted
from morered.training.optimizers import Optimizers

NAMES = ("CH3CH2OH", "CH3SH", "C2H6", "CH3CH2NH2", "CH3CHO", "C2H4", "C3H8", "HCOOH", "CH3CN", "C4H4O", "C2H2", "H2O")
MODEL = ModelConfig(features=8, interactions=1, radial_basis=6)
QUICK = {
    "batch_size": 4,
    "learning_rate": 1e-3,
    "schedule": "constant",
    "max_steps": 10,
    "validate_every": 4,
    "device": "cpu",
    "compile": "never",
}


def ase_molecules(names: tuple[str, ...], copies: int = 1, seed: int = 0, spread: float = 0.02) -> Structures:
    """Molecules by their names in ASE, each in some slightly displaced copies."""
    generator = np.random.default_rng(seed)
    atoms = [molecule(name) for name in names for _ in range(copies)]
    positions = [a.positions + spread * generator.normal(size=a.positions.shape) for a in atoms]
    ids = [f"{name}/{k}" for name in names for k in range(copies)]
    return Structures.build([a.numbers for a in atoms], positions, ids)


def with_labels(structures: Structures) -> Structures:
    """Energies and forces (eV, eV/Å) of harmonic springs between all atoms plus a large energy per element."""
    energies, forces = [], []
    for m in structures:
        difference = m.positions[:, None] - m.positions
        distance = np.linalg.norm(difference, axis=-1) + np.eye(len(m.numbers))
        stretch = np.triu(distance - 1.5, 1)
        energies.append(0.5 * (stretch**2).sum() - 100.0 * m.numbers.astype(float).sum())
        pull = (distance - 1.5) / distance * (1 - np.eye(len(m.numbers)))
        forces.append(-(pull[..., None] * difference).sum(1))
    columns = {"energy": Column(np.array(energies), "eV"), "forces": Column(np.concatenate(forces), "eV/Å", True)}
    return structures.with_columns(columns)


@contextmanager
def stopped_after(batches: int) -> Iterator[None]:
    """A training inside is interrupted after so many batches, with a checkpoint."""
    save = Checkpoints.save_if_due

    def stopping(self: Checkpoints, module: object, optimizers: Optimizers) -> None:
        save(self, module, optimizers)
        if module.counters.batches == batches:
            self.save(module, optimizers)
            raise TrainingInterrupted(2, batches)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoints, "save_if_due", stopping)
        with pytest.raises(TrainingInterrupted):
            yield
