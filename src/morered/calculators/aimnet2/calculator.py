"""AIMNet2 as a calculator of the registry: molecules in padded batches.

Shapes: M molecules, B batch, N padded atoms. Units: Å, eV, eV/Å.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from morered.calculators.aimnet2 import network, weights
from morered.calculators.base import StructuresCalculator, chunks
from morered.structures import Structures

ELEMENTS = frozenset({1, 5, 6, 7, 8, 9, 14, 15, 16, 17, 33, 34, 35, 53})

Precision = Literal["float32", "float64"]


class Aimnet2(StructuresCalculator):
    """The pretrained AIMNet2 potential.

    Parameters
    ----------
    dtype
        Precision of the network; energies are summed over the atoms in float64 either way. Energies in float32 are coarse (some
        1e-3 eV, by the size of total energies), forces differ from those in float64 by 1e-5 eV/Å.
    device
        Where it runs.
    max_pairs
        Pairs of atoms in one call, padding included, which bounds its memory: 3 kB a pair in float32, twice that in float64.

    Raises
    ------
    ValueError
        If an option is impossible.
    MissingExtra
        If the package that carries the parameters is not installed; the message says what to install.
    """

    name = "aimnet2"
    elements = ELEMENTS
    batched: ClassVar[bool] = True
    charged: ClassVar[bool] = True

    def __init__(self, *, dtype: Precision = "float32", device: str = "cpu", max_pairs: int = 16000) -> None:
        if dtype not in ("float32", "float64"):
            raise ValueError(f"dtype must be 'float32' or 'float64', not {dtype!r}")
        if max_pairs < 1:
            raise ValueError(f"max_pairs must be at least 1, not {max_pairs}")
        self.description = f"AIMNet2 (wB97M-D3/def2-TZVPP, pretrained), {dtype}"
        self.max_pairs = max_pairs
        self._device = torch.device(device)
        self._dtype: torch.dtype = getattr(torch, dtype)
        self._weights = {name: tensor.to(self._device) for name, tensor in weights.load(self._dtype).items()}

    def _evaluate(
        self, structures: Structures, accepted: NDArray[np.int64], forces: bool
    ) -> Iterator[tuple[int, float, NDArray[np.float64] | None, str | None]]:
        ordered = accepted[np.argsort(structures.sizes[accepted], kind="stable")]  # equal sizes together: little padding
        for part in chunks(structures.sizes[ordered] ** 2, self.max_pairs):
            molecules = ordered[part]
            energies, gradients = self._batch(structures, molecules, forces)
            for row, m in enumerate(molecules.tolist()):
                force = None if gradients is None else -gradients[row, : structures.sizes[m]]
                yield m, float(energies[row]), force, None

    def _batch(
        self, structures: Structures, molecules: NDArray[np.int64], forces: bool
    ) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """Energies [B] and gradients [B, N, 3] of some molecules, padded to the largest."""
        sizes = structures.sizes[molecules]
        mask = np.arange(sizes.max()) < sizes[:, None]
        numbers = np.zeros(mask.shape, dtype=np.int64)
        positions = np.zeros((*mask.shape, 3))
        for row, m in enumerate(molecules.tolist()):
            _, z, x = structures.molecule(m)
            numbers[row, : len(z)], positions[row, : len(z)] = z, x - x.mean(axis=0)
        charges = torch.from_numpy(structures.charges[molecules])
        leaf = torch.from_numpy(positions).to(self._device, self._dtype).requires_grad_(forces)
        atoms = torch.from_numpy(numbers).to(self._device)
        with torch.enable_grad() if forces else torch.no_grad():
            total, _ = network.energies(
                self._weights, atoms, leaf, torch.from_numpy(mask).to(self._device), charges.to(self._device)
            )
            gradient = torch.autograd.grad(total.sum(), leaf)[0].cpu().double().numpy() if forces else None
        return total.detach().cpu().numpy(), gradient
