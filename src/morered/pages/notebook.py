"""A relaxation in a notebook: the page of `morered.pages` in the output of a cell.

Shapes: M molecules.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from ase import Atoms

from morered.files import atomic_path
from morered.pages.page import page
from morered.relaxation.result import Result
from morered.relaxation.verdicts.columns import COLUMNS, OF_METHODS
from morered.relaxation.verdicts.geometry import BEFORE
from morered.structures import Column, Structures
from morered.unique_names import UniqueNames


class View:
    """Molecules before and after: a notebook shows it as the value of a cell; `html` is the page, `save` writes it."""

    def __init__(self, html: str, molecules: int, height: int) -> None:
        self.html = html
        self._molecules = molecules
        self._height = height

    def _repr_html_(self) -> str:
        # In a frame of its own, which may run its script and nothing else: the notebook's page and this one do not meet.
        return (
            f'<iframe srcdoc="{escape(self.html)}" sandbox="allow-scripts" loading="lazy" '
            f'style="width: 100%; height: {self._height}px; border: 1px solid #dedede"></iframe>'
        )

    def __repr__(self) -> str:
        count = f"{self._molecules} molecule" + "s" * (self._molecules != 1)
        return f"View({count}; a notebook shows it, save(path) writes it as a page)"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page, complete or not at all."""
        with atomic_path(path) as temporary:
            temporary.write_text(self.html, encoding="utf-8")


def view(
    result: Atoms | Sequence[Atoms] | Result, before: Atoms | Sequence[Atoms] | Structures | None = None, *, height: int = 620
) -> View:
    """Show molecules before and after their relaxation, in 3D, with verdict and reason.

    Parameters
    ----------
    result
        What `morered.relax` returned.
    before
        The molecules as they were. They need not be given for what comes straight from `morered.relax`; a copy, or one that was
        read from a file, has forgotten them.
    height
        Of the frame, in pixels.

    Returns
    -------
    View
        The value of a notebook's cell; it needs no network.

    Raises
    ------
    ValueError
        If they are no results of `morered.relax`, or what they were before is not known.
    """
    if isinstance(result, Result):
        inputs = result.given if before is None else before
        if not isinstance(inputs, Structures):
            raise ValueError("the molecules before the relaxation are not known: give them as before=")
        return View(page(inputs, result.structures), len(inputs), height)
    after = [result] if isinstance(result, Atoms) else list(result)
    if before is None:
        starts = [getattr(atoms, BEFORE, None) for atoms in after]
    else:
        given = [before] if isinstance(before, Atoms) else list(before)
        starts = [getattr(atoms, "positions", None) for atoms in given]
    if [None if x is None else x.shape for x in starts] != [atoms.positions.shape for atoms in after]:
        raise ValueError("the molecules before the relaxation are not known: give them as before=, in the same order")
    results = _structures(after)
    positions = np.concatenate([np.empty((0, 3)), *starts])
    return View(page(results.without_columns().with_positions(positions), results), len(after), height)


def _structures(after: Sequence[Atoms]) -> Structures:
    """Atoms with the columns of `morered.relaxation.verdicts.columns`, which `morered.relax` put into their ``info``."""
    for k, atoms in enumerate(after):
        if missing := [name for name in COLUMNS if name not in atoms.info]:
            raise ValueError(f"molecule {k + 1} is no result of morered.relax: it has no {missing[0]}")
    unique = UniqueNames()
    names = [unique.unique(str(atoms.info.get("name") or atoms.get_chemical_formula())) for atoms in after]
    structures = Structures.build([atoms.numbers for atoms in after], [atoms.positions for atoms in after], names)
    told = [*COLUMNS, *(name for name in OF_METHODS if all(name in atoms.info for atoms in after))]
    return structures.with_columns({name: _column([atoms.info[name] for atoms in after]) for name in told})


def _column(values: list[Any]) -> Column:
    if all(isinstance(value, str) for value in values):
        return Column(np.array([value.encode() for value in values], dtype=np.bytes_).reshape(len(values)))
    return Column(np.array(values))
