"""Tries doubtful results again from starts beside the input, and takes the result that is nearest to the input.

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

from morered.diffusion.random_numbers import stream
from morered.metrics.rmsd import rmsd
from morered.relaxation.codes import REASONS, Code
from morered.relaxation.result import Progress, Result, Run
from morered.relaxation.samplers.perturb import perturbed
from morered.settings.relaxation import Restarts
from morered.structures import Structures, as_names, gathered
from morered.trajectories import Trajectories

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

    def repeated(structures: Structures, tell: Progress) -> Result:
        result = run(structures, tell)
        distances = _distances(structures, result, sound, at_rest=True)
        nearest = distances.copy()
        origin = np.zeros(len(structures), dtype=np.int64)  # the start that came nearest, 0 for the input itself
        limits = restarts.reach * np.sqrt(np.nan_to_num(result.values("first_time")))
        limits = np.maximum(limits, restarts.distance)
        broken = np.isin(result.code, _BROKEN)
        doubtful = np.flatnonzero(broken | (np.isfinite(distances) & ((distances > limits) | _noisy(result, restarts))))

        def told(settled: int) -> Progress:
            before = int(result.steps.sum())
            return lambda done, of, steps: tell(settled + done, len(structures), before + steps)

        def take(molecules: NDArray[np.int64], further: Result) -> None:
            """Those of the results that are nearer than what there is."""
            again = _distances(structures[molecules], further, sound, at_rest=True)
            won = np.flatnonzero(again < distances[molecules])
            notes = [f"from restart {origin[m]} of {restarts.tries}" for m in molecules[won]]
            _take(structures, result, further, molecules, won, notes)
            if result.trajectories is not None and further.trajectories is not None:
                chosen = np.arange(len(structures))
                chosen[molecules[won]] = len(structures) + won
                both = Trajectories.concatenate([result.trajectories, further.trajectories])
                result.trajectories = both.take(chosen, structures.ids)
            distances[molecules[won]] = again[won]

        for k in range(1, restarts.tries + 1):
            if result.interrupted or not len(doubtful):
                break
            starts = _starts(structures[doubtful], restarts.width, seed, k)
            further = (look or run)(starts, told(len(structures) - len(doubtful)))
            if further.interrupted:
                result.interrupted = True
                break
            again = _distances(structures[doubtful], further, sound, at_rest=look is None)
            nearer = again < nearest[doubtful]
            origin[doubtful[nearer]] = k
            nearest[doubtful] = np.minimum(nearest[doubtful], again)
            if look is None:
                take(doubtful, further)
            _count(result, doubtful, further)
            doubtful = doubtful[(again > limits[doubtful]) | _noisy(further, restarts)]
        better = np.flatnonzero(origin > 0)
        if look is not None and not result.interrupted and len(better):
            starts = _chosen_starts(structures[better], restarts.width, seed, origin[better])
            further = run(starts, told(len(structures) - len(better)))
            result.interrupted = further.interrupted
            if not further.interrupted:
                take(better, further)
                _count(result, better, further)
        return result

    return repeated


def _starts(doubtful: Structures, width: float, seed: int, k: int) -> Structures:
    """The k-th further start of each of D molecules, with ids of their own."""
    starts = perturbed(doubtful, width, stream(seed, "restart", k - 1)).centred()
    names = as_names([f"{name}#{k}" for name in doubtful.names])
    return Structures(starts.numbers, starts.positions, starts.offsets, names, starts.references, starts.columns)


def _chosen_starts(structures: Structures, width: float, seed: int, k: NDArray[np.int64]) -> Structures:
    """The k-th further start of each of D molecules, k [D]."""
    groups = [np.flatnonzero(k == value) for value in np.unique(k)]
    starts = [_starts(structures[group], width, seed, int(k[group[0]])) for group in groups]
    return Structures.concatenate(starts)[np.argsort(np.concatenate(groups))]


def _noisy(result: Result, restarts: Restarts) -> NDArray[np.bool_]:
    """In which results, [M], the network still sees noise."""
    return ~(result.values("last_time") < restarts.clean_below) & (restarts.clean_below > 0)


def _distances(inputs: Structures, result: Result, sound: Sound | None, *, at_rest: bool) -> NDArray[np.float64]:
    """RMSD of each result from its input in Å, [M]; infinite where there is none.

    `PENALTY` is added for a result that is not ``sound``, and, with ``at_rest``, for one that is not at rest.
    """
    distances = np.full(len(inputs), np.inf)
    chosen = np.flatnonzero(result.relaxed)
    if not len(chosen):
        return distances
    results, starts = inputs.with_positions(result.positions).without_columns()[chosen], inputs[chosen]
    distances[chosen] = np.nan_to_num(rmsd(results, starts.without_columns()), nan=np.inf)
    if sound is not None:
        distances[chosen] += PENALTY * ~sound(results, starts)
    if at_rest:
        distances += PENALTY * (result.code == int(Code.STEP_CAP))
    return distances


def _take(
    structures: Structures,
    result: Result,
    further: Result,
    molecules: NDArray[np.int64],
    won: NDArray[np.int64],
    notes: list[str],
) -> None:
    """Put the results of those of D further starts that ``won`` in the place of what there is, with a note for each."""
    taken = molecules[won]
    theirs, mine = (gathered(of.offsets, rows)[0] for of, rows in ((further.structures, won), (structures, taken)))
    result.positions[mine] = further.positions[theirs]
    result.code[taken] = further.code[won]
    result.values("last_time")[taken] = further.values("last_time")[won]
    for m, d, note in zip(taken.tolist(), won.tolist(), notes, strict=True):
        result.reasons[m] = f"{further.reasons[d] or REASONS[Code(int(further.code[d]))]}, {note}"


def _count(result: Result, molecules: NDArray[np.int64], further: Result) -> None:
    """Add what the further starts of D molecules took."""
    result.steps[molecules] += further.steps
    result.seconds[molecules] += further.seconds
