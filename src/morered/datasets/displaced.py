"""Displaced structures with energies and forces: what a force field is trained on where QM7-X is not at hand.

Only training and validation graphs are displaced: a force field must not see test molecules, and the test inputs are made
separately.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from morered import resumable
from morered.datasets.builder import VERSION, Displacing, displace, labelled
from morered.datasets.splits import Split, draw
from morered.parallel import Progress
from morered.resumable import Built
from morered.structures import Column, Structures, as_names

#: Columns of what is built.
COLUMNS = ("energy", "forces", "displacement_energy", "target_energy", "scale")


def chosen_minima(minima: Structures, split: Split, train: int | None = None, validation: int | None = None) -> Structures:
    """The minima that are displaced: those of the training and the validation graphs, or of the first so many graphs of each.

    Graphs are counted in the order of `Split.limited`, so that a model trained on fewer graphs finds all of them here.
    """
    graphs: set[str] = set()
    for part, limit in (("train", train), ("validation", validation)):
        graphs.update(draw(split.graphs_of(part), split.seed)[:limit])
    ids = [name for part in ("train", "validation") for name in split.ids(part) if split.graphs[name] in graphs]
    return minima[np.flatnonzero(np.isin(minima.ids, as_names(ids)))]


def displaced_structures(
    minima: Structures,
    settings: Displacing | None = None,
    *,
    seed: int = 0,
    folder: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    timeout: float | None = None,
    progress: Progress | None = None,
) -> Built:
    """Each minimum and structures displaced from it, with energies and forces.

    Parameters
    ----------
    minima
        M minima, see `chosen_minima`.
    settings
        How they are displaced; by default 20 structures each by SO3LR at 1500 K. ``forces`` is taken for granted.
    seed
        With a minimum's id it decides its displacements.
    folder, workers, timeout, progress
        See `morered.resumable.build`.

    Returns
    -------
    Built
        Each minimum (its id, displacement energy, target and scale 0) followed by its displaced structures. Columns:
        ``energy`` [.] eV and ``forces`` [A, 3] eV/Å by the calculator of the labels, and those of
        `morered.datasets.builder.displace`.
    """
    settings = Displacing(**{**_fields(settings or Displacing(per_minimum=20)), "forces": True})
    return resumable.build(
        minima,
        partial(_with_minimum, settings=settings, seed=seed),
        key=["displaced structures", asdict(settings), seed],
        version=VERSION,
        folder=folder,
        workers=workers,
        timeout=timeout,
        progress=progress,
    )


def displacing(settings: Mapping[str, Any]) -> Displacing:
    """How a config's key ``displaced`` wants minima displaced."""
    return Displacing(
        per_minimum=settings["per_minimum"],
        calculator=settings["calculator"],
        labels=settings["labels"],
        forces=True,
    )


def describe(settings: Displacing) -> dict[str, Any]:
    """What a file of displaced structures says about its labels, for its provenance.

    SO3LR is a pretrained force field: its labels are not DFT's, and its own training data include part of QM7-X, so that graphs
    which are held back here may not be new to it.
    """
    labels = settings.labels or settings.calculator
    text = f"energies and forces by {labels}" + ("" if labels.startswith("pbe0") else ", not by DFT")
    if labels == "so3lr":
        text += "; it was fitted to PBE0+MBD forces, to part of QM7-X among others: no QM7 graph is surely unseen by it"
    return {"labels": text, "label_calculator": labels, "hessian_calculator": settings.calculator, "settings": asdict(settings)}


def training_parts(structures: Structures, split: Split) -> tuple[Structures, Structures]:
    """The structures of the training and of the validation graphs, with the columns that a network is trained on.

    Parameters
    ----------
    structures
        Minima, or displaced structures with ``energy`` and ``forces``; they may be mapped: only what is taken is read.
    split
        Of their minima, `Split.limited` to fewer training graphs or not.
    """
    learned = {name: column for name, column in structures.columns.items() if name in ("energy", "forces")}
    bare = structures.without_columns().with_columns(learned)
    return bare[split.select(structures, "train")], bare[split.select(structures, "validation")]


def _with_minimum(minimum: Structures, settings: Displacing, seed: int) -> Structures:
    structures = displace(minimum, settings, seed)
    kept = ("displacement_energy", "target_energy", "scale")
    zero = {name: Column(np.zeros(1), structures.columns[name].unit) for name in kept}
    bare = labelled(minimum.without_columns(), minimum.numbers, minimum.positions, settings).with_columns(zero)
    return Structures.concatenate([bare, structures])


def _fields(settings: Displacing) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in settings.__dataclass_fields__}
