"""What a relaxation saves: optimisations start from inputs, from minima and from results, and their costs are compared."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from morered import resumable
from morered.chemistry import same_bonds
from morered.energies.optimise import calculator, optimise
from morered.energies.sampling import REFERENCE
from morered.metrics.rmsd import rmsd
from morered.parallel import Progress
from morered.resumable import Built
from morered.structures import Column, Structures, as_names
from morered.units import KCAL_MOL_PER_EV

#: Two ends are one minimum where they have the same bonds and lie no further apart than this: RMSD in Å, energy in kcal/mol.
#: Optimisations that end at the usual threshold leave soft torsions a few hundredths of an Å apart.
SAME_RMSD, SAME_ENERGY = 0.1, 0.2
#: Of the optimisations; raise it when a result changes, so that pieces of the former version are not continued.
VERSION = 3
#: Columns that `table` adds to those of `morered.energies.sampling.collect`, with the calculator before them.
COLUMNS = ("gradients", "cycles", "seconds", "status", "reason", "energy_eV", "rmsd", "difference_kcal_mol", "same_minimum")
_KEPT = ("energy", "gradients", "cycles", "seconds", "fmax", "status", "reason")


def compute(
    geometries: Structures,
    name: str,
    level: Mapping[str, Any] | None = None,
    *,
    steps: int = 200,
    folder: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    timeout: float | None = None,
    progress: Progress | None = None,
) -> Built:
    """Optimise all geometries with one calculator; each is kept as soon as it is finished.

    Parameters
    ----------
    geometries
        M starts.
    name, level
        See `morered.energies.optimise.calculator`.
    steps
        See `morered.energies.optimise.optimise`.
    folder, workers, timeout, progress
        See `morered.resumable.build`.

    Returns
    -------
    Built
        The optimised geometries with the columns ``energy`` (eV), ``gradients``, ``cycles``, ``seconds``, ``fmax`` (eV/Å),
        ``status`` and ``reason``; the failures are those that ran over their time or took their process along.
    """
    settings = dict(level or {})
    return resumable.build(
        geometries,
        partial(optimised, name=name, level=settings, steps=steps),
        key=["optimisations", name, settings, steps],
        version=VERSION,
        folder=folder,
        workers=workers,
        timeout=timeout,
        progress=progress,
        piece=1,
    )


def optimised(start: Structures, name: str, level: Mapping[str, Any], steps: int) -> Structures:
    """One molecule after its optimisation, with the columns of `compute`."""
    _, numbers, positions = start.molecule(0)
    electrons = int(start.charges[0]), int(start.unpaired[0])
    done = optimise(numbers, positions, calculator(name, level), *electrons, steps=steps)
    return start.with_positions(done.positions).with_columns(
        {
            "energy": Column(np.array([done.energy]), "eV"),
            "gradients": Column(np.array([done.gradients])),
            "cycles": Column(np.array([done.cycles])),
            "seconds": Column(np.array([done.seconds]), "s"),
            "fmax": Column(np.array([done.fmax]), "eV/Å"),
            "status": Column(as_names([done.status])),
            "reason": Column(as_names([done.reason])),
        }
    )


def table(sources: pd.DataFrame, geometries: Structures, ends: Mapping[str, Built]) -> pd.DataFrame:
    """What each optimisation took and where it ended.

    Parameters
    ----------
    sources, geometries
        What `morered.energies.sampling.collect` gives.
    ends
        Name of a calculator -> `compute` of the geometries.

    Returns
    -------
    DataFrame
        ``calculator``, the columns of ``sources`` and `COLUMNS`. ``cycles`` is -1 where the calculator does not tell. ``rmsd``
        (Å), ``difference_kcal_mol`` and ``same_minimum`` (1 yes, 0 no, -1 unknown) are against the end of the optimisation that
        started at the same input's reference.

    Raises
    ------
    ValueError
        If a geometry has no optimisation, not even a failed one.
    """
    frames = []
    for name, built in ends.items():
        found = _found(geometries, built)
        frame = sources.assign(calculator=name)
        for column in _KEPT:
            frame[column] = [found[geometry][column] for geometry in frame["geometry"]]
        reference = frame[frame["source"] == REFERENCE].set_index(["testset", "id"])
        zero = reference.loc[pd.MultiIndex.from_frame(frame[["testset", "id"]])]  # of each row, the row of its input's reference
        all_ends = _all_ends(geometries, built)
        end, aim = (all_ends[all_ends.index_of(as_names(rows["geometry"].tolist()))] for rows in (frame, zero))
        apart = rmsd(end, aim)
        difference = (frame["energy"].to_numpy() - zero["energy"].to_numpy()) * KCAL_MOL_PER_EV
        known = (frame["status"] == "converged").to_numpy() & (zero["status"] == "converged").to_numpy()
        same = same_bonds(end, aim) & (apart < SAME_RMSD) & (np.abs(difference) < SAME_ENERGY)
        frames.append(
            frame.rename(columns={"energy": "energy_eV"}).assign(
                rmsd=apart, difference_kcal_mol=difference, same_minimum=np.where(known, same, -1).astype(int)
            )
        )
    return pd.concat(frames, ignore_index=True)[["calculator", *sources.columns, *COLUMNS]]


def _found(geometries: Structures, built: Built) -> dict[str, dict[str, Any]]:
    """Geometry -> what is known of its optimisation."""
    rows: dict[str, dict[str, Any]] = {}
    for m, name in enumerate(built.structures.names):
        values = {column: built.structures.column(column)[m] for column in _KEPT}
        rows[name] = {k: v.decode() if isinstance(v, bytes) else v.item() for k, v in values.items()}
    for name, reason in built.failures.items():
        nothing = {"energy": np.nan, "gradients": 0, "cycles": -1, "seconds": np.nan, "fmax": np.nan}
        rows[name] = {**nothing, "status": "failed", "reason": reason}
    if lost := [name for name in geometries.names if name not in rows]:
        raise ValueError(f"there is no optimisation of {lost[0]!r}")
    return rows


def _all_ends(geometries: Structures, built: Built) -> Structures:
    """The ends in the order of ``geometries``; the start where there is none."""
    there = {name: m for m, name in enumerate(built.structures.names)}
    bare = built.structures.without_columns()
    return Structures.concatenate(
        [bare[there[name]] if name in there else geometries.without_columns()[m] for m, name in enumerate(geometries.names)]
    )
