"""Where relaxed structures lie on the reference's surface: which minimum each falls into, how far above it, and how near.

The minimum is that which the reference's own relaxation reaches from the result (AIMNet2, `minima.Settings`), not that of the
input: conformers are not what is asked for. Where a result is one of the inputs, as MMFF94's is, that minimum is known.

Shapes: M molecules. Columns of the table, one row a molecule:

    id, kind            of the input
    n_atoms, n_heavy    atoms, and those that are not hydrogen
    charge              total charge in e
    elements            symbols, in the order of atomic numbers
    verdict             of the relaxation; 1 in ``converged`` if it is that: bonds and stereochemistry are then kept
    seconds             the relaxation's, of this molecule
    last_time           predicted by the network for the result, NaN for methods without one
    moved               Å, all atoms, input to result
    fell                1 if the reference reached a minimum with the same bonds and stereochemistry from the result
    energy_left         kcal/mol, reference energy of the result above that minimum's
    rmsd_left           Å, heavy atoms, result to that minimum
    rmsd_input          Å, heavy atoms, input to that minimum
    nearer              1 if the result is nearer to that minimum than the input is
    calls               gradients of the reference from the result to the minimum
    calls_input         the same from the input to its own minimum
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from ase.data import chemical_symbols
from numpy.typing import NDArray

from morered.datasets.organic import minima as reference
from morered.datasets.organic.minima import Settings
from morered.metrics.rmsd import superpose
from morered.relaxation import relax
from morered.structures import Structures
from morered.units import EV_PER_KCAL_MOL

#: A molecule with fewer heavy atoms has too few to measure by: all of its atoms count.
HEAVY = 3
#: A result as near as this to an input, in Å (RMSD of all atoms), falls into that input's minimum: inputs are kept to 0.0005 Å.
SAME = 0.002


def measure(
    relaxed: Structures, inputs: Structures, minima: Structures, settings: Settings | None = None, progress: bool = False
) -> pd.DataFrame:
    """The table above.

    Parameters
    ----------
    relaxed
        Results of a relaxation with the columns ``verdict``, ``seconds``, ``last_time`` and ``moved``.
    inputs, minima
        What was relaxed, with the column ``kind``, and the reference minima of these inputs, with ``calls``, by the same names;
        both may hold more than was relaxed: other inputs of the same molecules.
    settings
        Of the reference's relaxation.
    progress
        Show a bar.
    """
    settings = settings or Settings()
    everything, inputs = inputs, inputs[inputs.index_of(relaxed.ids)]
    own = minima[minima.index_of(relaxed.ids)]
    converged = relaxed.column("verdict") == b"converged"
    table = pd.DataFrame(
        {
            "id": relaxed.names,
            "kind": [kind.decode() for kind in inputs.column("kind").tolist()],
            "n_atoms": relaxed.sizes,
            "n_heavy": relaxed.per_molecule_sum((relaxed.numbers > 1).astype(np.float64)).astype(int),
            "charge": relaxed.charges,
            "elements": [" ".join(chemical_symbols[z] for z in np.unique(m.numbers).tolist()) for m in relaxed],
            "verdict": [verdict.decode() for verdict in relaxed.column("verdict").tolist()],
            "converged": converged.astype(int),
            "seconds": relaxed.column("seconds"),
            "last_time": relaxed.column("last_time"),
            "moved": relaxed.column("moved"),
            "fell": 0,
            "energy_left": np.nan,
            "rmsd_left": np.nan,
            "rmsd_input": np.nan,
            "nearer": 0,
            "calls": np.nan,
            "calls_input": own.column("calls"),
        }
    )
    rows = np.flatnonzero(converged)
    if not len(rows):
        return table
    results = relaxed.without_columns()[rows]
    known = _known(results, everything, minima)
    unknown = np.flatnonzero(known < 0)
    ends: list[Structures | None] = [minima.without_columns()[[k]] if k >= 0 else None for k in known]
    calls = np.where(known >= 0, minima.column("calls")[known].astype(float), np.nan)
    if len(unknown):
        ended = relax(results[unknown], settings.method(), batch_size=settings.batch_size, progress=progress).structures
        calls[unknown] = ended.column("steps").astype(float) + 1
        for place, m in enumerate(unknown):
            if ended.column("verdict")[place] == b"converged":
                ends[m] = ended.without_columns()[[place]]
    fell = np.array([end is not None for end in ends])
    if not fell.any():
        return table
    rows, results, calls = rows[fell], results[fell], calls[fell]
    reached = Structures.concatenate([end for end in ends if end is not None])
    left = (reference.energies_of(results) - reference.energies_of(reached)) / EV_PER_KCAL_MOL
    after, before = heavy_rmsd(results, reached), heavy_rmsd(inputs.without_columns()[rows], reached)
    found: dict[str, NDArray[Any]] = {
        "fell": np.ones(len(rows), dtype=int),
        "energy_left": left,
        "rmsd_left": after,
        "rmsd_input": before,
        "nearer": (after < before).astype(int),
        "calls": calls,
    }
    for name, values in found.items():
        table.loc[rows, name] = values
    return table


def _known(results: Structures, inputs: Structures, minima: Structures) -> NDArray[np.int64]:
    """For each result, [M], the place in ``minima`` of the minimum of the input that it is; -1 where it is none."""
    there = {name: place for place, name in enumerate(minima.names)}
    of_molecule: dict[str, list[int]] = {}
    for place, name in enumerate(inputs.names):
        if name in there:
            of_molecule.setdefault(name.rpartition("/")[0], []).append(place)
    found = np.full(len(results), -1)
    for m, result in enumerate(results):
        for place in of_molecule.get(results.names[m].rpartition("/")[0], ()):
            other = inputs[place]
            if np.array_equal(result.numbers, other.numbers):
                p, q = result.positions.astype(np.float64), other.positions.astype(np.float64)
                if np.sqrt(np.square(superpose(p, q) - q).sum(axis=1).mean()) < SAME:
                    found[m] = there[inputs.names[place]]
    return found


def heavy_rmsd(a: Structures, b: Structures) -> NDArray[np.float64]:
    """RMSD in Å over atoms other than hydrogen after the best superposition of these, [M]; see `HEAVY`."""
    found = np.full(len(a), np.nan)
    for m, (one, other) in enumerate(zip(a, b, strict=True)):
        heavy = one.numbers > 1
        chosen = heavy if heavy.sum() >= HEAVY else np.ones(len(one.numbers), dtype=bool)
        p, q = one.positions[chosen].astype(np.float64), other.positions[chosen].astype(np.float64)
        found[m] = np.sqrt(np.square(superpose(p, q) - q).sum(axis=1).mean())
    return found
