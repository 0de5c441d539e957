"""Gives each molecule to the network that knows it, and starts from MMFF94's geometry where the input is far from a minimum.

Small neutral molecules go to one network, and all others to another (`morered.settings.auto`). The time head of that one says how
far an input is from a minimum. An embedding of a larger molecule is further away than MMFF94's geometries are, so MMFF94 goes
first. A geometry that is nearer stays as it is: MMFF94 would lead it away. What does not converge so goes to the second network
as it was given.

Shapes: M molecules. One more column of the results:

    auto_method      bytes    the methods that relaxed it, joined by +; empty where none did
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from morered.relaxation.codes import Verdict
from morered.relaxation.merging import merged, start_of
from morered.relaxation.methods import preset
from morered.relaxation.networks import loaded
from morered.relaxation.result import RelaxationInterrupted, Result
from morered.relaxation.verdicts.columns import AUTO
from morered.relaxation.verdicts.judge import judge
from morered.settings.auto import AutoMethod
from morered.settings.relaxation import DiffusionMethod, Method
from morered.structures import Column, Structures, missing, offsets_of
from morered.trajectories import Trajectories

Relax = Callable[..., Result]
"""`morered.relaxation.relax`."""

#: So many molecules take less time here, by a method of some 20 ms each, than other processes take to start.
FEW = 50
#: Verdicts, the worse the later; with those after the first, another method may still bring the molecule to an end.
_RANKS: tuple[Verdict, ...] = ("converged", "step-cap", "changed", "failed", "refused")
_TRIED_AGAIN = _RANKS[1:4]


def relax_auto(structures: Structures, method: AutoMethod, relax: Relax, **options: Any) -> Result:
    """Relax molecules, each by its own method.

    Parameters
    ----------
    structures
        M molecules.
    method
        Which methods there are, and which molecules are whose.
    relax
        What relaxes with one of them.
    **options
        Those of ``relax``. Steps are recorded of the networks alone.

    Raises
    ------
    RelaxationInterrupted
        On Ctrl-C; it carries what is done.
    """
    small, others = networks(method)
    runs = _Runs(structures, relax, options)
    few = structures.per_molecule_sum((structures.numbers > 1).astype(np.float64)) <= method.max_heavy_atoms
    known = few & _knows(structures, small, options["device"])
    far = np.zeros(len(structures), dtype=bool)
    lost = known & runs.by(method.small, small, known)
    if method.first is not None and len(structures):
        times = runs.first_times(others, ~few)
        far = times > method.first_above
        lost |= runs.by(method.others, others, far, method.first, times)
    runs.by(method.others, others, lost | ~(known | far))
    done = runs.gathered()
    if done.interrupted:
        raise RelaxationInterrupted(done)
    return done


def networks(method: AutoMethod) -> tuple[DiffusionMethod, DiffusionMethod]:
    """The methods of small and of other molecules.

    Raises
    ------
    ValueError
        If there is no such method, or it is none of a network.
    """
    found = []
    for key, name in (("small", method.small), ("others", method.others)):
        chosen = preset(name)
        if not isinstance(chosen, DiffusionMethod):
            raise ValueError(f"{key}: {name} is no method of reverse diffusion")
        found.append(chosen if method.steps is None else replace(chosen, steps=method.steps))
    return found[0], found[1]


def network_of(results: Structures, method: AutoMethod) -> list[tuple[NDArray[np.int64], DiffusionMethod]]:
    """Which results each of the networks made, as places, and how."""
    last = np.array([names.decode().rpartition("+")[2] for names in results.column(AUTO).tolist()])
    named = zip((method.small, method.others), networks(method), strict=True)
    return [(np.flatnonzero(last == name), network) for name, network in named]


def _knows(structures: Structures, method: DiffusionMethod, device: torch.device | str) -> NDArray[np.bool_]:
    """Which molecules have charges and elements that the method's network has seen, [M]."""
    model = loaded(method.noise, device, "noise")
    strange = structures.per_molecule_sum((~np.isin(structures.numbers, sorted(model.network.elements))).astype(np.float64))
    return (strange == 0) & np.isin(structures.charges, model.header.charges)


@dataclass
class _Runs:
    """Relaxations of parts of the ``structures``, one after another until one is interrupted; a molecule may be in several."""

    structures: Structures
    relax: Relax
    options: dict[str, Any]
    interrupted: bool = False
    parts: list[tuple[NDArray[np.int64], Result]] = field(default_factory=list)

    def by(
        self,
        name: str,
        network: DiffusionMethod,
        which: NDArray[np.bool_],
        first: str | None = None,
        times: NDArray[np.float64] | None = None,
    ) -> NDArray[np.bool_]:
        """Relax by a network, after the method ``first``, if any; ``times`` [M] are then the first ones.

        Returns which of them, [M], another method may still bring to an end.
        """
        lost = np.zeros(len(self.structures), dtype=bool)
        if len(which) and not which.any():
            return lost
        chosen = np.flatnonzero(which)
        given = self.structures[chosen]
        if self.interrupted:
            result = _named(replace(judge(given, Result.begin(given)), interrupted=True), np.full(len(given), b""))
        else:
            result = self._relaxed(given, name, network, first)
        if times is not None:
            result.structures = result.structures.with_columns({"first_time": Column(times[chosen])})
        self.interrupted = self.interrupted or result.interrupted
        self.parts.append((chosen, result))
        lost[chosen] = np.isin(result.verdicts, _TRIED_AGAIN)
        return lost

    def first_times(self, network: DiffusionMethod, which: NDArray[np.bool_]) -> NDArray[np.float64]:
        """The time that a network predicts for inputs, [M]; NaN for the others, and for what it refuses."""
        glance = replace(network, steps=1, restarts=None, clean_below=None)
        times, chosen = np.full(len(self.structures), np.nan), np.flatnonzero(which)
        if len(chosen) and not self.interrupted:
            looked_at = self._done(self.structures[chosen], glance, progress=False, recording=None)
            times[chosen] = looked_at.structures.column("first_time")
            self.interrupted = looked_at.interrupted
        return times

    def _relaxed(self, given: Structures, name: str, network: DiffusionMethod, first: str | None) -> Result:
        if first is None:
            return _named(self._done(given, network), np.full(len(given), name.encode()))
        workers = self.options["workers"] or (1 if len(given) <= FEW else None)
        before = self._done(given, preset(first), recording=None, workers=workers)
        if before.interrupted:
            return _named(before, np.full(len(given), first.encode()))
        start = start_of(given, before.structures)
        part = self._done(start, network)
        done = replace(merged(given, start, before, part), trajectories=part.trajectories, further=())
        kept = before.relaxed & (np.array(before.verdicts) != "changed")  # else the network began at the input
        return _named(done, np.where(kept, f"{first}+{name}".encode(), name.encode()))

    def _done(self, given: Structures, method: Method, **options: Any) -> Result:
        try:
            return self.relax(given, method, **{**self.options, **options})
        except RelaxationInterrupted as stop:
            return stop.result

    def gathered(self) -> Result:
        """The molecules in their order, each with the best of its results."""
        parts = [part for _, part in self.parts]
        starts = offsets_of([len(part) for part in parts])
        place, best = np.full(len(self.structures), -1), np.full(len(self.structures), len(_RANKS))
        spent = {name: np.zeros(len(self.structures)) for name in ("steps", "seconds")}
        for (chosen, part), start in zip(self.parts, starts.tolist(), strict=False):
            ranks = np.array([_RANKS.index(verdict) for verdict in part.verdicts], dtype=np.int64)
            wins = ranks < best[chosen]
            place[chosen[wins]], best[chosen[wins]] = start + np.flatnonzero(wins), ranks[wins]
            for name, values in spent.items():
                values[chosen] += part.structures.column(name)
        together = Structures.concatenate(_with_all_columns([part.structures for part in parts]))[place]
        columns = {
            name: column._replace(values=spent[name].astype(column.values.dtype))
            for name, column in together.columns.items()
            if name in spent
        }
        reasons = [reason for part in parts for reason in part.reasons]
        return Result(
            together.with_columns(columns),
            np.concatenate([part.code for part in parts])[place],
            [reasons[k] for k in place.tolist()],
            _steps(parts, place, self.structures.ids),
            self.interrupted,
            self.structures,
        )


def _named(result: Result, names: NDArray[np.bytes_]) -> Result:
    """A result with the column of this module; ``names`` [M] are those of the methods."""
    column = Column(np.where(result.relaxed, names, b""))
    return replace(result, structures=result.structures.with_columns({AUTO: column}))


def _with_all_columns(parts: list[Structures]) -> list[Structures]:
    """Each with the columns of all, without a value where a part has none."""
    everything = {name: column for part in parts for name, column in part.columns.items()}
    for name, column in everything.items():
        if column.values.dtype.kind in "biu":  # a whole number that a part has not is no zero
            everything[name] = column._replace(values=column.values.astype(np.float64))
    return [
        part.with_columns({name: part.columns.get(name) or missing(column, part) for name, column in everything.items()})
        for part in parts
    ]


def _steps(parts: list[Result], place: NDArray[np.int64], ids: NDArray[np.bytes_]) -> Trajectories | None:
    """The networks' steps of the molecules at these places of all parts; a part that was interrupted before them has none."""
    recorded = [part.trajectories for part in parts if part.trajectories is not None]
    if not recorded:
        return None
    none = {name: column._replace(values=column.values[:0]) for name, column in recorded[0].columns.items()}
    steps = [
        Trajectories(part.structures.ids, offsets_of(np.zeros(len(part), np.int64)), none)
        if part.trajectories is None
        else part.trajectories
        for part in parts
    ]
    return Trajectories.concatenate(steps).take(place, ids)
