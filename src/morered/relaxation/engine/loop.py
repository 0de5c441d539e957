"""The engine of all batched methods. Molecules wait in queues by size, take steps side by side in padded slots, and leave when
they are done.

A slot that becomes free is filled from the queue at once; when the queue is empty the batch shrinks. A molecule that is done is
frozen by its mask until its slot is emptied, so how often the host looks does not change any result. On a CPU the host looks
after every step, which costs nothing there. On a GPU it reads the flags that were copied to it `LAG` steps earlier, so that the
device never waits for the host.

Shapes: M molecules, A atoms (flat), B batch (slots in use), N padded atoms.
"""

from __future__ import annotations

import time
from collections import deque

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from morered.batching import bucket_of, unpad
from morered.relaxation.codes import Code
from morered.relaxation.engine.memory import molecules_that_fit
from morered.relaxation.engine.queue import Queue
from morered.relaxation.engine.state import BatchedMethod, State, advance, joined, start
from morered.relaxation.engine.step_records import StepRecords
from morered.relaxation.recording import Recording
from morered.relaxation.result import Progress, Result
from morered.structures import Structures, gathered

#: Molecules that left the batch until they are brought to the host together.
_KEPT_ON_DEVICE = 512
#: Steps between a molecule's end and its leaving the batch, on a GPU.
LAG = 8


def relax_batched(
    structures: Structures,
    method: BatchedMethod,
    *,
    device: torch.device | str = "cpu",
    batch_size: int | None = None,
    lag: int | None = None,
    recording: Recording | None = None,
    progress: Progress | None = None,
) -> Result:
    """Relax molecules with a batched method.

    Parameters
    ----------
    structures : Structures
        M molecules that the method can take (see `morered.relaxation.verdicts.screening`), centred.
    method : BatchedMethod
        What takes the steps.
    device
        Where the tensors live.
    batch_size : int, optional
        Molecules that run side by side, at most; by default as many as the memory holds and use.
    lag : int, optional
        How many steps old the flags are that the host reads; by default 0 on a CPU and `LAG` elsewhere.
    recording : Recording, optional
        What to keep of the steps.
    progress : callable, optional
        Told of the progress.

    Returns
    -------
    Result
        Positions centred; also after a KeyboardInterrupt: what is done by then is kept.
    """
    device = torch.device(device)
    if lag is None:
        lag = 0 if device.type == "cpu" else LAG
    engine = _Engine(structures, method, device, batch_size, lag, recording, progress)
    try:
        with torch.no_grad():
            engine.relax_all()
    except KeyboardInterrupt:
        engine.result.interrupted = True
        engine.collect()
    result = engine.result
    result.reasons = [None if c == Code.INTERRUPTED else method.reason(Code(c)) for c in result.code.tolist()]
    result.trajectories = engine.records.trajectories()
    return result


class _Engine:
    """One run; see `relax_batched`."""

    def __init__(
        self,
        structures: Structures,
        method: BatchedMethod,
        device: torch.device,
        batch_size: int | None,
        lag: int,
        recording: Recording | None,
        progress: Progress | None,
    ) -> None:
        self.structures = structures
        self.method = method
        self.device = device
        self.batch_size = batch_size
        self.lag = lag
        self.progress = progress
        self.result = Result.begin(structures)
        self.records = StepRecords(structures, recording, method.first_record)
        self.done = 0
        self.steps = 0
        self._running = np.empty(0, np.int64)  # molecules in the batch
        self._left: list[tuple[NDArray[np.int64], State]] = []  # rows that left the batch, still on the device
        self._left_count = 0
        self._spent = 0.0  # seconds per molecule that a molecule in the batch all along would have cost

    # ----------------------------------------------------------------- queues

    def relax_all(self) -> None:
        """All molecules, size after size."""
        buckets = np.array([bucket_of(int(n)) for n in self.structures.sizes], dtype=np.int64)
        for n_padded in np.unique(buckets).tolist():
            self._bucket(np.flatnonzero(buckets == n_padded), n_padded)

    def _bucket(self, members: NDArray[np.int64], n_padded: int) -> None:
        queue = Queue(self.structures, members, n_padded, self.device)
        width = self.batch_size or molecules_that_fit(self.method.bytes_per_molecule(n_padded), self.device)
        while len(queue):
            self._running = queue.names(width)
            try:
                self._drain(queue, width)
            except RuntimeError as error:
                if not _is_out_of_memory(error):
                    raise
                self._make_room(error)
                again = self._running
                if width == 1:
                    self._give_up(again)
                else:  # what was in the batch starts again in a smaller one: its noise does not depend on the batch
                    width = max(1, min(width, len(again)) // 2)
                    self.records.restart(again)
                    queue.put_back(again)
        self.collect()

    def _drain(self, queue: Queue, width: int) -> None:
        """Run a batch, filled up from the queue, until both are empty."""
        slots = self._running
        self.method.begin()
        state = start(self.method, queue.take(width))
        entered = np.full(len(slots), self._spent)
        flags: deque[_Flags] = deque()
        clock = time.perf_counter()
        while len(slots):
            before = state.code
            state, move = advance(self.method, state, all_run=self.lag == 0)
            self.records.add(slots, before, state, move)
            flags.append(_Flags(state.code))
            self.steps += len(slots)
            now = time.perf_counter()
            self._spent += (now - clock) / len(slots)
            clock = now
            if len(flags) <= self.lag:
                continue
            done = flags.popleft().read()
            if not done.any():
                self._tell()
                continue
            rows = np.flatnonzero(done)
            self._leave(slots[rows], state.rows(self._index(rows), with_scratch=False))
            self.result.seconds[slots[rows]] += self._spent - entered[rows]
            fresh = queue.names(len(rows))
            filled, emptied = rows[: len(fresh)], rows[len(fresh) :]
            slots[filled], entered[filled] = fresh, self._spent
            keep = np.delete(np.arange(len(slots)), emptied)
            self._running = slots[keep]
            if len(filled):
                state.put(self._index(filled), start(self.method, queue.take(len(filled))))
            if len(emptied):
                slots, entered = slots[keep], entered[keep]
                state = state.rows(self._index(keep))
            flags.clear()  # they belong to the rows as they were
            self._tell()

    # ----------------------------------------------------------------- molecules leave

    def _leave(self, molecules: NDArray[np.int64], rows: State) -> None:
        self._left.append((molecules.copy(), rows))
        self._left_count += len(molecules)
        self.done += len(molecules)
        if self._left_count >= _KEPT_ON_DEVICE:
            self.collect()

    def collect(self) -> None:
        """Bring rows that left the batch to the host; where there is a GPU this waits for it."""
        if not self._left:
            return
        molecules = np.concatenate([part for part, _ in self._left])
        rows = joined([part for _, part in self._left])
        atoms, _ = gathered(self.structures.offsets, molecules)
        self.result.positions[atoms] = unpad(rows.batch.positions, rows.batch.mask)
        self.result.steps[molecules] = rows.taken.cpu().numpy()
        for name, values in rows.results.items():
            self.result.values(name)[molecules] = values.cpu().numpy()
        self.result.code[molecules] = rows.code.cpu().numpy()
        self._left, self._left_count = [], 0  # last: an interruption loses none

    # ----------------------------------------------------------------- memory

    def _make_room(self, error: BaseException) -> None:
        error.__traceback__ = None  # its frames hold the tensors that did not fit
        self.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _give_up(self, molecules: NDArray[np.int64]) -> None:
        self.result.code[molecules] = int(Code.OUT_OF_MEMORY)
        self.done += len(molecules)

    def _index(self, rows: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(rows)).to(self.device, non_blocking=True)

    def _tell(self) -> None:
        if self.progress is not None:
            self.progress(self.done, len(self.structures), self.steps)


class _Flags:
    """Which rows are done, on their way from the device to the host."""

    def __init__(self, code: Tensor) -> None:
        self._event: torch.cuda.Event | None = None
        if code.device.type == "cpu":
            self._code = code
        else:
            self._code = torch.empty(code.shape, dtype=code.dtype, pin_memory=True)
            self._code.copy_(code, non_blocking=True)
            self._event = torch.cuda.Event()
            self._event.record()

    def read(self) -> NDArray[np.bool_]:
        """[B] bool; waits for the copy, which was asked for some steps ago."""
        if self._event is not None:
            self._event.synchronize()
        return self._code.numpy() != 0


def _is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error)
