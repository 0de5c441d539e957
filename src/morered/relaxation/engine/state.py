"""What a batch of molecules under relaxation consists of: rows of tensors, one row per molecule.

Shapes: B batch, N padded atoms.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from morered.batching import Batch
from morered.relaxation.codes import Code
from morered.relaxation.engine.endings import codes_of, squared_limits, squared_radii

Rows = dict[str, Tensor]
"""Named tensors whose first dimension is the batch."""


@dataclass
class State:
    """Molecules being relaxed; each tensor's first dimension is the batch.

    Attributes
    ----------
    batch : Batch
        Atoms, mask and keys; its positions [B, N, 3] (Å, float64, centred) are the current ones.
    code : Tensor
        [B] int8, a `Code`; a row that is not 0 is frozen.
    taken : Tensor
        [B] int64, steps taken.
    limit : Tensor
        [B] float64, Å²: the squared distance from the centre beyond which the structure counts as exploded.
    results : Rows
        What the method reports at the end (first and last time, ...); kept when a row is frozen.
    scratch : Rows
        What is the method's own (histories, noise drawn ahead); without meaning once a row is frozen.
    """

    batch: Batch
    code: Tensor
    taken: Tensor
    limit: Tensor
    results: Rows
    scratch: Rows

    def __len__(self) -> int:
        return len(self.batch)

    def rows(self, index: Tensor, with_scratch: bool = True) -> State:
        """The chosen rows, copied; ``index`` [b] int64."""
        return State(
            self.batch[index],
            self.code[index],
            self.taken[index],
            self.limit[index],
            {name: values[index] for name, values in self.results.items()},
            {name: values[index] for name, values in self.scratch.items()} if with_scratch else {},
        )

    def put(self, index: Tensor, other: State) -> None:
        """Replace the rows ``index`` [b] int64 by those of ``other``, in place."""
        for mine, theirs in zip(self._tensors(), other._tensors(), strict=True):
            mine[index] = theirs

    def _tensors(self) -> list[Tensor]:
        batch = [self.batch.numbers, self.batch.positions, self.batch.mask, self.batch.keys]
        batch += [values for values in (self.batch.electrons, self.batch.frozen) if values is not None]
        return [*batch, self.code, self.taken, self.limit, *self.results.values(), *self.scratch.values()]


class Start(NamedTuple):
    """What a method makes of molecules that begin: positions [B, N, 3] to start from, results and scratch rows."""

    positions: Tensor
    results: Rows
    scratch: Rows


@dataclass
class Move:
    """What one step of a method proposes for every row, frozen ones included (the engine keeps those as they were).

    Attributes
    ----------
    positions : Tensor
        [B, N, 3], Å, float64.
    taken : Tensor
        [B] int64, steps taken with this one.
    code : Tensor
        [B] int8, a `Code`: 0 to go on.
    results : Rows
        New values of the `State`'s ``results``, all of them.
    record : Rows
        Columns of the trajectory, [B] each, where one is kept; ``step`` is the number of steps that led to the recorded
        positions.
    recorded_positions : Tensor or None
        [B, N, 3]; those after the step if None.
    """

    positions: Tensor
    taken: Tensor
    code: Tensor
    results: Rows
    record: Rows = field(default_factory=dict)
    recorded_positions: Tensor | None = None


class BatchedMethod(Protocol):
    """A batched method: an (init, step) pair. When a molecule is done is a plain function of what its step computed.

    Attributes
    ----------
    first_record : int
        The ``step`` of the first record: 0 where it is of the positions given, 1 where of those after the first step.
    """

    first_record: int

    def begin(self) -> None:
        """A new batch of slots begins: nothing of the last one is needed."""
        ...

    def init(self, batch: Batch) -> Start:
        """Molecules that start now (positions float64, centred), in a new batch or in slots of the current one."""
        ...

    def step(self, state: State) -> Move:
        """One step of every row. It may change the scratch in place, and nothing else of the state."""
        ...

    def reason(self, code: Code) -> str:
        """A sentence for how a molecule ended."""
        ...

    def bytes_per_molecule(self, n_padded: int) -> int:
        """Memory that one molecule of N padded atoms takes at most, state and step together."""
        ...


# --------------------------------------------------------------------- one step with what holds for every method


def start(method: BatchedMethod, batch: Batch) -> State:
    """The state of molecules that begin; the batch's positions [B, N, 3] are float64 and centred, in Å."""
    positions, results, scratch = method.init(batch)
    return State(
        batch=batch.with_positions(positions),
        code=torch.zeros(len(batch), dtype=torch.int8, device=positions.device),
        taken=torch.zeros(len(batch), dtype=torch.int64, device=positions.device),
        limit=squared_limits(positions),
        results=results,
        scratch=scratch,
    )


def advance(method: BatchedMethod, state: State, all_run: bool = False) -> tuple[State, Move]:
    """One step of the rows that run, and what the method proposed; frozen rows stay as they are.

    ``all_run`` promises that no row is frozen, and that looking at a result does not make the host wait; both save masking.
    """
    move = method.step(state)
    radii = squared_radii(move.positions)
    sound = radii <= state.limit  # False for NaN
    code, positions, taken, results = move.code, move.positions, move.taken, move.results
    if not (all_run and bool(sound.all())):
        # A broken proposal is not taken: its row keeps its last sound positions, so that no NaN stays in the batch.
        code = torch.where(sound, code, codes_of(radii))
        positions = torch.where(sound[:, None, None], positions, state.batch.positions)
    if not all_run:
        running = state.code == 0
        code = torch.where(running, code, state.code)
        positions = torch.where(running[:, None, None], positions, state.batch.positions)
        taken = torch.where(running, taken, state.taken)
        results = {name: _where(running, values, state.results[name]) for name, values in results.items()}
    return State(state.batch.with_positions(positions), code, taken, state.limit, results, state.scratch), move


def joined(parts: list[State]) -> State:
    """States without scratch, row after row."""

    def cat(tensors: Iterable[Tensor]) -> Tensor:
        return torch.cat(list(tensors))

    batches = [part.batch for part in parts]
    batch = Batch(
        cat(b.numbers for b in batches),
        cat(b.positions for b in batches),
        cat(b.mask for b in batches),
        cat(b.keys for b in batches),
        # All batches of a run are padded from the same structures: all of them have electrons, or frozen atoms, or none has.
        cat(e for b in batches if (e := b.electrons) is not None) if batches[0].electrons is not None else None,
        cat(f for b in batches if (f := b.frozen) is not None) if batches[0].frozen is not None else None,
    )
    return State(
        batch=batch,
        code=cat(part.code for part in parts),
        taken=cat(part.taken for part in parts),
        limit=cat(part.limit for part in parts),
        results={name: cat(part.results[name] for part in parts) for name in parts[0].results},
        scratch={},
    )


def shortened(move: Tensor, longest: float) -> Tensor:
    """Moves [B, N, 3] scaled per molecule so that no atom moves further than ``longest``."""
    length = move.square().sum(dim=-1).amax(dim=-1).sqrt()
    return move * (longest / length.clamp(min=longest))[:, None, None]


def _where(condition: Tensor, values: Tensor, otherwise: Tensor) -> Tensor:
    return torch.where(condition.reshape(-1, *[1] * (values.dim() - 1)), values, otherwise)
