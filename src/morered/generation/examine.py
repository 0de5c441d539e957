"""Examines generated structures: a row of a table for each, and the molecules of the dataset that it may repeat.

Columns of the table (`COLUMNS`): what is text is empty where there is nothing to say.

Shapes: M molecules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd
from rdkit import Chem

from morered.checks.judged import check
from morered.checks.table import CHECKS, GEOMETRY
from morered.generation import geometry
from morered.generation.formula import formula_of
from morered.generation.perception import by_rdkit, named_by_rdkit
from morered.generation.stability import stability
from morered.metrics.tables import unguarded
from morered.parallel import TaskFailure, map_processes
from morered.structures import Structures

#: Column -> meaning.
COLUMNS: dict[str, str] = {
    "id": "the sample",
    "reference": "the minimum whose composition was drawn",
    "formula": "composition, in Hill's order",
    "n_atoms": "number of atoms",
    "verdict": "converged, step-cap or failed (which has no structure)",
    "steps": "steps taken",
    "valid": "1 if connected and every valence is proper, as perceived by Open Babel (the paper) or RDKit",
    "problem": "why it is not valid",
    "smiles": "canonical SMILES with stereochemistry, mirror images alike",
    "graph": "canonical SMILES without stereochemistry",
    "mended": "1 if Open Babel's bond orders had to be sought again",
    "valid_rdkit": "1 if RDKit perceives a valid molecule",
    "geometry": "what PoseBusters' rules find wrong with the geometry; sound if nothing, empty if RDKit perceives no molecule",
    **{name: f"check: {CHECKS[name].meaning}; -1 where there is no structure" for name in GEOMETRY},
    "fragments_kept": "check: 1 if it is in one piece",
    "hydrogens_kept": "check: 1 if every hydrogen has one neighbour",
    "stable_atoms": "atoms that are stable by EDM's definition",
    "stable": "1 if all of them are",
}
TEXT = ("id", "reference", "formula", "verdict", "problem", "smiles", "graph", "geometry")
#: Columns of the table of known molecules.
KNOWN = ("id", "formula", "smiles", "graph")

_CHECKED = (*GEOMETRY, "fragments_kept", "hydrogens_kept")
_BATCH = 200  # molecules in one task
_SECONDS = 600.0  # a batch that takes longer hangs

Progress = Callable[[int, int | None], None]
Perception = Literal["openbabel", "rdkit"]


def examine(
    structures: Structures, *, perception: Perception = "openbabel", workers: int = 1, progress: Progress | None = None
) -> pd.DataFrame:
    """One row for each of M molecules, the columns of `COLUMNS`.

    Parameters
    ----------
    structures
        As `morered.generation.sampling.generate` gives them, with the columns ``verdict`` and ``steps``; without them (real
        molecules) every structure counts as converged after 0 steps.
    perception
        Who says what is valid and what it is called: Open Babel, as in the paper (extra ``mmff``), or RDKit.
    workers
        Processes; with 1 it is done in this one.
    progress
        Told of molecules done, of how many.
    """
    parts = list(_mapped(partial(_examined, perception=perception), structures, workers, progress))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))


def examine_at_caps(structures: Structures, *, workers: int = 1, progress: Progress | None = None) -> pd.DataFrame:
    """As `examine`, of what `morered.generation.caps.generate_to_caps` gives, with the column ``cap`` before the others.

    A molecule that ended before a cap is the same at all further ones, and looked at once.
    """
    keys = pd.MultiIndex.from_arrays([structures.references, structures.column("steps"), structures.column("verdict")])
    codes, distinct = keys.factorize()
    first = np.unique(codes, return_index=True)[1]
    assert len(first) == len(distinct)
    table = examine(structures[first], workers=workers, progress=progress).iloc[codes].reset_index(drop=True)
    table["id"] = structures.names
    table.insert(0, "cap", structures.column("cap"))
    return table


def known_molecules(
    minima: Structures, compositions: Structures | None = None, *, workers: int = 1, progress: Progress | None = None
) -> pd.DataFrame:
    """Names of a dataset's molecules that a generated one can be: those of the compositions given (all if None).

    Returns
    -------
    DataFrame
        The columns of `KNOWN`; ``smiles`` and ``graph`` are empty where Open Babel perceives no valid molecule.
    """
    bare = minima.without_columns()
    if compositions is not None:
        wanted = {formula_of(z) for z in _distinct(compositions)}
        bare = bare[[m for m, molecule in enumerate(bare) if formula_of(molecule.numbers) in wanted]]
    parts = list(_mapped(_named, bare, workers, progress))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(KNOWN))


def read(path: Any) -> pd.DataFrame:
    """Read a table of either kind; text stays text, whatever a name looks like."""
    header = pd.read_csv(path, nrows=0).columns
    text = {name: str for name in header if name in TEXT}
    return unguarded(pd.read_csv(path, dtype=text, keep_default_na=False, na_values={name: [] for name in text}), text)


# --------------------------------------------------------------------- a batch of molecules


def _examined(structures: Structures, perception: Perception) -> pd.DataFrame:
    if perception == "openbabel":
        from morered.generation.open_babel import by_openbabel  # an extra's, which RDKit's perception does without
    stable = stability(structures)
    n = len(structures)
    table = pd.DataFrame(
        {
            "id": structures.names,
            "reference": [name.decode() for name in structures.references.tolist()],
            "formula": [formula_of(molecule.numbers) for molecule in structures],
            "n_atoms": structures.sizes,
            "verdict": [v.decode() for v in structures.column("verdict").tolist()]
            if "verdict" in structures.columns
            else "converged",
            "steps": structures.column("steps") if "steps" in structures.columns else np.zeros(n, np.int32),
            "stable_atoms": structures.per_molecule_sum(stable.atoms.astype(np.float64)).astype(np.int64),
            "stable": stable.molecules.astype(np.int64),
        }
    )
    there = np.flatnonzero(~table["verdict"].isin(["failed", "refused"]).to_numpy())
    passed = check(structures[there]).passed
    for name in _CHECKED:
        table[name] = -1
        table.loc[there, name] = passed[name].astype(np.int64)
    rows = []
    for molecule, verdict in zip(structures, table["verdict"], strict=True):
        if verdict in ("failed", "refused"):
            rows.append((0, "no structure", "", "", 0, 0, ""))
            continue
        seen = by_rdkit(molecule.numbers, molecule.positions)
        if perception == "openbabel":
            named = by_openbabel(molecule.numbers, molecule.positions)
        else:
            named = named_by_rdkit(molecule.numbers, molecule.positions, seen)
        sound = "" if seen is None else _geometry(seen)
        rows.append((int(not named.problem), *named[:3], int(named.mended), int(seen is not None), sound))
    names = ["valid", "problem", "smiles", "graph", "mended", "valid_rdkit", "geometry"]
    return table.join(pd.DataFrame(rows, columns=names))[list(COLUMNS)]


def _geometry(molecule: Chem.Mol) -> str:
    try:
        return geometry.problem(molecule) or "sound"
    except (RuntimeError, ValueError) as error:  # RDKit's: no bounds can be had
        return f"no bounds: {str(error).strip().splitlines()[0]}"


def _named(structures: Structures) -> pd.DataFrame:
    from morered.generation.open_babel import by_openbabel

    names = [by_openbabel(molecule.numbers, molecule.positions) for molecule in structures]
    return pd.DataFrame(
        {
            "id": structures.names,
            "formula": [formula_of(molecule.numbers) for molecule in structures],
            "smiles": [name.smiles for name in names],
            "graph": [name.graph for name in names],
        }
    )


# --------------------------------------------------------------------- many of them


def _mapped(
    function: Callable[[Structures], pd.DataFrame], structures: Structures, workers: int, progress: Progress | None
) -> Iterator[pd.DataFrame]:
    """The batches' tables in order."""
    batches = [structures[start : start + _BATCH] for start in range(0, len(structures), _BATCH)]

    def tell(done: int, _: int | None) -> None:
        if progress is not None:
            progress(min(done * _BATCH, len(structures)), len(structures))

    if workers == 1:
        for k, batch in enumerate(batches):
            yield function(batch)
            tell(k + 1, None)
        return
    found: dict[int, pd.DataFrame] = {}
    for index, result in map_processes(function, batches, workers=workers, timeout=_SECONDS, progress=tell):
        if isinstance(result, TaskFailure):
            raise RuntimeError(f"molecules {index * _BATCH + 1} to {index * _BATCH + len(batches[index])}: {result.reason}")
        found[index] = result
    yield from (found[k] for k in range(len(batches)))


def _distinct(structures: Structures) -> list[np.ndarray]:
    """Atomic numbers of each different sequence of them."""
    return list({molecule.numbers.tobytes(): molecule.numbers for molecule in structures}.values())
