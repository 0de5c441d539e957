"""Test inputs made from minima: displaced along normal modes, and diffused with Gaussian noise.

Section 3.2 of the paper: of 100 structures displaced from each test minimum the closest, the middle and the most distant one,
and one input of 250 forward diffusion steps for each minimum, whose median RMSD lies within the range of the former's.

Shapes: M molecules, A atoms (flat).
"""

from __future__ import annotations

import os
from dataclasses import asdict
from functools import partial

import numpy as np
import torch

from morered import resumable
from morered.batching import batches, pad, unpad
from morered.datasets.builder import VERSION, Displacing, displace
from morered.datasets.inputs import closest_middle_farthest
from morered.datasets.splits import Split, draw
from morered.diffusion import random_numbers
from morered.diffusion.forward import diffuse
from morered.diffusion.schedule import NoiseSchedule
from morered.metrics.rmsd import rmsd
from morered.parallel import Progress
from morered.resumable import Built
from morered.structures import Column, Structures, as_names

#: Forward steps of the diffused inputs: the paper's t, array index ``STEPS - 1``.
STEPS = 250


def sample(minima: Structures, split: Split, part: str = "test", graphs: int | None = None, seed: int = 0) -> Structures:
    """Minima of one part of the split, of a random sample of its molecular graphs, in the order of ``minima``.

    A larger sample of the same seed contains a smaller one.

    Parameters
    ----------
    minima
        All minima.
    split
        Their split.
    part
        ``"train"``, ``"validation"`` or ``"test"``.
    graphs
        Number of graphs; all where None, or where the part has fewer.
    seed
        Of the sample.

    Raises
    ------
    ValueError
        If there is no such part, or no minimum of it among ``minima``.
    """
    chosen = draw(split.graphs_of(part), seed, purpose="sample")[:graphs]
    ids = [name for name in split.ids(part) if split.graphs[name] in set(chosen)] if graphs is not None else list(split.ids(part))
    index = np.flatnonzero(np.isin(minima.ids, as_names(ids)))
    if not len(index):
        raise ValueError(f"no minimum of the {part} part of the split is among these {len(minima)} structures")
    return minima[index]


# --------------------------------------------------------------------- along normal modes


def normal_mode_inputs(
    minima: Structures,
    settings: Displacing | None = None,
    *,
    seed: int = 0,
    folder: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    timeout: float | None = None,
    progress: Progress | None = None,
) -> Built:
    """Of each minimum, the closest, the middle and the most distant of its displaced structures.

    Parameters
    ----------
    minima
        M minima.
    settings
        How they are displaced; by default 100 structures each by SO3LR at 1500 K.
    seed
        With a minimum's id it decides its displacements.
    folder, workers, timeout, progress
        See `morered.resumable.build`.

    Returns
    -------
    Built
        Three structures for each minimum, with the columns of `morered.datasets.builder.displace`, and ``rmsd`` (Å) and ``rank``
        of `morered.datasets.inputs.closest_middle_farthest`.
    """
    settings = settings or Displacing()
    return resumable.build(
        minima,
        partial(_extremes, settings=settings, seed=seed),
        key=["normal-mode inputs", asdict(settings), seed],
        version=VERSION,
        folder=folder,
        workers=workers,
        timeout=timeout,
        progress=progress,
    )


def _extremes(minimum: Structures, settings: Displacing, seed: int) -> Structures:
    return closest_middle_farthest(displace(minimum, settings, seed), minimum, minimum.names)


# --------------------------------------------------------------------- diffused


def diffused_inputs(
    minima: Structures, *, steps: int = STEPS, seed: int = 0, schedule: NoiseSchedule | None = None, batch_size: int = 512
) -> Structures:
    """One input for each minimum: its centred coordinates after so many steps of the forward process (Eq. 2).

    The noise has a stream of its own: a relaxation with the same seed, which adds noise as well, does not see it again.

    Parameters
    ----------
    minima
        M minima.
    steps
        The paper's t, at least 1; the array index is ``steps - 1``.
    seed
        With a minimum's id it decides its noise.
    schedule
        The paper's by default.
    batch_size
        Molecules at a time; the result does not depend on it.

    Returns
    -------
    Structures
        M structures, ids ``<minimum>-t<steps>``. Columns ``step`` (array index), ``rmsd`` (Å, to the minimum, aligned).

    Raises
    ------
    ValueError
        If the schedule has fewer steps.
    """
    schedule = schedule or NoiseSchedule()
    if not 1 <= steps <= schedule.T:
        raise ValueError(f"diffused inputs need between 1 and {schedule.T} steps, not {steps}")
    stream = random_numbers.stream(seed, "diffused inputs")
    positions = np.empty((minima.n_atoms, 3))
    for index, n_padded in batches(minima.sizes, batch_size):
        batch = pad(minima, index, n_padded)
        drawn = random_numbers.centre(random_numbers.normal(stream, batch.keys, steps - 1, n_padded), batch.mask)
        step = torch.full((len(batch),), steps - 1)
        noisy = diffuse(random_numbers.centre(batch.positions, batch.mask), step, drawn, schedule)
        atoms = np.concatenate([np.arange(minima.offsets[m], minima.offsets[m + 1]) for m in index])
        positions[atoms] = unpad(noisy, batch.mask)
    structures = Structures(
        minima.numbers,
        positions,
        minima.offsets,
        as_names([f"{name}-t{steps}" for name in minima.names]),
        minima.ids,
        minima.without_columns().columns,
    )
    columns = {
        "step": Column(np.full(len(minima), steps - 1, dtype=np.int32)),
        "rmsd": Column(rmsd(structures, minima.without_columns()), "Å"),
    }
    return structures.with_columns(columns)
