"""Doubtful results are tried again from starts beside the input, one after another, and the result nearest to the input is taken.

Jumps to the predicted clean structure can fall into the basin of another isomer. Under the forward process the likelihood of the
input falls with its distance from the structure it came from (Eq. 2), so of several clean structures the nearest is the likeliest
origin, and a result that lies far away, or further than noise of the predicted amount leads, is worth a second look. So is one
in which the network still sees noise: two in five of those are another isomer, or none (docs/training.md).

A result that is no molecule (impossible lengths, angles or contacts), another molecule than the input, or not at rest is doubtful
wherever it lies, and gives way to any that is none of this.

Where a result will lie is known long before it stands still. So further starts may be given a few moves only, and the best of
them is relaxed in full: that is twice as many starts for as many evaluations.

Shapes: M molecules, D doubtful ones.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from morered.diffusion.noise import stream
from morered.metrics.rmsd import rmsd
from morered.relaxation.codes import REASONS, Code, is_relaxed
from morered.relaxation.engine import Progress
from morered.relaxation.shaking import shaken
from morered.relaxation.verdicts import Outcome
from morered.settings.relaxation import Restarts
from morered.structures import Structures, as_names, offsets_of
from morered.trajectories import Trajectories

Run = Callable[[Structures, Progress], tuple[Outcome, Trajectories | None, bool]]
"""Relaxes M molecules: what became of them, their trajectories where they are kept, and whether Ctrl-C ended it early."""

Sound = Callable[[Structures, Structures], NDArray[np.bool_]]
"""Whether each of M results is a molecule, and the one that its input is (`morered.checks.judged.passes`)."""

#: Å, more than any two structures of a molecule are apart.
PENALTY = 1.0e4
#: Ends that another start may mend; memory does not depend on it.
_BROKEN = (int(Code.NOT_FINITE), int(Code.EXPLODED), int(Code.NOISE_LEFT))


def restarted(run: Run, restarts: Restarts, seed: int, look: Run | None = None, sound: Sound | None = None) -> Run:
    """``run``, with the doubtful results of it tried again.

    Further starts are relaxed by ``look`` where there is one, and the nearest of them by ``run``; else all by ``run``. The
    verdict, the last time and the trajectory are those of the start that is taken, which the reason names; the first time is
    that of the input, and steps and seconds are sums. After Ctrl-C during a further look the results of those before it stand.
    ``sound`` tells which results are molecules at all; without it all are.
    """

    def repeated(structures: Structures, tell: Progress) -> tuple[Outcome, Trajectories | None, bool]:
        outcome, trajectories, interrupted = run(structures, tell)
        distances = _distances(structures, outcome, sound, at_rest=True)
        nearest = distances.copy()
        origin = np.zeros(len(structures), dtype=np.int64)  # the start that came nearest, 0 for the input itself
        limits = restarts.reach * np.sqrt(np.nan_to_num(outcome.results["first_time"]))
        limits = np.maximum(limits, restarts.distance)
        broken = np.isin(outcome.code, _BROKEN)
        doubtful = np.flatnonzero(broken | (np.isfinite(distances) & ((distances > limits) | _noisy(outcome, restarts))))

        def told(settled: int) -> Progress:
            before = int(outcome.steps.sum())
            return lambda done, of, steps: tell(settled + done, len(structures), before + steps)

        def take(molecules: NDArray[np.int64], further: Outcome, paths: Trajectories | None) -> None:
            """Those of the results that are nearer than what there is."""
            nonlocal trajectories
            again = _distances(structures[molecules], further, sound, at_rest=True)
            won = np.flatnonzero(again < distances[molecules])
            notes = [f"from restart {origin[m]} of {restarts.tries}" for m in molecules[won]]
            _take(structures, outcome, further, molecules, won, notes)
            if trajectories is not None and paths is not None:
                chosen = np.arange(len(structures))
                chosen[molecules[won]] = len(structures) + won
                trajectories = Trajectories.concatenate([trajectories, paths]).take(chosen, structures.ids)
            distances[molecules[won]] = again[won]

        for k in range(1, restarts.tries + 1):
            if interrupted or not len(doubtful):
                break
            starts = _starts(structures[doubtful], restarts.width, seed, k)
            further, paths, interrupted = (look or run)(starts, told(len(structures) - len(doubtful)))
            if interrupted:
                break
            again = _distances(structures[doubtful], further, sound, at_rest=look is None)
            nearer = again < nearest[doubtful]
            origin[doubtful[nearer]] = k
            nearest[doubtful] = np.minimum(nearest[doubtful], again)
            if look is None:
                take(doubtful, further, paths)
            _count(outcome, doubtful, further)
            doubtful = doubtful[(again > limits[doubtful]) | _noisy(further, restarts)]
        better = np.flatnonzero(origin > 0)
        if look is not None and not interrupted and len(better):
            starts = _chosen_starts(structures[better], restarts.width, seed, origin[better])
            further, paths, interrupted = run(starts, told(len(structures) - len(better)))
            if not interrupted:
                take(better, further, paths)
                _count(outcome, better, further)
        return outcome, trajectories, interrupted

    return repeated


def _starts(doubtful: Structures, width: float, seed: int, k: int) -> Structures:
    """The k-th further start of each of D molecules, with ids of their own."""
    starts = shaken(doubtful, width, stream(seed, "restart", k - 1)).centred()
    names = as_names([f"{name}#{k}" for name in doubtful.names])
    return Structures(starts.numbers, starts.positions, starts.offsets, names, starts.references, starts.columns)


def _chosen_starts(structures: Structures, width: float, seed: int, k: NDArray[np.int64]) -> Structures:
    """The k-th further start of each of D molecules, k [D]."""
    groups = [np.flatnonzero(k == value) for value in np.unique(k)]
    starts = [_starts(structures[group], width, seed, int(k[group[0]])) for group in groups]
    return Structures.concatenate(starts)[np.argsort(np.concatenate(groups))]


def _noisy(outcome: Outcome, restarts: Restarts) -> NDArray[np.bool_]:
    """In which results, [M], the network still sees noise."""
    return ~(outcome.results["last_time"] < restarts.clean_below) & (restarts.clean_below > 0)


def _distances(inputs: Structures, outcome: Outcome, sound: Sound | None, *, at_rest: bool) -> NDArray[np.float64]:
    """RMSD of each result from its input in Å, [M]; infinite where there is none.

    `PENALTY` is added for a result that is not ``sound``, and, with ``at_rest``, for one that is not at rest.
    """
    codes = [Code(code) for code in outcome.code.tolist()]
    relaxed = np.array([is_relaxed(code) for code in codes], dtype=bool)
    distances = np.full(len(inputs), np.inf)
    chosen = np.flatnonzero(relaxed)
    if not len(chosen):
        return distances
    results, starts = inputs.with_positions(outcome.positions).without_columns()[chosen], inputs[chosen]
    distances[chosen] = np.nan_to_num(rmsd(results, starts.without_columns()), nan=np.inf)
    if sound is not None:
        distances[chosen] += PENALTY * ~sound(results, starts)
    if at_rest:
        distances += PENALTY * np.array([code is Code.STEP_CAP for code in codes])
    return distances


def _take(
    structures: Structures,
    outcome: Outcome,
    further: Outcome,
    molecules: NDArray[np.int64],
    won: NDArray[np.int64],
    notes: list[str],
) -> None:
    """Put the results of those of D further starts that ``won`` in the place of what there is, with a note for each."""
    starts = offsets_of(structures.sizes[molecules])
    for d, note in zip(won.tolist(), notes, strict=True):
        m = int(molecules[d])
        atoms = slice(int(structures.offsets[m]), int(structures.offsets[m + 1]))
        outcome.positions[atoms] = further.positions[int(starts[d]) : int(starts[d + 1])]
        outcome.code[m] = further.code[d]
        outcome.reasons[m] = f"{further.reasons[d] or REASONS[Code(int(further.code[d]))]}, {note}"
        outcome.results["last_time"][m] = further.results["last_time"][d]


def _count(outcome: Outcome, molecules: NDArray[np.int64], further: Outcome) -> None:
    """Add what the further starts of D molecules took."""
    outcome.steps[molecules] += further.steps
    outcome.seconds[molecules] += further.seconds
