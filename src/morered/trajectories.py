"""What a relaxation did, step by step: ragged records in a file beside the relaxed structures.

    ids            [M]     bytes (S)       the molecules, as in the structures' file
    offsets        [M+1]   int64           molecule m owns steps offsets[m]:offsets[m+1]
    columns        dict    name -> Column  one value per step, [S, ...], each with a unit (time, largest force, energy ...)
    frames         [P, 3]  float32, Å      positions after each step, one frame after another; absent where none were kept
    frame_offsets  [M+1]   int64           molecule m owns rows frame_offsets[m]:frame_offsets[m+1] of ``frames``: its number
                                           of steps times its number of atoms, or none where its frames were not kept

Shapes: M molecules, S steps of all molecules together, N atoms of one molecule, K molecules in one step.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from morered import storage
from morered.structures import Column, Structures, as_names, gathered, offsets_of

FORMAT = "morered trajectories"
VERSION = 1


class Trajectory(NamedTuple):
    """Steps of one molecule: its id, values of each column [steps, ...], and frames [steps, N, 3] in Å or None."""

    id: str
    columns: dict[str, NDArray]
    frames: NDArray[np.float32] | None


@dataclass(eq=False, repr=False)
class Trajectories:
    """Per-step records of many molecules; see the module's docstring for the arrays, their shapes and units.

    Raises
    ------
    ValueError
        If the arrays do not fit together; the message names the array.
    """

    ids: NDArray[np.bytes_]
    offsets: NDArray[np.int64]
    columns: dict[str, Column] = field(default_factory=dict)
    frames: NDArray[np.float32] | None = None
    frame_offsets: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        _check_offsets("offsets", self.offsets, len(self.ids))
        for name, column in self.columns.items():
            if len(column.values) != self.n_steps:
                raise ValueError(f"column {name!r} must have {self.n_steps} steps, not {len(column.values)}")
        if (self.frames is None) != (self.frame_offsets is None):
            raise ValueError("frames and frame_offsets come together")
        if self.frames is None or self.frame_offsets is None:
            return
        _check_offsets("frame_offsets", self.frame_offsets, len(self.ids), len(self.frames))
        if self.frames.shape != (len(self.frames), 3):
            raise ValueError(f"frames must be [rows, 3], not {list(self.frames.shape)}")
        rows, steps = np.diff(self.frame_offsets), self.lengths
        uneven = np.flatnonzero(rows % np.maximum(steps, 1) + rows * (steps == 0))
        if len(uneven):
            m = int(uneven[0])
            raise ValueError(f"{rows[m]} rows of frames do not fit the {steps[m]} steps of molecule {self.ids[m].decode()!r}")

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        frames = "" if self.frames is None else ", frames kept"
        return f"Trajectories({len(self)} molecules, {self.n_steps} steps; {', '.join(self.columns) or 'no columns'}{frames})"

    @property
    def n_steps(self) -> int:
        """Steps of all molecules together."""
        return int(self.offsets[-1])

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Steps of each molecule, [M]."""
        return np.diff(self.offsets)

    @property
    def molecule_index(self) -> NDArray[np.int64]:
        """The molecule that each step belongs to, [S]."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @property
    def step_index(self) -> NDArray[np.int64]:
        """Number of each step within its molecule, from 0, [S]."""
        return np.arange(self.n_steps) - np.repeat(self.offsets[:-1], self.lengths)

    def trajectory(self, m: int) -> Trajectory:
        """Steps of molecule ``m`` as views of the flat arrays."""
        m = range(len(self))[m]
        steps = slice(int(self.offsets[m]), int(self.offsets[m + 1]))
        frames = None
        if self.frames is not None and self.frame_offsets is not None:
            rows = self.frames[int(self.frame_offsets[m]) : int(self.frame_offsets[m + 1])]
            frames = rows.reshape(steps.stop - steps.start, -1, 3) if len(rows) else None
        return Trajectory(self.ids[m].decode(), {name: c.values[steps] for name, c in self.columns.items()}, frames)

    def __iter__(self) -> Iterator[Trajectory]:
        return (self.trajectory(m) for m in range(len(self)))

    def of(self, name: str | bytes) -> Trajectory:
        """Steps of the molecule with this id; a KeyError where there is none."""
        found = np.flatnonzero(self.ids == as_names([name]))
        if not len(found):
            raise KeyError(f"no trajectory of {as_names([name])[0].decode()!r} among {len(self)}")
        return self.trajectory(int(found[0]))

    def structures(self, molecules: Structures) -> Structures:
        """Every kept frame as a structure of its own, to write in any format; ``molecules`` are those that were followed.

        Ids are ``<molecule>-step<k>``, references the molecules' ids; the per-step columns come along.

        Raises
        ------
        ValueError
            If no frames were kept.
        """
        if self.frames is None or self.frame_offsets is None:
            raise ValueError("these trajectories hold no frames")
        steps = np.flatnonzero(np.repeat(np.diff(self.frame_offsets) > 0, self.lengths))
        owner = molecules.index_of(self.ids)[self.molecule_index[steps]]
        each = molecules.without_columns()[owner]
        names = [
            f"{molecules.ids[m].decode()}-step{k}" for m, k in zip(owner.tolist(), self.step_index[steps].tolist(), strict=True)
        ]
        columns = {name: column._replace(values=column.values[steps]) for name, column in self.columns.items()} | each.columns
        return Structures(
            each.numbers, self.frames.astype(np.float64), each.offsets, as_names(names), molecules.ids[owner], columns
        )

    @classmethod
    def concatenate(cls, parts: Iterable[Trajectories]) -> Trajectories:
        """All molecules of ``parts`` in order. Columns must be the same in each part; a part without frames keeps none.

        Raises
        ------
        ValueError
            If columns differ in name or unit.
        """
        parts = list(parts)
        if not parts:
            return cls(as_names([]), offsets_of([]))
        kinds = [{name: column.unit for name, column in part.columns.items()} for part in parts]
        if any(kind != kinds[0] for kind in kinds):
            raise ValueError(f"columns differ: {kinds[0]} and {next(kind for kind in kinds if kind != kinds[0])}")
        kept = [part.frames for part in parts if part.frames is not None]
        rows = [np.zeros(len(p), np.int64) if p.frame_offsets is None else np.diff(p.frame_offsets) for p in parts]
        return cls(
            ids=np.concatenate([p.ids for p in parts]),
            offsets=offsets_of(np.concatenate([p.lengths for p in parts])),
            columns={
                name: Column(np.concatenate([p.columns[name].values for p in parts]), unit) for name, unit in kinds[0].items()
            },
            frames=np.concatenate(kept) if kept else None,
            frame_offsets=offsets_of(np.concatenate(rows)) if kept else None,
        )

    def take(self, molecules: NDArray[np.int64], ids: NDArray[np.bytes_]) -> Trajectories:
        """Steps of some molecules, any order, [K] indices, under new ``ids`` [K]."""
        frames, frame_offsets = None, None
        if self.frames is not None and self.frame_offsets is not None:
            rows, frame_offsets = gathered(self.frame_offsets, molecules)
            frames = self.frames[rows]
        steps, offsets = gathered(self.offsets, molecules)
        columns = {name: column._replace(values=column.values[steps]) for name, column in self.columns.items()}
        return Trajectories(ids, offsets, columns, frames, frame_offsets)

    def write(self, path: str | os.PathLike[str], provenance: Mapping[str, Any] | None = None) -> None:
        """Write one HDF5 file, as `morered.storage.write` does."""
        arrays = {"ids": Column(self.ids), "offsets": Column(self.offsets)}
        if self.frames is not None and self.frame_offsets is not None:
            arrays |= {"frames": Column(self.frames, "Å"), "frame_offsets": Column(self.frame_offsets)}
        storage.write_arrays(path, FORMAT, VERSION, arrays, self.columns, provenance)

    @classmethod
    def read(cls, path: str | os.PathLike[str], mmap: bool = True) -> Trajectories:
        """Trajectories of a file, mapped into memory; raises as `morered.storage.read` does."""
        arrays, columns = storage.read_arrays(path, FORMAT, VERSION, ("ids", "offsets"), mmap, ("frames", "frame_offsets"))
        try:
            return cls(**{name: array.values for name, array in arrays.items()}, columns=columns)
        except ValueError as error:
            raise storage.StorageError(f"{path}: its arrays do not fit together: {error}") from None


class Recorder:
    """Collects steps as an engine makes them, many molecules at a time, and sorts them by molecule in the end.

    Every call names the molecules that took a step; their numbers of steps may differ. Each call gives the same columns.

    Parameters
    ----------
    ids
        Ids of all molecules [M], in the order of the result.
    units
        Units of the columns; those not named are pure numbers.
    """

    def __init__(self, ids: Sequence[str | bytes] | NDArray[np.bytes_], units: Mapping[str, str] | None = None) -> None:
        self._ids = as_names(ids)
        self._units = dict(units or {})
        self._molecules: list[NDArray[np.int64]] = []
        self._columns: dict[str, list[NDArray]] = {}
        self._frames: list[NDArray[np.float32]] = []
        self._rows: list[NDArray[np.int64]] = []

    def add(
        self,
        molecules: ArrayLike,
        columns: Mapping[str, ArrayLike],
        frames: Sequence[ArrayLike] | None = None,
    ) -> None:
        """Note one step of molecules [K].

        Parameters
        ----------
        molecules
            Their indices, [K].
        columns
            Values of the step, name -> [K, ...]; copied.
        frames
            Positions after the step, [N, 3] in Å for each of the K molecules; a molecule's frames are kept for all of its steps
            or none: give an empty array for one whose frames are not kept.

        Raises
        ------
        ValueError
            If the columns are not those of the calls before, or lengths differ.
        """
        index = np.array(molecules, dtype=np.int64).reshape(-1)
        values = {name: np.array(value) for name, value in columns.items()}
        if self._molecules and values.keys() != self._columns.keys():
            raise ValueError(f"columns {sorted(values)} after {sorted(self._columns)}")
        for name, value in values.items():
            if value.shape[:1] != index.shape:
                raise ValueError(f"column {name!r} has {value.shape[:1]} values for {len(index)} molecules")
        points = [np.asarray(x, dtype=np.float32).reshape(-1, 3) for x in frames] if frames is not None else []
        if frames is not None and len(points) != len(index):
            raise ValueError(f"{len(points)} frames for {len(index)} molecules")
        self._molecules.append(index)
        for name, value in values.items():
            self._columns.setdefault(name, []).append(value)
        self._rows.append(np.array([len(x) for x in points], np.int64) if points else np.zeros(len(index), np.int64))
        self._frames += [x.copy() for x in points if len(x)]

    def finish(self) -> Trajectories:
        """Everything noted, sorted by molecule and then by time."""
        molecule = np.concatenate([*self._molecules, np.empty(0, np.int64)])
        order = np.argsort(molecule, kind="stable")
        columns = {
            name: Column(np.concatenate(values)[order], self._units.get(name, "")) for name, values in self._columns.items()
        }
        offsets = offsets_of(np.bincount(molecule, minlength=len(self._ids)))
        if not self._frames:
            return Trajectories(self._ids, offsets, columns)
        rows = np.concatenate(self._rows)
        taken, _ = gathered(offsets_of(rows), order)
        per_molecule = np.bincount(molecule, weights=rows, minlength=len(self._ids)).astype(np.int64)
        return Trajectories(self._ids, offsets, columns, np.concatenate(self._frames)[taken], offsets_of(per_molecule))


def _check_offsets(name: str, offsets: NDArray[np.int64], n: int, last: int | None = None) -> None:
    if offsets.shape != (n + 1,) or offsets[0] != 0 or np.any(np.diff(offsets) < 0):
        raise ValueError(f"{name} must be {n + 1} numbers that start at 0 and do not fall")
    if last is not None and offsets[-1] != last:
        raise ValueError(f"{name} must end at {last}, not at {offsets[-1]}")
