"""Single points of many geometries. Each is stored when it is finished, so a killed job loses none."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from morered import resumable
from morered.dft.neighbour import Neighbour
from morered.dft.single_point import SinglePoint, single_point
from morered.energies.sampling import REFERENCE
from morered.parallel import Progress
from morered.resumable import Built
from morered.settings.level import Level
from morered.structures import Column, Structures, as_names
from morered.units import KCAL_MOL_PER_EV

#: Of the single points; raise it when a result changes, so that pieces of the former version are not continued.
VERSION = 2
#: Of this process, which computes one geometry after another: those of one molecule follow each other.
_NEIGHBOUR = Neighbour()
#: Columns of a table of single points -> meaning.
COLUMNS = {
    "energy_eV": "of the functional",
    "mbd_eV": "dispersion",
    "total_eV": "both together",
    "cycles": "of the self-consistent field",
    "seconds": "wall time",
    "status": "converged or failed",
    "reason": "why there is no energy, or how the field converged where the plain way did not do",
}


def compute(
    geometries: Structures,
    level: Level | None = None,
    *,
    folder: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    timeout: float | None = None,
    progress: Progress | None = None,
) -> Built:
    """Single points of all geometries.

    Parameters
    ----------
    geometries
        M structures.
    level
        By default the paper's.
    folder, workers, timeout, progress
        See `morered.resumable.build`; a piece is one geometry. A worker has one thread.

    Returns
    -------
    Built
        The geometries with the columns ``energy`` and ``mbd`` (eV; NaN where there is none), ``cycles``, ``seconds``, ``status``
        and ``reason``. One that ran over its time, or took its process along, is among the failures instead.
    """
    level = level or Level()
    return resumable.build(
        geometries,
        partial(with_energy, level=level),
        key=["single points", replace(level, threads=None, max_memory=None).to_dict()],
        version=VERSION,
        folder=folder,
        workers=workers,
        timeout=timeout,
        progress=progress,
        piece=1,
    )


def with_energy(molecule: Structures, level: Level) -> Structures:
    """One molecule with the columns of `compute`."""
    _, numbers, positions = molecule.molecule(0)
    electrons = int(molecule.charges[0]), int(molecule.unpaired[0])
    point = single_point(numbers, positions, level, *electrons, neighbour=_NEIGHBOUR)
    return molecule.with_columns(
        {
            "energy": Column(np.array([point.energy]), "eV"),
            "mbd": Column(np.array([point.mbd]), "eV"),
            "cycles": Column(np.array([point.cycles])),
            "seconds": Column(np.array([point.seconds]), "s"),
            "status": Column(as_names([point.status])),
            "reason": Column(as_names([point.reason])),
        }
    )


def row(point: SinglePoint) -> dict[str, float | int | str]:
    """A single point as a row of `COLUMNS`."""
    return {
        "energy_eV": point.energy,
        "mbd_eV": point.mbd,
        "total_eV": point.total,
        "cycles": point.cycles,
        "seconds": point.seconds,
        "status": point.status,
        "reason": point.reason,
    }


def failure(reason: str) -> SinglePoint:
    """What stands for a single point that was never finished."""
    return SinglePoint(np.nan, np.nan, 0, np.nan, "failed", reason)


def table(built: Built) -> pd.DataFrame:
    """The single points as a table, failures included: ``geometry`` (the id) and `COLUMNS`."""
    rows: list[dict[str, float | int | str]] = []
    structures = built.structures
    for m, name in enumerate(structures.names):
        value = {key: structures.column(key)[m] for key in ("energy", "mbd", "cycles", "seconds", "status", "reason")}
        point = SinglePoint(
            float(value["energy"]),
            float(value["mbd"]),
            int(value["cycles"]),
            float(value["seconds"]),
            value["status"].decode(),
            value["reason"].decode(),
        )
        rows.append({"geometry": name, **row(point)})
    rows += [{"geometry": name, **row(failure(reason))} for name, reason in built.failures.items()]
    return pd.DataFrame(rows, columns=["geometry", *COLUMNS])


def energies_of(sources: pd.DataFrame, points: pd.DataFrame) -> pd.DataFrame:
    """The energies of each input's sources, and how far they lie from the reference's.

    Parameters
    ----------
    sources
        What `morered.energies.sampling.collect` says of inputs and sources.
    points
        `table` of the geometries.

    Returns
    -------
    DataFrame
        The columns of both and ``difference_kcal_mol``: total energy less that of the same input's reference; NaN where one of
        the two is missing.

    Raises
    ------
    ValueError
        If a geometry has no single point, not even a failed one.
    """
    joined = sources.merge(points, how="left", on="geometry", validate="many_to_one", indicator=True)
    if (lost := joined.loc[joined["_merge"] == "left_only", "geometry"]).size:
        raise ValueError(f"there is no single point of {lost.iloc[0]!r}")
    key = ["testset", "id"]
    zero = joined[joined["source"] == REFERENCE].set_index(key)["total_eV"]
    difference = (joined["total_eV"] - zero.reindex(pd.MultiIndex.from_frame(joined[key])).to_numpy()) * KCAL_MOL_PER_EV
    return joined.drop(columns="_merge").assign(difference_kcal_mol=difference)
