"""Relaxation by reverse diffusion: MoreRed-ITP, -AS and -JT, DDPM, and faster moves towards the predicted clean structure.

`ReverseDiffusion.step` is Algorithm 2 of the paper, `morered.relaxation.samplers.equations` has its equations, and
`morered.relaxation.samplers.stopping` says when it ends. Steps are array indices i = t - 1 = 0..T-1; positions and process are
float64, networks see their own precision. A step is taken at a predicted (or scheduled) i; after a step at i <= 0 the molecule
is done.

Shapes: B batch, N padded atoms, T steps of the schedule.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from morered.batching import Batch
from morered.diffusion.random_numbers import centre, normal
from morered.diffusion.schedule import NoiseSchedule
from morered.relaxation.codes import REASONS, Code
from morered.relaxation.engine.endings import constant
from morered.relaxation.engine.state import Move, Start, State
from morered.relaxation.samplers import equations, mixing, overrelaxation, stopping
from morered.relaxation.samplers.holding import held
from morered.relaxation.samplers.new_noise import STEPS_AHEAD, NewNoise
from morered.settings.relaxation import DiffusionMethod

Predict = Callable[..., tuple[Tensor | None, Tensor | None, Tensor | None]]
"""A diffusion network: (numbers, positions, mask, time=None) -> (noise [B, N, 3], times of the atoms, time [B]); one that takes
total charges gets them as ``charges=`` [B]."""

#: Draws are numbered from 0 by a molecule's own steps; a start from pure noise has this number.
START_DRAW = 2**32 - 1


class ReverseDiffusion:
    """See `morered.relaxation.engine.state.BatchedMethod`; reports ``first_time`` and ``last_time`` in [0, 1].

    Parameters
    ----------
    method : DiffusionMethod
        What to do.
    noise, time : callable
        The networks; the same object for a joint model. ``time`` may be None where the schedule is fixed.
    schedule : NoiseSchedule
        That of the networks, on their device.
    joint : bool
        Whether ``noise`` predicts the time as well, in one evaluation.
    dtype : torch.dtype
        Precision of the networks.
    unused_times : bool
        Record predicted times also where the schedule does not use them.
    pair_bytes : int
        Memory of the networks per pair of atoms.
    kernels : bool
        Whether the compiled kernels may do the mixing of accelerated moves: on a CPU, where they are there.
    charged : bool
        Whether the networks take total charges.
    """

    def __init__(
        self,
        method: DiffusionMethod,
        noise: Predict,
        time: Predict | None,
        schedule: NoiseSchedule,
        *,
        joint: bool,
        dtype: torch.dtype = torch.float32,
        unused_times: bool = False,
        pair_bytes: int = 16384,
        kernels: bool = False,
        charged: bool = False,
    ) -> None:
        if method.start_step is not None and method.start_step >= schedule.T:
            raise ValueError(f"start_step must be below the schedule's {schedule.T} steps, not {method.start_step}")
        self.method = method
        self.schedule = schedule
        self._noise = noise
        self._time = time
        self._joint = joint
        self._dtype = dtype
        self._unused_times = unused_times and time is not None
        self._pair_bytes = pair_bytes
        self._kernels = kernels
        self._new_noise = NewNoise(method.seed) if method.move == "reverse" and method.stochastic else None
        self._charged = charged
        self._needs_clean = method.move != "reverse" or method.stop.settled is not None
        self._place = 0  # place in the history of accelerated moves, the same for all rows
        self._table = equations.table(schedule)
        self._long = None if method.overrelaxation is None else overrelaxation.Plan(method.overrelaxation, schedule.device)

    first_record = 1

    # ----------------------------------------------------------------- the interface of the engine

    def begin(self) -> None:
        """See `morered.relaxation.engine.state.BatchedMethod`."""
        if self._new_noise is not None:
            self._new_noise.begin()

    def init(self, batch: Batch) -> Start:
        """Positions to start from, the first time where it is predicted once, and histories."""
        method, positions = self.method, batch.positions
        if method.start == "noise":
            positions = centre(normal(method.seed, batch.keys, START_DRAW, batch.n_padded), batch.mask)
        scratch = stopping.init(method.stop, positions, batch.mask)
        if method.schedule == "initial":
            scratch["next_step"] = self._predicted_step(batch, positions)
        elif method.schedule == "fixed":
            first = self.schedule.T - 1 if method.start_step is None else method.start_step
            scratch["next_step"] = torch.full_like(batch.keys, first)
        elif method.move == "ddim":
            scratch["next_step"] = torch.full_like(batch.keys, self.schedule.T - 1)
        if method.move == "accelerated":
            scratch |= mixing.init(method.mixing, positions)
        if self._new_noise is not None:
            scratch["noise"] = self._new_noise.init(batch.with_positions(positions))
        times = positions.new_full((len(batch),), torch.nan)
        return Start(positions, {"first_time": times, "last_time": times.clone()}, scratch)

    def step(self, state: State) -> Move:
        """One round of Algorithm 2: predict the step (Eq. 8) and the noise, move (Eqs. 3 and 5), see whether it was the last."""
        method, x = self.method, state.batch.positions
        step, noise, predicted = self._predict(state)  # lines 4 and 7
        factors = equations.at(self._table, step)
        clean = held(equations.clean(x, noise, factors), state.batch) if self._needs_clean else None
        if method.move == "reverse":
            new_noise = None if self._new_noise is None else self._new_noise.next(state)  # lines 5 and 6
            moved = equations.reverse(x, noise, factors, new_noise)  # line 9
        else:
            assert clean is not None
            moved = self._towards(clean, noise, step, state)
        taken = state.taken + 1
        code = stopping.check(method.stop, step, clean, taken, state.scratch)
        if self._long is not None:
            code = torch.where(self._long.over(state.batch.mask, taken), code, constant(Code.RUNNING, code.device))
        if method.stop.settled is not None:
            assert clean is not None
            moved = torch.where((code == int(Code.SETTLED))[:, None, None], clean, moved)
        if method.move in ("reverse", "ddim"):
            moved = held(moved, state.batch)
        capped = (taken >= method.steps) & (code == 0)
        code = torch.where(capped, constant(Code.STEP_CAP, code.device), code)
        time = factors.time
        results = {"first_time": torch.where(state.taken == 0, time, state.results["first_time"]), "last_time": time}
        record = {"step": taken, "time": time} | ({} if predicted is None else {"predicted_time": predicted})
        return Move(moved, taken, code, results, record)

    def reason(self, code: Code) -> str:
        """A sentence for how a molecule ended."""
        if code is Code.CONVERGED:
            word = "predicted" if self.method.schedule == "adaptive" else "scheduled"
            return f"the {word} time step reached 0"
        return REASONS[code]

    def bytes_per_molecule(self, n_padded: int) -> int:
        """Networks, which hold features of every pair, and histories."""
        ahead = 0 if self._new_noise is None else STEPS_AHEAD
        history = 2 * self.method.mixing.memory if self.method.move == "accelerated" else ahead
        return n_padded**2 * self._pair_bytes + n_padded * 24 * (history + 16)

    # ----------------------------------------------------------------- predictions

    def _predict(self, state: State) -> tuple[Tensor, Tensor, Tensor | None]:
        """Step [B] to take now, noise [B, N, 3] float64 (centred by the network), and times [B] predicted without being used."""
        batch = state.batch
        inputs, charges = (batch.numbers, batch.positions.to(self._dtype), batch.mask), self._charges(batch)
        unused = None
        if self.method.schedule == "adaptive":
            if self._joint and self.method.move != "ddim":
                noise, _, time = self._noise(*inputs, **charges)
                assert time is not None
                step = self._to_step(time)
            else:
                step = self._predicted_step(batch, batch.positions)
                if self.method.move == "ddim":
                    step = torch.minimum(step, state.scratch["next_step"])
                noise = self._noise(*inputs, time=self._to_time(step), **charges)[0]
        else:
            step = state.scratch["next_step"]
            if self._unused_times:
                unused = self.schedule.time(self._predicted_step(batch, batch.positions))
            noise = self._noise(*inputs, time=self._to_time(step), **charges)[0]
        assert noise is not None
        if "next_step" in state.scratch:
            following = (step * self.method.shrink).long() if self.method.move == "ddim" else step - 1
            state.scratch["next_step"] = following.clamp(min=0)
        return step, noise.to(torch.float64), unused

    def _predicted_step(self, batch: Batch, positions: Tensor) -> Tensor:
        assert self._time is not None
        time = self._time(batch.numbers, positions.to(self._dtype), batch.mask, **self._charges(batch))[2]
        assert time is not None
        return self._to_step(time)

    def _charges(self, batch: Batch) -> dict[str, Tensor]:
        """The total charges [B], for networks that take them and molecules of which any is stated."""
        return batch.stated if self._charged else {}

    def _to_step(self, time: Tensor) -> Tensor:
        """Nearest step [B]; one that is no number counts as the last (its noise is none either, which is found)."""
        return self.schedule.step(torch.nan_to_num(time, nan=1.0))

    def _to_time(self, step: Tensor) -> Tensor:
        return self.schedule.time(step).to(self._dtype)

    # ----------------------------------------------------------------- moves

    def _towards(self, clean: Tensor, noise: Tensor, step: Tensor, state: State) -> Tensor:
        """Jump, longer jump, mixed jump or DDIM move to the predicted clean structure [B, N, 3]."""
        x = state.batch.positions
        if self.method.move == "jump":
            return x + self.method.damping * (clean - x)
        if self.method.move == "accelerated":
            self._place = (self._place + 1) % self.method.mixing.memory
            mixed = mixing.step(self.method.mixing, x, clean, state.taken, state.scratch, self._place, self._kernels)
            return mixed if self._long is None else self._long.instead(mixed, x, clean, state.batch.mask, state.taken)
        moved = equations.diffused(clean, noise, equations.at(self._table, state.scratch["next_step"]))
        return torch.where((step <= 0)[:, None, None], clean, moved)  # the last one leaves no noise
