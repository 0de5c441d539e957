"""One HTML file that shows a relaxation: each molecule before and after in 3D, its steps, its verdict, and a table of all.

The file holds everything, the viewer (3Dmol.js) included, and its content security policy forbids it to load anything. It is
meant for one to some ten thousand molecules: what is not looked at stays text.

Shapes: M molecules, N atoms of one molecule, E bonds.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from html import escape
from importlib import resources
from importlib.metadata import version
from typing import Any, NamedTuple

import numpy as np
from ase.data import chemical_symbols
from ase.formula import Formula
from numpy.typing import NDArray

from morered.checks.table import CHECKS, IDENTITY
from morered.chemistry import bonds
from morered.figures.molecules import view
from morered.files import atomic_path
from morered.metrics.tables import UNRELAXED
from morered.pages.curves import Stage
from morered.relaxation.verdicts.columns import table_of
from morered.structures import Structures


class _Shown(NamedTuple):
    """A column: its head in the table, its name among the details, what it means, its kind, and whether the table has it."""

    label: str
    long: str
    title: str
    kind: str = "number"
    table: bool = True


def _words(name: str) -> str:
    """What a check is called where "kept" or "passed" follows."""
    return name.removesuffix("_kept").replace("_", " ")


#: Column -> how it is shown; a number that no molecule has is left out.
_COLUMNS = {
    "name": _Shown("name", "name", "as in the input", "text"),
    "formula": _Shown("formula", "formula", "Hill's order", "text"),
    "n_atoms": _Shown("atoms", "atoms", "number of atoms"),
    "verdict": _Shown("verdict", "verdict", "converged, changed, step-cap, refused or failed", "verdict"),
    "steps": _Shown("steps", "steps", "steps taken"),
    "moved": _Shown("moved", "moved (RMSD) / Å", "RMSD between input and result in Å, superposed"),
    "first_time": _Shown("time before", "time, first", "predicted diffusion time of the input: 0 is clean", table=False),
    "last_time": _Shown("time", "time, last", "diffusion time at the last step: 0 is clean"),
    "first_fmax": _Shown("fmax before", "fmax, first / eV/Å", "largest force on an atom of the input", table=False),
    "last_fmax": _Shown("fmax", "fmax, last / eV/Å", "largest force on an atom of the result in eV/Å"),
    "bonds_kept": _Shown("bonds", "bonds", "whether input and result have the same bonds", "kept"),
    **{
        name: _Shown(_words(name), _words(name), check.meaning, "kept" if name in IDENTITY else "passed", table=False)
        for name, check in CHECKS.items()
        if name not in ("bonds_kept", "stereo_kept")
    },
    "stereo_kept": _Shown("stereo", "stereochemistry", "whether stereocentres and double bonds are as in the input", "kept"),
    "auto_method": _Shown("by", "method", "what relaxed it: methods in their order", "text"),
    "expected_rmsd": _Shown("left / Å", "expected distance / Å", "mean distance of such results to their minima, heavy atoms"),
    "expected_energy": _Shown(
        "left / kcal/mol", "expected energy / kcal/mol", "mean energy of such results above their minima", table=False
    ),
    "seed_spread": _Shown("seeds ±", "spread of seeds / Å", "mean RMSD between the results of different seeds in Å"),
    "time_spread": _Shown("time ±", "spread of times", "spread of the predicted times over the atoms of the result"),
    "closest_contact": _Shown(
        "contact / Å", "closest contact / Å", "shortest distance between two atoms of the result", table=False
    ),
    "seconds": _Shown("s", "seconds", "the molecule's share of the time"),
    "reason": _Shown("reason", "reason", "why it ended so", "text"),
}


def write_page(
    path: str | os.PathLike[str],
    inputs: Structures,
    results: Structures,
    stages: Sequence[Stage] = (),
    *,
    title: str = "Relaxed molecules",
    method: str = "",
    summary: str = "",
) -> None:
    """Write the page, complete or not at all.

    Parameters
    ----------
    path
        The file.
    inputs
        M molecules as they were given.
    results
        The same, relaxed, with the columns of `morered.relaxation.verdicts.columns`.
    stages
        Recorded steps of each method they went through.
    title, method
        Texts at the top.
    summary
        HTML of our own that stands below them.

    Raises
    ------
    ValueError
        If ``inputs`` and ``results`` are not the same molecules.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(page(inputs, results, stages, title=title, method=method, summary=summary), encoding="utf-8")


def page(
    inputs: Structures,
    results: Structures,
    stages: Sequence[Stage] = (),
    *,
    title: str = "Relaxed molecules",
    method: str = "",
    summary: str = "",
) -> str:
    """The page as text; see `write_page`."""
    viewer = json.loads(_text("viewer/VERSION.json"))
    count = f"{len(results)} molecule" + "s" * (len(results) != 1)
    data = {
        "about": " · ".join(filter(None, (count, method))),
        "foot": f"morered {version('morered')}; drawn by 3Dmol.js {viewer['version']} (its licence is in this file). "
        "Everything shown is in this file; nothing is loaded or sent.",
    }
    shown = contents(inputs, results, stages)
    details = shown.pop("details")
    parts = {
        "title": escape(title),
        "summary": summary,
        "css": _text("pages/page.css"),
        "data": _embedded(data | shown),
        "details": "\n".join(map(_embedded, details)),
        "licence": _text("viewer/LICENSE.txt").replace("*/", "* /"),
        "viewer": _text(f"viewer/{viewer['file']}"),
        "script": _text("pages/page.js"),
    }
    pieces = _text("pages/page.html").split("@@")  # text, name, text, name, ..., text
    return "".join(parts[piece] if k % 2 else piece for k, piece in enumerate(pieces))


def contents(inputs: Structures, results: Structures, stages: Sequence[Stage] = ()) -> dict[str, Any]:
    """What the page shows, as plain values for JSON.

    ``columns`` and ``table`` (column -> a value of each molecule) are read when the page is opened; of ``details``, structure
    and curves of each molecule, those that are looked at. Coordinates are in Å, turned so that the molecule is seen at its
    broadest, input and result alike.
    """
    table = table_of(results)
    table["formula"] = [_formula(molecule.numbers) for molecule in results]
    shown = {name: column for name, column in _COLUMNS.items() if name in table and not _is_empty(column, table[name])}
    curves = [stage.curves() for stage in stages]
    details = []
    for before, after, verdict in zip(inputs, results, table["verdict"], strict=True):
        details.append(
            {
                **_geometry(after.numbers, before.positions, after.positions, verdict not in UNRELAXED),
                "curves": [by_name[after.id] for by_name in curves if after.id in by_name],
            }
        )
    return {
        "columns": [{"key": name, **column._asdict()} for name, column in shown.items()],
        "table": {name: [_plain(value) for value in table[name].tolist()] for name in shown},
        "details": details,
    }


def _embedded(data: Any) -> str:
    """Data as JSON in an element of the page, on one line; "<" could end that element, or open a comment in it."""
    return json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _geometry(
    numbers: NDArray[np.uint8], before: NDArray[np.floating], after: NDArray[np.floating], relaxed: bool
) -> dict[str, Any]:
    """Symbols [N], flat coordinates [3 N] of input and result (None where there are none), and bonds [E, 2] kept, lost, made."""
    symbols = [chemical_symbols[z] if z < len(chemical_symbols) else "X" for z in numbers.tolist()]
    nothing: dict[str, Any] = {"symbols": symbols, "before": None, "after": None, "bonds": {"kept": [], "lost": [], "made": []}}
    # Beyond this no viewer helps: a refused input may hold any number.
    if not len(numbers) or not np.all(np.abs(before) < 1e6):
        return nothing
    centre = before.mean(axis=0)
    turn = view(numbers, before) if len(numbers) > 1 else np.eye(3)
    old = {(i, j) for i, j in bonds(numbers, before).tolist()}
    new = {(i, j) for i, j in bonds(numbers, after).tolist()} if relaxed else old
    return {
        "symbols": symbols,
        "before": ((before - centre) @ turn).round(3).ravel().tolist(),
        "after": ((after - centre) @ turn).round(3).ravel().tolist() if relaxed else None,
        "bonds": {"kept": sorted(old & new), "lost": sorted(old - new), "made": sorted(new - old)},
    }


def _formula(numbers: NDArray[np.uint8]) -> str:
    symbols = [chemical_symbols[z] for z in numbers.tolist() if 0 < z < len(chemical_symbols)]
    return str(Formula.from_list(symbols).convert("hill")) if symbols else ""


def _is_empty(column: _Shown, values: Any) -> bool:
    if column.kind in ("kept", "passed"):
        return bool((values < 0).all())
    if column.kind == "text":
        return bool((values == "").all())
    return column.kind == "number" and bool(values.isna().all())


def _plain(value: Any) -> str | int | float | None:
    if isinstance(value, str):
        return value
    if isinstance(value, (int, np.integer)):
        return int(value)
    return float(f"{value:.4g}") if math.isfinite(value) else None


def _text(name: str) -> str:
    return resources.files("morered").joinpath(name).read_text(encoding="utf-8")
