"""Compositions to generate: molecules whose atoms are known and whose positions are not (all at the origin).

Shapes: M molecules, A atoms (flat), N atoms of one molecule.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from morered.datasets.splits import Split
from morered.structures import Structures, as_names, offsets_of


def repeated(numbers: NDArray[np.integer], count: int, name: str) -> Structures:
    """``count`` molecules of one composition, atomic numbers [N], ids ``<name>/0001`` and so on."""
    digits = max(4, len(str(count)))
    ids = [f"{name}/{k + 1:0{digits}d}" for k in range(count)]
    return _placeless(np.tile(np.asarray(numbers, np.uint8), count), np.full(count, len(numbers)), ids, [name] * count)


def draw(
    minima: Structures,
    split: Split,
    count: int,
    *,
    part: str = "test",
    seed: int = 0,
    elements: NDArray[np.integer] | None = None,
) -> Structures:
    """Compositions of ``count`` minima drawn at random, with replacement, from a part of the split.

    Parameters
    ----------
    minima, split
        The dataset.
    count
        Molecules to draw.
    part
        Of the split.
    seed
        Of the draw.
    elements
        Atomic numbers that a molecule may have; None: any.

    Returns
    -------
    Structures
        [count] molecules, ids ``sample/00001`` and so on, references the minima's ids.

    Raises
    ------
    ValueError
        If the part has no minimum with two atoms, of these elements.
    """
    there = split.select(minima, part)
    there = there[minima.sizes[there] > 1]
    if elements is not None:
        foreign = minima.per_molecule_sum((~np.isin(minima.numbers, elements)).astype(np.float64))
        there = there[foreign[there] == 0]
    if not len(there):
        raise ValueError(f"no molecule of two atoms or more, of elements that the models know, is in the {part} split")
    generator = np.random.default_rng([seed, *f"compositions of {part}".encode()])
    chosen = minima.without_columns()[generator.choice(there, count)]
    return _placeless(chosen.numbers, chosen.sizes, [f"sample/{k + 1:05d}" for k in range(count)], chosen.ids)


def _placeless(
    numbers: NDArray[np.uint8], sizes: NDArray[np.integer], ids: Sequence[str], references: Sequence[str] | NDArray[np.bytes_]
) -> Structures:
    return Structures(numbers, np.zeros((len(numbers), 3)), offsets_of(sizes), as_names(ids), as_names(references))
