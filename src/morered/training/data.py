"""Training data on the device, and which molecules form which batch.

Everything is put into a few rectangular tensors once (buckets of like size); a batch is then a gather, without Python work per
molecule. Which molecules it holds is a function of the seed and the number of the batch alone, so that a resumed run continues
where it stopped without stored generators.

Shapes: M molecules, M_b of them in a bucket, A atoms (flat), B batch, N padded atoms.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from morered.batching import bucket_of
from morered.diffusion.process import NoiseProcess
from morered.diffusion.random_numbers import molecule_keys
from morered.settings.training import Repeats
from morered.structures import Structures, as_names


class Bucket(NamedTuple):
    """Molecules padded to one size.

    numbers uint8 [M_b, N] (0 = padding), positions [M_b, N, 3] in Å, keys int64 [M_b], and further tensors by name: ``factor``
    (`NoiseProcess.factor`), ``charges`` int64 [M_b] where there are ions, ``energy`` [M_b] in eV, ``forces`` [M_b, N, 3] in eV/Å.
    """

    numbers: Tensor
    positions: Tensor
    keys: Tensor
    extra: Mapping[str, Tensor]

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, rows: Tensor | slice) -> Bucket:
        """Some of its molecules."""
        extra = {name: values[rows] for name, values in self.extra.items()}
        return Bucket(self.numbers[rows], self.positions[rows], self.keys[rows], extra)

    def to(self, device: torch.device | str) -> Bucket:
        """The same bucket elsewhere."""
        extra = {name: values.to(device) for name, values in self.extra.items()}
        return Bucket(self.numbers.to(device), self.positions.to(device), self.keys.to(device), extra)


def repeated(structures: Structures, repeats: Repeats) -> Structures:
    """The same with small molecules several times, each under a name of its own, so that it gets noise of its own."""
    if repeats.times == 1:
        return structures
    small = structures[np.flatnonzero(structures.sizes <= repeats.max_atoms)]
    copies = [replace(small, ids=as_names([f"{name}#{k}" for name in small.names])) for k in range(2, repeats.times + 1)]
    return Structures.concatenate([structures, *copies])


def bucket_sizes(structures: Structures) -> tuple[list[int], list[float]]:
    """Molecules in each bucket that `diffusion_buckets` and `potential_buckets` make, and their mean number of atoms."""
    rows = [rows for rows, _ in _by_bucket(structures.sizes)]
    return [len(chosen) for chosen in rows], [float(structures.sizes[chosen].mean()) for chosen in rows]


def widths(atoms: list[float], batch_atoms: int) -> list[int]:
    """Molecules in a batch of each bucket, from the mean number of atoms of its molecules, for about ``batch_atoms`` atoms."""
    return [max(1, round(batch_atoms / mean)) for mean in atoms]


def diffusion_buckets(structures: Structures, process: NoiseProcess, device: torch.device | str = "cpu") -> list[Bucket]:
    """Minima for a diffusion model: centred float64 positions, and what the noise process needs of them."""
    buckets = []
    for rows, n in _by_bucket(structures.sizes):
        numbers, positions = _padded(structures, rows, n, structures.numbers), _padded(structures, rows, n, structures.positions)
        mask = numbers > 0
        positions = positions.astype(np.float64)
        positions -= positions.sum(1, keepdims=True) / mask.sum(1)[:, None, None]
        positions *= mask[..., None]
        parts = [torch.from_numpy(a) for a in (numbers, positions, molecule_keys(structures.ids[rows]))]
        factor = process.factor(parts[0].long(), parts[1], parts[0] > 0)  # here: a GPU decomposes one small matrix at a time
        extra = {} if factor is None else {"factor": factor}
        if structures.charges.any():
            extra["charges"] = torch.from_numpy(structures.charges[rows].astype(np.int64))
        buckets.append(Bucket(parts[0], parts[1], parts[2], extra).to(device))
    return buckets


def potential_buckets(structures: Structures, device: torch.device | str = "cpu") -> list[Bucket]:
    """Structures with columns ``energy`` (eV) and ``forces`` (eV/Å) for the force field; float32 but for the energies.

    Raises
    ------
    ValueError
        If a column is missing, has another unit, or holds numbers that are not finite.
    """
    energy = _column(structures, "energy", "eV", per_atom=False).astype(np.float64)
    forces = _column(structures, "forces", "eV/Å", per_atom=True)
    buckets = []
    for rows, n in _by_bucket(structures.sizes):
        numbers = _padded(structures, rows, n, structures.numbers)
        positions = _padded(structures, rows, n, structures.positions).astype(np.float32)
        force = _padded(structures, rows, n, forces).astype(np.float32)
        extra = {"energy": torch.from_numpy(energy[rows]), "forces": torch.from_numpy(force)}
        keys = torch.zeros(len(rows), dtype=torch.int64)  # nothing is drawn for them
        buckets.append(Bucket(torch.from_numpy(numbers), torch.from_numpy(positions), keys, extra).to(device))
    return buckets


class Draw(NamedTuple):
    """One batch: its number since the start of the training, its bucket, and rows [B] of that."""

    number: int
    bucket: int
    rows: Tensor


class BatchPlan:
    """The order in which molecules are trained on.

    Every batch comes from one bucket, so that it has one shape. Each epoch has the same number of batches. The buckets get them
    in proportion to the batches that their molecules make, by systematic sampling with a random offset. So every molecule weighs
    the same in the mean, also in a bucket that is smaller than a batch.

    Parameters
    ----------
    sizes
        Molecules in each bucket.
    batch_size
        Molecules in a batch, of all buckets or of each; a bucket with fewer gives batches of all of them.
    seed
        Of the order.

    Attributes
    ----------
    molecules
        In a batch, in the mean over an epoch if all buckets were full.
    """

    def __init__(self, sizes: list[int], batch_size: int | list[int], seed: int) -> None:
        if not sum(sizes):
            raise ValueError("there are no molecules to train on")
        self.sizes = sizes
        self.widths = [batch_size] * len(sizes) if isinstance(batch_size, int) else batch_size
        self.seed = seed
        self._batches = [size / width for size, width in zip(sizes, self.widths, strict=True)]
        self.molecules = float(batch_size) if isinstance(batch_size, int) else sum(sizes) / sum(self._batches)
        self.batches_per_epoch = max(1, round(sum(sizes) / self.molecules))
        self._epoch = -1
        self._order: list[tuple[int, Tensor]] = []

    def draw(self, number: int) -> Draw:
        """One batch of the training."""
        epoch, place = divmod(number, self.batches_per_epoch)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, self._deal(epoch)
        return Draw(number, *self._order[place])

    def weight(self, draw: Draw) -> float:
        """How many molecules a batch counts for: the mean number, or less where its bucket is smaller than a batch."""
        return len(draw.rows) * (self.molecules / self.widths[draw.bucket])

    def _deal(self, epoch: int) -> list[tuple[int, Tensor]]:
        generator = np.random.default_rng([self.seed & 0xFFFFFFFFFFFFFFFF, epoch])
        borders = np.cumsum(self._batches) / sum(self._batches) * self.batches_per_epoch
        borders[-1] = self.batches_per_epoch  # exactly, whatever the rounding
        counts = np.diff(np.floor(borders + generator.random()), prepend=0).astype(int)
        batches = []
        for bucket, (size, count) in enumerate(zip(self.sizes, counts, strict=True)):
            width = min(self.widths[bucket], size)
            needed = count * width
            order = [generator.permutation(size) for _ in range(-(-needed // size) if size else 0)]
            rows = torch.from_numpy(np.concatenate([np.empty(0, np.int64), *order])[:needed])
            batches += [(bucket, part) for part in rows.reshape(count, width)]
        return [batches[i] for i in generator.permutation(len(batches))]


def chunks(buckets: list[Bucket], batch_size: int, atoms: int) -> Iterator[tuple[int, slice]]:
    """All molecules in order, as (bucket, rows) with at most ``batch_size`` rows and ``atoms`` atoms, padding included."""
    for bucket, molecules in enumerate(buckets):
        width = max(1, min(batch_size, atoms // molecules.numbers.shape[1]))
        for start in range(0, len(molecules), width):
            yield bucket, slice(start, start + width)


def atomic_references(structures: Structures) -> dict[int, float]:
    """Energies in eV per atomic number that fit the column ``energy`` best (least squares), for the elements there are."""
    elements = np.unique(structures.numbers)
    counts = np.stack([structures.per_molecule_sum((structures.numbers == z).astype(np.float64)) for z in elements], 1)
    energies = _column(structures, "energy", "eV", per_atom=False)
    fitted = np.linalg.lstsq(counts, energies.astype(np.float64))[0]
    return dict(zip(elements.tolist(), fitted.tolist(), strict=True))


def digest(*parts: Structures) -> str:
    """SHA-256 over ids, atoms, positions, charges, energies and forces: which data a checkpoint belongs to."""
    total = hashlib.sha256()
    for part in parts:
        arrays = [part.ids, part.offsets, part.numbers, part.positions]
        arrays += [part.columns[name].values for name in ("energy", "forces") if name in part.columns]
        arrays += [part.charges] if part.charges.any() else []
        for array in arrays:
            total.update(f"{array.dtype}{array.shape}".encode())
            total.update(memoryview(np.ascontiguousarray(array)).cast("B") if array.size else b"")
    return total.hexdigest()


def _by_bucket(sizes: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Molecules [M_b] of each padded size N, sizes ascending; molecules without atoms are left out."""
    occurring = np.unique(sizes[sizes > 0])
    width = np.array([bucket_of(int(size)) for size in occurring], dtype=np.int64)
    padded = np.zeros(len(sizes), np.int64)
    padded[sizes > 0] = width[np.searchsorted(occurring, sizes[sizes > 0])]
    for n in np.unique(width).tolist():
        yield np.flatnonzero(padded == n), n


def _padded(structures: Structures, rows: NDArray[np.int64], n: int, values: NDArray) -> NDArray:
    """Per-atom values [A, ...] of some molecules as [M_b, N, ...], 0 on padding."""
    sizes = structures.sizes[rows]
    mask = np.arange(n) < sizes[:, None]
    atoms = (structures.offsets[:-1][rows][:, None] + np.arange(n))[mask]
    padded = np.zeros((*mask.shape, *values.shape[1:]), values.dtype)
    padded[mask] = values[atoms]
    return padded


def _column(structures: Structures, name: str, unit: str, per_atom: bool) -> NDArray:
    if name not in structures.columns:
        there = ", ".join(sorted(structures.columns)) or "none"
        raise ValueError(f"training a force field needs the column {name!r} ({unit}); there are: {there}")
    column = structures.columns[name]
    if column.unit != unit or column.per_atom != per_atom:
        raise ValueError(
            f"the column {name!r} must be in {unit} {'per atom' if per_atom else 'per molecule'}, not in {column.unit!r}"
        )
    if not np.isfinite(column.values).all():
        raise ValueError(f"the column {name!r} holds numbers that are not finite")
    return column.values
