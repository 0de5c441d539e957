"""Chooses the geometries whose energies are computed: a sample of the inputs, their minima, and the results of every method.

A geometry that several runs share (a minimum with three inputs, an input that a method gave back) is computed once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from morered.chemistry import bonds, require_same_atoms
from morered.structures import Structures

#: What an input's minimum and the input itself are called among the sources.
REFERENCE, INPUT = "reference", "input"
#: Å; geometries whose coordinates agree to this are one.
SAME = 1e-5
#: Columns of what `collect` says of each input and source.
COLUMNS = ("testset", "id", "reference", "n_atoms", "source", "geometry", "relaxation_seconds", "bond_change", "distance_change")


def sample(inputs: Structures, count: int | None, seed: int, max_atoms: int | None = None) -> Structures:
    """A random sample of the inputs, in their order; the same whatever their order and whatever relaxed them.

    Parameters
    ----------
    inputs
        All inputs of a test set.
    count
        How many; all where None, or where there are fewer.
    seed
        A larger sample of the same seed contains a smaller one.
    max_atoms
        Leave larger molecules out; where all are larger, the smallest ones are taken.
    """
    allowed = np.arange(len(inputs))
    if max_atoms is not None and len(inputs):
        allowed = np.flatnonzero(inputs.sizes <= max(max_atoms, int(inputs.sizes.min())))
    names = inputs.ids[allowed]
    # the draw of each depends on its name alone
    draws = [hashlib.blake2b(name, digest_size=8, key=f"energies {seed}".encode()).digest() for name in names.tolist()]
    chosen = sorted(range(len(allowed)), key=draws.__getitem__)[:count]
    return inputs[np.sort(allowed[chosen])]


def collect(
    testset: str, inputs: Structures, minima: Structures, relaxed: Mapping[str, Structures]
) -> tuple[Structures, pd.DataFrame]:
    """The distinct geometries of the sample, and which of them each input and source has.

    Parameters
    ----------
    testset
        Its name.
    inputs
        The sample.
    minima
        Reference minima of the inputs, among others.
    relaxed
        Method -> relaxed structures of all inputs, among others.

    Returns
    -------
    Structures
        Distinct geometries in order of appearance, with their charges: their ids say of which test set, input and source they are
        the first.
    DataFrame
        `COLUMNS`, a row for each input and each of "reference", "input" and the methods: ``geometry`` is the id of its
        geometry; ``relaxation_seconds`` what the method took (0 for reference and input); ``bond_change`` and
        ``distance_change`` in Å the mean change, against the reference, of the lengths of its bonds and of all distances between
        atoms. Negative: too short.

    Raises
    ------
    KeyError
        If an input has no minimum, or a method no result for it.
    ValueError
        If the atoms of two of them differ.
    """
    bare = inputs.without_columns()
    references = minima[minima.index_of(bare.references)].without_columns()
    sources: dict[str, Structures] = {REFERENCE: references, INPUT: bare}
    seconds: dict[str, NDArray] = dict.fromkeys(sources, np.zeros(len(bare)))
    for method, structures in relaxed.items():
        results = structures[structures.index_of(bare.ids)]
        sources[method] = results.without_columns()
        seconds[method] = results.column("seconds") if "seconds" in results.columns else np.full(len(bare), np.nan)
    for structures in sources.values():
        require_same_atoms(structures, bare)

    first: dict[bytes, str] = {}
    geometries: list[tuple[str, NDArray, NDArray, int, int]] = []
    rows = []
    for m in range(len(bare)):
        name, numbers, _ = bare.molecule(m)
        _, _, exact = references.molecule(m)
        pairs = bonds(numbers, exact)
        charge, unpaired = int(bare.charges[m]), int(bare.unpaired[m])
        for source, structures in sources.items():
            _, _, positions = structures.molecule(m)
            key = _key(numbers, positions, charge, unpaired)
            if key not in first:
                first[key] = f"{testset}|{name}|{source}"
                geometries.append((first[key], numbers, np.asarray(positions, np.float64), charge, unpaired))
            rows.append(
                (
                    testset,
                    name,
                    references.molecule(m).id,
                    len(numbers),
                    source,
                    first[key],
                    float(seconds[source][m]),
                    _change(positions, exact, pairs[:, 0], pairs[:, 1]),
                    _change(positions, exact, *np.triu_indices(len(numbers), k=1)),
                )
            )
    ids, numbers_of, positions_of, *electrons = zip(*geometries, strict=True) if geometries else ((), (), (), (), ())
    distinct = Structures.build(numbers_of, positions_of, ids).with_electrons(*electrons)
    return distinct, pd.DataFrame(rows, columns=list(COLUMNS))


def methods_of(sources: Iterable[str]) -> list[str]:
    """The methods among sources, in order of appearance."""
    return [source for source in dict.fromkeys(sources) if source not in (REFERENCE, INPUT)]


def _key(numbers: NDArray, positions: NDArray[np.floating], charge: int, unpaired: int) -> bytes:
    """What tells geometries apart: elements, coordinates about their mean, and electrons."""
    points = np.asarray(positions, np.float64)
    with np.errstate(invalid="ignore"):
        rounded = np.round((points - points.mean(axis=0)) / SAME)
    electrons = f"{charge} {unpaired} ".encode()
    return hashlib.sha256(electrons + np.asarray(numbers, np.uint8).tobytes() + (rounded + 0.0).tobytes()).digest()


def _change(positions: NDArray, exact: NDArray, first: NDArray[np.integer], second: NDArray[np.integer]) -> float:
    """Mean change of distances in Å between pairs of atoms; NaN where there is no pair."""
    if not len(first):
        return float("nan")
    here, there = (np.asarray(x, np.float64) for x in (positions, exact))
    lengths = [np.linalg.norm(x[first] - x[second], axis=1) for x in (here, there)]
    return float(np.mean(lengths[0] - lengths[1]))
