"""The project's own machine-learned force field: a network of kind "mlff" from a weights file (paper, Appendix C)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from morered.batching import batches, pad
from morered.calculators.base import StructuresCalculator
from morered.models import weights as files
from morered.models.networks import Potential
from morered.models.painn import N_ELEMENTS
from morered.structures import Structures


class Mlff(StructuresCalculator):
    """A trained force field.

    Parameters
    ----------
    weights
        Path of a weights file, or the name of one that ships with the package.
    dtype
        Precision of the network; float64 where a minimum is sought more closely than float32's noise of some 1e-5 eV/Å.
    device
        Where it runs.
    batch_size
        Molecules in one call, which bounds its memory.
    """

    name = "mlff"
    batched: ClassVar[bool] = True

    def __init__(
        self, *, weights: str, dtype: Literal["float32", "float64"] = "float32", device: str = "cpu", batch_size: int = 64
    ) -> None:
        if dtype not in ("float32", "float64"):
            raise ValueError(f"dtype must be 'float32' or 'float64', not {dtype!r}")
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, not {batch_size}")
        loaded = files.load(weights, device=device)
        network = loaded.network
        if not isinstance(network, Potential):
            raise ValueError(f"{weights} holds a model of kind {loaded.config.kind!r}, not a force field ('mlff')")
        self._dtype: torch.dtype = getattr(torch, dtype)
        self._network = network.to(self._dtype).requires_grad_(False)
        self._device = device
        self.batch_size = batch_size
        self.elements = network.elements or frozenset(range(1, N_ELEMENTS))  # a file that does not say is not doubted
        self.description = f"MLFF {weights}, {dtype}"

    def _evaluate(
        self, structures: Structures, accepted: NDArray[np.int64], forces: bool
    ) -> Iterator[tuple[int, float, NDArray[np.float64] | None, str | None]]:
        for chosen, n_padded in batches(structures.sizes[accepted], self.batch_size):
            molecules = accepted[chosen]
            batch = pad(structures, molecules, n_padded, device=self._device, dtype=self._dtype)
            if forces:
                energy, force = self._network.energy_forces(batch.numbers, batch.positions, batch.mask)
                rows = force.to("cpu", torch.float64).numpy()
            else:
                with torch.no_grad():
                    energy = self._network(batch.numbers, batch.positions, batch.mask).energy
            energies = energy.detach().cpu().tolist()
            for i, (m, size) in enumerate(zip(molecules.tolist(), structures.sizes[molecules].tolist(), strict=True)):
                yield m, energies[i], rows[i, :size] if forces else None, None
