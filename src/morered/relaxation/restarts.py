"""Doubtful results are tried again from starts beside the input, and the result nearest to the input is taken.

Jumps to the predicted clean structure can fall into the basin of another isomer. Under the forward process the likelihood of the
input falls with its distance from the structure it came from (Eq. 2), so of several clean structures the nearest is the likeliest
origin, and a result that lies far away is worth a second look.

Shapes: M molecules, D doubtful ones, R restarts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from morered.diffusion.noise import stream
from morered.metrics.rmsd import rmsd
from morered.relaxation.codes import REASONS, Code, is_relaxed
from morered.relaxation.engine import Progress
from morered.relaxation.shaking import shaken
from morered.relaxation.verdicts import Outcome
from morered.structures import Structures, as_names, offsets_of
from morered.trajectories import Trajectories

Run = Callable[[Structures, Progress], tuple[Outcome, Trajectories | None, bool]]
"""Relaxes M molecules: what became of them, their trajectories where they are kept, and whether Ctrl-C ended it early."""

#: Ends that another start may mend; memory does not depend on it.
_BROKEN = (int(Code.NOT_FINITE), int(Code.EXPLODED))


@dataclass(frozen=True)
class Restarts:
    """When and how a molecule is tried again.

    Attributes
    ----------
    tries : int
        R, further starts of a doubtful molecule.
    width : float
        Å, of the normal deviates added to the coordinates of the input for each.
    distance : float
        Å: a result whose RMSD from the input is larger is doubtful; so is one that broke down.
    """

    tries: int = 3
    width: float = 0.1
    distance: float = 0.6

    def __post_init__(self) -> None:
        for name in ("tries", "width", "distance"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, not {getattr(self, name)}")


def restarted(run: Run, restarts: Restarts, seed: int) -> Run:
    """``run``, with the doubtful results of it tried again.

    The verdict, the last time and the trajectory are those of the start that is taken, which the reason names; the first time is
    that of the input, and steps and seconds are sums. After Ctrl-C during the second look the first results stand.
    """

    def twice(structures: Structures, tell: Progress) -> tuple[Outcome, Trajectories | None, bool]:
        outcome, trajectories, interrupted = run(structures, tell)
        distances = _distances(structures, outcome)
        broken = np.isin(outcome.code, _BROKEN)
        doubtful = np.flatnonzero(broken | (np.isfinite(distances) & (distances > restarts.distance)))
        if interrupted or not len(doubtful):
            return outcome, trajectories, interrupted
        before, tries = int(outcome.steps.sum()), restarts.tries
        settled = len(structures) - len(doubtful)

        def tell_more(done: int, of: int, steps: int) -> None:
            tell(settled + done // tries, len(structures), before + steps)

        original = structures[np.repeat(doubtful, tries)]
        again = _starts(structures[doubtful], restarts, seed)
        further, paths, interrupted = run(again, tell_more)
        if not interrupted:
            pairs = _distances(original, further).reshape(len(doubtful), tries)
            winner = np.concatenate([distances[doubtful, None], pairs], axis=1).argmin(axis=1) - 1
            _take(structures, outcome, further, doubtful, winner, tries)
            if trajectories is not None and paths is not None:
                chosen = np.arange(len(structures))
                won = np.flatnonzero(winner >= 0)
                chosen[doubtful[won]] = len(structures) + won * tries + winner[won]
                trajectories = Trajectories.concatenate([trajectories, paths]).take(chosen, structures.ids)
        return outcome, trajectories, interrupted

    return twice


def _starts(doubtful: Structures, restarts: Restarts, seed: int) -> Structures:
    """R starts of each of D molecules, [D * R], with ids of their own."""
    tries = [shaken(doubtful, restarts.width, stream(seed, "restart", k)) for k in range(restarts.tries)]
    order = np.arange(restarts.tries * len(doubtful)).reshape(restarts.tries, -1).T.ravel()
    starts = Structures.concatenate(tries)[order].centred()
    names = as_names([f"{name}#{k}" for name in doubtful.names for k in range(1, restarts.tries + 1)])
    return Structures(starts.numbers, starts.positions, starts.offsets, names, starts.references)


def _distances(inputs: Structures, outcome: Outcome) -> NDArray[np.float64]:
    """RMSD of each result from its input in Å, [M]; infinite where there is none."""
    relaxed = np.array([is_relaxed(Code(code)) for code in outcome.code.tolist()], dtype=bool)
    distances = np.full(len(inputs), np.inf)
    chosen = np.flatnonzero(relaxed)
    results = inputs.with_positions(outcome.positions).without_columns()
    distances[chosen] = np.nan_to_num(rmsd(results[chosen], inputs.without_columns()[chosen]), nan=np.inf)
    return distances


def _take(
    structures: Structures,
    outcome: Outcome,
    further: Outcome,
    doubtful: NDArray[np.int64],
    winner: NDArray[np.int64],
    tries: int,
) -> None:
    """Put the results of the starts that are nearest in their place; ``winner`` [D] is -1 where the first result is."""
    sizes = structures.sizes[doubtful]
    starts = offsets_of(np.repeat(sizes, tries))
    for d in np.flatnonzero(winner >= 0).tolist():
        m, k = int(doubtful[d]), d * tries + int(winner[d])
        atoms = slice(int(structures.offsets[m]), int(structures.offsets[m + 1]))
        outcome.positions[atoms] = further.positions[int(starts[k]) : int(starts[k + 1])]
        outcome.code[m] = further.code[k]
        reason = further.reasons[k] or REASONS[Code(int(further.code[k]))]
        outcome.reasons[m] = f"{reason}, from restart {winner[d] + 1} of {tries}"
        outcome.results["last_time"][m] = further.results["last_time"][k]
    outcome.steps[doubtful] += further.steps.reshape(-1, tries).sum(axis=1)
    outcome.seconds[doubtful] += further.seconds.reshape(-1, tries).sum(axis=1)
