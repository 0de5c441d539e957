"""SO3LR: a pretrained equivariant force field with electrostatics and dispersion at the PBE0+MBD level (Kabylda et al., 2024).

The weights come with the package `so3krates-torch` (MIT; 529 852 parameters). It was fitted to forces: only differences of its
energies count, between geometries of the same atoms. Its training data include part of QM7-X.

Molecules are put side by side into one graph, every pair of atoms within a molecule an edge of the long-range part (its cutoff of
1000 Å includes them all) and those within the model's 4.5 Å edges of the short-range part. Building the tensors for a whole batch
at once costs 0.02 ms a molecule where the package's own per-molecule objects and loader cost 0.5 ms, and leaves torch's default
dtype alone.

On one core, molecules of 11 atoms: float32 2.5 ms a molecule in batches of 16 and more, 10 ms alone; float64 5 ms and 13 ms.
Forces in float32 differ from those in float64 by 3e-6 eV/Å (root mean square; 2e-5 at most).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import lru_cache
from importlib import resources
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from morered.calculators.base import StructuresCalculator, chunks
from morered.extras import needs
from morered.structures import Structures

ELEMENTS = frozenset({1, 6, 7, 8, 9, 15, 16, 17})

_LONG_RANGE_CUTOFF = 1000.0  # Å: all pairs of a molecule
_DISPERSION_DAMPING = 2.0  # Å, the package's default: where dispersion is switched off below the long-range cutoff
_N_ELEMENTS = 118  # width of the model's one-hot encoding

Precision = Literal["float32", "float64"]


class So3lr(StructuresCalculator):
    """The pretrained SO3LR force field.

    Parameters
    ----------
    dtype
        Precision of the network; energies are summed over the atoms in float64 either way.
    device
        Where it runs.
    max_pairs
        Pairs of atoms in one call, which bounds its memory: 0.03 MB a pair in float32, twice that in float64.
    """

    name = "so3lr"
    elements = ELEMENTS
    batched: ClassVar[bool] = True
    charged: ClassVar[bool] = True

    def __init__(self, *, dtype: Precision = "float32", device: str = "cpu", max_pairs: int = 6000) -> None:
        if dtype not in ("float32", "float64"):
            raise ValueError(f"dtype must be 'float32' or 'float64', not {dtype!r}")
        if max_pairs < 1:
            raise ValueError(f"max_pairs must be at least 1, not {max_pairs}")
        self.description = f"SO3LR (PBE0+MBD force field, pretrained), {dtype}"
        self.max_pairs = max_pairs
        self._dtype: torch.dtype = getattr(torch, dtype)
        self._device = torch.device(device)
        self._model = _load(dtype, str(self._device))

    def _evaluate(
        self, structures: Structures, accepted: NDArray[np.int64], forces: bool
    ) -> Iterator[tuple[int, float, NDArray[np.float64] | None, str | None]]:
        for part in chunks(structures.sizes[accepted] ** 2, self.max_pairs):
            batch = structures.without_columns()[accepted[part]]
            data = self._graph(batch)
            with torch.set_grad_enabled(forces):
                out = self._model(data, compute_force=forces, compute_stress=False)
            atomic = out["node_energy"].detach().reshape(-1).to("cpu", torch.float64).numpy()
            energies = batch.per_molecule_sum(atomic)
            gradients = out["forces"].detach().to("cpu", torch.float64).numpy() if forces else None
            for i, m in enumerate(accepted[part].tolist()):
                atoms = slice(int(batch.offsets[i]), int(batch.offsets[i + 1]))
                yield m, float(energies[i]), None if gradients is None else gradients[atoms], None

    def _graph(self, batch: Structures) -> dict[str, Tensor]:
        """What the model takes, for molecules side by side; names and shapes are those of so3krates_torch's AtomicData."""
        positions = np.asarray(batch.positions, dtype=np.float64)
        pairs = all_pairs(batch)
        near = pairs[:, ((positions[pairs[1]] - positions[pairs[0]]) ** 2).sum(axis=1) <= float(self._model.r_max) ** 2]
        n_molecules = len(batch)
        numbers = torch.from_numpy(batch.numbers.astype(np.int64))

        def zeros(*shape: int) -> Tensor:
            return torch.zeros(shape, dtype=self._dtype, device=self._device)

        return {
            "positions": torch.from_numpy(positions).to(self._device, self._dtype),
            "atomic_numbers": numbers.to(self._device),
            "node_attrs": torch.nn.functional.one_hot(numbers - 1, _N_ELEMENTS).to(self._device, self._dtype),
            "edge_index": torch.from_numpy(near).to(self._device),
            "edge_index_lr": torch.from_numpy(pairs).to(self._device),
            "shifts": zeros(near.shape[1], 3),  # no periodic images
            "shifts_lr": zeros(pairs.shape[1], 3),
            "unit_shifts": zeros(near.shape[1], 3),
            "unit_shifts_lr": zeros(pairs.shape[1], 3),
            "cell": zeros(3 * n_molecules, 3),
            "batch": torch.from_numpy(batch.molecule_index).to(self._device),
            "ptr": torch.from_numpy(batch.offsets.astype(np.int64)).to(self._device),
            "head": torch.zeros(n_molecules, dtype=torch.int64, device=self._device),
            "total_charge": torch.from_numpy(batch.charges).to(self._device, self._dtype),
            "total_spin": zeros(n_molecules),
        }


def all_pairs(structures: Structures) -> NDArray[np.int64]:
    """Ordered pairs of different atoms of the same molecule, [2, P], without a loop over molecules."""
    sizes = structures.sizes
    neighbours = np.repeat(sizes, sizes)  # [A], atoms in the molecule of each atom
    first = np.repeat(np.arange(structures.n_atoms), neighbours)
    starts = np.repeat(structures.offsets[:-1], sizes)  # [A], where the molecule of each atom begins
    ends = np.cumsum(neighbours)
    second = np.arange(len(first)) - np.repeat(ends - neighbours - starts, neighbours)
    different = first != second
    return np.stack([first[different], second[different]])


@lru_cache(maxsize=2)
def _load(dtype: str, device: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with needs("so3lr"), resources.as_file(resources.files("so3krates_torch.pretrained.so3lr") / "so3lr.model") as path:
            # A pickled module, as the package itself loads it: code of the package, which is installed already.
            model = torch.load(path, map_location=device, weights_only=False)
    model.to(getattr(torch, dtype))
    model.r_max_lr = _LONG_RANGE_CUTOFF
    model.dispersion_energy_cutoff_lr_damping = _DISPERSION_DAMPING
    return model.eval().requires_grad_(False)
