"""Padded batches: molecules of like size side by side in rectangular tensors.

Shapes: M molecules, A atoms (flat), B batch, N padded atoms.

Small molecules are computed fastest in dense tensors, but a molecule padded from 8 to 24 atoms costs nine times its
pairs, and each shape that a compiled network sees is compiled for. So sizes are rounded up to a few `BUCKETS`, close together
where molecules are many.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from morered.diffusion.random_numbers import molecule_keys
from morered.frozen import FROZEN
from morered.structures import ELECTRONIC, Index, Structures

#: Padded sizes. Between 12 and 20 atoms, where QM7 and QM7-X have nine of ten molecules, every second size is one.
BUCKETS: tuple[int, ...] = (8, 12, 14, 16, 18, 20, 24, 32, 48, 64, 96, 128, 192, 256)


@dataclass(frozen=True)
class Batch:
    """Molecules padded to one size.

    Attributes
    ----------
    numbers : Tensor
        [B, N] int64, atomic numbers, 0 = padding.
    positions : Tensor
        [B, N, 3], Å, 0 on padding.
    mask : Tensor
        [B, N] bool, True where there is an atom. A molecule's atoms come first.
    keys : Tensor
        [B] int64, `molecule_keys` of the ids: what the noise of a molecule is keyed by.
    electrons : Tensor or None
        [B, 2] int64, total charge in e and unpaired electrons; None stands for neutral molecules of which nothing is stated.
    frozen : Tensor or None
        [B, N] bool, atoms that no relaxation moves; None where there are none.
    """

    numbers: Tensor
    positions: Tensor
    mask: Tensor
    keys: Tensor
    electrons: Tensor | None = None
    frozen: Tensor | None = None

    def __len__(self) -> int:
        return self.numbers.shape[0]

    @property
    def n_padded(self) -> int:
        """N, the padded number of atoms."""
        return self.numbers.shape[1]

    @property
    def charges(self) -> Tensor | None:
        """Total charges in e, [B] int64; None where all are neutral because nothing is stated."""
        return None if self.electrons is None else self.electrons[:, 0]

    @property
    def stated(self) -> dict[str, Tensor]:
        """What a network is told besides atoms and positions: ``charges`` where any are stated."""
        return {} if self.charges is None else {"charges": self.charges}

    @property
    def sizes(self) -> Tensor:
        """Atoms of each molecule, [B] int64."""
        return self.mask.sum(dim=1)

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Batch:
        """The same batch elsewhere; ``dtype`` is that of the positions."""
        numbers, mask, keys = (values.to(device) for values in (self.numbers, self.mask, self.keys))
        electrons, frozen = (None if values is None else values.to(device) for values in (self.electrons, self.frozen))
        return Batch(numbers, self.positions.to(device, dtype), mask, keys, electrons, frozen)

    def with_positions(self, positions: Tensor) -> Batch:
        """The same molecules with other positions [B, N, 3] in Å."""
        return Batch(self.numbers, positions, self.mask, self.keys, self.electrons, self.frozen)

    def loose(self, vectors: Tensor) -> Tensor:
        """Moves or forces [B, N, 3] with zeros on frozen atoms."""
        return vectors if self.frozen is None else torch.where(self.frozen[..., None], 0.0, vectors)

    def __getitem__(self, index: slice | Tensor) -> Batch:
        """The chosen molecules of the batch, padded as before."""
        electrons, frozen = (None if values is None else values[index] for values in (self.electrons, self.frozen))
        return Batch(self.numbers[index], self.positions[index], self.mask[index], self.keys[index], electrons, frozen)


def bucket_of(n_atoms: int) -> int:
    """The padded size for a molecule of ``n_atoms``: the smallest bucket that holds it, beyond the last a multiple of 64.

    Raises
    ------
    ValueError
        If ``n_atoms`` is negative.
    """
    if n_atoms < 0:
        raise ValueError(f"a molecule cannot have {n_atoms} atoms")
    for size in BUCKETS:
        if n_atoms <= size:
            return size
    return -(-n_atoms // 64) * 64


def pad(
    structures: Structures,
    index: Index | None = None,
    n_padded: int | None = None,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float64,
) -> Batch:
    """Put molecules into one padded batch.

    Parameters
    ----------
    structures : Structures
        M molecules.
    index
        Which of them, in the order given; all by default.
    n_padded : int, optional
        N; by default the bucket of the largest molecule chosen.
    device, dtype
        Of the tensors; ``dtype`` is that of the positions, float64 by default because diffusion runs in it.

    Returns
    -------
    Batch
        B = number of chosen molecules.

    Raises
    ------
    ValueError
        If a molecule has more than ``n_padded`` atoms.
    """
    chosen = structures.without_columns()
    if FROZEN in structures.columns:
        chosen = chosen.with_columns({FROZEN: structures.columns[FROZEN]})
    chosen = chosen if index is None else chosen[index]
    sizes = chosen.sizes
    largest = int(sizes.max(initial=0))
    n_padded = bucket_of(largest) if n_padded is None else n_padded
    if largest > n_padded:
        name = chosen.names[int(sizes.argmax())]
        raise ValueError(f"molecule {name!r} has {largest} atoms, more than the {n_padded} of the batch")
    mask = np.arange(n_padded) < sizes[:, None]
    numbers = np.zeros(mask.shape, dtype=np.int64)
    positions = np.zeros((*mask.shape, 3), dtype=np.float64)
    frozen = None
    if FROZEN in chosen.columns:
        held = np.zeros(mask.shape, dtype=bool)
        held[mask] = chosen.columns[FROZEN].values
        frozen = torch.from_numpy(held).to(device)
    stated = any(name in chosen.columns for name in ELECTRONIC)
    electrons = np.stack([chosen.charges, chosen.unpaired], axis=1) if stated else None
    numbers[mask] = chosen.numbers
    positions[mask] = chosen.positions
    return Batch(
        numbers=torch.from_numpy(numbers).to(device),
        positions=torch.from_numpy(positions).to(device, dtype),
        mask=torch.from_numpy(mask).to(device),
        keys=torch.from_numpy(molecule_keys(chosen.ids)).to(device),
        electrons=None if electrons is None else torch.from_numpy(electrons).to(device),
        frozen=frozen,
    )


def unpad(values: Tensor, mask: Tensor) -> NDArray:
    """Per-atom values [B, N, ...] as a flat array [A, ...], molecule after molecule, padding dropped."""
    return values.detach()[mask].cpu().numpy()


def batches(
    sizes: NDArray[np.integer],
    batch_size: int = 128,
    order: Literal["size", "given"] = "size",
) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Indices of molecules that belong into one batch, and the batch's padded size.

    Parameters
    ----------
    sizes : NDArray
        [M] atoms of each molecule.
    batch_size : int
        Molecules in a batch, at most.
    order : {"size", "given"}
        "size" sorts the molecules by bucket first (stable), which wastes least; "given" keeps their order and starts a new batch
        where the bucket changes or the batch is full.

    Yields
    ------
    (NDArray, int)
        Indices [B] into ``sizes`` and N. Each molecule is yielded once.
    """
    buckets = np.array([bucket_of(int(n)) for n in sizes], dtype=np.int64)
    indices = np.argsort(buckets, kind="stable") if order == "size" else np.arange(len(buckets))
    edges = np.flatnonzero(np.diff(buckets[indices])) + 1
    for group in np.split(indices, edges):
        for start in range(0, len(group), batch_size):
            part = group[start : start + batch_size]
            yield part, int(buckets[part[0]])
