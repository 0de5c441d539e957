"""What became of each molecule: the columns that every relaxed structure carries.

Shapes: M molecules, A atoms (flat).

    verdict          bytes    converged, changed, step-cap, refused or failed; the last two keep their input coordinates, or, of
                              several stages, those of the stage before
    steps            int32    steps taken
    first_time       float64  predicted time of the input in [0, 1] (diffusion), NaN otherwise
    last_time        float64  time of the last step, NaN otherwise
    first_fmax       float64  eV/Å, largest force on an atom where the first stage with forces began, NaN where there is none
    last_fmax        float64  eV/Å, that of the result
    moved            float64  Å, RMSD between input and result, superposed; NaN where there is no result to compare
    closest_contact  float64  Å, shortest distance between two atoms of the result
    seconds          float64  s, its share of the time
    reason           bytes    a plain sentence

and one int8 for each check of `morered.checks.table.CHECKS`: 1 passed, 0 not, -1 unknown or not asked. A result is ``converged``
where none is 0. One that is another molecule is ``changed``, and one whose geometry is impossible has ``failed``; so has one that
reached the cap at a structure that the checks find worse than the input. The checks of a result that is not kept stay.

where the method has them, of relaxed molecules (NaN otherwise):

    energy           float64  eV
    forces           float64  eV/Å, [A, 3]

where the network's weights say what is to be expected (`morered.metrics.calibration`), of relaxed molecules (NaN otherwise):

    expected_rmsd    float64  Å, heavy atoms, mean distance of such results to the minimum that they fall into
    expected_energy  float64  kcal/mol, their mean energy above that minimum

where each molecule was relaxed by its own method (`morered.relaxation.auto`):

    auto_method      bytes    the methods that relaxed it, joined by +; empty where none did

and where a molecule was relaxed several times (`morered.relaxation.uncertainty`):

    seed_spread      float64  Å, mean RMSD between the results
    time_spread      float64  standard deviation over the atoms of the times predicted for the result (diffusion)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from morered.checks.table import CHECKS
from morered.relaxation.codes import REASONS, VERDICTS, Code
from morered.structures import Column, Structures

if TYPE_CHECKING:
    import pandas as pd

#: The columns, in order.
COLUMNS = (
    "verdict",
    "steps",
    "first_time",
    "last_time",
    "first_fmax",
    "last_fmax",
    "moved",
    *CHECKS,
    "closest_contact",
    "seconds",
    "reason",
)
#: What some methods add: what auto chose, and what the network's weights tell.
AUTO = "auto_method"
EXPECTED = ("expected_rmsd", "expected_energy")
OF_METHODS = (AUTO, *EXPECTED)
#: Columns which are there only where they were asked for.
SPREADS = ("seed_spread", "time_spread")


def told(code: Sequence[int], reasons: Sequence[str | None]) -> dict[str, Column]:
    """The columns ``verdict`` and ``reason`` of codes [M] and sentences [M]; None stands for the code's own."""
    ends = [Code(c) for c in code]
    sentences = [reason or REASONS[c] for c, reason in zip(ends, reasons, strict=True)]
    return {
        "verdict": Column(np.array([VERDICTS[c].encode() for c in ends], dtype="S9")),
        "reason": Column(np.array([sentence.encode() for sentence in sentences], dtype=np.bytes_).reshape(len(sentences))),
    }


def table_of(relaxed: Structures) -> pd.DataFrame:
    """One row for each molecule with its name, its number of atoms and the columns above, bytes as text.

    Columns that only some methods add are empty where this one does not; those of several runs are there only if they were made.
    """
    import pandas as pd  # slow to import, and asked for by few

    values: dict[str, Any] = {"name": relaxed.names, "n_atoms": relaxed.sizes}
    for name in (*COLUMNS[:-1], *OF_METHODS, *(name for name in SPREADS if name in relaxed.columns), "reason"):
        if name in OF_METHODS and name not in relaxed.columns:
            values[name] = np.full(len(relaxed), "" if name == AUTO else np.nan)
            continue
        column = relaxed.column(name)
        values[name] = [text.decode() for text in column.tolist()] if column.dtype.kind == "S" else column
    return pd.DataFrame(values)
