"""Keeps what each step did, and does not make the device wait.

Shapes: M molecules, B batch, N padded atoms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from morered.relaxation.engine.state import Move, Rows, State
from morered.relaxation.recording import UNITS, Recording
from morered.structures import Structures, offsets_of
from morered.trajectories import Recorder, Trajectories

_KEPT_ON_DEVICE = 64  # steps until records are fetched


@dataclass
class _Step:
    molecules: NDArray[np.int64]
    attempts: NDArray[np.int64]
    kept: Tensor  # [B] bool
    columns: Rows
    positions: Tensor | None


class StepRecords:
    """Collects the steps of one run; does nothing where there is no `Recording`."""

    def __init__(self, structures: Structures, recording: Recording | None, first: int = 1) -> None:
        self.recording = recording
        self._structures = structures
        self._first = first
        self._attempts = np.zeros(len(structures), np.int64)
        self._fresh: list[_Step] = []
        self._steps: list[_Step] = []

    def add(self, molecules: NDArray[np.int64], code_before: Tensor, state: State, move: Move) -> None:
        """Note a step of the rows that ran: molecule of each row [B], their codes before it, the state after it."""
        if self.recording is None:
            return
        kept = (move.record["step"] - self._first) % self.recording.stride == 0
        kept = (kept | (state.code != 0)) & (code_before == 0)
        columns = {name: values.clone() for name, values in move.record.items()}
        positions = None
        if self.recording.frames:
            # A broken proposal has not been taken, and its structure is the one before.
            positions = state.batch.positions if move.recorded_positions is None else move.recorded_positions
            positions = positions.to(torch.float32, copy=True)
        self._fresh.append(_Step(molecules.copy(), self._attempts[molecules].copy(), kept, columns, positions))
        if len(self._fresh) >= _KEPT_ON_DEVICE:
            self._fetch()

    def restart(self, molecules: NDArray[np.int64]) -> None:
        """These begin again: what was noted of them does not count."""
        self._attempts[molecules] += 1

    def trajectories(self) -> Trajectories | None:
        """All that was kept, by molecule; None without a recording."""
        if self.recording is None:
            return None
        self._fetch()
        recorder = Recorder(self._structures.ids, UNITS)
        sizes = self._structures.sizes
        for step in self._steps:
            rows = np.flatnonzero(step.kept.numpy() & (step.attempts == self._attempts[step.molecules]))
            if not len(rows):
                continue
            frames = None
            if step.positions is not None:
                positions = step.positions.numpy()
                frames = [positions[row, : sizes[step.molecules[row]]] for row in rows]
            recorder.add(step.molecules[rows], {name: values.numpy()[rows] for name, values in step.columns.items()}, frames)
        return recorder.finish()

    def _fetch(self) -> None:
        for step in self._fresh:
            step.kept = step.kept.cpu()
            step.columns = {name: values.cpu() for name, values in step.columns.items()}
            step.positions = None if step.positions is None else step.positions.cpu()
        self._steps += self._fresh
        self._fresh = []


def spread(trajectories: Trajectories, ids: NDArray[np.bytes_], molecules: NDArray[np.int64]) -> Trajectories:
    """Trajectories of some molecules, ``molecules`` ascending, as those of all, ids [M]: the others have no steps."""

    def scattered(offsets: NDArray[np.int64]) -> NDArray[np.int64]:
        lengths = np.zeros(len(ids), np.int64)
        lengths[molecules] = np.diff(offsets)
        return offsets_of(lengths)

    frames = None if trajectories.frame_offsets is None else scattered(trajectories.frame_offsets)
    return Trajectories(ids, scattered(trajectories.offsets), trajectories.columns, trajectories.frames, frames)
